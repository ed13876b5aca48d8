"""Which photos of a gallery are nearest to a query: exactly, or where the gallery is large nearly so and at once."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.spatial.distance import cdist
from usearch.index import Index

from cvtune_nb.errors import InputError

DISTANCES = {
    "cosine": "1 minus the cosine of the angle: 0 the same direction, 1 nothing in common, 2 opposite",
    "euclidean": "length of the difference, 0 to 2: the same order as cosine, other numbers",
    "manhattan": "sum of the differences of all numbers: many small ones count as much as one large one",
}
"""Distances between vectors of length 1, and what they mean."""
LARGE = 1_000_000
"""Vectors from which search is approximate: up to there an exact one is done within 200 ms. Measured on 2 cores with
200,000 vectors of 128 and of 1,280 numbers: exact 8.2 and 37.8 ms a query; nearly .7 and 1.2 ms, with 1.000 and .999 of
the ten nearest, once the graph is made, which takes 40 and 158 s. With 20,000: .5 and 4.2 ms exact; .3 and 1.7 ms."""
BLOCK = 512
"""Queries that are compared at a time."""


@dataclass(frozen=True)
class Found:
    """Nearest first: places (queries, k) in the gallery, int; distances (queries, k), float32."""

    places: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True)
class Gallery:
    """rows: vectors (n, width) of length 1, float32; distance: one of DISTANCES; approximate: whether search may miss
    some, None for where there are LARGE or more. Raises InputError."""

    rows: np.ndarray
    distance: str = "cosine"
    approximate: bool | None = field(default=None)

    def __post_init__(self) -> None:
        if self.distance not in DISTANCES:
            raise InputError(f"distance is {self.distance!r}: choose {' or '.join(DISTANCES)}")
        if self.approximate and self.distance == "manhattan":
            raise InputError("there is no approximate search by manhattan distance: choose cosine or euclidean")

    def search(self, queries: np.ndarray, k: int) -> Found:
        """The k nearest (all, where there are fewer) of each of the queries (q, width), vectors of length 1."""
        k = min(k, len(self.rows))
        large = len(self.rows) >= LARGE and self.distance != "manhattan"
        if large if self.approximate is None else self.approximate:
            return self._nearly(queries, k)
        blocks = [self._exactly(queries[start : start + BLOCK], k) for start in range(0, len(queries), BLOCK)]
        blocks = blocks or [(np.zeros((0, k), np.int64), np.zeros((0, k), np.float32))]
        places, distances = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return Found(places, distances.astype(np.float32))

    def _exactly(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        far = distances(queries, self.rows, self.distance)
        if k < far.shape[1]:
            near = np.argpartition(far, k - 1, axis=1)[:, :k]
            order = np.take_along_axis(far, near, 1).argsort(axis=1, kind="stable")
            near = np.take_along_axis(near, order, 1)
        else:
            near = far.argsort(axis=1, kind="stable")
        return near, np.take_along_axis(far, near, 1)

    def _nearly(self, queries: np.ndarray, k: int) -> Found:
        found = self.index.search(queries, k)
        places = found.keys.reshape(len(queries), k).astype(np.int64)
        # measured anew: the index keeps vectors in less precision
        cosines = np.einsum("qw,qkw->qk", queries, self.rows[places])
        far = 1 - cosines if self.distance == "cosine" else np.sqrt(np.maximum(2 - 2 * cosines, 0))
        order = far.argsort(axis=1, kind="stable")
        return Found(np.take_along_axis(places, order, 1), np.take_along_axis(far, order, 1).astype(np.float32))

    @cached_property
    def index(self) -> Index:
        """A graph of near neighbours (HNSW, Malkov and Yashunin 2018) by usearch; made when it is first asked for."""
        made = index(self.rows.shape[1])
        made.add(np.arange(len(self.rows)), self.rows)
        return made


def index(width: int) -> Index:
    """An empty index for vectors of so many numbers, kept as 16-bit floats."""
    return Index(ndim=width, metric="cos", dtype="f16", connectivity=16, expansion_add=128, expansion_search=128)


def distances(queries: np.ndarray, rows: np.ndarray, distance: str) -> np.ndarray:
    """Distances (q, n) between vectors of length 1, (q, width) and (n, width)."""
    if distance == "manhattan":
        return cdist(queries, rows, "cityblock")
    cosines = queries @ rows.T
    return 1 - cosines if distance == "cosine" else np.sqrt(np.maximum(2 - 2 * cosines, 0))
