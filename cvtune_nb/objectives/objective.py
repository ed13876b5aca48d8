"""What an objective is: its value, how sure one can be of it, and which of two classifiers is better by it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cvtune_nb import metrics
from cvtune_nb.metrics import Chosen, Paired
from cvtune_nb.objectives import resampling
from cvtune_nb.objectives.resampling import Interval, Statistic


@dataclass(frozen=True)
class Score:
    """An objective on n photos, with its 95% interval low..high; NaN without a photo.

    label: what the value is called; share: whether it is a share of 1, shown in percent.
    """

    value: float
    low: float
    high: float
    n: int
    label: str
    share: bool

    def __str__(self) -> str:
        value, low, high = (in_unit(value, self.share) for value in (self.value, self.low, self.high))
        return f"{value} ({low} to {high}, {self.n} photos)"

    @property
    def interval(self) -> list[float]:
        """[low, high]."""
        return [self.low, self.high]

    def to_dict(self) -> dict[str, float | str | bool]:
        """The fields as plain values."""
        return asdict(self)


def in_unit(value: float, share: bool) -> str:
    """A value in percent, or as a plain number."""
    return f"{value:.1%}" if share else f"{value:.3f}"


def change(difference: float, share: bool, unit: str = " points") -> str:
    """A difference in its unit: "+1.2 points", "-0.031".

    Parameters
    ----------
    difference
        Of two values.
    share
        Whether they are shares of 1.
    unit
        What stands after points; "" for none.
    """
    return f"{difference * 100:+.1f}{unit}" if share else f"{difference:+.3f}"


@dataclass(frozen=True)
class Objective(ABC):
    """What counts, among these classes.

    Attributes
    ----------
    text
        As it is typed, and kept with runs.
    classes
        Names of the classes, in the order of the columns of probabilities.
    """

    text: str
    classes: tuple[str, ...]

    LABEL: ClassVar[str]
    """What its value is called."""
    MEANING: ClassVar[str]
    """In one line."""
    HIGHER_IS_BETTER: ClassVar[bool] = True
    SHARE: ClassVar[bool] = True
    """Whether it is a share of 1, of which differences are points; else a plain number."""
    BY_ANSWERS: ClassVar[bool] = False
    """Whether only the likeliest classes count, and not how likely they are."""

    LIKELIEST: ClassVar[bool] = True
    """Whether the answer is the likeliest class, and not another one that suits it better."""

    @property
    def label(self) -> str:
        """What its value is called."""
        return self.LABEL

    @property
    def mistake(self) -> float:
        """What one mistake counts, in the unit of its value times photos."""
        return 1.0

    @abstractmethod
    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The objective on these photos, for any weights of the photos.

        Parameters
        ----------
        truth
            Class ids (n,).
        probabilities
            Of each class (n, classes).
        """

    def decide(self, probabilities: ArrayLike) -> np.ndarray:
        """Class ids (n,) of the answers that suit the objective: the likeliest classes, or those that cost least."""
        return np.asarray(probabilities).argmax(1)

    def value(self, truth: ArrayLike, probabilities: ArrayLike) -> float:
        """The objective on n photos: class ids (n,), and probabilities (n, classes). NaN without a photo."""
        ids, given = np.asarray(truth, int), np.asarray(probabilities, float)
        return float(self.statistic(ids, given)(np.ones((1, len(ids))))[0]) if len(ids) else math.nan

    def better(self, value: float, than: float) -> bool:
        """Whether a value is better than another one."""
        return value > than if self.HIGHER_IS_BETTER else value < than

    def merit(self, value: float) -> float:
        """The value so that larger is better."""
        return value if self.HIGHER_IS_BETTER else -value

    def in_words(self, value: float) -> str:
        """A value in its unit."""
        return in_unit(value, self.SHARE)

    def gain_in_words(self, gain: float) -> str:
        """A difference of merits in its unit: "+1.2 points", "-0.031"."""
        return change(gain, self.SHARE)

    def measure(self, truth: ArrayLike, probabilities: ArrayLike, groups: ArrayLike | None = None) -> Score:
        """The objective on n photos, with its interval.

        How often the intervals hold: docs/measurements.md, "Intervals of the objectives".

        Parameters
        ----------
        truth
            Class ids (n,).
        probabilities
            Of each class (n, classes).
        groups
            The group of each photo where some belong together, for an interval that allows for that.
        """
        ids, given = np.asarray(truth, int), np.asarray(probabilities, float)
        value = self.value(ids, given)
        low, high = self._interval(ids, given, value, groups) if len(ids) else (math.nan, math.nan)
        return Score(value, min(low, value), max(high, value), len(ids), self.label, self.SHARE)

    def _interval(
        self,
        truth: np.ndarray,
        probabilities: np.ndarray,
        value: float,  # noqa: ARG002 - for those with formulas
        groups: ArrayLike | None,
    ) -> Interval:
        """The 95% interval of its value on these photos."""
        return resampling.interval(self.statistic(truth, probabilities), len(truth), groups)

    def compare(self, truth: ArrayLike, first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None) -> Paired:
        """Two classifiers on the same photos; a difference above 0 means that the second is better.

        Parameters
        ----------
        truth
            Class ids (n,).
        first, second
            Their probabilities (n, classes).
        groups
            As for `measure`.

        Returns
        -------
        Paired
            The 95% bootstrap interval of the difference, and the p of a permutation test (resampling.difference).
        """
        ids, one, other = np.asarray(truth, int), np.asarray(first, float), np.asarray(second, float)
        if one.shape != other.shape or len(one) != len(ids):
            raise ValueError("compare needs the same photos for both")
        if not len(ids):
            return Paired(0.0, -math.inf, math.inf, 1.0, "no photo to compare them on")
        both = self.statistic(np.concatenate([ids, ids]), np.concatenate([one, other]))
        low, high, p = resampling.difference(both, len(ids), groups=groups)
        if not self.HIGHER_IS_BETTER:
            low, high = -high, -low
        difference = self.merit(self.value(ids, other)) - self.merit(self.value(ids, one))
        return self._in_words(Paired(difference, min(low, difference), max(high, difference), p, ""), len(ids))

    def _in_words(self, found: Paired, n: int) -> Paired:
        size = self.gain_in_words(found.difference)
        if found.p < metrics.CERTAIN:
            words = f"{size.removeprefix('+').removeprefix('-')} {found.verdict} (p = {found.p:.2g})"
        else:
            words = f"{found.verdict} ({size}, p = {found.p:.2g}, {n} photos)"
        return Paired(found.difference, found.low, found.high, found.p, words)

    def best_of(self, truth: ArrayLike, answers: Mapping[str, ArrayLike], groups: ArrayLike | None = None) -> Chosen:
        """The best of several runs on the same photos, with its value corrected for having been chosen.

        Parameters
        ----------
        truth
            Class ids (n,).
        answers
            Probabilities (n, classes) of each run, by name. Ties: the first.
        groups
            As for `measure`.

        Raises
        ------
        ValueError
            Without a photo or a run.
        """
        ids, given = np.asarray(truth, int), {name: np.asarray(each, float) for name, each in answers.items()}
        if not given or not len(ids):
            raise ValueError("best_of needs at least one photo and one run")
        values = {name: self.value(ids, each) for name, each in given.items()}
        best = max(values, key=lambda name: self.merit(values[name]))
        whole, found, expected = self.measure(ids, given[best], groups), values[best], values[best]
        if len(given) > 1:
            statistics = [self.statistic(ids, each) for each in given.values()]
            expected = resampling.expected_of_best(statistics, len(ids), self.HIGHER_IS_BETTER, groups=groups)
        low, high = (end - found + expected for end in whole.interval)
        low, high = (max(0.0, low), min(1.0, high)) if self.SHARE else (max(0.0, low), high)
        spread = f"{self.in_words(low)} to {self.in_words(high)}"
        words = f"{self.in_words(expected)} ({spread}) may be expected of {best} on other photos"
        if len(given) > 1:
            chosen = f"it was chosen as the best of {len(given)} on these {len(ids)} photos"
            words += f", not the {self.in_words(found)} found here: {chosen}"
        return Chosen(best, found, expected, low, high, words)
