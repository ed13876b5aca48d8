"""The same photo more than once: byte for byte, or resized, recompressed, cropped, turned, mirrored,
brightened.

In two steps, so that the cost stays near that of one matrix product. First a few candidates for each photo:
alike in features, or alike in a perceptual hash in any of 8 orientations. Then each pair of candidates is
laid over each other in all orientations and several crops. Never more than BLOCK rows of the n x n comparison
are in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cvtune_nb.audit.images import grey, shrink
from cvtune_nb.audit.issue import issue, quoted, table
from cvtune_nb.files import Progress, silent

BLOCK = 256

CANDIDATE_COSINE = 0.80
CANDIDATE_BITS = 12
"""Candidates: cosine of features from .80, or at most 12 of the hash's 64 bits different."""

NEIGHBOURS = 20
"""At most so many candidates of each sort for a photo, the closest ones. A photo with more copies than that is
still found together with all of them, through the copies of its copies."""

SAME_CORRELATION = 0.80
SAME_COSINE = 0.94
"""A pair of candidates is one photo from this correlation of their high-passed grey pixels, or this cosine of their
features. With both steps: recall .997, precision .997 for nine kinds of copies planted among photos of clothes.
Where different photos of one class look so alike that this would mix them up (scanned digits), `limits_for` asks
for more."""

AT_MOST_CORRELATION = 0.96
AT_MOST_COSINE = 0.99
"""What `limits_for` asks for at most: the planted copies had correlations from .97."""

LOOKALIKES, FEW_COPIES = 400, 0.1
"""Pairs of photos of one class from which `limits_for` learns how alike different photos are, and the share of them
that may be taken for copies."""

CROPS = (1.0, 0.95, 0.90, 0.85, 0.80)
"""The middle of one photo, as a share of its side, that is compared with the whole of the other."""

DETAIL = 64
"""Pixels of the side at which photos are compared."""

KEEP_FIRST = ("test", "validation", "train")
"""Of copies in several splits the one in the first of these stays: a training photo is the cheapest to
lose."""


@dataclass(frozen=True)
class Duplicates:
    """groups: (n,) int, the number of each photo's group of copies, photos without copies are alone in
    theirs; pairs: first, second (row numbers), similarity (0..1, 1 for equal files), exact; issues: one row
    for each photo of a group and kind."""

    groups: np.ndarray
    pairs: pd.DataFrame
    issues: pd.DataFrame


def find(photos: pd.DataFrame, features: np.ndarray, store: Any, progress: Progress = silent) -> Duplicates:
    """Groups of copies, and issues of kinds "two-classes", "leak" and "duplicate".

    photos: path,label,split,sha256,width,height,bytes (n rows); features: (n, width) not negative or centred,
    as they come from the network; store: store[indices] -> uint8 (n, side, side, 3).
    """
    pairs = pd.concat([exact_pairs(photos["sha256"]), near_pairs(photos, features, store, progress)])
    n = len(photos)
    links = coo_array((np.ones(len(pairs)), (pairs["first"], pairs["second"])), shape=(n, n))
    groups = connected_components(links, directed=False)[1].astype(np.int64)
    return Duplicates(groups, pairs.reset_index(drop=True), describe(photos, groups, pairs))


def exact_pairs(sha256: pd.Series) -> pd.DataFrame:
    """Each photo with the first one of the same content."""
    rows = np.arange(len(sha256))
    first = pd.Series(rows).groupby(sha256.to_numpy()).transform("min").to_numpy()
    second = rows[first != rows]
    return pd.DataFrame({"first": first[second], "second": second, "similarity": 1.0, "exact": True})


def near_pairs(photos: pd.DataFrame, features: np.ndarray, store: Any, progress: Progress = silent) -> pd.DataFrame:
    """Pairs of different files that show the same photo."""
    rows = np.flatnonzero(~photos["sha256"].duplicated().to_numpy())  # equal files are compared once
    x = np.asarray(features, dtype=np.float32)[rows]
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    hashes = np.empty((8, len(rows), 64), np.float32)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        hashes[:, start : start + len(block)] = orientation_hashes(shrink(grey(store[block]), 32))
        progress(0.4 * start / len(rows), "comparing photos")
    limits = limits_for(photos["label"].to_numpy(dtype=object)[rows], x, rows, store)
    candidates = candidate_pairs(x, hashes, limits.candidate)

    found = [np.empty((0, 3))]
    for start in range(0, len(candidates), BLOCK):
        pairs = candidates[start : start + BLOCK]
        progress(0.4 + 0.6 * start / len(candidates), "comparing photos that look alike")
        cosine, overlap = _compare(pairs, x, rows, store)
        same = (overlap >= limits.correlation) | (cosine >= limits.cosine)
        found.append(np.column_stack([rows[pairs[same]], np.maximum(overlap, cosine)[same]]))
    table = np.concatenate(found)
    first, second = table[:, 0].astype(int), table[:, 1].astype(int)
    similarity = np.minimum(table[:, 2], 0.9999)  # 1 is for equal files
    return pd.DataFrame({"first": first, "second": second, "similarity": similarity, "exact": False})


def _compare(pairs: np.ndarray, x: np.ndarray, rows: np.ndarray, store: Any) -> tuple[np.ndarray, np.ndarray]:
    """Cosine of features and correlation of pixels of pairs (p, 2) of places in x and rows."""
    cosine = np.einsum("pw,pw->p", x[pairs[:, 0]], x[pairs[:, 1]])
    seen, place = np.unique(pairs, return_inverse=True)
    views = crops(store[rows[seen]])
    return cosine, np.array([correlation(views[a], views[b]) for a, b in place.reshape(pairs.shape)])


@dataclass(frozen=True)
class Limits:
    """From which cosine a pair is a candidate, and from which cosine or correlation it is one photo."""

    candidate: float
    cosine: float
    correlation: float


def limits_for(labels: np.ndarray, x: np.ndarray, rows: np.ndarray, store: Any) -> Limits:
    """The limits for this set: a copy is three times nearer to its original than the nearest 1% of pairs of one
    class, and at least as near as SAME_CORRELATION or SAME_COSINE say. Pairs that may be copies themselves don't
    count, as long as they are few.

    labels: of the photos; x, rows, store: as in near_pairs. The pairs are drawn with a fixed seed.
    """
    random = np.random.default_rng(0)
    places = {label: np.flatnonzero(labels == label) for label in set(labels)}
    firsts = random.integers(0, len(labels), LOOKALIKES) if len(labels) else []
    pairs = np.array([(first, random.choice(places[labels[first]])) for first in firsts], dtype=int).reshape(-1, 2)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    if not len(pairs):
        return Limits(CANDIDATE_COSINE, SAME_COSINE, SAME_CORRELATION)
    parts = [_compare(pairs[start : start + BLOCK], x, rows, store) for start in range(0, len(pairs), BLOCK)]
    cosine, overlap = (np.concatenate(values) for values in zip(*parts, strict=True))
    copies = (cosine >= SAME_COSINE) | (overlap >= AT_MOST_CORRELATION)
    if copies.mean() < FEW_COPIES:
        cosine, overlap = cosine[~copies], overlap[~copies]
    cosine, overlap = np.quantile(cosine, 0.99), np.quantile(overlap, 0.99)
    return Limits(
        candidate=float(np.clip(cosine, CANDIDATE_COSINE, SAME_COSINE)),
        cosine=float(np.clip(1 - (1 - cosine) / 3, SAME_COSINE, AT_MOST_COSINE)),
        correlation=float(np.clip(1 - (1 - overlap) / 3, SAME_CORRELATION, AT_MOST_CORRELATION)),
    )


def candidate_pairs(x: np.ndarray, hashes: np.ndarray, least_cosine: float = CANDIDATE_COSINE) -> np.ndarray:
    """Pairs (p, 2) of row numbers, the smaller first, that are worth a closer look.

    x: (n, width) rows of length 1; hashes: (8, n, 64) of -1 and 1, one for each orientation.
    """
    pairs = [np.empty((0, 2), int)]
    for start in range(0, len(x), BLOCK):
        block = slice(start, start + BLOCK)
        pairs.append(_closest(x[block] @ x.T, least_cosine, start))
        agreeing = np.max([hashes[0, block] @ turned.T for turned in hashes], axis=0)
        pairs.append(_closest(agreeing, 64 - 2 * CANDIDATE_BITS, start))
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


def _closest(similarity: np.ndarray, least: float, start: int) -> np.ndarray:
    """For each row of (block, n) the NEIGHBOURS columns of the largest values from `least` on, itself left
    out."""
    own = np.arange(len(similarity))
    similarity[own, start + own] = -np.inf
    rows = np.flatnonzero((similarity >= least).any(axis=1))
    count = min(NEIGHBOURS, similarity.shape[1])
    columns = np.argpartition(-similarity[rows], count - 1, axis=1)[:, :count]
    near = np.take_along_axis(similarity[rows], columns, axis=1) >= least
    return np.column_stack([np.repeat(start + rows, near.sum(axis=1)), columns[near]])


def orientations(images: np.ndarray) -> Iterator[np.ndarray]:
    """Images (..., side, side) as they are, turned by 90, 180 and 270 degrees, and mirrored of each: 8 of
    them."""
    for mirrored in (images, images[..., ::-1]):
        for quarter_turns in range(4):
            yield np.rot90(mirrored, quarter_turns, axes=(-2, -1))


def orientation_hashes(small: np.ndarray) -> np.ndarray:
    """Perceptual hashes of images (n, 32, 32) in each orientation: (8, n, 64) of -1 and 1.

    The signs of the 8 x 8 lowest frequencies (discrete cosine transform) against their median: C. Zauner,
    "Implementation and benchmarking of perceptual image hash functions" (2010).
    """
    turned = np.stack(list(orientations(small)))
    low = dctn(turned, axes=(-2, -1), norm="ortho")[..., :8, :8].reshape(*turned.shape[:2], 64)
    return np.where(low > np.median(low, axis=-1, keepdims=True), np.float32(1), np.float32(-1))


def crops(images: np.ndarray) -> np.ndarray:
    """For uint8 images (n, side, side, 3) their middle in each of CROPS, grey, without slow changes of light,
    each of mean 0 and length 1: float32 (n, crops, DETAIL, DETAIL). An even surface becomes all 0."""
    gray = shrink(grey(images), 2 * DETAIL)
    views = np.stack([shrink(gray, DETAIL, share) for share in CROPS], axis=1)
    blur = gaussian_filter1d(np.eye(DETAIL, dtype=np.float32), DETAIL / 16, axis=0)
    detail = views - blur @ views @ blur.T
    detail -= detail.mean(axis=(-2, -1), keepdims=True)
    length = np.linalg.norm(detail, axis=(-2, -1), keepdims=True)
    return np.where(length > DETAIL, detail / np.maximum(length, 1e-12), 0)  # under 1 grey level of detail: even


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """The best correlation (-1..1) of two photos' crops (crops, side, side) over orientations, the whole of
    one with every crop of the other."""
    flat = first.reshape(len(first), -1)
    turned = np.stack(list(orientations(second))).reshape(8, len(second), -1)
    return max((turned @ flat[0]).max(), (flat @ turned[:, 0].T).max())


def describe(photos: pd.DataFrame, groups: np.ndarray, pairs: pd.DataFrame) -> pd.DataFrame:
    """Issues for each photo that has copies: which they are and what to do about them."""
    similarity = np.zeros(len(photos))
    for side in ("first", "second"):
        np.maximum.at(similarity, pairs[side].to_numpy(int), pairs["similarity"].to_numpy(float))
    ranked = pd.DataFrame(
        {
            "row": np.arange(len(photos)),
            "group": groups,
            "split": photos["split"].map({name: place for place, name in enumerate(KEEP_FIRST)}).to_numpy(),
            "pixels": -(photos["width"] * photos["height"]).to_numpy(),
            "bytes": -photos["bytes"].to_numpy(),
            "path": photos["path"].to_numpy(),
        }
    ).sort_values(["group", "split", "pixels", "bytes", "path"])
    rows = []
    for _, members in ranked[ranked["group"].duplicated(keep=False)].groupby("group", sort=False):
        rows += _group_issues(photos.iloc[members["row"]], similarity[members["row"]])
    return table(rows)


def _group_issues(copies: pd.DataFrame, similarity: np.ndarray) -> list[dict]:
    """The issues of one group, its photos in the order in which they should be kept."""
    best = copies.iloc[0]
    labels, splits = sorted(copies["label"].unique()), sorted(copies["split"].unique())
    rows = []
    for number, (photo, score) in enumerate(zip(copies.itertuples(), similarity, strict=True)):
        twin = best if number else copies.iloc[1]
        equal = photo.sha256 == twin["sha256"]
        what = f"{'the same file as' if equal else 'looks the same as'} {twin['path']} (similarity {score:.2f})"
        clear = (
            f"keep this one of the {len(copies)} copies, exclude the others"
            if not number
            else f"exclude it: {best['path']} stays"
        )
        if len(labels) > 1:
            decide = f"decide which of {quoted(labels)} is right: relabel it or exclude it"
            detail = f"{what}, which is labelled {quoted([twin['label']])}; this one {quoted([photo.label])}"
            if photo.label == twin["label"]:
                detail = f"{what}; copies are labelled {quoted(labels)}"
            rows.append(issue(photo.path, "two-classes", score, detail, decide, twin["path"]))
        if len(splits) > 1:
            detail = f"{what}; copies are in {' and '.join(splits)}"
            rows.append(issue(photo.path, "leak", score, detail, clear, twin["path"]))
        rows.append(issue(photo.path, "duplicate", score, what, clear, twin["path"]))
    return rows
