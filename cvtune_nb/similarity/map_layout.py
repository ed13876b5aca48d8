"""A map of the vectors: photos that look alike lie near each other."""

from importlib import import_module
from importlib.util import find_spec

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from cvtune_nb.errors import InputError

METHODS = {
    "pca": "principal components: at once; what lies apart is apart, what lies together need not be alike",
    "t-sne": "t-SNE: some seconds a thousand photos; neighbours are kept, distances between groups say nothing",
    "umap": "UMAP (when umap-learn is installed): like t-SNE, faster for many photos",
}
FIRST = 50
"""Principal components that t-SNE and UMAP begin with, as scikit-learn's guide advises."""


def methods() -> list[str]:
    """Those of METHODS that can be had here."""
    return [name for name in METHODS if name != "umap" or find_spec("umap")]


def layout(rows: np.ndarray, method: str = "pca", seed: int = 0) -> np.ndarray:
    """Places (n, 2) in 0..1, float32, of vectors (n, width). Raises InputError for a method that is not there."""
    if method not in methods():
        raise InputError(
            f"there is no map by {method!r} here: choose {' or '.join(methods())}"
            + (", or pip install umap-learn" if method == "umap" else "")
        )
    if len(rows) < 3:
        places = np.zeros((len(rows), 2))
        places[:, 0] = np.arange(len(rows))
    else:
        first = PCA(min(FIRST, *rows.shape), svd_solver="full" if len(rows) < 500 else "randomized", random_state=seed)
        places = _flat(first.fit_transform(rows), method, seed)
    low, high = places.min(0, initial=np.inf), places.max(0, initial=-np.inf)
    return ((places - low) / np.maximum(high - low, 1e-9)).astype(np.float32)


def _flat(parts: np.ndarray, method: str, seed: int) -> np.ndarray:
    if method == "t-sne":
        perplexity = min(30.0, (len(parts) - 1) / 3)
        return TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(parts)
    if method == "umap":
        umap = import_module("umap")  # never asked for: it brings a compiler of 60 MB
        return umap.UMAP(random_state=seed, n_neighbors=min(15, len(parts) - 1)).fit_transform(parts)
    return parts[:, :2] if parts.shape[1] > 1 else np.column_stack([parts, np.zeros(len(parts))])
