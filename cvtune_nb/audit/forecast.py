"""What a review could bring, before anyone has looked at a photo."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from cvtune_nb import metrics
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data.rows import Rows
from cvtune_nb.metrics import Accuracy, Paired

FORECAST_C = 1.0
"""C of the linear SVM; the same on both sides, so that only the photos differ. Payoff uses it too."""

FOLDS = 3
"""Parts of the cross-validation, and photos that every class must keep."""


ENOUGH = 5_000
"""Of more photos so many are drawn, so that time and memory stay the same; they tell accuracy to about 1 point."""


@dataclass(frozen=True)
class Forecast:
    """What leaving out the photos listed as mislabelled brings.

    Attributes
    ----------
    photos : int
        How many are listed, to be looked at.
    before, after : Accuracy
        Of a linear SVM trained on all photos, and without those listed, both cross-validated on the others.
    paired : Paired
        The comparison of the two.
    words : str
        All of it in one sentence.
    """

    photos: int
    before: Accuracy
    after: Accuracy
    paired: Paired
    words: str


def forecast(
    photos: pd.DataFrame,
    features: Rows | np.ndarray,
    groups: np.ndarray,
    judges: np.ndarray,
    suspects: set[str],
    together: bool = False,
) -> Forecast | None:
    """What reviewing the suspects could bring.

    Leaving a wrongly labelled photo out is taken for labelling it rightly: that needs no guess at what is right. The
    suspects were found with all labels known, so this is an estimate; only `payoff`, after the review, measures
    (docs/measurements.md, "Forecast of a review").

    Parameters
    ----------
    photos : pandas.DataFrame
        path,label (n rows).
    features : array
        features[rows] is float (len(rows), width).
    groups : numpy.ndarray
        int (n,), equal for copies, which stay together.
    judges : numpy.ndarray
        bool (n,), the photos that it is based on.
    suspects : set of str
        Paths of the photos listed as mislabelled.
    together : bool
        Whether groups are more than copies: intervals allow for them.

    Returns
    -------
    Forecast or None
        None where there are no suspects, a class would be left with fewer than FOLDS photos, or all but one class are
        made of copies of one photo.
    """
    count = int((photos["path"].isin(suspects) & judges).sum())
    drawn = subsample(groups, judges)
    photos, groups, features = photos.iloc[drawn], groups[drawn], features[drawn]
    labels = photos["label"].to_numpy(dtype=object)
    listed = photos["path"].isin(suspects).to_numpy()
    left = photos.loc[~listed, "label"].value_counts().reindex(photos["label"].unique(), fill_value=0)
    if not listed.any() or left.min() < FOLDS:
        return None
    right: list[list[np.ndarray]] = [[], []]
    asked: list[np.ndarray] = []
    for fit, judged in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(features, labels, groups):
        judged = judged[~listed[judged]]
        asked.append(judged)
        for answers, rows in zip(right, (fit, fit[~listed[fit]]), strict=True):
            if len(np.unique(labels[rows])) < 2:
                return None
            said = Svm(FORECAST_C).fit(features[rows], labels[rows]).predict(features[judged])
            answers.append(said == labels[judged])
    first, second = (np.concatenate(answers).astype(bool) for answers in right)
    own = groups[np.concatenate(asked)] if together else None
    before, after = (metrics.rate(answers, own) for answers in (first, second))
    comparison = metrics.paired(first, second, own)
    estimate = "cross-validated estimate" + (f" on {len(drawn)} photos" if len(drawn) < judges.sum() else "")
    words = (
        f"Review the {count} photo{'s' * (count > 1)} listed as mislabelled, worst first: without them, a small model "
        f"would go from {before.value:.1%} to {after.value:.1%} ({estimate}); {comparison.words}"
    )
    return Forecast(count, before, after, comparison, words)


def subsample(groups: np.ndarray, judges: np.ndarray) -> np.ndarray:
    """Rows of the judges, at most about ENOUGH, with all their copies (fixed seed)."""
    inside = np.flatnonzero(judges)
    if len(inside) <= ENOUGH:
        return inside
    kept = np.random.default_rng(0).permutation(np.unique(groups[inside]))
    sizes = np.bincount(groups[inside], minlength=groups.max() + 1)
    kept = kept[np.cumsum(sizes[kept]) <= ENOUGH]
    return inside[np.isin(groups[inside], kept)]
