"""Rows of numbers (pixels, features) on disk, by the content they were made from: nothing is computed twice.

Plain .npy files: safe to delete, readable without us.
"""

import functools
import json
import mmap
import uuid
from collections.abc import Collection, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from cvtune_nb.errors import InputError
from cvtune_nb.files import forget, read_json, replacing, require_room, write_json

SHARD_BYTES = 64_000_000
"""About how much is written at once: what a kill in mid-computation can lose, and what memory it needs."""
MAPPED = 64
"""Files that a store keeps open at most: macOS allows a program 256, and some Linux distributions 1,024."""


class RowStore:
    """Arrays of one shape, one a key, in memory-mapped shards under `folder`; memory and open files do not grow."""

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: str):
        self.folder, self.shape, self.dtype = Path(folder), tuple(shape), np.dtype(dtype)
        self._shards: list[Path] = []
        self._mapped = functools.lru_cache(MAPPED)(_mapped)
        self._where: dict[str, tuple[int, int]] = {}
        for index in sorted(self.folder.glob("*.json")):
            self._open(index)

    def _open(self, index: Path) -> None:
        shard = index.with_suffix(".npy")
        array = self._mapped(shard)
        if array.shape[1:] != self.shape or array.dtype != self.dtype:
            raise InputError(f"{shard} holds other data than expected: delete {self.folder}")
        for row, key in enumerate(json.loads(index.read_text())["keys"]):
            self._where[key] = (len(self._shards), row)
        self._shards.append(shard)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def shard_rows(self) -> int:
        """How many rows to add at once."""
        return max(1, SHARD_BYTES // self.row_bytes)

    def missing(self, keys: Sequence[str]) -> list[str]:
        """The keys that have no row yet, each once, in order."""
        return [key for key in dict.fromkeys(keys) if key not in self._where]

    def add(self, keys: Sequence[str], rows: np.ndarray) -> None:
        """Write rows (len(keys), *shape) to disk. Raises InputError when the disk has no room for them."""
        if not len(keys):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        require_room(self.folder, rows.nbytes)
        shard = self.folder / f"{len(self._shards):05d}-{uuid.uuid4().hex[:8]}"
        with replacing(shard.with_suffix(".npy")) as temporary, open(temporary, "wb") as file:
            np.save(file, np.ascontiguousarray(rows, dtype=self.dtype), allow_pickle=False)
        write_json(shard.with_suffix(".json"), {"keys": list(keys)})
        self._open(shard.with_suffix(".json"))

    def get(self, keys: Sequence[str]) -> np.ndarray:
        """The rows of `keys`, copied into one array (len(keys), *shape)."""
        return Rows(self, keys)[:]

    def find(self, keys: Sequence[str]) -> np.ndarray:
        """Where the rows of `keys` are: (len(keys), 2) int, shard and row in it."""
        return np.array([self._where[key] for key in keys], dtype=np.int64).reshape(-1, 2)

    def read(self, places: np.ndarray, count: int | None = None) -> np.ndarray:
        """The rows at `places` (n, 2), copied into one array (n, *shape); count: only so much of their first side."""
        first, *rest = self.shape
        rows = np.empty((len(places), first if count is None else count, *rest), self.dtype)
        for shard in np.unique(places[:, 0]):
            here = np.flatnonzero(places[:, 0] == shard)
            rows[here] = self._mapped(self._shards[shard])[places[here, 1], :count]
        return rows

    def forget(self, places: np.ndarray) -> bool:
        """Have the operating system drop the shards at `places` (n, 2) from memory, to measure how fast the disk is.

        False where it can't be asked to. Whole shards, because the system keeps files in large pieces
        (docs/measurements.md, "Dropping files from memory").
        """
        shards = [self._shards[number] for number in np.unique(places[:, 0])]
        if not hasattr(mmap, "MADV_DONTNEED"):
            return False
        for shard in shards:
            base: Any = self._mapped(shard).base
            base.madvise(mmap.MADV_DONTNEED)  # a page that is mapped can't be dropped
        dropped = [forget(shard) for shard in shards]
        return all(dropped)


def _mapped(shard: Path) -> np.ndarray:
    return np.load(shard, mmap_mode="r", allow_pickle=False)


def drop(folder: Path, keys: Collection[str]) -> None:
    """Make all stores below `folder` lack these keys; their rows stay on disk, and nothing finds them."""
    for index in folder.rglob("*.json"):
        known = read_json(index)
        if not set(keys).isdisjoint(known.get("keys", ())):
            write_json(index, {"keys": ["" if key in keys else key for key in known["keys"]]})


class Rows:
    """The rows of a store for a table of photos, in its order: rows[indices] copies these into one array."""

    def __init__(self, store: RowStore, keys: Sequence[str]):
        self.store, self._places, self._count = store, store.find(keys), None

    def first(self, count: int) -> "Rows":
        """The first `count` numbers of each."""
        rows = copy(self)
        rows._count = count
        return rows

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, indices: Sequence[int] | np.ndarray | slice) -> np.ndarray:
        return self.store.read(self._places[indices], self._count)

    def forget(self, indices: Sequence[int] | np.ndarray | slice) -> bool:
        """RowStore.forget of these rows."""
        return self.store.forget(self._places[indices])
