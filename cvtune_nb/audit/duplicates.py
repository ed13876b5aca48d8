"""The same photo more than once.

Byte for byte, or resized, recompressed, cropped, turned, mirrored, brightened, with a border or a caption. In two
steps, so that the cost stays near that of one matrix product. First a few candidates for each photo: alike in features,
or alike in a perceptual hash in any of 8 orientations. Then each pair of candidates is laid exactly over each other
(audit.alignment). Never more than BLOCK rows of the n x n comparison are in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import DisjointSet
from scipy.fft import dctn

from cvtune_nb.audit.alignment import FINE, orientations, overlap, views
from cvtune_nb.audit.check import Issue, issue, quoted
from cvtune_nb.audit.images import grey, shrink
from cvtune_nb.data.rows import Rows
from cvtune_nb.data.split import KEEP_FIRST
from cvtune_nb.files import Progress, scratch, silent

if TYPE_CHECKING:
    from cvtune_nb.audit.context import Context

BLOCK, COLUMNS = 256, 2048
"""Photos that are looked at together, and those that they are compared with at a time."""

CANDIDATE_COSINE = 0.80
CANDIDATE_BITS = 12
"""Candidates: cosine of features from .80, or at most 12 of the hash's 64 bits different."""

NEIGHBOURS = 20
"""At most so many candidates of each sort for a photo, the closest ones. A photo with more copies than that is
still found together with all of them, through the copies of its copies."""

SAME_CORRELATION = 0.80
SAME_COSINE = 0.94
"""A pair of candidates is one photo from this correlation of their pixels, laid exactly over each other, or this
cosine of their features; where photos of one class look much alike, `limits_for` asks for more
(docs/measurements.md, "Copies of photos")."""

AT_MOST_CORRELATION = 0.96
AT_MOST_COSINE = 0.99
"""What `limits_for` asks for at most."""

LIKE_A_COPY = 0.90
LOOKALIKES, FEW_COPIES = 400, 0.1
"""Pairs of photos of one class from which `limits_for` learns how alike different photos are, and the fraction of them
that may be taken for copies, by this correlation or SAME_COSINE."""


@dataclass(frozen=True)
class Duplicates:
    """Which photos are copies.

    Attributes
    ----------
    groups : numpy.ndarray
        The number of each photo's group of copies, int (n,); a photo without copies is alone in its group.
    pairs : pandas.DataFrame
        first,second (row numbers),similarity (0 to 1, 1 for equal files),exact.
    """

    groups: np.ndarray
    pairs: pd.DataFrame


def find(
    photos: pd.DataFrame,
    features: Rows | np.ndarray,
    store: Rows | np.ndarray,
    progress: Progress = silent,
    distinct: Iterable[frozenset[str]] = (),
) -> Duplicates:
    """Find groups of copies.

    Parameters
    ----------
    photos : pandas.DataFrame
        label,sha256 (n rows).
    features : numpy.ndarray
        As they come from the network, not centred, (n, width).
    store : Pixels
        store[indices] is uint8 (len(indices), side, side, 3).
    progress : Progress
        Called with the fraction done and words.
    distinct : iterable of frozenset
        Pairs {sha256, sha256} that are never in one group.
    """
    pairs = pd.concat([exact_pairs(photos["sha256"]), near_pairs(photos, features, store, progress)])
    pairs = pairs.sort_values("similarity", ascending=False, kind="stable", ignore_index=True)
    return Duplicates(grouped(pairs, photos["sha256"], distinct), pairs)


def grouped(pairs: pd.DataFrame, sha256: pd.Series, distinct: Iterable[frozenset[str]] = ()) -> np.ndarray:
    """The number of each photo's group.

    A group is what pairs connect, the most alike first, as long as that brings no two photos together that are known to
    be distinct.

    Parameters
    ----------
    pairs
        first, second: row numbers of photos; the most alike first.
    sha256
        Of all photos (n,).
    distinct
        Pairs of sha256 that a person said are not copies.

    Returns
    -------
    np.ndarray
        (n,): group numbers, from 0.
    """
    groups = DisjointSet(range(len(sha256)))
    row = {key: index for index, key in enumerate(sha256)}
    apart = [[row[key] for key in pair] for pair in distinct if all(key in row for key in pair)]
    for first, second in zip(pairs["first"], pairs["second"], strict=True):
        joined = {groups[first], groups[second]}
        if not any({groups[one], groups[other]} == joined for one, other in apart):
            groups.merge(first, second)
    return np.unique([groups[index] for index in range(len(sha256))], return_inverse=True)[1]


def exact_pairs(sha256: pd.Series) -> pd.DataFrame:
    """Each photo with the first one of the same content."""
    rows = np.arange(len(sha256))
    first = pd.Series(rows).groupby(sha256.to_numpy()).transform("min").to_numpy()
    second = rows[first != rows]
    return pd.DataFrame({"first": first[second], "second": second, "similarity": 1.0, "exact": True})


def near_pairs(
    photos: pd.DataFrame, features: Rows | np.ndarray, store: Rows | np.ndarray, progress: Progress = silent
) -> pd.DataFrame:
    """Pairs of different files that show the same photo.

    Parameters
    ----------
    photos
        sha256 and label (n rows).
    features, store
        Features (n, width), and pixels, uint8 (n, side, side, 3), in the same order.
    progress
        Called while photos are compared.

    Returns
    -------
    pandas.DataFrame
        first, second (row numbers), similarity (up to 0.9999), exact (False).
    """
    rows = np.flatnonzero(~photos["sha256"].duplicated().to_numpy())  # equal files are compared once
    hashes = np.empty((8, len(rows), 64), np.int8)
    with scratch() as file:  # small grey photos: 4 kB of disk each, so that memory does not grow with them
        for start in range(0, len(rows), BLOCK):
            block = slice(start, start + BLOCK)
            part = shrink(grey(store[rows[block]]), FINE).round().astype(np.uint8)
            file.write(part.tobytes())  # not by a map: that ends the process where the disk is full
            hashes[:, block] = orientation_hashes(shrink(part, 32))
            progress(0.4 * start / len(rows), "comparing photos")
        file.write(bytes(FINE * FINE))  # nothing at all can't be mapped
        file.flush()
        small = np.memmap(file, np.uint8, "r", shape=(len(rows) + 1, FINE, FINE))[: len(rows)]
        look = Look(features, rows, small)
        limits = limits_for(photos["label"].to_numpy(dtype=object)[rows], look)
        candidates = candidate_pairs(look, hashes, limits.candidate)

        found: list[np.ndarray] = [np.empty((0, 3))]
        parts = [candidates[start : start + BLOCK] for start in range(0, len(candidates), BLOCK)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for number, (pairs, (cosine, alike)) in enumerate(zip(parts, pool.map(look.compare, parts), strict=True)):
                progress(0.4 + 0.6 * number / len(parts), "comparing photos that look alike")
                same = (alike >= limits.correlation) | (cosine >= limits.cosine)
                found.append(np.column_stack([rows[pairs[same]], np.maximum(alike, cosine)[same]]))
    table = np.concatenate(found)
    first, second = table[:, 0].astype(int), table[:, 1].astype(int)
    similarity = np.minimum(table[:, 2], 0.9999)  # 1 is for equal files
    return pd.DataFrame({"first": first, "second": second, "similarity": similarity, "exact": False})


@dataclass(frozen=True)
class Look:
    """What photos are compared by.

    Features (n, width), of which `rows` are meant, and their pixels `small` (rows, FINE, FINE) in grey. An index is one
    into `rows`.
    """

    features: Rows | np.ndarray
    rows: np.ndarray
    small: np.ndarray

    def unit(self, indices: np.ndarray | slice) -> np.ndarray:
        """Features of length 1, float32 (indices, width)."""
        x = np.asarray(self.features[self.rows[indices]], dtype=np.float32)
        return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)

    def compare(self, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cosine of features and correlation of pixels of pairs (p, 2) of indices."""
        seen, index = np.unique(pairs, return_inverse=True)
        index = index.reshape(pairs.shape)
        x = self.unit(seen)
        cosine = np.einsum("pw,pw->p", x[index[:, 0]], x[index[:, 1]])
        return cosine, overlap(views(self.small[seen]), index)


@dataclass(frozen=True)
class Limits:
    """From which cosine a pair is a candidate, and from which cosine or correlation it is one photo."""

    candidate: float
    cosine: float
    correlation: float


def limits_for(labels: np.ndarray, look: Look) -> Limits:
    """The limits for this set.

    A copy is three times nearer to its original than the nearest 1% of pairs of one class, and at least as near as
    SAME_CORRELATION or SAME_COSINE say. Pairs that may be copies themselves don't count, as long as they are few. The
    pairs are drawn with a fixed seed. labels: of the photos.
    """
    random = np.random.default_rng(0)
    indices = {label: np.flatnonzero(labels == label) for label in set(labels)}
    firsts = random.integers(0, len(labels), LOOKALIKES) if len(labels) else []
    pairs = np.array([(first, random.choice(indices[labels[first]])) for first in firsts], dtype=int).reshape(-1, 2)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    if not len(pairs):
        return Limits(CANDIDATE_COSINE, SAME_COSINE, SAME_CORRELATION)
    parts = [look.compare(pairs[start : start + BLOCK]) for start in range(0, len(pairs), BLOCK)]
    cosine, alike = (np.concatenate(values) for values in zip(*parts, strict=True))
    copies = (cosine >= SAME_COSINE) | (alike >= LIKE_A_COPY)
    if copies.mean() < FEW_COPIES:
        cosine, alike = cosine[~copies], alike[~copies]
    cosine, alike = np.quantile(cosine, 0.99), np.quantile(alike, 0.99)
    return Limits(
        candidate=float(np.clip(cosine, CANDIDATE_COSINE, SAME_COSINE)),
        cosine=float(np.clip(1 - (1 - cosine) / 3, SAME_COSINE, AT_MOST_COSINE)),
        correlation=float(np.clip(1 - (1 - alike) / 3, SAME_CORRELATION, AT_MOST_CORRELATION)),
    )


def candidate_pairs(look: Look, hashes: np.ndarray, least_cosine: float = CANDIDATE_COSINE) -> np.ndarray:
    """Pairs of photos that are worth a closer look.

    Parameters
    ----------
    look
        What they are compared by (n photos).
    hashes
        (8, n, 64) of -1 and 1, one for each orientation.
    least_cosine
        Of the features, from which on a pair is a candidate.

    Returns
    -------
    np.ndarray
        (p, 2): indices, the smaller first.
    """
    n = len(look.rows)
    keys: list[np.ndarray] = [np.empty(0, np.int64)]  # smaller index * n + larger index: 8 bytes a pair
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        x, code = look.unit(block), hashes[0, block].astype(np.float32)
        by_features, by_hash = Closest(len(x), least_cosine), Closest(len(x), 64 - 2 * CANDIDATE_BITS)
        for first in range(0, n, COLUMNS):
            part = slice(first, first + COLUMNS)
            by_features.add(x @ look.unit(part).T, start, first)
            by_hash.add((hashes[:, part].astype(np.float32) @ code.T).max(axis=0).T, start, first)
        pairs = np.sort(np.concatenate([by_features.pairs(start), by_hash.pairs(start)]), axis=1)
        keys.append(np.unique(pairs @ (n, 1)))
    return np.column_stack(np.divmod(np.unique(np.concatenate(keys)), max(n, 1)))


class Closest:
    """For each of some rows the NEIGHBOURS columns of the largest values from `least` on.

    The matrix is shown a few columns at a time.
    """

    def __init__(self, rows: int, least: float):
        self.least = least
        self.values = np.full((rows, 0), 0, np.float32)
        self.columns = np.empty((rows, 0), np.int64)

    def add(self, similarity: np.ndarray, start: int, first: int) -> None:
        """Take a few more columns of the matrix into account.

        Parameters
        ----------
        similarity
            (rows, columns) of them; changed in place.
        start
            The photo of row 0; a photo is never its own neighbour.
        first
            The number of the first column.
        """
        own = np.arange(len(similarity))
        itself = start + own - first
        inside = (itself >= 0) & (itself < similarity.shape[1])
        similarity[own[inside], itself[inside]] = -np.inf
        if similarity.max(initial=-np.inf) < self.least:
            return
        columns = np.broadcast_to(first + np.arange(similarity.shape[1]), similarity.shape)
        if similarity.shape[1] > NEIGHBOURS:
            best = np.argpartition(similarity, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
            similarity = np.take_along_axis(similarity, best, axis=1)
            columns = first + best
        self.values = np.concatenate([self.values, similarity], axis=1)
        self.columns = np.concatenate([self.columns, columns], axis=1)

    def pairs(self, start: int) -> np.ndarray:
        """(row, column) of what was found (p, 2), with rows counted from `start` on."""
        order = np.argsort(-self.values, axis=1, kind="stable")[:, :NEIGHBOURS]
        near = np.take_along_axis(self.values, order, axis=1) >= self.least
        columns = np.take_along_axis(self.columns, order, axis=1)
        return np.column_stack([np.repeat(start + np.arange(len(near)), near.sum(axis=1)), columns[near]])


def orientation_hashes(small: np.ndarray) -> np.ndarray:
    """Perceptual hashes of images (n, 32, 32) in each orientation: (8, n, 64) of -1 and 1.

    The signs of the 8 x 8 lowest frequencies (discrete cosine transform) against their median: C. Zauner,
    "Implementation and benchmarking of perceptual image hash functions" (2010).
    """
    turned = np.stack(list(orientations(small)))
    low = dctn(turned, axes=(-2, -1), norm="ortho")[..., :8, :8].reshape(*turned.shape[:2], 64)
    return np.where(low > np.median(low, axis=-1, keepdims=True), np.float32(1), np.float32(-1))


@dataclass(frozen=True)
class Copy:
    """A photo that has copies.

    Which one it is shown beside, what they have in common, and what to do about it; labels and splits are those of all
    its copies.
    """

    path: str
    label: str
    score: float
    twin: pd.Series
    what: str
    remedy: str
    labels: list[str]
    splits: list[str]


def two_classes(context: Context) -> list[Issue]:
    """Copies that carry different labels."""
    rows = []
    for copy in context.copies:
        if len(copy.labels) > 1:
            detail = f"{copy.what}, which is labelled {quoted([copy.twin['label']])}; this one {quoted([copy.label])}"
            if copy.label == copy.twin["label"]:
                detail = f"{copy.what}; copies are labelled {quoted(copy.labels)}"
            decide = f"decide which of {quoted(copy.labels)} is right: relabel it or exclude it"
            rows.append(issue(copy.path, copy.score, detail, decide, copy.twin["path"]))
    return rows


def leaks(context: Context) -> list[Issue]:
    """Copies that are in different splits."""
    return [
        issue(
            copy.path,
            copy.score,
            f"{copy.what}; copies are in {' and '.join(copy.splits)}",
            copy.remedy,
            copy.twin["path"],
        )
        for copy in context.copies
        if len(copy.splits) > 1
    ]


def duplicates(context: Context) -> list[Issue]:
    """All copies."""
    return [issue(copy.path, copy.score, copy.what, copy.remedy, copy.twin["path"]) for copy in context.copies]


def copies(photos: pd.DataFrame, found: Duplicates) -> Iterator[Copy]:
    """Each photo that has copies, group by group, in the order in which they should be kept."""
    similarity = np.zeros(len(photos))
    for side in ("first", "second"):
        np.maximum.at(similarity, found.pairs[side].to_numpy(int), found.pairs["similarity"].to_numpy(float))
    ranked = pd.DataFrame(
        {
            "row": np.arange(len(photos)),
            "group": found.groups,
            "split": photos["split"].map({name: index for index, name in enumerate(KEEP_FIRST)}).to_numpy(),
            "pixels": -(photos["width"] * photos["height"]).to_numpy(),
            "bytes": -photos["bytes"].to_numpy(),
            "path": photos["path"].to_numpy(),
        }
    ).sort_values(["group", "split", "pixels", "bytes", "path"])
    for _, members in ranked[ranked["group"].duplicated(keep=False)].groupby("group", sort=False):
        alike = photos.iloc[members["row"]]
        labels, splits = sorted(alike["label"].unique()), sorted(alike["split"].unique())
        best, next_best = alike.iloc[0], alike.iloc[1]
        for number, (photo, score) in enumerate(zip(alike.itertuples(), similarity[members["row"]], strict=True)):
            twin = best if number else next_best
            how = "the same file as" if photo.sha256 == twin["sha256"] else "looks the same as"
            what = f"{how} {twin['path']} (similarity {score:.2f})"
            remedy = f"exclude it: {best['path']} stays"
            if not number:
                remedy = f"keep this one of the {len(alike)} copies, exclude the others"
            yield Copy(photo.path, photo.label, score, twin, what, remedy, labels, splits)
