"""Judges what several classifiers say of the same photos by what counts, with intervals and paired tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cvtune_nb import metrics
from cvtune_nb.metrics import Accuracy, Paired
from cvtune_nb.objectives import USUAL, Objective, Score, objective_of


@dataclass(frozen=True)
class Said:
    """What a classifier says of n photos.

    right: which it gets right, bool (n,); chances: probabilities (n, classes), or None where accuracy counts.
    """

    right: np.ndarray
    chances: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.right)


def joined(parts: Sequence[Said]) -> Said:
    """What it says of the photos of all parts, one part after the other."""
    chances = [part.chances for part in parts if part.chances is not None]
    right = np.concatenate([part.right for part in parts])
    return Said(right, np.concatenate(chances) if len(chances) == len(parts) else None)


@dataclass(frozen=True)
class Judge:
    """What counts on some photos.

    Attributes
    ----------
    objective
        What counts, among their classes.
    truth
        Class ids (n,) of the photos in their order; classifiers are judged on the first of them, or on all. Accuracy
        needs none.
    groups
        The group of each where some belong together, else None.
    """

    objective: Objective = field(default_factory=lambda: objective_of(USUAL, ()))
    truth: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    groups: np.ndarray | None = None

    @property
    def by_accuracy(self) -> bool:
        """Whether accuracy counts: no probabilities are needed."""
        return self.objective.text == USUAL

    @property
    def columns(self) -> tuple[str, ...]:
        """The classes whose probabilities are needed; none where accuracy counts."""
        return () if self.by_accuracy else self.objective.classes

    def said(self, chances: np.ndarray) -> Said:
        """What follows from probabilities (n, classes) on all photos: right is where the likeliest class is."""
        return Said(chances.argmax(1) == self.truth, None if self.by_accuracy else chances)

    def score(self, said: Said) -> Score:
        """The objective with its 95% interval; without a photo 0 to 1 for accuracy, else NaN."""
        if self.by_accuracy:
            found = self.accuracy(said)
            return Score(found.value, found.low, found.high, found.n, self.objective.label, self.objective.SHARE)
        return self.objective.measure(self.truth[: len(said)], self._chances(said), self._groups(said))

    def value(self, said: Said) -> float:
        """The objective alone, which takes no bootstrap."""
        if self.by_accuracy:
            return float(said.right.mean())
        return self.objective.value(self.truth[: len(said)], self._chances(said))

    def compare(self, first: Said, second: Said) -> Paired:
        """The second beside the first, both on the same photos; above 0: the second is better."""
        groups = self._groups(first)
        if self.by_accuracy:
            return metrics.paired(first.right, second.right, groups)
        truth = self.truth[: len(first)]
        return self.objective.compare(truth, self._chances(first), self._chances(second), groups)

    def accuracy(self, said: Said) -> Accuracy:
        """The share that is right, with its interval, whatever counts."""
        return metrics.rate(said.right, self._groups(said))

    def margin(self, points: float, value: float) -> float:
        """As much of the objective, in its unit, as so many points (0 to 1) are of accuracy.

        Parameters
        ----------
        points
            Of accuracy.
        value
            The objective of the best. A loss or cost has no points: it is as large a part of it as the points are of
            the mistakes of a classifier that gets USUAL_MISTAKES wrong.
        """
        return points if self.objective.SHARE else points / USUAL_MISTAKES * value

    def _chances(self, said: Said) -> np.ndarray:
        if said.chances is None:
            raise ValueError(f"{self.objective.label} needs probabilities")
        return said.chances

    def _groups(self, said: Said) -> np.ndarray | None:
        return None if self.groups is None else self.groups[: len(said)]


USUAL_MISTAKES = 0.2
"""Share of mistakes, much as a frozen network makes on our sets, by which points become parts of a loss."""
