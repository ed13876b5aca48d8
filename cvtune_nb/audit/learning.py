"""What more photos of a class would bring, based on what it loses when photos are taken away."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.model_selection import StratifiedGroupKFold

from cvtune_nb import metrics
from cvtune_nb.audit.forecast import FORECAST_C
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data.rows import Rows

SHARES = (0.25, 0.5, 1.0)
"""Fractions of the small classes that are trained on, each twice as large as the one before."""

FOLDS, DRAWS = 4, 2
"""Parts of the cross-validation, and how often photos are drawn when not all are trained on."""

FEWEST = 8
"""Different photos a class needs for a quarter of them to be drawn in every fold."""

ENOUGH = 1_500
"""Of the photos of large classes at most so many are drawn, so that it stays a matter of seconds."""

USUAL_GAIN, USUAL_WEIGHT = 0.25, 40
"""What twice the photos usually bring, as a difference of logit(recall), and how many photos' own experience weighs as
much (docs/measurements.md, "Twice the photos of a class")."""


@dataclass(frozen=True)
class Outlook:
    """What more photos of a class would bring.

    Attributes
    ----------
    now : float
        Fraction of the class that is recognised, cross-validated.
    then, low, high : float
        The same with the wanted number of photos, and its range.
    """

    now: float
    then: float
    low: float
    high: float


def outlook(
    photos: pd.DataFrame,
    features: Rows | np.ndarray,
    groups: np.ndarray,
    training: np.ndarray,
    small: Sequence[str],
    wanted: int,
    together: bool = False,
) -> dict[str, Outlook]:
    """What each class of `small` would gain if all of them had `wanted` photos.

    Those with fewer than FEWEST are left out. The gain of a doubling is taken to be the same for all small classes, and
    constant in logit(recall). The range is the 95% interval of what is recognised now, shifted by the gain
    (docs/measurements.md, "Twice the photos of a class").

    Parameters
    ----------
    photos : pandas.DataFrame
        label (n rows).
    features : array
        features[rows] is float (len(rows), width).
    groups : numpy.ndarray
        int (n,), equal for copies.
    training : numpy.ndarray
        Row numbers of the training photos.
    small : sequence of str
        Classes.
    wanted : int
        Training photos that each should have.
    together : bool
        Whether groups are more than copies: whole groups are drawn, and the range allows for them.
    """
    labels = photos["label"].to_numpy(dtype=object)[training]
    random = np.random.default_rng(0)
    small = [label for label in small if len(np.unique(groups[training[labels == label]])) >= FEWEST]
    rest = random.permutation(np.flatnonzero(~np.isin(labels, small)))[:ENOUGH]
    rows = np.sort(np.concatenate([np.flatnonzero(np.isin(labels, small)), rest]))
    labels, groups = labels[rows], groups[training[rows]]
    if not small or len(set(labels)) < 2:
        return {}
    x = features[training[rows]]
    hits = np.zeros((len(SHARES), len(labels)))
    with warnings.catch_warnings():
        # of the classes that are not asked about, some may have so few photos that not every part holds one
        warnings.filterwarnings("ignore", message="The least populated class in y")
        folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(x, labels, groups))
    for number, part in enumerate(SHARES):
        draws = DRAWS if part < 1 else 1
        for fit, judged in folds * draws:
            known = _thinned(fit, labels, small, part, random, groups if together else None)
            judged = judged[np.isin(labels[judged], small)]
            if len(set(labels[known])) < 2 or not len(judged):
                return {}
            said = Svm(FORECAST_C).fit(x[known], labels[known]).predict(x[judged])
            hits[number, judged] += (said == labels[judged]) / draws
    right = np.stack([hits[:, labels == label].sum(1) for label in small], axis=1)
    count = np.array([(labels == label).sum() for label in small])
    height = np.log((right + 1) / (count - right + 1))
    gain = (height[-1] - height[0]) / (len(SHARES) - 1)
    gain = max(0.0, (gain @ count + USUAL_GAIN * USUAL_WEIGHT) / (count.sum() + USUAL_WEIGHT))
    found = {}
    for label, n, found_now in zip(small, count, right[-1], strict=True):
        own = labels == label
        now = metrics.rate(hits[-1, own], groups[own] if together else None)
        grown = [
            float(expit(logit(np.clip(value, 0.001, 0.999)) + gain * np.log2(max(wanted / n, 1))))
            for value in ((found_now + 1) / (n + 2), now.low, now.high)
        ]
        found[label] = Outlook(now.value, max(grown[0], now.value), grown[1], grown[2])
    return found


def _thinned(
    fit: np.ndarray,
    labels: np.ndarray,
    small: Sequence[str],
    part: float,
    random: np.random.Generator,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """The rows `fit`, of the small classes only a part of them, and of photos that belong together whole groups."""
    kept = [fit[~np.isin(labels[fit], small)]]
    for label in small:
        own = random.permutation(fit[labels[fit] == label])
        if groups is not None:
            own = own[np.argsort(pd.factorize(groups[own])[0], kind="stable")]
        kept.append(own[: max(1, round(part * len(own)))])
    return np.concatenate(kept)
