"""k-reciprocal re-ranking (Zhong and others 2017, "Re-ranking person re-identification with k-reciprocal encoding"): a
photo is a better answer when the query is among its nearest, too, and when both have the same neighbours."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from cvtune_nb.similarity.index import Found, Gallery

NEAREST, SMOOTHED, SHARE = 20, 6, 0.3
"""k1, k2 and lambda of the paper: neighbours that are looked at, those over which encodings are averaged, and the
weight of the plain distance."""
MANY = 50_000
"""Photos from which their neighbours are looked up approximately: all against all grows with the square, and takes
longer than a graph of near neighbours from about there (ranking.LARGE has the figures)."""
LOOKED_AT = 200
"""So many of the nearest are ranked anew; the rest keep their order behind them."""


@dataclass(frozen=True)
class Reranker:
    """Ranks what a gallery's search finds anew. Each query is looked at by itself, as in use: it learns nothing from
    other queries, which the paper has in its graph, too. What is known of the gallery is computed once."""

    gallery: Gallery

    def search(self, queries: np.ndarray, k: int) -> Found:
        """The k nearest by lambda * plain distance + (1 - lambda) * Jaccard distance of the encodings, for queries
        (q, width). Distances are those; plain ones are divided by the farthest of those looked at, as in the paper."""
        n = len(self.gallery.rows)
        found = self.gallery.search(queries, min(n, max(k, LOOKED_AT)))
        places, mixed = found.places.copy(), found.distances.copy()
        for row in range(len(queries)):
            near, plain = found.places[row, :LOOKED_AT], found.distances[row, :LOOKED_AT]
            apart = self._jaccard(queries[row], near, plain)
            part = apart * (1 - SHARE) + plain / max(float(plain.max()), 1e-9) * SHARE
            order = part.argsort(kind="stable")
            places[row, : len(near)], mixed[row, : len(near)] = near[order], part[order]
            mixed[row, len(near) :] = 1.0
        return Found(places[:, :k], mixed[:, :k])

    def _jaccard(self, query: np.ndarray, near: np.ndarray, plain: np.ndarray) -> np.ndarray:
        """Jaccard distances between the query's encoding and those of the photos in `near`, its nearest with their
        distances."""
        limits = self._graph[1]
        k = min(NEAREST, len(near))
        # reciprocal: the query would be among that photo's own nearest
        own = near[:k][plain[:k] <= limits[near[:k]]]
        members = self._expanded(own)
        encoding = np.zeros(len(self.gallery.rows), np.float32)
        weights = np.exp(self.gallery.rows[members] @ query - 1)
        encoding[members] = weights / max(float(weights.sum()), 1e-9)
        # averaged with those of its nearest, the query itself being one of them
        others = self._encodings[near[: SMOOTHED - 1]]
        encoding = (encoding + np.asarray(others.sum(axis=0)).ravel()) / (1 + others.shape[0])
        theirs = self._smoothed[near]
        least = np.minimum(theirs.data, encoding[theirs.indices])
        common = np.zeros(len(near), np.float32)
        np.add.at(common, np.repeat(np.arange(len(near)), np.diff(theirs.indptr)), least)
        return 1 - common / np.maximum(2 - common, 1e-9)

    def _expanded(self, own: np.ndarray) -> np.ndarray:
        """The reciprocal neighbours and those of theirs, of half as many, that have two thirds in common with them."""
        halves, members = self._graph[2], set(own.tolist())
        grown = set(members)
        for place in own.tolist():
            other = halves[place]
            if len(other & members) > 2 / 3 * len(other):
                grown |= other
        return np.array(sorted(grown), np.int64)

    @cached_property
    def _graph(self) -> tuple[np.ndarray, np.ndarray, list[set[int]]]:
        """Of every photo of the gallery: its neighbours (n, k), itself first; the distance within which a query would
        be one of them (n,); and its reciprocal ones among half as many."""
        gallery = self.gallery
        if len(gallery.rows) >= MANY and gallery.distance != "manhattan":
            gallery = replace(gallery, approximate=True)
        found = gallery.search(gallery.rows, NEAREST + 1)
        half = found.places[:, : NEAREST // 2 + 1]
        sets = [set(row) for row in half.tolist()]
        halves = [{other for other in row if place in sets[other]} | {place} for place, row in enumerate(half.tolist())]
        return found.places, found.distances[:, -1], halves

    @cached_property
    def _encodings(self) -> csr_matrix:
        """Of every photo of the gallery: the weights of its expanded reciprocal neighbours, (n, n), rows sum to 1."""
        places, n = self._graph[0], len(self.gallery.rows)
        sets = [set(row) for row in places.tolist()]
        rows, columns, values = [], [], []
        for place, row in enumerate(places.tolist()):
            own = np.array([other for other in row if place in sets[other]] or [place])
            members = self._expanded(own)
            far = 1 - self.gallery.rows[members] @ self.gallery.rows[place]
            weights = np.exp(-far)
            rows += [place] * len(members)
            columns += members.tolist()
            values += (weights / weights.sum()).tolist()
        return csr_matrix((np.array(values, np.float32), (rows, columns)), shape=(n, n))

    @cached_property
    def _smoothed(self) -> csr_matrix:
        """The encodings, each averaged with those of its nearest."""
        near, n = self._graph[0][:, :SMOOTHED], len(self.gallery.rows)
        rows = np.repeat(np.arange(n), near.shape[1])
        mean = csr_matrix((np.full(len(rows), 1 / near.shape[1], np.float32), (rows, near.ravel())), shape=(n, n))
        return csr_matrix(mean @ self._encodings)
