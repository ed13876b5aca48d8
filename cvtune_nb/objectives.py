"""What counts: the objective that everything is chosen by, from the SVM's C to the best run."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import ArrayLike

from cvtune_nb.errors import InputError

Statistic = Callable[[np.ndarray], np.ndarray]
"""The value of an objective for each of b weightings of n photos (b, n): how often a photo counts. Returns (b,)."""

UNCERTAIN = 1e-12
"""Probabilities below it count as it: one sure mistake would make the log loss infinite (as in scikit-learn)."""


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


class OverallAccuracy(Objective):
    """The share of photos that is right."""

    LABEL, MEANING = "accuracy", "the share of all photos that is right: large classes count most"

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The weighted share that is right."""
        right = (self.decide(probabilities) == truth).astype(float)
        return lambda weights: weights @ right / weights.sum(1)


class BalancedAccuracy(Objective):
    """The mean of the classes' recalls; of classes without a photo none is counted."""

    LABEL, MEANING = "balanced accuracy", "the mean of the classes' recalls: every class counts the same"

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The mean recall of the classes that have weight."""
        of_class = np.eye(len(self.classes))[truth]
        right = of_class * (self.decide(probabilities) == truth)[:, None]
        return lambda weights: _mean_where(weights @ right, weights @ of_class)


class MacroF1(Objective):
    """The mean of the classes' F1; classes that neither occur nor are answered are not counted."""

    LABEL, MEANING = "macro-F1", "the mean of the classes' F1: few missed, and few false alarms, in every class"

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The mean of 2 right / (photos of the class + answers of the class)."""
        one_hot = np.eye(len(self.classes))
        of_class, answered = one_hot[truth], one_hot[self.decide(probabilities)]
        right, both = of_class * answered, of_class + answered
        return lambda weights: _mean_where(2 * (weights @ right), weights @ both)


class LogLoss(Objective):
    """The mean negative logarithm of the true class's probability."""

    LABEL, MEANING = "log loss", "how good the probabilities are: sure mistakes count most; lower is better"
    HIGHER_IS_BETTER = False

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The weighted mean."""
        loss = -np.log(np.maximum(probabilities[np.arange(len(truth)), truth], UNCERTAIN))
        return lambda weights: weights @ loss / weights.sum(1)


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

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The recall at the lowest threshold that reaches the precision; 0 where none does."""
        scores = probabilities[:, self.positive]
        order = np.argsort(-scores, kind="stable")
        positive, ranked = (truth[order] == self.positive).astype(float), scores[order]
        last = np.append(ranked[1:] != ranked[:-1], True)  # photos of one score are on the same side of a threshold

        def of(weights: np.ndarray) -> np.ndarray:
            answered = np.cumsum(weights[:, order], axis=1)
            found = np.cumsum(weights[:, order] * positive, axis=1)
            reached = last & (found >= self.precision * answered - 1e-9) & (answered > 0)
            return np.where(reached, found, 0).max(1) / np.maximum(found[:, -1], 1e-12)

        return of


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

    def decide(self, probabilities: ArrayLike) -> np.ndarray:
        """The answers of the lowest expected cost (Elkan 2001)."""
        return (np.asarray(probabilities, float) @ np.array(self.matrix)).argmin(1)

    def statistic(self, truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
        """The weighted mean."""
        cost = np.array(self.matrix)[truth, self.decide(probabilities)]
        return lambda weights: weights @ cost / weights.sum(1)


PLAIN: dict[str, type[Objective]] = {
    "accuracy": OverallAccuracy,
    "balanced-accuracy": BalancedAccuracy,
    "macro-f1": MacroF1,
    "log-loss": LogLoss,
}
USUAL = "accuracy"
FORMS = f"{', '.join(PLAIN)}, recall:CLASS@PRECISION (recall:lemon@.9) or costs:A>B=COST,... (costs:lemon>lime=5)"
_RECALL = re.compile(r"recall:(?P<label>.+)@(?P<precision>[\d.]+)")
_COST = re.compile(r"(?P<true>[^>=,]+)>(?P<answer>[^>=,]+)=(?P<cost>[\d.]+(e-?\d+)?)")


def objective_of(text: str, classes: Sequence[str]) -> Objective:
    """The objective that is meant.

    Parameters
    ----------
    text
        One of PLAIN; recall:CLASS@PRECISION; or costs:A>B=COST,..., where to take a photo of class A for class B
        costs COST, and every mistake that is not named costs 1. In names of costs, ">", "=", "," and "%" are written
        as in addresses (%3E, %3D, %2C, %25).
    classes
        Names of the classes, in the order of the columns of probabilities.

    Raises
    ------
    InputError
        It is none of these, or names a class that there is not.
    """
    names = tuple(classes)
    if text in PLAIN:
        return PLAIN[text](text, names)
    if match := _RECALL.fullmatch(text):
        try:
            precision = float(match["precision"])
        except ValueError:
            precision = 0.0
        if not 0 < precision <= 1:
            raise InputError(f"objective is {text!r}: the precision is above 0 and at most 1")
        return RecallAtPrecision(text, names, _id_of(match["label"], names, text), precision)
    if text.startswith("costs:"):
        matrix = 1 - np.eye(len(names))
        for part in text.removeprefix("costs:").split(","):
            if not (named := _COST.fullmatch(part.strip())):
                raise InputError(f"objective is {text!r}: {part.strip()!r} is not of the form A>B=COST")
            true, answer = (_id_of(unquote(named[key]), names, text) for key in ("true", "answer"))
            if true == answer:
                raise InputError(f"objective is {text!r}: {names[true]!r} taken for itself is right, and costs nothing")
            matrix[true, answer] = float(named["cost"])
        return Costs(text, names, tuple(map(tuple, matrix.tolist())))
    raise InputError(f"objective is {text!r}: choose {FORMS}")


def costs_in_words(matrix: ArrayLike, classes: Sequence[str]) -> str:
    """The text of these costs (classes, classes): the mistakes that don't cost 1; "costs:A>B=1" where all do."""
    costs, names = np.asarray(matrix, float), [quote(name, safe=" ()+&'!#:;@/") for name in classes]
    pairs = [(a, b) for a in range(len(names)) for b in range(len(names)) if a != b]
    own = [pair for pair in pairs if costs[pair] != 1] or pairs[:1]
    return "costs:" + ",".join(f"{names[a]}>{names[b]}={costs[a, b]:g}" for a, b in own)


def _id_of(label: str, classes: tuple[str, ...], text: str) -> int:
    if label not in classes:
        raise InputError(f"objective is {text!r}: there is no class {label!r}, but {', '.join(classes)}")
    return classes.index(label)


def _mean_where(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean over the classes (b, classes) of sums / counts where counts are not 0."""
    there = counts > 0
    return np.where(there, sums / np.where(there, counts, 1), 0).sum(1) / np.maximum(there.sum(1), 1)
