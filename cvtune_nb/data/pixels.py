"""Every photo decoded once: the pixels that features, the audit and training read."""

import copy
import functools
import io
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from PIL import Image

from cvtune_nb.data.mean_colour import padding_for
from cvtune_nb.data.photo import FULL, File, Levels, Size, UnreadablePhoto, as_size, both, read_photo
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.data.rows import Rows, RowStore
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.workspace import Workspace

LARGER_THAN_PHOTOS = 1.5
"""An image_size above the networks' own 224 may exceed the photos' median short side by this factor; beyond it
nothing is left to see, only time to lose."""
RESERVE = 1_000_000_000
"""Bytes that pixels leave free on the disk, for checkpoints and features."""


class Pixels(Rows):
    """The pixels of a table of photos, in its order: pixels[indices] is uint8 (n, height, width, 3).

    They are read from a memory-mapped store, scaled down where it keeps larger ones; what it had no room for is decoded
    from its file at each reading. side: their size, as Preprocessing has it.
    """

    def __init__(
        self,
        store: RowStore,
        keys: Sequence[str],
        paths: Sequence[Path],
        preprocessing: Preprocessing,
        decode: "Decode",
    ):
        self.store, self.preprocessing, self.decode = store, preprocessing, decode
        self.side = preprocessing.side
        self._paths, lacking = list(paths), set(store.missing(keys))
        kept = np.array([key not in lacking for key in keys], dtype=bool)
        self._places = np.full((len(self._paths), 2), -1)
        self._places[kept] = store.find([key for key in keys if key not in lacking])

    def __getitem__(self, indices: Sequence[int] | np.ndarray | slice) -> np.ndarray:
        index = np.arange(len(self))[indices]
        places = self._places[index]
        kept = places[:, 0] >= 0
        if kept.all() and self.store.shape[:2] == both(self.side):
            return self.store.read(places)
        squares = np.empty((len(index), *both(self.side), 3), np.uint8)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            if kept.any():
                squares[kept] = list(pool.map(self._scaled, self.store.read(places[kept])))
            for row, square in zip(np.flatnonzero(~kept), pool.map(self._decoded, index[~kept]), strict=True):
                squares[row] = square
        return squares

    def _scaled(self, square: np.ndarray) -> np.ndarray:
        height, width = both(self.side)
        if square.shape[:2] == (height, width):
            return square
        return np.asarray(Image.fromarray(square).resize((width, height), Image.Resampling.BICUBIC))

    def _decoded(self, index: int) -> np.ndarray:
        return still_there(self._paths[index], self.decode, self.side)

    def centre(self, indices: Sequence[int]) -> np.ndarray:
        """What networks see of them when nothing is augmented: uint8 (n, height, width, 3)."""
        return self.preprocessing.crop(self[indices])

    def take(self, indices: np.ndarray) -> "Pixels":
        """These photos alone, in this order."""
        taken = copy.copy(self)
        taken._places, taken._paths = self._places[indices], [self._paths[index] for index in indices]
        return taken

    def forget(self, indices: Sequence[int] | np.ndarray | slice) -> bool:
        """RowStore.forget of those that are kept."""
        places = self._places[indices]
        return self.store.forget(places[places[:, 0] >= 0])


def store_of(workspace: Workspace, preprocessing: Preprocessing) -> RowStore:
    """Where the pixels for `preprocessing` are kept."""
    framing = "" if preprocessing.framing == "crop" else f"-{preprocessing.framing}"
    return _store(workspace, preprocessing.side, framing)


def _store(workspace: Workspace, side: Size, framing: str = "") -> RowStore:
    name = side if isinstance(side, int) else "{}x{}".format(*side)
    return RowStore(workspace.cache / f"pixels-{name}{framing}", (*both(side), 3), "uint8")


def serving(workspace: Workspace, keys: Sequence[str], preprocessing: Preprocessing) -> RowStore:
    """The store that pixels are read from: that of `preprocessing`, or one of larger squares.

    A store of larger squares is taken when it has all of the photos and the own one lacks some: scaling is faster than
    decoding, and as accurate (docs/measurements.md, "Squares scaled from larger ones"). Not of photos that are whole
    or squashed: the edge between photo and padding would not be where it is at the size asked for; nor of what is no
    square, whose longer side is rounded.

    Parameters
    ----------
    workspace
        Whose cache is used.
    keys
        SHA-256 of the photos.
    preprocessing
        What the pixels are for.
    """
    own = store_of(workspace, preprocessing)
    if preprocessing.framing == "crop" and isinstance(preprocessing.side, int) and own.missing(keys):
        names = [folder.name.removeprefix("pixels-") for folder in workspace.cache.glob("pixels-*")]
        sides = sorted(int(name) for name in names if name.isdecimal())
        for store in (_store(workspace, side) for side in sides if side > own.shape[0]):
            if not store.missing(keys):
                return store
    return own


def room(workspace: Workspace, store: RowStore) -> int:
    """How many more photos the store may take: what the person allows for pixels, with RESERVE left on the disk."""
    existing = next(folder for folder in (workspace.cache, *workspace.cache.parents) if folder.exists())
    most = shutil.disk_usage(existing).free - RESERVE
    if workspace.pixels_gb is not None:
        most = min(most, workspace.pixels_gb * 1e9 - kept_bytes(workspace))
    return max(0, int(most // store.row_bytes))


def kept_bytes(workspace: Workspace) -> int:
    """What the pixels of all sizes take on disk, those of whole photos (detection.pixels) too."""
    kinds = ("pixels-*/*.npy", "whole-*/*.npy")
    cache = workspace.folder / "cache"  # with the folders of other levels in it
    return sum(file.stat().st_size for kind in kinds for file in cache.rglob(kind))


def needed_bytes(workspace: Workspace, photos: pd.DataFrame, preprocessing: Preprocessing) -> int:
    """Bytes that keeping more pixels would add on disk, were there no limit.

    Parameters
    ----------
    workspace
        Whose cache is used.
    photos
        sha256.
    preprocessing
        What the pixels are for.
    """
    keys = photos["sha256"].drop_duplicates().tolist()
    store = serving(workspace, keys, preprocessing)
    return len(store.missing(keys)) * store.row_bytes


def added_bytes(
    workspace: Workspace, photos: pd.DataFrame, image_sizes: Sequence[int], shown: Preprocessing
) -> dict[int, int]:
    """What these image sizes would add on disk, but for those that add nothing or are beyond the photos.

    Parameters
    ----------
    workspace
        Whose cache is used.
    photos
        sha256, width, height.
    image_sizes
        In pixels.
    shown
        What else a network is shown of the photos.
    """
    possible = [size for size in image_sizes if size <= largest_size(photos)]
    added = {size: needed_bytes(workspace, photos, replace(shown, image_size=size)) for size in possible}
    return {size: count for size, count in added.items() if count}


def pixels(
    workspace: Workspace, photos: pd.DataFrame, preprocessing: Preprocessing, progress: Progress = silent
) -> Pixels:
    """The pixels of `photos`: what the cache lacks is decoded on all cores, and kept as far as there is `room`.

    Parameters
    ----------
    workspace
        Whose cache they are kept in.
    photos
        Columns path, sha256.
    preprocessing
        What a network will be shown of them.
    progress
        Called with the progress.

    Raises
    ------
    InputError
        A photo has vanished or been damaged since the data was opened.
    """
    wanted = photos.drop_duplicates("sha256").set_index("sha256")["path"]
    store = serving(workspace, list(wanted.index), preprocessing)
    padding = padding_for(workspace, preprocessing, progress)
    decode = functools.partial(preprocessing.decode, levels=workspace.levels, padding=padding)
    keep(workspace, store, wanted, decode, progress)
    paths = [workspace.path_of(path) for path in photos["path"]]
    return Pixels(store, list(photos["sha256"]), paths, preprocessing, decode)


def square(workspace: Workspace, file: File, preprocessing: Preprocessing) -> np.ndarray:
    """`Preprocessing.square` with the levels and the mean colour of the workspace."""
    return preprocessing.square(file, workspace.levels, padding_for(workspace, preprocessing))


Decode = Callable[[File, Any], np.ndarray]
"""From a photo's file and the store's Size (detectors: its side) to pixels, uint8 RGB of that size or less."""


def keep(workspace: Workspace, store: RowStore, wanted: pd.Series, decode: Decode, progress: Progress) -> None:
    """Decode what the store lacks, on all cores, as far as there is `room`.

    Parameters
    ----------
    workspace
        Whose photos they are.
    store
        Rows of (height, width, 3); what is smaller lies in the upper left corner.
    wanted
        Paths of the photos, by SHA-256.
    decode
        From a file to its pixels.
    progress
        Called with the progress.
    """
    todo, side = store.missing(list(wanted.index)), as_size(*store.shape[:2])
    todo = todo[: room(workspace, store)] if todo else []

    def decode_into(row: np.ndarray, path: Path) -> None:
        decoded = still_there(path, decode, side)
        row[: decoded.shape[0], : decoded.shape[1]] = decoded

    with ThreadPoolExecutor(os.cpu_count()) as pool, ThreadPoolExecutor(1) as writer:
        written: Future | None = None  # one shard is written while the next is decoded
        for start in range(0, len(todo), store.shard_rows):
            keys = todo[start : start + store.shard_rows]
            rows = np.zeros((len(keys), *store.shape), np.uint8)
            paths = [workspace.path_of(wanted[key]) for key in keys]
            for number, _ in enumerate(pool.map(decode_into, rows, paths)):
                if number % 16 == 0:
                    progress((start + number) / len(todo), f"decoding photos: {start + number} of {len(todo)}")
            if written:
                written.result()
            written = writer.submit(store.add, keys, rows)
        if written:
            written.result()


def still_there(path: Path, decode: Decode, side: Size) -> np.ndarray:
    """The pixels of a photo that could be read when the data was opened.

    Parameters
    ----------
    path, side
        What `decode` is called with: the file, and the size in pixels.
    decode
        Returns uint8 RGB of that size or less.

    Raises
    ------
    InputError
        When the photo can't be read any more.
    """
    try:
        return decode(path, side)
    except UnreadablePhoto as error:
        raise InputError(
            f"{path} can no longer be read ({error}): put it back, or open the data again, which leaves it out"
        ) from None


def largest_size(photos: pd.DataFrame) -> float:
    """The image_size up to which `photos` (columns width, height) have something to show."""
    return max(256, LARGER_THAN_PHOTOS * median_side(photos))


def refuse_beyond(photos: pd.DataFrame, image_size: int) -> None:
    """Raises InputError when image_size is beyond what `photos` (columns width, height) hold."""
    most = largest_size(photos)
    if image_size > most:
        raise InputError(
            f"image_size {image_size} is beyond the photos, half of which have a short side under "
            f"{median_side(photos):.0f} pixels: choose at most {int(most) // 32 * 32}"
        )


def median_side(photos: pd.DataFrame) -> float:
    """The short side, in pixels, that half of `photos` (columns width, height) reach."""
    return float(photos[["width", "height"]].min(axis=1).median())


def thumbnail(path: Path | BinaryIO, side: int = 160, levels: Levels = FULL) -> bytes:
    """A small JPEG of the photo for a gallery, upright.

    Parameters
    ----------
    path
        The photo.
    side
        Pixels of the longest side.
    levels
        Which values are black and white.

    Raises
    ------
    UnreadablePhoto
        When it is no photo that can be read.
    """
    image = read_photo(path, side, levels)
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=85)
    return memory.getvalue()
