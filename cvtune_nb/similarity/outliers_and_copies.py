"""What the vectors say about the photos themselves: outliers, and photos that are there more than once. Rows like those
of the audit, so that they are decided in the same way."""

import numpy as np
import pandas as pd

from cvtune_nb.audit.check import Issue, issue
from cvtune_nb.audit.checks import CHECKS, table
from cvtune_nb.audit.context import Context
from cvtune_nb.files import Progress, silent
from cvtune_nb.similarity.embeddings import Embedder
from cvtune_nb.similarity.index import Gallery
from cvtune_nb.workspace import Workspace

NEIGHBOURS = 10
"""Nearest other photos by which an outlier is judged."""
FAR = 3.5
"""Median absolute deviations beyond which a photo is an outlier of its class (Iglewicz and Hoaglin 1993)."""


def outliers(photos: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Photos far from all others of their class: rows like audit/issues.csv, the farthest first.

    photos: path,label; rows: their vectors (n, width), of length 1. Where most of the nearest photos are of one other
    class, the suggestion says so; the three nearest of those are shown beside it."""
    k = min(NEIGHBOURS, len(photos) - 1)
    if k < 1:
        return table({})
    found = Gallery(rows).search(rows, k + 1)
    paths, labels = photos["path"].to_numpy(dtype=object), photos["label"].to_numpy(dtype=object)
    own = found.places == np.arange(len(photos))[:, None]
    own[~own.any(1), -1] = True  # of equal photos another one may stand in its place
    near, far = found.places[~own].reshape(-1, k), found.distances[~own].reshape(-1, k)
    issues = []
    for label in sorted(set(labels)):
        mine = np.flatnonzero(labels == label)
        mean = far[mine].mean(1)
        middle = np.median(mean)
        spread = max(1.4826 * float(np.median(np.abs(mean - middle))), 1e-6)
        for place, excess in zip(mine, (mean - middle) / spread, strict=True):
            if excess > FAR:
                issues.append(_outlier(paths, labels, place, near[place], excess))
    return table({"outlier": issues})


def _outlier(paths: np.ndarray, labels: np.ndarray, place: int, near: np.ndarray, excess: float) -> Issue:
    classes, counts = np.unique(labels[near].astype(str), return_counts=True)
    usual = classes[counts.argmax()]
    detail = f"farther from its neighbours than is usual for {labels[place]}, by {excess:.1f} standard deviations"
    suggestion = "look at it: wrong label, other subject, or a rare kind that more photos are needed of"
    if usual != labels[place] and counts.max() > len(near) / 2:
        suggestion = f"most of the nearest photos are {usual}: relabel or exclude it"
    shown = [paths[other] for other in near if labels[other] == usual][:3]
    return issue(paths[place], 1 - FAR / excess, detail, suggestion, *shown)


def copies(workspace: Workspace, of: Embedder, progress: Progress = silent) -> pd.DataFrame:
    """Photos that are there more than once, found as the audit does, in features of the frozen backbone and in pixels.
    Pairs that the person said are none are left out. Rows like audit/issues.csv."""
    context = Context(workspace, of.spec, progress)
    return table({check.name: check.run(context) for check in CHECKS if check.about_copies})
