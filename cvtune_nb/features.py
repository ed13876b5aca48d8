"""A frozen network turns every photo into a row of numbers, once."""

import functools
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cvtune_nb import backbones, memory
from cvtune_nb.data.pixels import pixels, refuse_beyond
from cvtune_nb.data.rows import Rows, RowStore
from cvtune_nb.files import Progress, read_json, silent, write_json
from cvtune_nb.workspace import Workspace

BATCH = 32
"""Photos a forward pass; larger batches were not faster on 2 cores."""


@dataclass(frozen=True)
class Features:
    """rows: rows[indices] is float32 (len(indices), width), in the order of the photos asked for, read from disk.
    images_per_second counts the photos computed now, decoding included; cached means none had to be."""

    rows: Rows
    images_per_second: float
    seconds: float
    cached: bool

    @functools.cached_property
    def matrix(self) -> np.ndarray:
        """All rows in memory: float32 (photos, width)."""
        return self.rows[:]


@memory.kept()
def features(
    workspace: Workspace, photos: pd.DataFrame, backbone: str, image_size: int = 224, progress: Progress = silent
) -> Features:
    """The features of `photos` (manifest columns), computed by the frozen `backbone` at `image_size` pixels and kept
    in the workspace's cache by content. What was computed before a stop is kept. Raises InputError."""
    start = time.perf_counter()
    refuse_beyond(photos, image_size)
    store = store_of(workspace, backbone, image_size)
    unique = photos.drop_duplicates("sha256").set_index("sha256", drop=False)
    todo = store.missing(list(unique.index))
    if todo:
        from cvtune_nb import networks  # brings torch, which takes seconds to import: not when all is in the cache
        from cvtune_nb.inference import fastest

        squares = pixels(workspace, unique.loc[todo], image_size, progress)
        network = networks.load(backbone).eval().to(networks.device())
        compute, speeds = fastest(network, squares.centre(range(min(BATCH, len(todo)))), len(todo)), []
        for first in range(0, len(todo), BATCH * 8):
            chunk = range(first, min(first + BATCH * 8, len(todo)))
            computed = []
            for batch in (chunk[i : i + BATCH] for i in range(0, len(chunk), BATCH)):
                progress(batch[0] / len(todo), f"computing features: {batch[0]} of {len(todo)} photos")
                images, begun = squares.centre(batch), time.perf_counter()
                computed.append(compute(images))
                speeds.append(len(batch) / (time.perf_counter() - begun))
            store.add([todo[i] for i in chunk], np.concatenate(computed))
        speed = _speed_file(workspace, backbone, image_size)
        if len(speeds) > 1 or not speed.exists():  # a single batch also pays for the network's start
            write_json(speed, {"images_per_second": float(np.median(speeds[1:] or speeds))})
    rows = Rows(store, photos["sha256"])
    seconds = time.perf_counter() - start
    return Features(rows, (len(todo) or len(photos)) / max(seconds, 1e-9), seconds, not todo)


def store_of(workspace: Workspace, backbone: str, image_size: int) -> RowStore:
    """Where the features of one backbone at one image size are kept, by content."""
    name = f"features-{backbones.file_name(backbone)}-{image_size}"
    return RowStore(workspace.cache / name, (width(backbone),), "float32")


def network_speed(workspace: Workspace, backbone: str, image_size: int) -> float | None:
    """Photos a second that went through the frozen `backbone` alone, their pixels being in memory, when features were
    last computed; the median of its batches. None when they never were."""
    try:
        return float(read_json(_speed_file(workspace, backbone, image_size))["images_per_second"])
    except FileNotFoundError:
        return None


def _speed_file(workspace: Workspace, backbone: str, image_size: int) -> Path:
    return workspace.cache / f"speed-{backbones.file_name(backbone)}-{image_size}.json"


@functools.cache
def width(name: str) -> int:
    """How many features a photo the backbone called `name` gives. Raises InputError like `networks.load`."""
    plain = name.removesuffix(backbones.RANDOM)
    if plain in backbones.KNOWN:
        return backbones.KNOWN[plain].width
    from cvtune_nb import networks

    return networks.load(name).width
