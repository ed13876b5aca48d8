"""Two classifiers on the same photos: by how much the second is better, and how sure one can be of it."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom, binomtest
from scipy.stats import t as student

from cvtune_nb.metrics.intervals import Z95, by_group, ratio_variance

CERTAIN, PROBABLE = 0.05, 0.2
"""Two-sided p values below which a difference counts as certain (the usual convention, Fisher 1925), and a gain as
probable: if gains and losses were equally likely beforehand, it is real with a probability of about 1 - p / 2, 90% or
more, which the IPCC calls "very likely" (Mastrandrea and others 2010, guidance on the treatment of uncertainties)."""


class Verdict(StrEnum):
    """What may be said of the second of two classifiers, beside the first."""

    WORSE = "worse"
    NO_DIFFERENCE = "no reliable difference"
    PROBABLY_BETTER = "probably better, not yet certain"
    BETTER = "better"


@dataclass(frozen=True)
class Paired:
    """Two classifiers on the same photos: accuracy of the second minus the first, and how sure one can be of it.

    low..high is the 95% interval of the difference, p the exact McNemar p value.
    """

    difference: float
    low: float
    high: float
    p: float
    words: str

    @property
    def verdict(self) -> Verdict:
        """What may be said of the second."""
        return _verdict(self.difference, self.p)


def paired(right_first: ArrayLike, right_second: ArrayLike, groups: ArrayLike | None = None) -> Paired:
    """Compare which of the same n photos each got right.

    By an exact McNemar test (McNemar 1947) and the Wald interval with Agresti and Min's (2005) correction of half a
    photo in each cell. Of photos that belong together the answers of whole groups are swapped, which is the same test
    where all are alone, and the interval is that of `paired_groups` where that is wider. How often both hold:
    docs/measurements.md, "Intervals of groups".

    Parameters
    ----------
    right_first, right_second
        Which photos each got right (n,).
    groups
        The group of each photo where some belong together.

    Raises
    ------
    ValueError
        They are of different numbers of photos.
    """
    first, second = np.asarray(right_first, bool), np.asarray(right_second, bool)
    if first.shape != second.shape:
        raise ValueError("paired needs the same photos for both")
    n, gained, lost = first.size, int((~first & second).sum()), int((first & ~second).sum())
    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    difference, among = (gained - lost) / max(1, n), f"{n} photos"
    low, high = _agresti_min(gained, lost, n)
    if groups is not None and n:
        totals, sizes = by_group(second.astype(float) - first, groups)
        p, among = _swapped(np.rint(totals).astype(int)), f"{n} photos in {len(sizes)} groups"
        if gained + lost:
            own = paired_groups(first, second, groups)[1:]
        else:  # they answer the same: a group counts as one photo
            own = _agresti_min(0, 0, n**2 / float((sizes**2).sum()))
        low, high = min(low, own[0]), max(high, own[1])
    verdict = _verdict(difference, p)
    if verdict in (Verdict.BETTER, Verdict.WORSE):
        words = f"{abs(difference) * 100:.1f} points {verdict} (p = {p:.2g})"
    else:
        words = f"{verdict} ({difference * 100:+.1f} points, p = {p:.2g}, {among})"
    return Paired(difference, low, high, p, words)


def _agresti_min(gained: float, lost: float, n: float) -> tuple[float, float]:
    g, loss, m = gained + 0.5, lost + 0.5, n + 2
    half = Z95 * math.sqrt(g + loss - (g - loss) ** 2 / m) / m
    return max(-1.0, (g - loss) / m - half), min(1.0, (g - loss) / m + half)


def _swapped(totals: np.ndarray) -> float:
    """Two-sided p of a sum of whole numbers where the sign of each is as likely + as -; exact, by convolution."""
    sizes = np.abs(totals[totals != 0])
    found, top, ones = abs(int(totals.sum())), int(sizes.sum()), int((sizes == 1).sum())
    chances = binom.pmf(np.arange(ones + 1), ones, 0.5)  # of each sum of those that are +
    for size in sizes[sizes > 1]:
        longer = np.zeros(len(chances) + size)
        longer[: len(chances)] += chances / 2
        longer[size:] += chances / 2
        chances = longer
    as_far = np.abs(2 * np.arange(top + 1) - top) >= found
    return min(1.0, float(chances[as_far].sum()))


def paired_groups(first: ArrayLike, second: ArrayLike, groups: ArrayLike) -> tuple[float, float, float]:
    """(difference, low, high): how much more often the second is right, of photos that are right or wrong in groups.

    low..high is the 95% interval of the ratio estimator over groups (Cochran 1977) with the t distribution.

    Parameters
    ----------
    first, second
        How often each of n photos was right, 0 to 1.
    groups
        The group of each photo.
    """
    apart = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    totals, sizes = by_group(apart, groups)
    if len(sizes) < 2:
        return float(apart.mean()) if apart.size else 0.0, -1.0, 1.0
    mean = float(apart.mean())
    half = float(student.ppf(0.975, len(sizes) - 1)) * math.sqrt(ratio_variance(totals - mean * sizes, apart.size))
    return mean, max(-1.0, mean - half), min(1.0, mean + half)


def smallest_difference(discordant: float, photos: int) -> float:
    """The smallest difference of two accuracies that so many photos can show.

    That is where McNemar's test (1947) begins to find one: of b photos that one model alone gets right and c that the
    other does, (b - c)^2 / (b + c) is more than 1.96^2. With d the share of both among n photos, the difference
    (b - c) / n is more than 1.96 sqrt(d / n). The exact test, which `paired` makes, needs at least 6 photos, all on one
    side: .5^6 on both sides is .03, .5^5 is .06.

    Parameters
    ----------
    discordant
        Share of the photos that exactly one of both gets right.
    photos
        How many there are.
    """
    return max(Z95 * math.sqrt(discordant / photos), 6 / photos)


def _verdict(difference: float, p: float) -> Verdict:
    if p < CERTAIN:
        return Verdict.BETTER if difference > 0 else Verdict.WORSE
    return Verdict.PROBABLY_BETTER if p < PROBABLE and difference > 0 else Verdict.NO_DIFFERENCE
