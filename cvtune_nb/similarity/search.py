"""One photo in, the photos that look most like it out: all of a workspace at hand, for as many queries as are asked."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.classification.svm import normalised
from cvtune_nb.data import photo
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.models.networks import forward
from cvtune_nb.similarity.embeddings import Embedder, Embedding, Projection, network, projection, vectors
from cvtune_nb.similarity.index import LARGE, Gallery
from cvtune_nb.similarity.reranking import Reranker
from cvtune_nb.workspace import Workspace

LOOKED_THROUGH = 2_000
"""Nearest photos among which filters choose, in a gallery that is searched nearly."""


@dataclass(frozen=True)
class Lookup:
    """photos: all of the workspace (manifest columns); rows: their vectors, as they are compared (n, width)."""

    workspace: Workspace
    embedder: Embedder
    photos: pd.DataFrame
    rows: np.ndarray
    ranker: Gallery | Reranker
    project: Projection

    def of_photo(self, path: str) -> np.ndarray:
        """The vector (width,) of a photo of the workspace. Raises InputError for another path."""
        places = np.flatnonzero(self.photos["path"] == path)
        if not len(places):
            raise InputError(f"{path} is not a photo of this workspace: choose one that is")
        return self.rows[places[0]]

    def of_file(self, file: Any) -> np.ndarray:
        """The vector (width,) of a photo from elsewhere, a path or a binary file; nothing of it is kept. Raises
        photo.UnreadablePhoto."""
        square = photo.square(file, self.embedder.spec.image_size, self.workspace.levels)
        return self.project(normalised(forward(self._network, square[None].copy())))[0]

    @cached_property
    def _network(self) -> Embedding:
        return network(self.workspace, self.embedder)

    def nearest(self, vector: np.ndarray, k: int, among: np.ndarray | None = None) -> pd.DataFrame:
        """The k photos nearest to a vector (width,): path,label,split,sha256,distance, nearest first. among: (n,) bool,
        which photos may be told."""
        through = len(self.rows) if len(self.rows) < LARGE else LOOKED_THROUGH
        found = self.ranker.search(vector[None], k if among is None else through)
        places, far = found.places[0], found.distances[0]
        told = np.flatnonzero(among[places])[:k] if among is not None else np.arange(min(k, len(places)))
        rows = self.photos.iloc[places[told]][["path", "label", "split", "sha256"]]
        return rows.assign(distance=far[told].astype(float)).reset_index(drop=True)


def look_up(
    workspace: Workspace,
    of: Embedder,
    distance: str = "cosine",
    rerank: bool = False,
    components: str = "pca",
    progress: Progress = silent,
) -> Lookup:
    """All photos of the workspace, ready to be searched; the projection is learned from the training photos. Raises
    InputError."""
    photos = workspace.photos()
    rows = vectors(workspace, photos, of, progress)
    project = projection(rows[(photos["split"] == "train").to_numpy()], components)
    gallery = Gallery(project(rows), distance)
    return Lookup(workspace, of, photos, gallery.rows, Reranker(gallery) if rerank else gallery, project)
