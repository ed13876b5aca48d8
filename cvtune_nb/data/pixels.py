"""Every photo decoded once: the pixels that features, the audit and training read."""

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cvtune_nb.data.photo import UnreadablePhoto, centre_square, crop_centre, read_photo, short_side
from cvtune_nb.data.rows import Rows, RowStore
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.workspace import Workspace

LARGER_THAN_PHOTOS = 1.5
"""An image_size above the networks' own 224 may exceed the photos' median short side by this factor; beyond it
nothing is left to see, only time to lose."""


class Pixels(Rows):
    """The centre squares of a table of photos, in its order, memory-mapped: pixels[indices] is uint8
    (n, side, side, 3) with side = short_side(image_size)."""

    def __init__(self, store: RowStore, keys: Sequence[str], image_size: int):
        super().__init__(store, keys)
        self.image_size, self.side = image_size, short_side(image_size)

    def centre(self, indices: Sequence[int]) -> np.ndarray:
        """The squares as networks see them when nothing is augmented: uint8 (n, image_size, image_size, 3)."""
        return crop_centre(self[indices], self.image_size)


def store_of(workspace: Workspace, image_size: int) -> RowStore:
    """Where the pixels for one image size are kept."""
    side = short_side(image_size)
    return RowStore(workspace.cache / f"pixels-{side}", (side, side, 3), "uint8")


def pixels(workspace: Workspace, photos: pd.DataFrame, image_size: int, progress: Progress = silent) -> Pixels:
    """The pixels of `photos` (columns path, sha256, width, height) at `image_size`; only what is not in the cache
    yet is decoded, on all cores.

    Raises InputError when the disk has no room, or a photo has vanished or been damaged since the data was opened.
    """
    store = store_of(workspace, image_size)
    wanted = photos.drop_duplicates("sha256").set_index("sha256")["path"]
    todo = store.missing(list(wanted.index))
    rows = store.shard_rows
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(todo), rows):
            keys = todo[start : start + rows]
            squares = []
            paths = [workspace.path_of(wanted[key]) for key in keys]
            for number, square in enumerate(pool.map(lambda path: _square(path, store.shape[0]), paths)):
                squares.append(square)
                if number % 16 == 0:
                    progress((start + number) / len(todo), f"decoding photos: {start + number} of {len(todo)}")
            store.add(keys, np.stack(squares))
    return Pixels(store, photos["sha256"], image_size)


def _square(path: Path, side: int) -> np.ndarray:
    try:
        return centre_square(path, side)
    except UnreadablePhoto as error:
        raise InputError(
            f"{path} can no longer be read ({error}): put it back, or open the data again, which leaves it out"
        ) from None


def refuse_beyond(photos: pd.DataFrame, image_size: int) -> None:
    """Raises InputError when image_size is beyond what `photos` (columns width, height) hold."""
    median = float(photos[["width", "height"]].min(axis=1).median())
    most = max(256, LARGER_THAN_PHOTOS * median)
    if image_size > most:
        raise InputError(
            f"image_size {image_size} is beyond the photos, half of which have a short side under {median:.0f} "
            f"pixels: choose at most {int(most) // 32 * 32}"
        )


def thumbnail(path: Path, side: int = 160) -> bytes:
    """A small JPEG of the photo for a gallery: upright, longest side `side` pixels. Raises UnreadablePhoto."""
    image = read_photo(path, at_least=side)
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=85)
    return memory.getvalue()
