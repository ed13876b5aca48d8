"""A frozen network turns every photo into a row of numbers, once."""

import functools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cvtune_nb.data.pixels import Pixels, pixels, refuse_beyond
from cvtune_nb.data.rows import Rows, RowStore
from cvtune_nb.files import Progress, read_json, silent, write_json
from cvtune_nb.models import backbones, memory, sizes
from cvtune_nb.workspace import Workspace

if TYPE_CHECKING:
    from cvtune_nb.models.networks import Backbone  # brings torch

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


@memory.retain_freed_memory()
def features(
    workspace: Workspace, photos: pd.DataFrame, backbone: str, image_size: int = 224, progress: Progress = silent
) -> Features:
    """The features of `photos` (manifest columns), computed by the frozen `backbone` at `image_size` pixels and kept
    in the workspace's cache by content. What was computed before a stop is kept. Raises InputError."""
    start = time.perf_counter()
    sizes.require(backbone, image_size)
    refuse_beyond(photos, image_size)
    store = store_of(workspace, backbone, image_size)
    unique = photos.drop_duplicates("sha256").set_index("sha256", drop=False)
    todo = store.missing(list(unique.index))
    if todo:
        from cvtune_nb.models import (
            networks,  # brings torch, which takes seconds to import: not when all is in the cache
        )

        network = networks.load(backbone, image_size=image_size)  # before the decoding, which takes long
        squares = pixels(workspace, unique.loc[todo], image_size, progress)
        speeds = fill(store, todo, squares, network, progress)
        speed = _speed_file(workspace, backbone, image_size)
        if len(speeds) > 1 or not speed.exists():  # a single batch also pays for the network's start
            write_json(speed, {"images_per_second": float(np.median(speeds[1:] or speeds))})
    rows = Rows(store, photos["sha256"])
    seconds = time.perf_counter() - start
    return Features(rows, (len(todo) or len(photos)) / max(seconds, 1e-9), seconds, not todo)


def fill(store: RowStore, keys: list[str], squares: Pixels, network: "Backbone", progress: Progress) -> list[float]:
    """Add what `network` makes of each of the `squares` (as many as keys) to the store, some hundred at a time. Gives
    the photos a second of each minibatch, without the reading."""
    from cvtune_nb.models.inference import fastest
    from cvtune_nb.models.networks import device

    network = network.eval().to(device())
    compute, speeds = fastest(network, squares.centre(range(min(BATCH, len(keys)))), len(keys)), []
    for first in range(0, len(keys), BATCH * 8):
        chunk = range(first, min(first + BATCH * 8, len(keys)))
        computed = []
        for batch in (chunk[i : i + BATCH] for i in range(0, len(chunk), BATCH)):
            progress(batch[0] / len(keys), f"computing features: {batch[0]} of {len(keys)} photos")
            images, begun = squares.centre(batch), time.perf_counter()
            computed.append(compute(images))
            speeds.append(len(batch) / (time.perf_counter() - begun))
        store.add([keys[i] for i in chunk], np.concatenate(computed))
    return speeds


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
    """How many features a photo the backbone called `name` gives. Raises InputError when there is no such network."""
    plain = name.removesuffix(backbones.RANDOM)
    if plain in backbones.KNOWN:
        return backbones.KNOWN[plain].width
    backbones.require_known(plain)
    return sizes.width(plain)
