"""Whether a model is as sure as it may be: reliability, calibration error, and what a threshold brings."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cvtune_nb.metrics.intervals import rate

BINS = 15
"""Equal steps of confidence in which calibration is measured (Guo and others 2017)."""


def reliability(confidence: ArrayLike, right: ArrayLike, groups: ArrayLike | None = None) -> pd.DataFrame:
    """How often answers of about the same confidence (0..1, the largest probability) are right.

    Parameters
    ----------
    confidence, right
        Of each of n photos.
    groups
        The group of each where some belong together, for intervals that allow for that.

    Returns
    -------
    DataFrame
        A row for each of BINS steps that holds any: confidence (mean),accuracy,low,high (95% interval),photos.
    """
    own = _numbered(groups)
    confidences, correct = np.asarray(confidence, float), np.asarray(right, bool)
    bins, rows = np.minimum((confidences * BINS).astype(int), BINS - 1), []
    for number in range(BINS):
        inside = np.equal(bins, number)
        if inside.any():
            found = rate(correct[inside], None if own is None else own[inside])
            rows.append((float(confidences[inside].mean()), found.value, found.low, found.high, found.n))
    return pd.DataFrame(rows, columns=["confidence", "accuracy", "low", "high", "photos"])


def calibration_error(table: pd.DataFrame) -> float:
    """Expected calibration error, 0..1: mean distance of confidence and accuracy (Naeini and others 2015).

    It is never 0, even for perfect probabilities: about .01 to .03 on a few hundred photos.
    table: what `reliability` gives.
    """
    apart = (table["confidence"] - table["accuracy"]).abs()
    return float((apart * table["photos"]).sum() / max(1, table["photos"].sum()))


def coverage(confidence: ArrayLike, right: ArrayLike, groups: ArrayLike | None = None) -> pd.DataFrame:
    """What a threshold below which the model is not sure costs and brings.

    Parameters
    ----------
    confidence, right, groups
        As for `reliability`.

    Returns
    -------
    DataFrame
        A row for each threshold: threshold (0 to .99),coverage (fraction of photos still answered),accuracy (of these,
        its 95% interval low,high),answered (photos).
    """
    own = _numbered(groups)
    confidences, correct = np.asarray(confidence, float), np.asarray(right, bool)
    rows = []
    for threshold in np.arange(100) / 100:
        answered = np.greater_equal(confidences, threshold)
        found = rate(correct[answered], None if own is None else own[answered])
        part = float(answered.mean()) if len(correct) else 0.0
        rows.append((threshold, part, found.value, found.low, found.high, found.n))
    return pd.DataFrame(rows, columns=["threshold", "coverage", "accuracy", "low", "high", "answered"])


def _numbered(groups: ArrayLike | None) -> np.ndarray | None:
    """Names of groups as numbers, which are sorted faster."""
    return None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
