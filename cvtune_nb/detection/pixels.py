"""Whole photos at the size that a detector sees them at, decoded once."""

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cvtune_nb.data.photo import scaled, scaled_size
from cvtune_nb.data.pixels import keep, still_there
from cvtune_nb.data.rows import RowStore
from cvtune_nb.files import Progress, silent
from cvtune_nb.workspace import Workspace


class Pictures:
    """pictures[number]: uint8 (height, width, 3) of the photo in that row of the table that they were made of."""

    def __init__(self, store: RowStore, workspace: Workspace, photos: pd.DataFrame, image_size: int):
        self._store, self._workspace, self._size = store, workspace, image_size
        self._keys, self._paths = photos["sha256"].tolist(), photos["path"].tolist()
        self._sides = [
            scaled_size(width, height, image_size)
            for width, height in zip(photos["width"], photos["height"], strict=True)
        ]
        self._lacking = set(store.missing(self._keys))

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, number: int) -> np.ndarray:
        key, (width, height) = self._keys[number], self._sides[number]
        if key in self._lacking:
            decode = functools.partial(scaled, levels=self._workspace.levels)
            return still_there(self._workspace.path_of(self._paths[number]), decode, self._size)
        return self._store.read(self._store.find([key]))[0, :height, :width]

    def batch(self, numbers: Sequence[int]) -> list[np.ndarray]:
        """Several of them."""
        return [self[number] for number in numbers]


def pictures(workspace: Workspace, photos: pd.DataFrame, image_size: int, progress: Progress = silent) -> Pictures:
    """The photos at image_size; only what is not yet in the cache is decoded, on all cores.

    Photos for which the disk, or the person's limit for pixels, has no room are decoded at each reading.

    Parameters
    ----------
    workspace
        Whose cache is used.
    photos
        path, sha256, width, height.
    image_size
        Pixels of the longer side.
    progress
        Called while photos are decoded.

    Raises
    ------
    InputError
        When a photo has vanished or been damaged since the data was opened.
    """
    store = store_of(workspace, image_size)
    wanted = photos.drop_duplicates("sha256").set_index("sha256")["path"]
    keep(workspace, store, wanted, functools.partial(scaled, levels=workspace.levels), progress)
    return Pictures(store, workspace, photos, image_size)


def store_of(workspace: Workspace, image_size: int) -> RowStore:
    """Where whole photos at one image size are kept."""
    return RowStore(workspace.cache / f"whole-{image_size}", (image_size, image_size, 3), "uint8")
