"""The objectives there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cvtune_nb import metrics
from cvtune_nb.metrics import Chosen, Paired
from cvtune_nb.objectives import resampling
from cvtune_nb.objectives.objective import Objective
from cvtune_nb.objectives.resampling import Interval, Statistic

UNCERTAIN = 1e-12
"""Probabilities below it count as it: one sure mistake would make the log loss infinite (as in scikit-learn)."""


class OverallAccuracy(Objective):
    """The share of photos that is right."""

    LABEL, MEANING = "accuracy", "the share of all photos that is right: large classes count most"
    BY_ANSWERS = True

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The weighted share that is right."""
        right = (self.decide(probabilities) == truth).astype(float)
        return lambda weights: weights @ right / weights.sum(1)

    def _interval(
        self,
        truth: np.ndarray,
        probabilities: np.ndarray,
        value: float,  # noqa: ARG002
        groups: ArrayLike | None,
    ) -> Interval:
        """Wilson 1927, or by groups."""
        found = metrics.accuracy(truth, self.decide(probabilities), groups)
        return found.low, found.high

    def compare(self, truth: ArrayLike, first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None) -> Paired:
        """By metrics.paired, an exact McNemar test, of whole groups where photos belong together."""
        ids = np.asarray(truth)
        return metrics.paired(self.decide(first) == ids, self.decide(second) == ids, groups)

    def best_of(self, truth: ArrayLike, answers: Mapping[str, ArrayLike], groups: ArrayLike | None = None) -> Chosen:
        """By metrics.best_of."""
        ids = np.asarray(truth)
        right = pd.DataFrame({name: self.decide(each) == ids for name, each in answers.items()})
        return metrics.best_of(right, groups=groups)


class BalancedAccuracy(Objective):
    """The mean of the classes' recalls; of classes without a photo none is counted."""

    LABEL, MEANING = "balanced accuracy", "the mean of the classes' recalls: every class counts the same"
    BY_ANSWERS = True

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The mean recall of the classes that have weight."""
        of_class = np.eye(len(self.classes))[truth]
        right = of_class * (self.decide(probabilities) == truth)[:, None]
        return lambda weights: _mean_where(weights @ right, weights @ of_class)

    def _interval(
        self, truth: np.ndarray, probabilities: np.ndarray, value: float, groups: ArrayLike | None
    ) -> Interval:
        """From the intervals of the recalls; with groups the bootstrap, where that is wider."""
        right = self.decide(probabilities) == truth
        of_class = [truth == class_id for class_id in np.unique(truth)]
        found = resampling.mean_of([metrics.rate(right[own], _of(groups, own)) for own in of_class])
        return (
            found
            if groups is None
            else resampling.widest(found, super()._interval(truth, probabilities, value, groups))
        )


class MacroF1(Objective):
    """The mean of the classes' F1; classes that neither occur nor are answered are not counted."""

    LABEL, MEANING = "macro-F1", "the mean of the classes' F1: few missed, and few false alarms, in every class"
    BY_ANSWERS = True

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The mean of 2 right / (photos of the class + answers of the class)."""
        one_hot = np.eye(len(self.classes))
        of_class, answered = one_hot[truth], one_hot[self.decide(probabilities)]
        right, both = of_class * answered, of_class + answered
        return lambda weights: _mean_where(2 * (weights @ right), weights @ both)

    def _interval(
        self, truth: np.ndarray, probabilities: np.ndarray, value: float, groups: ArrayLike | None
    ) -> Interval:
        """The bootstrap, and where that is narrower what follows from intervals of the classes' Jaccard indices.

        A Jaccard index J is a share (of the photos that are of a class or taken for it), and F1 is 2 J / (1 + J).
        """
        answers, parts = self.decide(probabilities), list[metrics.Accuracy]()
        for class_id in range(len(self.classes)):
            of_class, answered = truth == class_id, answers == class_id
            either = of_class | answered
            if either.any():
                jaccard = metrics.rate((of_class & answered)[either], _of(groups, either))
                middle, low, high = (2 * end / (1 + end) for end in (jaccard.value, jaccard.low, jaccard.high))
                parts.append(metrics.Accuracy(middle, low, high, jaccard.n))
        return resampling.widest(super()._interval(truth, probabilities, value, groups), resampling.mean_of(parts))


class LogLoss(Objective):
    """The mean negative logarithm of the true class's probability."""

    LABEL, MEANING = "log loss", "how good the probabilities are: sure mistakes count most; lower is better"
    HIGHER_IS_BETTER, SHARE = False, False

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The weighted mean."""
        loss = _losses(truth, probabilities)
        return lambda weights: weights @ loss / weights.sum(1)

    def _interval(
        self, truth: np.ndarray, probabilities: np.ndarray, value: float, groups: ArrayLike | None
    ) -> Interval:
        """The bootstrap; with groups, where that is narrower, the interval of the share of mistakes at their mean loss.

        Few groups may have no mistake that a bootstrap could draw more often.
        """
        bootstrap = super()._interval(truth, probabilities, value, groups)
        if groups is None:
            return bootstrap
        loss, wrong = _losses(truth, probabilities), self.decide(probabilities) != truth
        if wrong.any():
            of_mistakes = float(loss[wrong].mean())
        else:  # that of an answer that is wrong, by what is left for the other classes
            others = np.maximum(1 - probabilities.max(1), UNCERTAIN) / max(1, len(self.classes) - 1)
            of_mistakes = float(-np.log(others).mean())
        of_right, found = float(loss[~wrong].mean()) if not wrong.all() else 0.0, metrics.rate(wrong, groups)
        ends = (end * of_mistakes + (1 - end) * of_right for end in found.interval)
        return resampling.widest(bootstrap, (next(ends), next(ends)))


@dataclass(frozen=True)
class RecallAtPrecision(Objective):
    """The largest recall of one class at which its answers have a given precision, whatever the threshold.

    Attributes
    ----------
    positive
        Id of the class.
    precision
        What must be reached, above 0 and up to 1.
    """

    positive: int
    precision: float

    LABEL: ClassVar = "recall"
    MEANING: ClassVar = "how much of one class is found while its answers are right as often as you ask"

    @property
    def label(self) -> str:
        """With the class and the precision."""
        return f"recall of {self.classes[self.positive]} at {self.precision:.0%} precision"

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The recall at the lowest threshold that reaches the precision; 0 where none does."""
        scores = probabilities[:, self.positive]
        order = np.argsort(-scores, kind="stable")
        positive, ranked = truth[order] == self.positive, scores[order]
        # photos of one score are on the same side of a threshold; the best one lies at a photo of the class
        group = np.cumsum(np.append(0, ranked[1:] != ranked[:-1]))
        ends = np.searchsorted(group, np.unique(group[positive]), side="right")
        if not len(ends):
            return lambda weights: np.zeros(len(weights))
        starts, places = np.append(0, ends[:-1]), np.flatnonzero(positive)
        of_class = np.append(0, np.searchsorted(places, ends[:-1]))

        def of(weights: np.ndarray) -> np.ndarray:
            answered = np.cumsum(np.add.reduceat(weights[:, order[: ends[-1]]], starts, axis=1), axis=1)
            found = np.cumsum(np.add.reduceat(weights[:, order[places]], of_class, axis=1), axis=1)
            reached = (found >= self.precision * answered - 1e-9) & (answered > 0)
            return np.where(reached, found, 0).max(1) / np.maximum(found[:, -1], 1e-12)

        return of

    def _interval(
        self, truth: np.ndarray, probabilities: np.ndarray, value: float, groups: ArrayLike | None
    ) -> Interval:
        """The bootstrap, and where that is narrower the interval of the recall."""
        own = truth == self.positive
        highest = np.argsort(-probabilities[own, self.positive], kind="stable")[: round(value * own.sum())]
        found = metrics.rate(np.isin(np.arange(own.sum()), highest), _of(groups, own))
        return resampling.widest(super()._interval(truth, probabilities, value, groups), (found.low, found.high))


@dataclass(frozen=True)
class Costs(Objective):
    """The mean cost of an answer.

    Attributes
    ----------
    matrix
        What it costs to take a photo of the class of a row for the class of a column.
    """

    matrix: tuple[tuple[float, ...], ...]

    LABEL: ClassVar = "mean cost"
    MEANING: ClassVar = "what mistakes cost, each as you say; lower is better"
    HIGHER_IS_BETTER: ClassVar = False
    SHARE: ClassVar = False
    LIKELIEST: ClassVar = False

    @property
    def mistake(self) -> float:
        """The mean cost of all mistakes that there can be; 1 where none costs anything."""
        costs = np.array(self.matrix)
        return float(costs[~np.eye(len(costs), dtype=bool)].mean() or 1) if len(costs) > 1 else 1.0

    def decide(self, probabilities: ArrayLike) -> np.ndarray:
        """The answers of the lowest expected cost (Elkan 2001)."""
        return (np.asarray(probabilities, float) @ np.array(self.matrix)).argmin(1)

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The weighted mean."""
        cost = np.array(self.matrix)[truth, self.decide(probabilities)]
        return lambda weights: weights @ cost / weights.sum(1)

    def _interval(
        self, truth: np.ndarray, probabilities: np.ndarray, value: float, groups: ArrayLike | None
    ) -> Interval:
        """The bootstrap, and where that is narrower the interval of the share of mistakes at their mean cost."""
        wrong = self.decide(probabilities) != truth
        each = float(value * len(truth) / wrong.sum()) if wrong.any() else self.mistake
        found = metrics.rate(wrong, groups)
        bootstrap = super()._interval(truth, probabilities, value, groups)
        return resampling.widest(bootstrap, (found.low * each, found.high * each))


def _losses(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The negative logarithm of the true class's probability (n,)."""
    return -np.log(np.maximum(probabilities[np.arange(len(truth)), truth], UNCERTAIN))


def _of(groups: ArrayLike | None, which: np.ndarray) -> np.ndarray | None:
    """The groups of some photos, where there are any."""
    return None if groups is None else np.asarray(groups)[which]


def _mean_where(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean over the classes (b, classes) of sums / counts where counts are not 0."""
    there = counts > 0
    return np.where(there, sums / np.where(there, counts, 1), 0).sum(1) / np.maximum(there.sum(1), 1)
