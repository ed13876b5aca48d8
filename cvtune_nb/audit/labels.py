"""Whether photos look like their labels say.

Every photo is judged by a model that has not seen it, nor its copies. The model is a least-squares SVM on frozen
features, because leaving a photo out of it has an exact answer in closed form: one factorisation gives the opinion of n
models that each did not see one photo. Up to LANDMARKS photos it uses all that it is trained on; of more it draws so
many, and describes all others by how alike they are to those (Nystrom's method: Williams and Seeger 2001), so that
memory stays the same and time grows with the number of photos. Photos of the test split are judged but never judge:
what is cleaned in training must not depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import softmax

from cvtune_nb.audit.check import Issue, issue, quoted
from cvtune_nb.audit.least_squares import LANDMARKS, View, blocks, leave_one_out
from cvtune_nb.data.rows import Rows
from cvtune_nb.files import Progress, silent

if TYPE_CHECKING:
    from cvtune_nb.audit.context import Context


SUSPECT = 0.03
"""A label with less probability than this is listed as mislabelled (docs/measurements.md, "Wrong labels")."""

LEAST_WRONG = 0.1
"""The fraction of wrong labels that is assumed at least: without it a set of well separated classes with 7% wrong
labels would hide them."""

SHARED = 0.9
SECOND = 0.35
"""A photo is ambiguous when two classes, its label among them, hold .9 of the probability and the smaller of
them .35 of it. Ours."""

UNCLAIMED = 0.15
"""A photo is an outlier when the class that claims it most does so by less than this: 0 is what all classes say of
something they know nothing about, 1 is certain (docs/measurements.md, "Photos of no class")."""

MOST_SURE = 10.0
"""The largest factor of scores before they become probabilities. A set without any doubtful photo would ask for an
infinite one, and then the first photo between two classes would look certain too."""

SURE = 0.5
"""A photo shows its class for sure when no class is more probable than its label, and its label is more probable
than this. Ours."""

EXAMPLES = 3
"""Photos that are shown beside a doubted one."""

FEWEST = 3
"""Photos that a class must have among those that judge, before the labels of others or its own are called wrong."""


@dataclass(frozen=True)
class Judgement:
    """What a model that has not seen them says of n photos.

    Attributes
    ----------
    paths : list of str
        Of the photos.
    classes : list of str
        Names of the classes.
    labels : numpy.ndarray
        Class of each photo's label, int (n,).
    probability : numpy.ndarray
        Of each class, float (n, classes).
    claim : numpy.ndarray
        How much the class that claims a photo most does so, 0 to 1 (n,).
    known : numpy.ndarray
        How many photos of each class judge, int (classes,).
    beside : dict
        Of a doubted photo's index: paths of photos that surely show what it looks like.
    """

    paths: list[str]
    classes: list[str]
    labels: np.ndarray
    probability: np.ndarray
    claim: np.ndarray
    known: np.ndarray
    beside: dict[int, list[str]] = field(default_factory=dict)

    @cached_property
    def order(self) -> np.ndarray:
        """Classes of each photo, the most probable first (n, classes)."""
        return np.argsort(-self.probability, axis=1, kind="stable")

    @property
    def first(self) -> np.ndarray:
        """The most probable class of each photo (n,)."""
        return self.order[:, 0]

    @property
    def second(self) -> np.ndarray:
        """The second most probable class of each photo (n,)."""
        return self.order[:, 1]

    def of(self, classes: np.ndarray) -> np.ndarray:
        """The probability of one class for each photo (n,)."""
        return self.probability[np.arange(len(self.labels)), classes]

    @property
    def heard(self) -> np.ndarray:
        """Photos whose class has enough judges, bool (n,).

        Left out of a class of three, a photo has two others to be recognised by; with fewer, no opinion.
        """
        return self.known[self.labels] >= FEWEST

    @property
    def mislabelled(self) -> np.ndarray:
        """Photos that look like another class than their label's, bool (n,)."""
        wrong = (self.of(self.labels) < SUSPECT) & (self.first != self.labels)
        return self.heard & wrong & (self.known[self.first] >= FEWEST)

    @property
    def ambiguous(self) -> np.ndarray:
        """Photos that look as much like another class as like their own, bool (n,)."""
        second = self.of(self.second)
        shared = (self.of(self.first) + second >= SHARED) & (second >= SECOND)
        return self.heard & shared & ((self.first == self.labels) | (self.second == self.labels))

    @property
    def opinions(self) -> pd.DataFrame:
        """A row for each photo, in their order.

        label_quality (0 to 1, 1 is best), suggested_label and suggested_probability, second_label and
        second_probability.
        """
        names, second = np.array(self.classes), self.of(self.second)
        return pd.DataFrame(
            {
                "label_quality": self.of(self.labels).round(4),
                "suggested_label": names[self.first],
                "suggested_probability": self.of(self.first).round(4),
                "second_label": np.where(second > 0, names[self.second], ""),
                "second_probability": second.round(4),
            }
        )

    def label(self, photo: int) -> str:
        """The label of a photo, in quotes."""
        return quoted([self.classes[self.labels[photo]]])

    def ranked(self, photo: int, rank: int) -> str:
        """The most probable class of a photo (rank 0), or the second (1), in quotes."""
        return quoted([self.classes[self.order[photo, rank]]])

    def chance(self, photo: int, rank: int) -> float:
        """How probable that class is."""
        return float(self.probability[photo, self.order[photo, rank]])


def mislabelled(context: Context) -> list[Issue]:
    """Photos that look like another class than their label says."""
    judged = context.judgement
    own = judged.of(judged.labels)
    return [
        issue(
            judged.paths[i],
            1 - own[i],
            f"labelled {judged.label(i)} (probability {own[i]:.2f}), looks like {judged.ranked(i, 0)} "
            f"({judged.chance(i, 0):.2f})",
            f"relabel it as {judged.ranked(i, 0)} if you see that too; keep it if the label is right",
            *judged.beside[i],
        )
        for i in np.flatnonzero(judged.mislabelled).tolist()
    ]


def ambiguous(context: Context) -> list[Issue]:
    """Photos between two classes, their own among them."""
    judged = context.judgement
    return [
        issue(
            judged.paths[i],
            2 * judged.chance(i, 1),
            f"looks like {judged.ranked(i, 0)} ({judged.chance(i, 0):.2f}) and like {judged.ranked(i, 1)} "
            f"({judged.chance(i, 1):.2f})",
            f"exclude it if it shows both or neither; keep it if you clearly see {judged.label(i)}",
            *judged.beside[i],
        )
        for i in np.flatnonzero(judged.ambiguous).tolist()
    ]


def outliers(context: Context) -> list[Issue]:
    """Photos that look like none of the classes."""
    judged = context.judgement
    return [
        issue(
            judged.paths[i],
            1 - judged.claim[i],
            f"looks like none of the classes, least unlike {judged.ranked(i, 0)}",
            f"exclude it if it does not show {judged.label(i)} as you mean it",
        )
        for i in np.flatnonzero(judged.heard & (judged.claim < UNCLAIMED)).tolist()
    ]


def judge(
    photos: pd.DataFrame,
    features: Rows | np.ndarray,
    groups: np.ndarray,
    judges: np.ndarray,
    landmarks: int = LANDMARKS,
    progress: Progress = silent,
) -> Judgement:
    """Judge every label by a model that has seen neither the photo nor its copies.

    Parameters
    ----------
    photos : pandas.DataFrame
        path,label of n photos.
    features : array
        features[rows] is float (len(rows), width).
    groups : numpy.ndarray
        int (n,), equal for copies of one photo.
    judges : numpy.ndarray
        bool (n,), the photos that the model is trained on.
    landmarks : int
        Photos that the others are described by.
    progress : Progress
        Called with the fraction done and words.
    """
    paths = photos["path"].tolist()
    classes, labels = np.unique(photos["label"].to_numpy(dtype=str), return_inverse=True)
    known = np.bincount(labels[judges], minlength=len(classes))
    if (known > 0).sum() < 2:  # nothing to compare with: every label is as good as it gets
        certain, names = np.eye(len(classes) + 2)[labels], [*classes.tolist(), "", ""]
        return Judgement(paths, names, labels, certain, np.ones(len(photos)), np.zeros_like(known))
    view = View(features, judges)
    scores = leave_one_out(view, labels, groups, judges, len(classes), landmarks, progress)
    nothing = 2 / len(classes) - 1  # the scores of all classes sum to 2 - classes: the best is never below this
    claim = (scores.max(axis=1) - nothing) / (1 - nothing) if len(classes) > 2 else np.ones(len(photos))
    judged = Judgement(paths, classes.tolist(), labels, calibrated(scores, labels, judges), claim, known)

    doubted = np.flatnonzero(judged.mislabelled | judged.ambiguous)
    likeness = np.where(judged.first == labels, judged.second, judged.first)
    sure = judges & (judged.first == labels) & (judged.of(labels) > SURE)
    nearest = examples(view, groups, doubted, likeness, labels, sure)
    beside = {i: [paths[row] for row in rows if row >= 0] for i, rows in zip(doubted.tolist(), nearest, strict=True)}
    progress(1.0, "judged all labels")
    return replace(judged, beside=beside)


def calibrated(scores: np.ndarray, labels: np.ndarray, judges: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes): softmax of the scores times a factor.

    The factor is chosen together with a fraction of wrong labels so that the judges' labels are most likely:
    temperature scaling (Guo et al. 2017, "On calibration of modern neural networks") with one change: a label is wrong,
    any class at random, with a probability that is estimated too. Without it wrong labels make every photo doubtful,
    the more of them the more, and in the end none stands out (docs/measurements.md, "Wrong labels").

    Parameters
    ----------
    scores : numpy.ndarray
        What `leave_one_out` gives, (n, classes).
    labels, judges : numpy.ndarray
        Class of each photo, and whether it counts (bool), (n,).
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
    view: View, groups: np.ndarray, rows: np.ndarray, likeness: np.ndarray, labels: np.ndarray, sure: np.ndarray
) -> np.ndarray:
    """For each of `rows` the nearest photos that surely show what it looks like.

    Parameters
    ----------
    view : View
        Features of the photos.
    groups : numpy.ndarray
        int (n,): copies of a photo, and of each other, are not shown.
    rows : numpy.ndarray
        Row numbers of the photos that are asked about.
    likeness, labels : numpy.ndarray
        The class that each photo looks like, and that of its label, int (n,).
    sure : numpy.ndarray
        Photos that show their class for sure, bool (n,).

    Returns
    -------
    numpy.ndarray
        Row numbers (len(rows), EXAMPLES), nearest first, -1 where there are no more.
    """
    found = np.full((len(rows), EXAMPLES), -1)
    for kind in np.unique(likeness[rows]):
        known = np.flatnonzero(sure & (labels == kind))
        known = known[np.unique(groups[known], return_index=True)[1]]
        known = known[:: -(-len(known) // LANDMARKS) or 1]
        asked = np.flatnonzero(likeness[rows] == kind)
        if not len(known):
            continue
        x = view[known]
        for part in blocks(asked):
            near = view[rows[part]] @ x.T
            near[groups[rows[part], None] == groups[known]] = -np.inf
            best = np.argsort(-near, axis=1)[:, :EXAMPLES]
            there = np.isfinite(np.take_along_axis(near, best, axis=1))
            found[part, : best.shape[1]] = np.where(there, known[best], -1)
    return found
