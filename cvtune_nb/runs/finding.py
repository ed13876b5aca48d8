"""What a rule finds: what to change next, and why."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """code and title say what; evidence holds the numbers, source where the rule comes from, change the parameters
    to set next (empty: nothing to set)."""

    code: str
    title: str
    evidence: str
    source: str
    change: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)
