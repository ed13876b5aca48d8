"""How good is it, and how sure can one be? Accuracies with intervals, confusion, paired comparisons."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

Z95 = 1.959963984540054
"""Two-sided 95% point of the normal distribution."""


@dataclass(frozen=True)
class Accuracy:
    """Share of n photos that were right, with its 95% Wilson interval low..high (Wilson 1927)."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%}, {self.n} photos)"

    @property
    def interval(self) -> list[float]:
        """[low, high]."""
        return [self.low, self.high]

    def to_dict(self) -> dict[str, float]:
        """The fields as plain values."""
        return asdict(self)


def share(right: int, n: int) -> Accuracy:
    """`right` of `n` as an Accuracy; n = 0 gives 0 with the interval 0..1."""
    if n == 0:
        return Accuracy(0.0, 0.0, 1.0, 0)
    p, z2 = right / n, Z95 * Z95
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return Accuracy(p, max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half)), int(n))


def accuracy(truth: Sequence, predicted: Sequence) -> Accuracy:
    """Share of `predicted` that equals `truth`."""
    right = np.asarray(truth) == np.asarray(predicted)
    return share(int(right.sum()), right.size)


def confusion(truth: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Counts of photos: a row for each true class, a column for each predicted one."""
    counts = pd.crosstab(pd.Series(list(truth), name="true"), pd.Series(list(predicted), name="predicted"))
    return counts.reindex(index=list(classes), columns=list(classes), fill_value=0)


def per_class(truth: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """label,photos,precision,recall,low,high; low..high is the interval of the recall; precision of a class that
    was never predicted is 0."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    rows = []
    for label in classes:
        mine, said = truth == label, predicted == label
        recall = share(int((mine & said).sum()), int(mine.sum()))
        precision = (mine & said).sum() / max(1, said.sum())
        rows.append((label, recall.n, float(precision), recall.value, recall.low, recall.high))
    return pd.DataFrame(rows, columns=["label", "photos", "precision", "recall", "low", "high"])


@dataclass(frozen=True)
class Paired:
    """Two classifiers on the same photos: difference = accuracy of the second minus the first, its 95% interval,
    the exact McNemar p value, and the verdict in words."""

    difference: float
    low: float
    high: float
    p: float
    words: str


def paired(right_first: Sequence[bool], right_second: Sequence[bool]) -> Paired:
    """Compare which of the same n photos each got right: exact McNemar test (McNemar 1947) and the Wald interval
    with Agresti and Min's (2005) correction of half a photo in each cell."""
    first, second = np.asarray(right_first, bool), np.asarray(right_second, bool)
    if first.shape != second.shape:
        raise ValueError("paired needs the same photos for both")
    n, gained, lost = first.size, int((~first & second).sum()), int((first & ~second).sum())
    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    difference = (gained - lost) / max(1, n)
    g, loss, m = gained + 0.5, lost + 0.5, n + 2
    half = Z95 * math.sqrt(g + loss - (g - loss) ** 2 / m) / m
    low, high = max(-1.0, (g - loss) / m - half), min(1.0, (g - loss) / m + half)
    if p < 0.05:
        words = f"{abs(difference) * 100:.1f} points {'better' if difference > 0 else 'worse'} (p = {p:.2g})"
    else:
        words = f"no difference you could rely on ({difference * 100:+.1f} points, p = {p:.2g}, {n} photos)"
    return Paired(difference, low, high, p, words)
