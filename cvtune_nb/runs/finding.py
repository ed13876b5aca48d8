"""What a rule finds: what to change next, and why."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One piece of advice.

    Attributes
    ----------
    code, title : str
        What was found, in one word and in a sentence.
    evidence, source : str
        The numbers behind it, and where the rule comes from.
    change : dict
        Parameters to set next; empty: nothing to set.
    """

    code: str
    title: str
    evidence: str
    source: str
    change: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)
