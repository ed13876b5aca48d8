"""Intervals and paired tests where no formula fits: the bootstrap and a permutation test, by weights of the photos."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, t

from cvtune_nb.metrics import Accuracy

Statistic = Callable[[np.ndarray], np.ndarray]
"""The value of an objective for each of b weightings of n photos (b, n): how often a photo counts. Returns (b,)."""
Interval = tuple[float, float]

DRAWS = 1_000
"""Bootstrap samples, and permutations, that an interval or a p value rests on."""
MOST = 2_000_000
"""Weights that are in memory at a time (16 MB)."""


def drawn(n: int, seed: int = 0, groups: ArrayLike | None = None) -> Iterator[np.ndarray]:
    """DRAWS bootstrap samples of n photos, in parts: how often each photo was drawn, (b, n). The same for each n.

    Parameters
    ----------
    n
        Photos.
    seed
        Of the random numbers.
    groups
        The group of each photo where some belong together: whole groups are drawn (Davison and Hinkley 1997).
    """
    random, (of_photo, m) = np.random.default_rng(seed), _units(n, groups)
    for b in _parts(n):
        places = random.integers(m, size=(b, m), dtype=np.int32) + m * np.arange(b, dtype=np.int32)[:, None]
        yield np.bincount(places.ravel(), minlength=b * m).reshape(b, m).astype(float)[:, of_photo]


def interval(statistic: Statistic, n: int, groups: ArrayLike | None = None) -> Interval:
    """The 95% bootstrap interval of a statistic: expanded percentiles (Hesterberg 2015).

    Parameters
    ----------
    statistic, n
        Of so many photos.
    groups
        As for `drawn`.
    """
    values = np.concatenate([statistic(weights) for weights in drawn(n, groups=groups)])
    return _expanded(values, _units(n, groups)[1])


def difference(both: Statistic, n: int, seed: int = 0, groups: ArrayLike | None = None) -> tuple[float, float, float]:
    """How sure one can be of the difference between two classifiers on the same n photos.

    Parameters
    ----------
    both
        The statistic on 2 n rows: the photos with the answers of the first, then with those of the second.
    n
        Photos.
    seed
        Of the random numbers.
    groups
        As for `drawn`: answers are swapped group by group.

    Returns
    -------
    low, high
        The 95% bootstrap interval of the second's value minus the first's: both on the same photos.
    p
        Two-sided, of a permutation test: the answers of the two are swapped photo by photo (Fisher 1935; Good 2005).
    """
    apart, (of_photo, m) = [], _units(n, groups)
    for weights in drawn(n, seed, groups):
        none = np.zeros_like(weights)
        apart.append(both(np.hstack([none, weights])) - both(np.hstack([weights, none])))
    random, one = np.random.default_rng(seed), np.ones((1, n))
    found = abs((both(np.hstack([0 * one, one])) - both(np.hstack([one, 0 * one])))[0])
    as_far = 1  # the answers as they were
    for b in _parts(2 * n):
        swapped = random.integers(2, size=(b, m), dtype=np.int8).astype(float)[:, of_photo]
        difference = both(np.hstack([swapped, 1 - swapped])) - both(np.hstack([1 - swapped, swapped]))
        as_far += int((np.abs(difference) >= found - 1e-12).sum())
    return *_expanded(np.concatenate(apart), m), as_far / (DRAWS + 1)


def expected_of_best(
    statistics: Sequence[Statistic],
    n: int,
    higher_is_better: bool,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> float:
    """What to expect on other photos of the best of several classifiers, by bootstrap bias corrected choice.

    In each bootstrap sample the best is chosen on the photos that were drawn, and judged on those that were not
    (Tsamardinos, Greasidou and Borboudakis 2018).

    Parameters
    ----------
    statistics
        One for each classifier, all of the same n photos. Ties: the first.
    n
        Photos.
    higher_is_better
        What best means.
    seed
        Of the random numbers.
    groups
        As for `drawn`.
    """
    judged = []
    for weights in drawn(n, seed, groups):
        out = weights == 0
        weights, out = weights[out.any(1)], out[out.any(1)].astype(float)
        inside, outside = (np.stack([each(part) for each in statistics]) for part in (weights, out))
        best = inside.argmax(0) if higher_is_better else inside.argmin(0)
        judged.append(outside[best, np.arange(len(best))])
    return float(np.nanmean(np.concatenate(judged)))


def mean_of(parts: Sequence[Accuracy]) -> Interval:
    """The 95% interval of the mean of independent shares, from theirs (MOVER: Zou and Donner 2008).

    It doesn't collapse where all photos of a small class are right, as the bootstrap does.
    """
    mean = sum(part.value for part in parts) / len(parts)
    below, above = (
        sum((part.value - end(part)) ** 2 for part in parts) ** 0.5 / len(parts)
        for end in (lambda part: part.low, lambda part: part.high)
    )
    return max(0.0, mean - below), min(1.0, mean + above)


def widest(*intervals: Interval) -> Interval:
    """From the lowest end to the highest."""
    return min(low for low, _ in intervals), max(high for _, high in intervals)


def _units(n: int, groups: ArrayLike | None) -> tuple[np.ndarray, int]:
    """What is drawn: the number of each photo's group (n,), and how many groups there are."""
    if groups is None:
        return np.arange(n), n
    names, of_photo = np.unique(np.asarray(groups), return_inverse=True)
    return of_photo, len(names)


def _parts(n: int) -> Iterator[int]:
    """DRAWS in parts, as many at a time as there is room for."""
    most = max(1, MOST // max(1, n))
    for first in range(0, DRAWS, most):
        yield min(most, DRAWS - first)


def _expanded(values: np.ndarray, n: int) -> Interval:
    """Percentiles as far out as Student's t asks for, for few photos."""
    tail = float(norm.cdf(-np.sqrt(n / (n - 1)) * t.ppf(0.975, n - 1))) if n > 1 else 0.0
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)
