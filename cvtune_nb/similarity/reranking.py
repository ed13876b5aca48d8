"""k-reciprocal re-ranking: a photo is a better answer when query and photo are neighbours of each other.

And when both have the same neighbours: Zhong and others 2017, "Re-ranking person re-identification with k-reciprocal
encoding".
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from cvtune_nb.similarity.index import Neighbours, VectorIndex

NEAREST, SMOOTHED, LAMBDA = 20, 6, 0.3
"""k1, k2 and lambda of the paper: neighbours that are looked at, those over which encodings are averaged, and the
weight of the plain distance."""
MANY = 50_000
"""Photos from which their neighbours are found approximately: all against all grows with the square, and takes longer
than a graph of near neighbours from about there (docs/measurements.md, "Exact and approximate search")."""
RERANKED = 200
"""So many of the nearest are re-ranked; the rest keep their order behind them."""


@dataclass(frozen=True)
class Reranker:
    """Re-ranks what the search of an index finds.

    Each query is ranked by itself, as in use: it learns nothing from other queries, which the paper has in its graph,
    too. What is known of the gallery is computed once.
    """

    index: VectorIndex

    @property
    def vectors(self) -> np.ndarray:
        """Those of the index."""
        return self.index.vectors

    def search(self, queries: np.ndarray, k: int) -> Neighbours:
        """The k nearest of the queries (q, width), re-ranked.

        Distances are lambda * plain distance + (1 - lambda) * Jaccard distance of the encodings; plain ones are divided
        by the largest re-ranked one, as in the paper.
        """
        n = len(self.vectors)
        neighbours = self.index.search(queries, min(n, max(k, RERANKED)))
        indices, distances = neighbours.indices.copy(), neighbours.distances.copy()
        for row in range(len(queries)):
            near, plain = neighbours.indices[row, :RERANKED], neighbours.distances[row, :RERANKED]
            jaccard = self._jaccard(queries[row], near, plain)
            mixed = jaccard * (1 - LAMBDA) + plain / max(float(plain.max()), 1e-9) * LAMBDA
            order = mixed.argsort(kind="stable")
            indices[row, : len(near)], distances[row, : len(near)] = near[order], mixed[order]
            distances[row, len(near) :] = 1.0
        return Neighbours(indices[:, :k], distances[:, :k])

    def _jaccard(self, query: np.ndarray, near: np.ndarray, plain: np.ndarray) -> np.ndarray:
        """Jaccard distances between the encoding of a query and those of its nearest photos.

        near: their indices; plain: their distances.
        """
        limits = self._graph[1]
        k = min(NEAREST, len(near))
        # reciprocal: the query would be among that photo's own nearest
        reciprocal = near[:k][plain[:k] <= limits[near[:k]]]
        members = self._expanded(reciprocal)
        encoding = np.zeros(len(self.vectors), np.float32)
        weights = np.exp(self.vectors[members] @ query - 1)
        encoding[members] = weights / max(float(weights.sum()), 1e-9)
        # averaged with those of its nearest, the query itself being one of them
        others = self._encodings[near[: SMOOTHED - 1]]
        encoding = (encoding + np.asarray(others.sum(axis=0)).ravel()) / (1 + others.shape[0])
        # 1 - sum of minima / sum of maxima; both encodings sum to 1, so the maxima sum to 2 - the minima
        theirs = self._smoothed[near]
        minima = np.minimum(theirs.data, encoding[theirs.indices])
        common = np.zeros(len(near), np.float32)
        np.add.at(common, np.repeat(np.arange(len(near)), np.diff(theirs.indptr)), minima)
        return 1 - common / np.maximum(2 - common, 1e-9)

    def _expanded(self, reciprocal: np.ndarray) -> np.ndarray:
        """The reciprocal neighbours and those of theirs, of half as many, that have two thirds in common with them."""
        halves, members = self._graph[2], set(reciprocal.tolist())
        expanded = set(members)
        for index in reciprocal.tolist():
            theirs = halves[index]
            if len(theirs & members) > 2 / 3 * len(theirs):
                expanded |= theirs
        return np.array(sorted(expanded), np.int64)

    @cached_property
    def _graph(self) -> tuple[np.ndarray, np.ndarray, list[set[int]]]:
        """The neighbours of every photo of the gallery, (n, k), itself first.

        And the distance within which a query would be one of them, (n,); and its reciprocal ones among half as many.
        """
        index = self.index
        if len(self.vectors) >= MANY and index.metric.distance != "manhattan":
            index = replace(index, approximate=True)
        neighbours = index.search(self.vectors, NEAREST + 1)
        half = neighbours.indices[:, : NEAREST // 2 + 1].tolist()
        sets = [set(row) for row in half]
        halves = [{other for other in row if photo in sets[other]} | {photo} for photo, row in enumerate(half)]
        return neighbours.indices, neighbours.distances[:, -1], halves

    @cached_property
    def _encodings(self) -> csr_matrix:
        """Of every photo of the gallery: the weights of its expanded reciprocal neighbours, (n, n), rows sum to 1."""
        neighbours, n = self._graph[0].tolist(), len(self.vectors)
        sets = [set(row) for row in neighbours]
        rows, columns, values = [], [], []
        for photo, row in enumerate(neighbours):
            reciprocal = np.array([other for other in row if photo in sets[other]] or [photo])
            members = self._expanded(reciprocal)
            weights = np.exp(-(1 - self.vectors[members] @ self.vectors[photo]))
            rows += [photo] * len(members)
            columns += members.tolist()
            values += (weights / weights.sum()).tolist()
        return csr_matrix((np.array(values, np.float32), (rows, columns)), shape=(n, n))

    @cached_property
    def _smoothed(self) -> csr_matrix:
        """The encodings, each averaged with those of its nearest."""
        near, n = self._graph[0][:, :SMOOTHED], len(self.vectors)
        rows = np.repeat(np.arange(n), near.shape[1])
        mean = csr_matrix((np.full(len(rows), 1 / near.shape[1], np.float32), (rows, near.ravel())), shape=(n, n))
        return csr_matrix(mean @ self._encodings)
