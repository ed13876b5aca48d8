"""The metric by which photos are compared: which components of their embeddings, and by which distance."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from cvtune_nb.classification.svm import normalised
from cvtune_nb.errors import InputError

COMPONENTS = {
    "pca": "the 128 principal components of the training photos: a small index, and classes lie closer together",
    "pca-whitened": "the same, each scaled to the same variance: finer differences count, classes fall apart",
    "none": "the whole embedding, as the network gives it",
}
"""What of an embedding is compared."""
DISTANCES = {
    "cosine": "1 minus the cosine of the angle: 0 the same direction, 1 nothing in common, 2 opposite",
    "euclidean": "length of the difference, 0 to 2: the same order as cosine, other values",
    "manhattan": "sum of the absolute differences: many small ones count as much as one large one",
}
"""Distances between vectors of length 1, and what they mean."""
DIMENSIONS = 128
"""Principal components that are kept, as in Jégou and Chum 2012 ("Negative evidences and co-occurrences in image
retrieval: the benefit of PCA and whitening")."""


@dataclass(frozen=True)
class Metric:
    """How far apart two photos are.

    components: one of COMPONENTS; distance: one of DISTANCES. Raises InputError for any other name.
    """

    components: str = "pca"
    distance: str = "cosine"

    def __post_init__(self) -> None:
        for name, choices in (("components", COMPONENTS), ("distance", DISTANCES)):
            if (chosen := getattr(self, name)) not in choices:
                raise InputError(f"{name} is {chosen!r}: choose {' or '.join(choices)}")

    @classmethod
    def of(cls, components: str = "", distance: str = "") -> "Metric":
        """The metric of these names, "" for the default ones. Raises InputError."""
        return cls(components or cls.components, distance or cls.distance)

    def projection(self, vectors: np.ndarray, dimensions: int = DIMENSIONS) -> "Projection":
        """What is done to embeddings before they are compared, fitted to those of the training photos.

        The projection is centred, which is what helps (docs/measurements.md, "Principal components of embeddings").

        Parameters
        ----------
        vectors
            (n, width) float32, of length 1.
        dimensions
            Components to keep; never more than half as many as there are photos.

        Returns
        -------
        Projection
            One that changes nothing for components "none", and for fewer than four photos.
        """
        if self.components == "none" or len(vectors) < 4:
            return Projection()
        kept = min(dimensions, len(vectors) // 2, vectors.shape[1])
        pca = PCA(kept, svd_solver="randomized", random_state=0).fit(vectors)
        matrix = pca.components_.T
        if self.components == "pca-whitened":
            matrix = matrix / np.sqrt(np.maximum(pca.explained_variance_, 1e-12))
        return Projection(pca.mean_.astype(np.float32), matrix.astype(np.float32))

    def distances(self, queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """Distances (q, n) between projected vectors of length 1, (q, width) and (n, width)."""
        if self.distance == "manhattan":
            return cdist(queries, vectors, "cityblock")
        return self.of_cosines(queries @ vectors.T)

    def of_cosines(self, cosines: np.ndarray) -> np.ndarray:
        """Cosine or Euclidean distances between vectors of length 1 whose cosines these are."""
        return 1 - cosines if self.distance == "cosine" else np.sqrt(np.maximum(2 - 2 * cosines, 0))


DEFAULT = Metric()


@dataclass(frozen=True)
class Projection:
    """What is done to vectors v before they are compared: (v - mean) @ matrix, then length 1.

    mean: (width,); matrix: (width, dimensions); without them v stays as it is.
    """

    mean: np.ndarray | None = None
    matrix: np.ndarray | None = None

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors (n, width) as float32 (n, dimensions), of length 1."""
        if self.matrix is None:
            return vectors
        return normalised((vectors - self.mean) @ self.matrix).astype(np.float32)
