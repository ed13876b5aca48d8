"""Active learning: which unlabelled photos to label next, because they teach most."""

import itertools
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.cluster import KMeans

from cvtune_nb.classification.svm import SVM_SCALE, Svm
from cvtune_nb.data import look, walk
from cvtune_nb.data.photo import FULL, Levels
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent, write_csv
from cvtune_nb.similarity.embeddings import embed
from cvtune_nb.similarity.index import VectorIndex
from cvtune_nb.similarity.model import Embedder
from cvtune_nb.workspace import Workspace

UNCERTAIN = 3
"""So many times the photos asked for, the least certain ones, are clustered (beta of Zhdanov 2019, "Diverse mini-batch
active learning", who has 10 for rounds of hundreds; docs/measurements.md, "Labels that active learning saves")."""
CLUSTERED = 20_000
"""Photos of the pool, drawn by the seed, that are clustered when typical ones are asked for."""
FEW = 4
"""Labelled photos a class below which uncertainty says little yet: typical photos are chosen instead (Hacohen, Dekel
and Weinshall 2022, "Active learning on a budget: opposite strategies suit high and low budgets")."""
CANDIDATES = 20
"""Times as many photos as those asked for, the nearest to the examples, that are considered for "more like these"."""


@dataclass(frozen=True)
class Selection:
    """The photos of a pool to label next.

    Attributes
    ----------
    indices
        Theirs in the pool, int, in the order to label them.
    reason
        "typical" or "uncertain".
    labels, probabilities
        What the labelled photos say about each so far; "" and 0 without any.
    """

    indices: np.ndarray
    reason: str
    labels: np.ndarray
    probabilities: np.ndarray


def select(
    pool: np.ndarray, labelled: np.ndarray, labels: Sequence[str] | pd.Series, count: int, seed: int = 0
) -> Selection:
    """Which photos of the pool to label next.

    With few labels typical photos: one of each of as many clusters as there will be labelled photos, clusters without a
    label first. Later uncertain ones, no two alike: of the least certain by an SVM (smallest margin between its two
    likeliest classes) one of each of `count` clusters.

    Parameters
    ----------
    pool
        (n, width), vectors of length 1.
    labelled
        (m, width), the same of the photos with a label.
    labels
        M, theirs.
    count
        How many to select; all of a smaller pool.
    seed
        Decides between equally good ones.
    """
    known, count = np.asarray(labels, dtype=object), min(count, len(pool))
    classes = set(known)
    guess, confidence, uncertainty = np.full(len(pool), "", dtype=object), np.zeros(len(pool)), np.zeros(len(pool))
    if len(classes) > 1:
        svm = Svm(1.0).fit(labelled, known)
        probabilities = softmax(SVM_SCALE * svm.scores(pool), axis=1)
        guess = np.array(svm.classes, dtype=object)[probabilities.argmax(1)]
        ordered = np.sort(probabilities, axis=1)
        confidence, uncertainty = ordered[:, -1], 1 - (ordered[:, -1] - ordered[:, -2])
    if len(classes) < 2 or len(known) < FEW * len(classes):
        indices, reason = _typical(pool, labelled, count, seed), "typical"
    else:
        indices, reason = _uncertain(pool, uncertainty, count, seed), "uncertain"
    return Selection(indices, reason, guess[indices], confidence[indices])


def _typical(pool: np.ndarray, labelled: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The photo nearest to the centre of each of `count` clusters, large ones without a labelled photo first."""
    if len(pool) > max(CLUSTERED, count):
        drawn = np.random.default_rng(seed).permutation(len(pool))[: max(CLUSTERED, count)]
        return drawn[_typical(pool[drawn], labelled, count, seed)]
    both = np.concatenate([labelled, pool]) if len(labelled) else pool
    clusters = KMeans(min(len(both), len(labelled) + count), n_init=1, random_state=seed).fit(both)
    assigned, first = clusters.labels_, len(both) - len(pool)
    known = np.bincount(assigned[:first], minlength=clusters.n_clusters)
    sizes = np.bincount(assigned, minlength=clusters.n_clusters)
    order = sorted(range(clusters.n_clusters), key=lambda cluster: (known[cluster], -sizes[cluster]))
    chosen = _central(assigned[first:], clusters.transform(pool), order)[:count]
    rest = np.setdiff1d(np.arange(len(pool)), chosen)
    return np.array([*chosen, *rest[: count - len(chosen)]], np.int64)


def _uncertain(pool: np.ndarray, uncertainty: np.ndarray, count: int, seed: int) -> np.ndarray:
    """One of each of `count` clusters of the least certain photos, the least certain first."""
    least = np.argsort(-uncertainty, kind="stable")[: UNCERTAIN * count]
    if len(least) <= count:
        return least
    weights = np.maximum(uncertainty[least], 1e-6)
    clusters = KMeans(count, n_init=1, random_state=seed).fit(pool[least], sample_weight=weights)
    chosen = _central(clusters.labels_, clusters.transform(pool[least]), range(count))
    rest = [place for place in range(len(least)) if place not in set(chosen)]
    return least[sorted([*chosen, *rest[: count - len(chosen)]])]


def _central(assigned: np.ndarray, distances: np.ndarray, clusters: Iterable[int]) -> list[int]:
    """Of each cluster that is not empty, in that order, the row nearest to its centre.

    assigned: (n,), the cluster of each row; distances: (n, clusters) from the centres.
    """
    members = ((cluster, np.flatnonzero(assigned == cluster)) for cluster in clusters)
    return [int(rows[distances[rows, cluster].argmin()]) for cluster, rows in members if len(rows)]


@dataclass(frozen=True)
class LabelList:
    """The list of photos to label next.

    Attributes
    ----------
    table
        path, label (empty: to be filled in), looks_like, probability, why, like (distance to the nearest of the
        examples, NaN without any).
    file
        Where it was written.
    left_out
        path and reason of files that are no photos.
    """

    table: pd.DataFrame
    file: Path
    left_out: list[tuple[str, str]]

    @property
    def words(self) -> str:
        """For people."""
        why = ", ".join(f"{count} {name}" for name, count in self.table["why"].value_counts().items())
        return f"{len(self.table)} photos to label ({why}): {self.file}"


def label_next(
    workspace: Workspace,
    folder: str | Path,
    embedder: Embedder,
    count: int = 50,
    like: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = silent,
) -> LabelList:
    """List which photos of a folder to label next, given what the workspace's training photos teach already.

    The list is written to similarity/to-label-N.csv of the workspace, never over an earlier one.

    Parameters
    ----------
    workspace, embedder
        Whose photos are known, and what turns photos into vectors.
    folder
        Photos without labels, in it and below it; those that the workspace has already are left out.
    count
        How many to list.
    like
        Paths of examples; only their nearest in the folder are considered.
    seed
        As in `select`.
    progress
        Called with the fraction done (0 to 1) and what is under way.

    Raises
    ------
    InputError
        For a folder without photos that are new, for an example that can't be read, and for a count below 1.
    """
    if count < 1:
        raise InputError(f"{count} photos to label: ask for 1 or more")
    photos, left_out = read_unlabelled(folder, progress, workspace.levels)
    held = photos["sha256"].isin(workspace.manifest()["sha256"])
    photos = photos[~held].drop_duplicates("sha256").reset_index(drop=True)
    if photos.empty:
        raise InputError(f"{folder} has no photo that the workspace has not: give a folder of other photos")
    pool = embed(workspace, photos, embedder, progress)
    distances = np.full(len(photos), np.nan)
    if like:
        examples, unreadable = _read([str(Path(path).resolve()) for path in like], silent, workspace.levels)
        if unreadable:
            raise InputError("{} can't be used ({}): choose another photo".format(*unreadable[0]))
        nearest = VectorIndex(embed(workspace, examples, embedder, progress)).search(pool, 1).distances[:, 0]
        keep = np.sort(nearest.argsort(kind="stable")[: CANDIDATES * count])
        photos, pool, distances = photos.iloc[keep].reset_index(drop=True), pool[keep], nearest[keep]
    known = workspace.photos()
    train = known[known["split"] == "train"]
    progress(0.95, "choosing")
    chosen = select(pool, embed(workspace, train, embedder, progress), train["label"], count, seed)
    table = pd.DataFrame(
        {
            "path": photos["path"].to_numpy()[chosen.indices],
            "label": "",
            "looks_like": chosen.labels,
            "probability": chosen.probabilities.round(4),
            "why": chosen.reason,
            "like": distances[chosen.indices].round(4),
        }
    )
    files = (workspace.folder / "similarity" / f"to-label-{number:03d}.csv" for number in itertools.count(1))
    file = next(file for file in files if not file.exists())
    write_csv(file, table)
    return LabelList(table, file, left_out)


def read_unlabelled(
    folder: str | Path, progress: Progress = silent, levels: Levels = FULL
) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """The photos in a folder and below it.

    Parameters
    ----------
    folder
        Any folder.
    progress
        Called with the fraction done (0 to 1) and what is under way.
    levels
        Workspace.levels, for photos of more than 8 bits.

    Returns
    -------
    photos
        Path (absolute), sha256, width, height, bytes.
    left_out
        Path and reason of the other files there.

    Raises
    ------
    InputError
        Where there is no photo.
    """
    root = Path(folder).expanduser().resolve()
    if not root.is_dir():
        raise InputError(f"{root} is no folder: give the folder with the photos to choose from")
    paths, passed_over = walk.photos_in([root])
    photos, unreadable = _read(paths, progress, levels)
    left_out = [*passed_over, *unreadable]
    if photos.empty:
        first = " ({}: {})".format(*left_out[0]) if left_out else ""
        raise InputError(f"{root} has no photo that can be read{first}: give a folder with photos")
    return photos, left_out


def _read(paths: Sequence[str], progress: Progress, levels: Levels) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """path, sha256, width, height, bytes of the photos that can be read; and the path of each other one, with why."""
    rows, unreadable = [], []
    with ThreadPoolExecutor() as threads:
        read = threads.map(partial(look, decode=True, levels=levels), map(Path, paths))
        for number, (path, seen) in enumerate(zip(paths, read, strict=True)):
            if number % 16 == 0:
                progress(number / len(paths), f"reading photos: {number} of {len(paths)}")
            if isinstance(seen, str):
                unreadable.append((path, seen))
            else:
                rows.append((path, *seen))
    return pd.DataFrame(rows, columns=["path", "sha256", "width", "height", "bytes"]), unreadable
