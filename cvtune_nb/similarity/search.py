"""One photo in, the photos that look most like it out: all photos of a workspace, ready for any number of queries."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from cvtune_nb.classification.svm import normalised
from cvtune_nb.data import photo, pixels
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, sha256_of, silent
from cvtune_nb.models.networks import forward
from cvtune_nb.similarity.embeddings import embed
from cvtune_nb.similarity.index import LARGE, VectorIndex
from cvtune_nb.similarity.metric import DEFAULT, Metric, Projection
from cvtune_nb.similarity.model import Embedder, EmbeddingNetwork, load_network
from cvtune_nb.similarity.reranking import Reranker
from cvtune_nb.workspace import Workspace, photos_id

CANDIDATES = 2_000
"""Nearest photos among which filters choose, in an index that is searched approximately."""


@dataclass(frozen=True)
class Query:
    """A photo that is looked up.

    Attributes
    ----------
    name
        Its path, or what the person's file is called.
    vector
        (width,), projected.
    number
        Its row in the index, None for a photo from elsewhere.
    """

    name: str
    vector: np.ndarray
    number: int | None = None


@dataclass(frozen=True)
class PhotoIndex:
    """All photos of a workspace, ready to be searched.

    photos: manifest columns; searcher: their projected vectors, in the same order.
    """

    workspace: Workspace
    embedder: Embedder
    metric: Metric
    photos: pd.DataFrame
    searcher: VectorIndex | Reranker
    projection: Projection

    @property
    def key(self) -> tuple[Embedder, str, str]:
        """What the vectors depend on: not the distance, nor re-ranking."""
        return self.embedder, self.metric.components, photos_id(self.photos)

    def query(self, path: str) -> Query:
        """A photo of the workspace as a query. Raises InputError for another path."""
        numbers = np.flatnonzero(self.photos["path"] == path)
        if not len(numbers):
            raise InputError(f"{path} is not a photo of this workspace: choose one that is")
        return Query(path, self.searcher.vectors[numbers[0]], int(numbers[0]))

    def query_file(self, file: str | Path | BinaryIO, name: str) -> Query:
        """A photo from elsewhere as a query; nothing of it is kept. Raises photo.UnreadablePhoto."""
        square = pixels.square(self.workspace, file, self.embedder.spec.preprocessing)
        return Query(name, self.projection(normalised(forward(self._network, square[None].copy())))[0])

    @cached_property
    def _network(self) -> EmbeddingNetwork:
        return load_network(self.workspace, self.embedder)

    def matching(self, label: str = "", split: str = "") -> np.ndarray:
        """Which photos have that label and are in that split ("": any): bool (n,)."""
        keep = np.ones(len(self.photos), bool)
        for column, wanted in (("label", label), ("split", split)):
            if wanted:
                keep &= (self.photos[column] == wanted).to_numpy()
        return keep

    def places(self, paths: Collection[str]) -> list[int]:
        """The numbers of those of the photos that are in the index."""
        return np.flatnonzero(self.photos["path"].isin(paths)).tolist()

    def nearest(self, query: Query, k: int, among: np.ndarray | None = None) -> pd.DataFrame:
        """The k photos that look most like the query, which is not one of them.

        Parameters
        ----------
        query
            From `query` or `query_file`.
        k
            How many photos; fewer come back where there are fewer.
        among
            Bool (n,), which photos may be found; None for all.

        Returns
        -------
        DataFrame
            path, label, split, sha256, distance; nearest first.
        """
        allowed = np.ones(len(self.photos), bool) if among is None else among.copy()
        if query.number is not None:
            allowed[query.number] = False
        candidates = len(allowed) if len(allowed) < LARGE else CANDIDATES
        neighbours = self.searcher.search(query.vector[None], candidates)
        indices, distances = neighbours.indices[0], neighbours.distances[0]
        kept = np.flatnonzero(allowed[indices])[:k]
        rows = self.photos.iloc[indices[kept]][["path", "label", "split", "sha256"]]
        return rows.assign(distance=distances[kept].astype(float)).reset_index(drop=True)

    def predict(self, files: Sequence[str], k: int, progress: Progress = silent) -> list[dict[str, Any]]:
        """Look up files as an exported index does (export.predict.Similar), leaving out the same file in the workspace.

        Parameters
        ----------
        files
            Paths of photos.
        k
            How many neighbours of each.
        progress
            Called while they are looked up.

        Returns
        -------
        list of dict
            For each file its path, and either `similar`, a list of path, label and distance, nearest first, or `error`,
            why it can't be used; and `note` where its pixel values don't go with the levels.
        """
        rows: list[dict[str, Any]] = []
        for number, path in enumerate(files):
            progress(number / len(files), f"looking up photos: {number} of {len(files)}")
            try:
                query = self.query_file(path, path)
                others = (self.photos["sha256"] != sha256_of(Path(path))).to_numpy()
                note = photo.doubt(path, self.workspace.levels)
            except photo.UnreadablePhoto as error:
                rows.append({"path": path, "error": str(error)})
                continue
            near = self.nearest(query, k, others)
            row = {"path": path, "similar": near[["path", "label", "distance"]].to_dict("records")}
            rows.append(row | ({"note": note} if note else {}))
        return rows


def label_counts(found: pd.DataFrame) -> dict[str, int]:
    """How many of the photos that were found have each label, the commonest first; ties: in order of their names."""
    return dict(Counter(sorted(found["label"])).most_common())


def build_index(
    workspace: Workspace,
    embedder: Embedder,
    metric: Metric = DEFAULT,
    rerank: bool = False,
    progress: Progress = silent,
) -> PhotoIndex:
    """All photos of the workspace, ready to be searched.

    Parameters
    ----------
    workspace, embedder
        Whose photos, and what turns them into vectors.
    metric
        How vectors are compared; its projection is fitted to the training photos.
    rerank
        Whether what is found is re-ranked by common neighbours (reranking.Reranker).
    progress
        Called with the fraction done (0 to 1) and what is under way.

    Raises
    ------
    InputError
        Like embeddings.embed.
    """
    photos = workspace.photos()
    vectors = embed(workspace, photos, embedder, progress)
    projection = metric.projection(vectors[(photos["split"] == "train").to_numpy()])
    index = VectorIndex(projection(vectors), metric)
    return PhotoIndex(workspace, embedder, metric, photos, Reranker(index) if rerank else index, projection)
