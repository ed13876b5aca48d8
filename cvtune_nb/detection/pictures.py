"""Whole photos at the size that a detector sees them at, decoded once."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from cvtune_nb.data.photo import UnreadablePhoto, scaled, scaled_size
from cvtune_nb.data.pixels import room
from cvtune_nb.data.rows import RowStore
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.workspace import Workspace


class Pictures:
    """pictures[number]: uint8 (height, width, 3) of the photo in that row of the table that they were made of."""

    def __init__(self, store: RowStore, workspace: Workspace, photos: pd.DataFrame, image_size: int):
        self._store, self._workspace, self._size = store, workspace, image_size
        self._keys, self._paths = photos["sha256"].tolist(), photos["path"].tolist()
        self._sides = [scaled_size(width, height, image_size) for width, height in
                       zip(photos["width"], photos["height"], strict=True)]  # fmt: skip
        self._lacking = set(store.missing(self._keys))

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, number: int) -> np.ndarray:
        key, (width, height) = self._keys[number], self._sides[number]
        if key in self._lacking:
            return _decoded(self._workspace, self._paths[number], self._size)
        return self._store.read(self._store.find([key]))[0, :height, :width]

    def batch(self, numbers: Sequence[int]) -> list[np.ndarray]:
        """Several of them."""
        return [self[number] for number in numbers]


def pictures(workspace: Workspace, photos: pd.DataFrame, image_size: int, progress: Progress = silent) -> Pictures:
    """The photos (path,sha256,width,height) at image_size; only what is not in the cache yet is decoded, on all cores.
    What the disk, or the person's limit for pixels, has no room for is decoded at each reading.

    Raises InputError when a photo has vanished or been damaged since the data was opened.
    """
    store = RowStore(workspace.cache / f"whole-{image_size}", (image_size, image_size, 3), "uint8")
    paths = photos.drop_duplicates("sha256").set_index("sha256")["path"]
    todo = store.missing(list(paths.index))
    todo = todo[: room(workspace, store)] if todo else []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(todo), store.shard_rows):
            keys = todo[start : start + store.shard_rows]
            rows = np.zeros((len(keys), *store.shape), np.uint8)
            decoded = pool.map(lambda key: _decoded(workspace, paths[key], image_size), keys)
            for number, picture in enumerate(decoded):
                rows[number, : picture.shape[0], : picture.shape[1]] = picture
                if number % 16 == 0:
                    progress((start + number) / len(todo), f"decoding photos: {start + number} of {len(todo)}")
            store.add(keys, rows)
    return Pictures(store, workspace, photos, image_size)


def _decoded(workspace: Workspace, path: str, image_size: int) -> np.ndarray:
    try:
        return scaled(workspace.path_of(path), image_size)
    except UnreadablePhoto as error:
        raise InputError(
            f"{workspace.path_of(path)} can no longer be read ({error}): put it back, or open the data again"
        ) from None
