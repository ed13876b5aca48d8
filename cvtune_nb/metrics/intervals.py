"""Accuracies with intervals, also of photos that belong together, and by class."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import t as student

Z95 = 1.959963984540054
"""Two-sided 95% point of the normal distribution."""


@dataclass(frozen=True)
class Accuracy:
    """Fraction of n photos that were right, with its 95% Wilson interval low..high (Wilson 1927).

    groups: in how many groups they are, where some belong together (`clustered`); 0 where each is alone.
    """

    value: float
    low: float
    high: float
    n: int
    groups: int = 0

    def __str__(self) -> str:
        among = f" in {self.groups} groups" if self.groups else ""
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%}, {self.n} photos{among})"

    @property
    def interval(self) -> list[float]:
        """[low, high]."""
        return [self.low, self.high]

    def to_dict(self) -> dict[str, float]:
        """The fields as plain values; groups only where there are some."""
        return {name: value for name, value in asdict(self).items() if name != "groups" or value}


def share(right: int, n: int) -> Accuracy:
    """`right` of `n` as an Accuracy; n = 0 gives 0 with the interval 0..1."""
    if n == 0:
        return Accuracy(0.0, 0.0, 1.0, 0)
    p = right / n
    return Accuracy(p, *wilson(p, n), int(n))


def wilson(p: float, n: float) -> tuple[float, float]:
    """The 95% interval of a fraction p of n photos, n > 0 (Wilson 1927)."""
    z2 = Z95 * Z95
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half))


def accuracy(truth: ArrayLike, predicted: ArrayLike, groups: ArrayLike | None = None) -> Accuracy:
    """Fraction of `predicted` that equals `truth`.

    Parameters
    ----------
    truth, predicted
        Labels of n photos, in the same order.
    groups
        The group of each where photos belong together, for an interval that allows for that.
    """
    return rate(np.asarray(truth) == np.asarray(predicted), groups)


def rate(right: ArrayLike, groups: ArrayLike | None = None) -> Accuracy:
    """How many of n photos were right.

    Parameters
    ----------
    right
        Which were, or how often each was, 0 to 1 (n,).
    groups
        The group of each where photos belong together, for an interval that allows for that.
    """
    answers = np.asarray(right, dtype=float)
    return _independent(answers) if groups is None else clustered(answers, groups)


def _independent(answers: np.ndarray) -> Accuracy:
    if not answers.size:
        return share(0, 0)
    p = min(1.0, float(answers.sum()) / answers.size)
    return Accuracy(p, *wilson(p, answers.size), answers.size)


def confusion(truth: Iterable[str], predicted: Iterable[str], classes: Iterable[str]) -> pd.DataFrame:
    """Counts of photos: a row for each true class, a column for each predicted one.

    Parameters
    ----------
    truth, predicted
        Labels of n photos, in the same order.
    classes
        The labels that have a row and a column, in this order.
    """
    counts = pd.crosstab(pd.Series(list(truth), name="true"), pd.Series(list(predicted), name="predicted"))
    return counts.reindex(index=list(classes), columns=list(classes), fill_value=0)


def per_class(
    truth: ArrayLike, predicted: ArrayLike, classes: Iterable[str], groups: ArrayLike | None = None
) -> pd.DataFrame:
    """Precision and recall of each class.

    Parameters
    ----------
    truth, predicted
        Labels of n photos, in the same order.
    classes
        Labels to report on, in the order of the rows.
    groups
        The group of each photo where some belong together: the intervals of recalls allow for that.

    Returns
    -------
    DataFrame
        label,photos,precision,recall,low,high: low..high is the 95% interval of the recall. The precision of a class
        that was never predicted is 0.
    """
    true_labels, predicted_labels = np.asarray(truth), np.asarray(predicted)
    own, rows = None if groups is None else np.asarray(groups), []
    for label in classes:
        of_class, called_so = np.equal(true_labels, label), np.equal(predicted_labels, label)
        recall = rate(called_so[of_class], None if own is None else own[of_class])
        precision = (of_class & called_so).sum() / max(1, called_so.sum())
        rows.append((label, recall.n, float(precision), recall.value, recall.low, recall.high))
    return pd.DataFrame(rows, columns=["label", "photos", "precision", "recall", "low", "high"])


# -- photos that belong together --------------------------------------------------------------------------------


def clustered(right: ArrayLike, groups: ArrayLike) -> Accuracy:
    """The accuracy on n photos of which those of one group, such as frames of a scene, are right or wrong together.

    Wilson's interval for the effective number of photos (Rao and Scott 1992, "A simple method for the analysis of
    clustered binary data"): as many independent photos as have the variance that is found between groups, by the ratio
    estimator (Cochran 1977), with the t distribution of as few groups (Korn and Graubard 1998). Where all photos are
    right, or none, a group counts as one photo. How often it holds: docs/measurements.md, "Intervals of groups".

    Parameters
    ----------
    right
        Which photos were right, or how often each was, 0 to 1 (n,).
    groups
        The group of each (n,); where all are alone this is `share`.
    """
    answers = np.asarray(right, dtype=float)
    hits, sizes = by_group(answers, groups)
    whole = _independent(answers)
    if len(sizes) == answers.size:
        return whole
    if len(sizes) < 2:
        return Accuracy(whole.value, 0.0, 1.0, whole.n, len(sizes))
    n, p = answers.size, whole.value
    variance = ratio_variance(hits - p * sizes, n)
    effective = min(n, p * (1 - p) / variance) if variance else n if 0 < p < 1 else n**2 / (sizes**2).sum()
    effective *= (Z95 / float(student.ppf(0.975, len(sizes) - 1))) ** 2
    low, high = wilson(p, effective)
    return Accuracy(p, low, high, n, len(sizes))


def cross_validated(right: ArrayLike, folds: int, groups: ArrayLike | None = None) -> Accuracy:
    """The accuracy over all photos, each answered by a model that was trained without its fold.

    Models of different folds have most of their training photos in common, so their mistakes are not independent. The
    variance is that of independent photos times 1 + folds / (folds - 1), as Nadeau and Bengio (2003, "Inference for the
    generalization error") propose: the Wilson interval of so many photos less. How often it holds:
    docs/measurements.md, "Intervals of cross-validation".

    Parameters
    ----------
    right
        Which photos were right (n,).
    folds
        How many folds there were, 2 or more.
    groups
        The group of each (n,), where some belong together.
    """
    found = rate(right, groups)
    low, high = wilson(found.value, effective(found) / (1 + folds / (folds - 1)))
    return Accuracy(found.value, low, high, found.n, found.groups)


def effective(found: Accuracy) -> float:
    """How many photos that are independent of each other would have as wide an interval.

    By Wilson's interval, whose width is about as 1 to the root of the number of photos.
    """
    if not found.groups or not found.n:
        return float(found.n)
    low, high = wilson(found.value, found.n)
    return found.n * min(1.0, ((high - low) / (found.high - found.low)) ** 2)


def alike(found: Accuracy, other: Accuracy) -> Accuracy:
    """An accuracy with the interval that it has where its photos depend on each other as those of another one do."""
    if not other.groups or not found.n:
        return found
    return Accuracy(found.value, *wilson(found.value, found.n * effective(other) / other.n), found.n)


def by_group(values: np.ndarray, groups: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The sum of the values of each group, and its size."""
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    return np.bincount(codes, weights=values), np.bincount(codes)


def ratio_variance(residuals: np.ndarray, n: int) -> float:
    """Variance of a mean over n photos, of what the sum of each group lies above its expectation."""
    return float((residuals**2).sum() * len(residuals) / (len(residuals) - 1) / n**2)
