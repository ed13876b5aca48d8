"""Does a photo look like its label says? Every photo is judged by a model that has not seen it, nor its
copies.

The model is a least-squares SVM on frozen features, because leaving a photo out of it has an exact answer in
closed form: one matrix inverse gives the opinion of n models that each did not see one photo. Above
EXACT_UP_TO photos the inverse gets too large, and cross-validated logistic regression takes its place. Photos
of the test split are judged but never judge: what is cleaned in training must not depend on them.
"""

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from cvtune_nb.audit.issue import issue, quoted, table
from cvtune_nb.files import Progress, silent

EXACT_UP_TO = 10_000
"""Photos up to which the exact leave-one-out is used. There it takes 2 GB of memory and one to three minutes
on two cores, a small part of what their features took."""

SUSPECT = 0.03
"""A label with less probability than this is listed as mislabelled. F1 on clothing with 3, 8 and 20% of the labels
flipped to any class: .66, .83, .90; to classes it is mixed up with: .64, .76, .84. (KNOWHOW's .05 with plain
temperature scaling, on the same photos: .65, .84, .89 and .63, .76, .82.) Part of the false alarms are labels that
were wrong before."""

LEAST_WRONG = 0.1
"""The share of wrong labels that is assumed at least: without it a set of well separated classes with 7% wrong labels
would hide them."""

SHARED = 0.9
SECOND = 0.35
"""A photo is ambiguous when two classes, its label among them, hold .9 of the probability and the smaller of
them .35 of it. Ours."""

UNCLAIMED = 0.15
"""A photo is an outlier when the class that claims it most does so by less than this: 0 is what all classes say of
something they know nothing about, 1 is certain. Among the sample photos, clothing and digits, with 5 to 40 photos of
another of these sets put in under random labels, this claim ranks the strangers with AUROC .93 to .998; the distance
to the nearest photos only with .07 to .98, as strangers come in groups. Below .15 lie 13 to 80% of the strangers and
.2 to .7% of a set's own photos."""

MOST_SURE = 10.0
"""The largest factor of scores before they become probabilities. On clothing 5 is best for the SVM; a set without any
doubtful photo would ask for an infinite one, and then the first photo between two classes would look certain too."""

SURE = 0.5
"""A photo shows its class for sure when no class is more probable than its label, and its label is more probable
than this. Ours."""

FEWEST = 3
"""Photos that a class must have among those that judge, before the labels of others or its own are called
wrong."""


def find(
    photos: pd.DataFrame,
    features: np.ndarray,
    groups: np.ndarray,
    judges: np.ndarray,
    exact_up_to: int = EXACT_UP_TO,
    progress: Progress = silent,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge every label.

    photos: path,label (n rows); features: float (n, width); groups: (n,) int, equal for copies of one photo,
    which don't help to judge each other; judges: (n,) bool, photos whose labels the model may learn from.
    Returns (scores, issues): scores has label_quality (probability of the photo's label, 0 bad .. 1 good),
    suggested_label, suggested_probability, second_label, second_probability, in the order of photos; issues
    are of kinds "mislabelled", "ambiguous" and, up to `exact_up_to` judges, "outlier".
    """
    classes, labels = np.unique(photos["label"].to_numpy(dtype=str), return_inverse=True)
    known = np.bincount(labels[judges], minlength=len(classes))
    if (known > 0).sum() < 2:
        return _undecided(photos), table([])
    progress(0.0, "judging labels")
    exact = judges.sum() <= exact_up_to
    leave_out = leave_one_out if exact else cross_validated
    scores = leave_out(features, labels, groups, judges, len(classes))
    progress(0.9, "judging labels")
    probability = calibrated(scores, labels, judges)

    order = np.argsort(-probability, axis=1, kind="stable")
    rows = np.arange(len(photos))
    first, second = order[:, 0], order[:, 1]
    own = probability[rows, labels]
    opinions = pd.DataFrame(
        {
            "label_quality": own.round(4),
            "suggested_label": classes[first],
            "suggested_probability": probability[rows, first].round(4),
            "second_label": classes[second],
            "second_probability": probability[rows, second].round(4),
        }
    )
    # Left out of a class of three, a photo has two others to be recognised by; with fewer, no opinion.
    heard = known[labels] >= FEWEST
    mislabelled = heard & (own < SUSPECT) & (first != labels) & (known[first] >= FEWEST)
    both = probability[rows, first] + probability[rows, second]
    shared = (both >= SHARED) & (probability[rows, second] >= SECOND) & ((first == labels) | (second == labels))
    paths = photos["path"].to_numpy()
    sure = judges & (first == labels) & (own > SURE)
    likeness = np.where(first == labels, second, first)
    doubted = np.flatnonzero(heard & (mislabelled | shared))
    nearest = dict(zip(doubted, examples(features, groups, doubted, likeness, labels, sure, judges), strict=True))
    beside = {i: paths[at] if at >= 0 else "" for i, at in nearest.items()}
    found = [
        issue(
            paths[i],
            "mislabelled",
            1 - own[i],
            f"labelled {quoted([classes[labels[i]]])} (probability {own[i]:.2f}), looks like "
            f"{quoted([classes[first[i]]])} ({probability[i, first[i]]:.2f})",
            f"relabel it as {quoted([classes[first[i]]])} if you see that too; keep it if the label is right",
            beside[i],
        )
        for i in np.flatnonzero(mislabelled)
    ] + [
        issue(
            paths[i],
            "ambiguous",
            2 * probability[i, second[i]],
            f"looks like {quoted([classes[first[i]]])} ({probability[i, first[i]]:.2f}) and like "
            f"{quoted([classes[second[i]]])} ({probability[i, second[i]]:.2f})",
            f"exclude it if it shows both or neither; keep it if you clearly see {quoted([classes[labels[i]]])}",
            beside[i],
        )
        for i in np.flatnonzero(heard & shared)
    ]
    nothing = 2 / len(classes) - 1  # the scores of all classes sum to 2 - classes: the best is never below this
    claim = (scores.max(axis=1) - nothing) / (1 - nothing) if len(classes) > 2 else np.ones(len(photos))
    found += [
        issue(
            paths[i],
            "outlier",
            1 - claim[i],
            f"looks like none of the classes, least unlike {quoted([classes[first[i]]])}",
            f"exclude it if it does not show {quoted([classes[labels[i]]])} as you mean it",
        )
        for i in np.flatnonzero(heard & (claim < UNCLAIMED) & exact)
    ]
    progress(1.0, "judged all labels")
    return opinions, table(found)


def _undecided(photos: pd.DataFrame) -> pd.DataFrame:
    """The scores of a set in which there is nothing to compare with: every label is as good as it gets."""
    labels = photos["label"].to_numpy()
    return pd.DataFrame(
        {
            "label_quality": 1.0,
            "suggested_label": labels,
            "suggested_probability": 1.0,
            "second_label": "",
            "second_probability": 0.0,
        },
        index=range(len(photos)),
    )


def leave_one_out(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, judges: np.ndarray, classes: int
) -> np.ndarray:
    """What a least-squares SVM says of each photo when that photo's whole group is left out: (n, classes),
    about -1 for no and +1 for yes.

    With G the RBF kernel of the judges, A = (G + I)^-1 and a = A (Y - mean Y), the residual of a left-out
    group B is A_BB^-1 a_B (exact; Cawley and Talbot 2004, An, Liu and Venkatesh 2007; only mean Y still
    counts everyone). Memory: 8 bytes x judges^2. Time: judges^3.
    """
    x = unit(features, judges)
    inside = np.flatnonzero(judges)
    squared = _squared_distances(x[inside], x[inside])
    scale = _median(squared)
    gram = np.exp(np.divide(squared, -scale, out=squared), out=squared)
    gram.flat[:: len(gram) + 1] += 1
    inverse = np.linalg.inv(gram)
    targets = np.where(labels[inside, None] == np.arange(classes), 1.0, -1.0)
    mean = targets.mean(axis=0)
    weights = inverse @ (targets - mean)

    scores = np.empty((len(features), classes))
    scores[inside] = targets - weights / inverse.diagonal()[:, None]
    place = np.full(len(features), -1)
    place[inside] = np.arange(len(inside))
    outside = np.flatnonzero(~judges)
    for block in np.array_split(outside, -(-len(outside) // 1024) or 1):
        kernel = np.exp(-_squared_distances(x[block], x[inside]) / scale)
        scores[block] = mean + kernel @ weights

    for members in _members(groups):
        held = members[judges[members]]
        if not len(held) or len(members) == 1:
            continue
        at = place[held]
        residual = np.linalg.solve(inverse[np.ix_(at, at)], weights[at])
        scores[held] = targets[at] - residual
        others = members[~judges[members]]
        if len(others):
            without = weights - inverse[:, at] @ residual
            kernel = np.exp(-_squared_distances(x[others], x[inside]) / scale)
            scores[others] = mean + kernel @ without
    return scores


def cross_validated(
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    judges: np.ndarray,
    classes: int,
    folds: int = 5,
) -> np.ndarray:
    """What logistic regression, fitted on the other folds' judges, says of each photo: (n, classes) log odds.

    Copies of one photo are in one fold. Memory: one copy of the features; time grows linearly with photos.
    """
    x = unit(features, judges).astype(np.float32)
    scores = np.full((len(x), classes), -50.0)
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=0)
    for fit, judged in splitter.split(x, labels, groups):
        fit = fit[judges[fit]]
        model = LogisticRegression(C=10.0, max_iter=300).fit(x[fit], labels[fit])
        said = model.decision_function(x[judged])
        said = np.stack([-said, said], axis=1) / 2 if said.ndim == 1 else said
        scores[np.ix_(judged, model.classes_)] = said
    return scores


def calibrated(scores: np.ndarray, labels: np.ndarray, judges: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes): softmax of the scores times a factor, chosen together with a share of wrong labels
    so that the judges' labels are most likely.

    Temperature scaling (Guo et al. 2017, "On calibration of modern neural networks") with one change: a label is
    wrong, any class at random, with a probability that is estimated too. Without it wrong labels make every photo
    doubtful, the more of them the more, and in the end none stands out. On clothing the factor stays between 5.3 and
    6 whether 0, 3, 8 or 20% of the labels are flipped; without the change it falls from 5.4 to 3.3.
    """
    known, truth = scores[judges], labels[judges]

    def loss(values: np.ndarray) -> float:
        factor, wrong = np.exp(values[0]), values[1]
        right = softmax(known * factor, axis=1)[np.arange(len(truth)), truth]
        return -np.log((1 - wrong) * right + wrong / scores.shape[1]).mean()

    bounds = [(np.log(0.1), np.log(MOST_SURE)), (LEAST_WRONG, 0.5)]
    best = minimize(loss, [np.log(3.0), 0.15], bounds=bounds, method="L-BFGS-B").x
    return softmax(scores * np.exp(best[0]), axis=1)


def examples(
    features: np.ndarray,
    groups: np.ndarray,
    rows: np.ndarray,
    likeness: np.ndarray,
    labels: np.ndarray,
    sure: np.ndarray,
    judges: np.ndarray,
) -> np.ndarray:
    """For each of `rows` the nearest photo of the class `likeness` (n,) among the sure ones (n,), not a copy of itself:
    (len(rows),) row numbers, -1 where there is none."""
    found = np.full(len(rows), -1)
    for kind in np.unique(likeness[rows]):
        known = np.flatnonzero(sure & (labels == kind))
        asked = np.flatnonzero(likeness[rows] == kind)
        if not len(known):
            continue
        x = unit(features, judges, np.concatenate([known, rows[asked]]))
        near = x[len(known) :] @ x[: len(known)].T
        near[groups[rows[asked], None] == groups[known]] = -np.inf
        best = near.argmax(axis=1)
        found[asked] = np.where(np.isfinite(near.max(axis=1)), known[best], -1)
    return found


def unit(features: np.ndarray, judges: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Features of `rows` with the judges' mean taken off, each row of length 1."""
    x = np.asarray(features[rows], dtype=np.float64)
    x = x - features[judges].mean(axis=0, dtype=np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Between rows of length 1."""
    products = x @ y.T
    products *= -2
    products += 2
    return np.maximum(products, 0, out=products)


def _median(squared: np.ndarray) -> float:
    """The median of the distances between different photos; from every k-th row, so that it costs little."""
    rows = squared[:: max(1, len(squared) // 1000)]
    apart = rows[rows > 1e-9]  # a photo is 0 away from itself, give or take rounding
    return float(np.median(apart)) if apart.size else 1.0


def _members(groups: np.ndarray) -> list[np.ndarray]:
    """The row numbers of each group."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
