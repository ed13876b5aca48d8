"""A map of the photos: those that look alike lie near each other."""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from cvtune_nb.errors import InputError
from cvtune_nb.similarity.search import PhotoIndex

METHODS = {
    "pca": "principal components: at once; what lies apart is apart, what lies together need not be alike",
    "t-sne": "t-SNE: some seconds per thousand photos; neighbours are kept, distances between groups say nothing",
}
FIRST = 50
"""Principal components that t-SNE begins with, as scikit-learn's guide advises."""


@dataclass(frozen=True)
class PhotoMap:
    """Photos on a plane.

    Attributes
    ----------
    positions
        float32 (n, 2) in 0..1.
    class_ids
        int (n,): each photo's index in `classes`.
    paths
        Of the n photos.
    """

    method: str
    positions: np.ndarray
    class_ids: np.ndarray
    classes: list[str]
    paths: list[str]


def map_photos(index: PhotoIndex, method: str = "pca") -> PhotoMap:
    """The photos of an index on a map by one of METHODS. Raises InputError."""
    labels = index.photos["label"]
    classes = sorted(labels.unique())
    ids = labels.map({label: number for number, label in enumerate(classes)}).to_numpy()
    return PhotoMap(method, layout(index.searcher.vectors, method), ids, classes, index.photos["path"].tolist())


def layout(vectors: np.ndarray, method: str = "pca", seed: int = 0) -> np.ndarray:
    """Positions of vectors on a map.

    Parameters
    ----------
    vectors
        (n, width).
    method
        One of METHODS.
    seed
        Same seed, same map.

    Returns
    -------
    np.ndarray
        float32 (n, 2) in 0..1.

    Raises
    ------
    InputError
        When there is no such method.
    """
    if method not in METHODS:
        raise InputError(f"there is no map by {method!r}: choose {' or '.join(METHODS)}")
    if len(vectors) < 3:
        positions = np.zeros((len(vectors), 2))
        positions[:, 0] = np.arange(len(vectors))
    else:
        solver = "full" if len(vectors) < 500 else "randomized"
        pca = PCA(min(FIRST, *vectors.shape), svd_solver=solver, random_state=seed)
        positions = _in_two_dimensions(pca.fit_transform(vectors), method, seed)
    low, high = positions.min(0, initial=np.inf), positions.max(0, initial=-np.inf)
    return ((positions - low) / np.maximum(high - low, 1e-9)).astype(np.float32)


def _in_two_dimensions(components: np.ndarray, method: str, seed: int) -> np.ndarray:
    if method == "t-sne":
        perplexity = min(30.0, (len(components) - 1) / 3)
        return TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(components)
    return components[:, :2] if components.shape[1] > 1 else np.column_stack([components, np.zeros(len(components))])
