"""What embeddings say about the photos themselves: outliers, and photos that are there more than once.

Rows like those of the audit, so that they are decided in the same way.
"""

import time

import numpy as np
import pandas as pd

from cvtune_nb.audit import Audit
from cvtune_nb.audit.check import Issue, issue
from cvtune_nb.audit.checks import CHECKS, table
from cvtune_nb.audit.context import Context
from cvtune_nb.files import Progress, silent
from cvtune_nb.similarity.embeddings import embed
from cvtune_nb.similarity.index import VectorIndex
from cvtune_nb.similarity.model import Embedder
from cvtune_nb.workspace import Workspace

NEIGHBOURS = 10
"""Nearest other photos by which an outlier is judged."""
FAR = 3.5
"""Median absolute deviations beyond which a photo is an outlier of its class (Iglewicz and Hoaglin 1993)."""


def find_outliers_and_copies(workspace: Workspace, embedder: Embedder, progress: Progress = silent) -> Audit:
    """Outliers and copies among all photos of the workspace, in the form of an audit; nothing is written.

    The frozen network judges, even for a run: one that was trained on these photos has drawn each of them to its class,
    and sees nothing odd in them any more.

    Parameters
    ----------
    workspace, embedder
        The photos, and what turns them into vectors.
    progress
        Called while it looks.
    """
    start, embedder = time.perf_counter(), embedder.frozen
    photos = workspace.photos(contested=True)
    outliers = find_outliers(photos, embed(workspace, photos, embedder, progress))
    labels = dict(zip(photos["path"], photos["label"], strict=True))
    usual = dict(zip(outliers["path"], outliers["other"].map(labels), strict=True))  # what most neighbours are
    suggested = [usual.get(path, label) for path, label in labels.items()]
    scores = photos[["path", "label", "split"]].assign(suggested_label=suggested)
    issues = pd.concat([outliers, find_copies(workspace, embedder, progress)], ignore_index=True)
    summary = {"notes": [f"Judged by {embedder.words}."] if len(issues) else [], "forecast": ""}
    return Audit(issues, scores, summary, time.perf_counter() - start)


def find_outliers(photos: pd.DataFrame, vectors: np.ndarray) -> pd.DataFrame:
    """Photos far from all others of their class: rows like audit/issues.csv, the farthest first.

    photos: path,label; vectors: theirs, (n, width), of length 1. Where most of the nearest photos are of one other
    class, the suggestion says so; the three nearest of those are shown beside it.
    """
    k = min(NEIGHBOURS, len(photos) - 1)
    if k < 1:
        return table({})
    neighbours = VectorIndex(vectors).search(vectors, k + 1)
    paths, labels = photos["path"].tolist(), photos["label"].to_numpy(dtype=object)
    itself = neighbours.indices == np.arange(len(photos))[:, None]
    itself[~itself.any(1), -1] = True  # among equal photos others may have taken its place
    near, distances = neighbours.indices[~itself].reshape(-1, k), neighbours.distances[~itself].reshape(-1, k)
    issues = []
    for label in sorted(set(labels)):
        members = np.flatnonzero(labels == label)
        means = distances[members].mean(1)
        median = np.median(means)
        deviation = max(1.4826 * float(np.median(np.abs(means - median))), 1e-6)
        for photo, excess in zip(members.tolist(), (means - median) / deviation, strict=True):
            if excess > FAR:
                issues.append(_outlier(paths, labels, photo, near[photo], excess))
    return table({"outlier": issues})


def _outlier(paths: list[str], labels: np.ndarray, photo: int, near: np.ndarray, excess: float) -> Issue:
    classes, counts = np.unique(labels[near].astype(str), return_counts=True)
    usual = classes[counts.argmax()]
    detail = f"farther from its neighbours than is usual for {labels[photo]}, by {excess:.1f} standard deviations"
    suggestion = "look at it: wrong label, other subject, or a rare kind that more photos are needed of"
    if usual != labels[photo] and counts.max() > len(near) / 2:
        suggestion = f"most of the nearest photos are {usual}: relabel or exclude it"
    shown = [paths[other] for other in near if labels[other] == usual][:3]
    return issue(paths[photo], 1 - FAR / excess, detail, suggestion, *shown)


def find_copies(workspace: Workspace, embedder: Embedder, progress: Progress = silent) -> pd.DataFrame:
    """Photos that are there more than once, found as the audit does, by features and pixels.

    Pairs that the person said are no copies are left out.

    Parameters
    ----------
    workspace, embedder
        The photos, and what turns them into vectors.
    progress
        Called while it looks.

    Returns
    -------
    pandas.DataFrame
        Rows like audit/issues.csv.
    """
    context = Context(workspace, embedder.spec, progress)
    return table({check.name: check.run(context) for check in CHECKS if check.about_copies})
