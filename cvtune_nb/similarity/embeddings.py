"""Photos as vectors of length 1: those of photos that look alike point the same way.

They are kept in the workspace's cache, by the content of the photo.
"""

import numpy as np
import pandas as pd

from cvtune_nb.classification import load_best, load_run
from cvtune_nb.classification.features import features, fill, missing
from cvtune_nb.classification.svm import normalised
from cvtune_nb.data.pixels import pixels, refuse_beyond
from cvtune_nb.data.rows import RowStore
from cvtune_nb.files import Progress, sha256_of, silent
from cvtune_nb.models import memory, sizes
from cvtune_nb.similarity.model import Embedder
from cvtune_nb.workspace import Workspace


@memory.retain_freed_memory()
def embed(workspace: Workspace, photos: pd.DataFrame, embedder: Embedder, progress: Progress = silent) -> np.ndarray:
    """The vectors of photos, computed where the cache lacks them.

    Parameters
    ----------
    workspace
        Whose cache is used.
    photos
        Manifest columns; a path may also be one outside of the workspace's folder.
    embedder
        The network.
    progress
        Called with the fraction done (0 to 1) and what is under way.

    Returns
    -------
    (n, width) float32
        Of length 1, in the order of `photos`.

    Raises
    ------
    InputError
        For weights that can't be had, and for an image size larger than the photos.
    """
    if not embedder.run:
        return normalised(features(workspace, photos, embedder.spec, progress).matrix)
    refuse_beyond(photos, embedder.spec.image_size)
    run, store = load_run(workspace, embedder.run), _store(workspace, embedder)
    unique = photos.drop_duplicates("sha256").set_index("sha256", drop=False)
    if todo := store.missing(list(unique.index)):
        squares = pixels(workspace, unique.loc[todo], embedder.spec.preprocessing, progress)
        fill(store, todo, squares, load_best(run).backbone, progress)
    return normalised(store.get(list(photos["sha256"])))


def count_missing(workspace: Workspace, photos: pd.DataFrame, embedder: Embedder) -> int:
    """How many of the photos have no vector in the cache yet.

    Parameters
    ----------
    workspace, photos
        The photos, by sha256.
    embedder
        What turns them into vectors.
    """
    keys = photos["sha256"].tolist()
    return len(_store(workspace, embedder).missing(keys) if embedder.run else missing(workspace, embedder.spec, keys))


def _store(workspace: Workspace, embedder: Embedder) -> RowStore:
    """Where the vectors of a run are kept, not scaled to length 1 yet.

    By the content of its weights, for a run that is resumed becomes another network.
    """
    weights = sha256_of(load_run(workspace, embedder.run).best_weights())[:12]
    return RowStore(
        workspace.cache / f"embeddings-{embedder.run}-{weights}",
        (sizes.width(embedder.spec.backbone, embedder.spec.pooling),),
        "float32",
    )
