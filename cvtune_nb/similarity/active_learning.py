"""Which unlabelled photos to label next: those that teach most."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.cluster import KMeans

from cvtune_nb.classification.model import SVM_SCALE
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data import look, walk
from cvtune_nb.data.photo import FULL, Levels
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent, write_csv
from cvtune_nb.similarity.embeddings import Embedder, vectors
from cvtune_nb.similarity.index import Gallery
from cvtune_nb.workspace import Workspace

UNCERTAIN = 3
"""So many times the photos asked for, the least certain ones, are shared out over groups (beta of Zhdanov 2019,
"Diverse mini-batch active learning", who has 10 for rounds of hundreds). Labels, in rounds of 20, until an SVM on
frozen features has 95% of the accuracy that all labels give, mean of 5 seeds: sample photos (554) 140, digits (1,259)
168; with 10 about 173 both times (3 seeds), with 1, no groups at all, 192 and 156; by chance 247 and 373 (3 seeds)."""
GROUPED = 20_000
"""Photos of the pool, drawn by the seed, that are grouped when typical ones are asked for."""
FEW = 4
"""Labelled photos a class below which uncertainty says little yet: typical photos are chosen instead (Hacohen, Dekel
and Weinshall 2022, "Active learning on a budget: opposite strategies suit high and low budgets")."""
ROUND = 20
"""Times as many photos as those asked for, the nearest to the chosen ones, that are looked at for "more like these"."""


@dataclass(frozen=True)
class Useful:
    """places: of the pool, int, in the order to label them; why: "typical" or "uncertain"; label, probability: what the
    labelled photos say about each so far, "" and 0 without any."""

    places: np.ndarray
    why: str
    label: np.ndarray
    probability: np.ndarray


def most_useful(pool: np.ndarray, labelled: np.ndarray, labels: Sequence[str], count: int, seed: int = 0) -> Useful:
    """`count` photos of the pool to label next.

    pool (n, width), labelled (m, width): vectors of length 1; labels: m. With few labels typical photos: one of each of
    as many groups as there will be labelled ones, groups without a label first. Later uncertain ones, no two alike: of
    the least certain by the SVM (smallest margin between its two likeliest classes) one of each of `count` groups.
    """
    labels = np.asarray(labels, dtype=object)
    count = min(count, len(pool))
    classes = sorted(set(labels))
    sure, label = np.zeros(len(pool)), np.full(len(pool), "", dtype=object)
    if len(classes) > 1:
        svm = Svm(1.0).fit(labelled, labels)
        chances = softmax(SVM_SCALE * svm.scores(pool), axis=1)
        label, sure = np.array(svm.classes, dtype=object)[chances.argmax(1)], chances.max(1)
    if len(labels) < FEW * max(2, len(classes)):
        places, why = _typical(pool, labelled, count, seed), "typical"
    else:
        ordered = np.sort(chances, axis=1)
        unsure = 1 - (ordered[:, -1] - ordered[:, -2])
        places, why = _uncertain(pool, unsure, count, seed), "uncertain"
    return Useful(places, why, label[places], sure[places])


def _typical(pool: np.ndarray, labelled: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The middle photo of `count` groups, large groups without a labelled photo first."""
    if len(pool) > max(GROUPED, count):
        drawn = np.random.default_rng(seed).permutation(len(pool))[: max(GROUPED, count)]
        return drawn[_typical(pool[drawn], labelled, count, seed)]
    both = np.concatenate([labelled, pool]) if len(labelled) else pool
    groups = KMeans(min(len(both), len(labelled) + count), n_init=1, random_state=seed).fit(both)
    of = groups.labels_
    covered = np.bincount(of[: len(both) - len(pool)], minlength=groups.n_clusters)
    sizes = np.bincount(of, minlength=groups.n_clusters)
    mine, far = of[len(both) - len(pool) :], groups.transform(pool)
    chosen: list[int] = []
    for group in sorted(range(groups.n_clusters), key=lambda group: (covered[group], -sizes[group])):
        inside = np.flatnonzero(mine == group)
        if len(inside) and len(chosen) < count:
            chosen.append(int(inside[far[inside, group].argmin()]))
    rest = np.setdiff1d(np.arange(len(pool)), chosen)
    return np.array([*chosen, *rest[: count - len(chosen)]], np.int64)


def _uncertain(pool: np.ndarray, unsure: np.ndarray, count: int, seed: int) -> np.ndarray:
    """One of each of `count` groups of the least certain photos, the least certain first."""
    near = np.argsort(-unsure, kind="stable")[: UNCERTAIN * count]
    if len(near) <= count:
        return near
    weights = np.maximum(unsure[near], 1e-6)
    groups = KMeans(count, n_init=1, random_state=seed).fit(pool[near], sample_weight=weights)
    far = groups.transform(pool[near])
    chosen = []
    for group in range(count):
        inside = np.flatnonzero(groups.labels_ == group)
        if len(inside):
            chosen.append(int(inside[far[inside, group].argmin()]))
    chosen += [place for place in range(len(near)) if place not in set(chosen)][: count - len(chosen)]
    return near[sorted(chosen)]


@dataclass(frozen=True)
class ToLabel:
    """The list: path,label (empty: to be filled in),looks_like,probability,why,like (distance to the nearest of the
    photos that were chosen as examples, NaN without any). file: where it was written; left_out: path,reason."""

    table: pd.DataFrame
    file: Path
    left_out: pd.DataFrame

    @property
    def words(self) -> str:
        """For people."""
        why = ", ".join(f"{count} {name}" for name, count in self.table["why"].value_counts().items())
        return f"{len(self.table)} photos to label ({why}): {self.file}"


def to_label(
    workspace: Workspace,
    folder: str | Path,
    of: Embedder,
    count: int = 50,
    like: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = silent,
) -> ToLabel:
    """`count` photos in `folder` and below it to label next, given what the workspace's training photos teach already.

    like: photos (paths) of which more are wanted: only their nearest in the folder are considered. Photos that the
    workspace has already are left out. The list is written to similarity/to-label-N.csv of the workspace, never over an
    earlier one. Raises InputError.
    """
    if count < 1:
        raise InputError(f"{count} photos to label: ask for 1 or more")
    found, left_out = unlabelled(folder, progress, workspace.levels)
    known = workspace.photos()
    held = found["sha256"].isin(workspace.manifest()["sha256"])
    found = found[~held].drop_duplicates("sha256").reset_index(drop=True)
    if found.empty:
        raise InputError(f"{folder} has no photo that the workspace has not: give a folder of other photos")
    pool = vectors(workspace, found, of, progress)
    far = np.full(len(found), np.nan)
    if like:
        chosen = _looked_at(list(like), workspace.levels)
        if isinstance(chosen, str):
            raise InputError(chosen)
        near = Gallery(vectors(workspace, chosen, of, progress)).search(pool, 1).distances[:, 0]
        keep = np.sort(near.argsort(kind="stable")[: ROUND * count])
        found, pool, far = found.iloc[keep].reset_index(drop=True), pool[keep], near[keep]
    train = known[known["split"] == "train"]
    progress(0.95, "choosing")
    useful = most_useful(pool, vectors(workspace, train, of, progress), train["label"], count, seed)
    table = pd.DataFrame(
        {
            "path": found["path"].to_numpy()[useful.places],
            "label": "",
            "looks_like": useful.label,
            "probability": useful.probability.round(4),
            "why": useful.why,
            "like": far[useful.places].round(4),
        }
    )
    number = 1
    while (file := workspace.folder / "similarity" / f"to-label-{number:03d}.csv").exists():
        number += 1
    write_csv(file, table)
    return ToLabel(table, file, left_out)


def unlabelled(
    folder: str | Path, progress: Progress = silent, levels: Levels = FULL
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """path (absolute),sha256,width,height,bytes of the photos in a folder and below it; path,reason of the other files
    there. levels: `Workspace.levels`. Raises InputError where there is no photo."""
    root = Path(folder).expanduser().resolve()
    if not root.is_dir():
        raise InputError(f"{root} is no folder: give the folder with the photos to choose from")
    paths, passed_over = walk.photos_in([root])
    whole, rows, reasons = partial(look, decode=True, levels=levels), [], list(passed_over)
    with ThreadPoolExecutor() as pool:
        for number, (path, seen) in enumerate(zip(paths, pool.map(whole, map(Path, paths)), strict=True)):
            if number % 16 == 0:
                progress(number / len(paths), f"reading photos: {number} of {len(paths)}")
            if isinstance(seen, str):
                reasons.append((path, seen))
            else:
                rows.append((path, *seen))
    if not rows:
        first = f" ({reasons[0][0]}: {reasons[0][1]})" if reasons else ""
        raise InputError(f"{root} has no photo that can be read{first}: give a folder with photos")
    return (
        pd.DataFrame(rows, columns=["path", "sha256", "width", "height", "bytes"]),
        pd.DataFrame(reasons, columns=["path", "reason"]),
    )


def _looked_at(paths: list[str], levels: Levels) -> pd.DataFrame | str:
    """The same of some photos; or what is wrong with the first that can't be read."""
    rows = []
    for path in paths:
        seen = look(Path(path), decode=True, levels=levels)
        if isinstance(seen, str):
            return f"{path} can't be used ({seen}): choose another photo"
        rows.append((str(Path(path).resolve()), *seen))
    return pd.DataFrame(rows, columns=["path", "sha256", "width", "height", "bytes"])
