"""What is kept of an objective with a result, so that its figures can be read without the classes that there were."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from cvtune_nb.objectives.forms import USUAL
from cvtune_nb.objectives.kinds import Costs, RecallAtPrecision
from cvtune_nb.objectives.objective import Objective, change, in_unit
from cvtune_nb.objectives.text import PLAIN


@dataclass(frozen=True)
class Counted:
    """What counted in a result.

    Attributes
    ----------
    objective
        Its text.
    label
        What its value is called.
    share
        Whether that is a share of 1, of which differences are points.
    higher_is_better
        Which way is up. Differences are above 0 where something is better, whatever this says.
    """

    objective: str = USUAL
    label: str = USUAL
    share: bool = True
    higher_is_better: bool = True

    @classmethod
    def of(cls, objective: Objective) -> Self:
        """That of an objective."""
        return cls(objective.text, objective.label, objective.SHARE, objective.HIGHER_IS_BETTER)

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """From what `to_dict` gave, among other things; accuracy where nothing is said, as in earlier versions."""
        return cls(**{name: known[name] for name in cls.__dataclass_fields__ if name in known})

    def to_dict(self) -> dict[str, Any]:
        """Plain values; nothing for accuracy, as in earlier versions."""
        return {} if self.by_accuracy else asdict(self)

    @property
    def by_accuracy(self) -> bool:
        """Whether accuracy counted."""
        return self.objective == USUAL

    @property
    def axis(self) -> str:
        """Its name beside an axis."""
        return self.label if self.higher_is_better else f"{self.label} (lower is better)"

    @property
    def points(self) -> str:
        """What a hundredth of it is called."""
        if self.by_accuracy:
            return "points"
        return f"points of {self.label}" if self.share else f"hundredths of {self.label}"

    def in_words(self, value: float) -> str:
        """A value in its unit."""
        return in_unit(value, self.share)

    def change(self, difference: float, unit: str = " points") -> str:
        """A difference in its unit; unit: what stands after points."""
        return change(difference, self.share, unit)


ACCURACY = Counted()


def before_accuracy(values: Mapping[str, Any]) -> str:
    """What counts, to stand before an accuracy: "macro-F1 81.2%, "; "" where accuracy does, or nothing is known.

    values: objective and objective_value, as the JSON of commands has them.
    """
    text, value = values.get("objective"), values.get("objective_value")
    if not text or text == USUAL or value is None:
        return ""
    if text in PLAIN:
        return f"{PLAIN[text].LABEL} {in_unit(value, PLAIN[text].SHARE)}, "
    kind = RecallAtPrecision if text.startswith("recall:") else Costs
    return f"{kind.LABEL} {in_unit(value, kind.SHARE)} ({text}), "
