"""The vectors of a gallery that are nearest to a query: found exactly, or in a large gallery approximately."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from usearch.index import Index

from cvtune_nb.errors import InputError
from cvtune_nb.similarity.metric import DEFAULT, Metric

LARGE = 1_000_000
"""Vectors from which search is approximate: an exact one takes over 200 ms a query from about there
(docs/measurements.md, "Exact and approximate search")."""
BLOCK = 512
"""Queries that are compared at a time."""


@dataclass(frozen=True)
class Neighbours:
    """Nearest first: indices (queries, k) into the gallery, int; distances (queries, k), float32."""

    indices: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True)
class VectorIndex:
    """The vectors of a gallery, ready to be searched.

    vectors: projected as `metric` asks, (n, width) float32 of length 1; approximate: whether search may miss some, None
    for where there are LARGE or more. Raises InputError.
    """

    vectors: np.ndarray
    metric: Metric = DEFAULT
    approximate: bool | None = None

    def __post_init__(self) -> None:
        if self.approximate and self.metric.distance == "manhattan":
            raise InputError("there is no approximate search by manhattan distance: choose cosine or euclidean")

    def search(self, queries: np.ndarray, k: int) -> Neighbours:
        """The k nearest of each query (all, where there are fewer). queries: (q, width), projected, of length 1."""
        k = min(k, len(self.vectors))
        large = len(self.vectors) >= LARGE and self.metric.distance != "manhattan"
        if large if self.approximate is None else self.approximate:
            return self._search_graph(queries, k)
        blocks = [self._search_exactly(queries[start : start + BLOCK], k) for start in range(0, len(queries), BLOCK)]
        blocks = blocks or [(np.zeros((0, k), np.int64), np.zeros((0, k), np.float32))]
        indices, distances = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return Neighbours(indices, distances.astype(np.float32))

    def _search_exactly(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        distances = self.metric.distances(queries, self.vectors)
        if k < distances.shape[1]:
            near = np.argpartition(distances, k - 1, axis=1)[:, :k]
            order = np.take_along_axis(distances, near, 1).argsort(axis=1, kind="stable")
            near = np.take_along_axis(near, order, 1)
        else:
            near = distances.argsort(axis=1, kind="stable")
        return near, np.take_along_axis(distances, near, 1)

    def _search_graph(self, queries: np.ndarray, k: int) -> Neighbours:
        indices = self.graph.search(queries, k).keys.reshape(len(queries), k).astype(np.int64)
        # computed again, because the graph keeps its vectors as 16-bit floats
        distances = self.metric.of_cosines(np.einsum("qw,qkw->qk", queries, self.vectors[indices]))
        order = distances.argsort(axis=1, kind="stable")
        ordered = np.take_along_axis(distances, order, 1).astype(np.float32)
        return Neighbours(np.take_along_axis(indices, order, 1), ordered)

    @cached_property
    def graph(self) -> Index:
        """A graph of near neighbours (HNSW, Malkov and Yashunin 2018), made when it is first asked for."""
        width = self.vectors.shape[1]
        graph = Index(ndim=width, metric="cos", dtype="f16", connectivity=16, expansion_add=128, expansion_search=128)
        graph.add(np.arange(len(self.vectors)), self.vectors)
        return graph
