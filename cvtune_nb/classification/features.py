"""A frozen network turns every photo into a row of numbers, once."""

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cvtune_nb.data.photo import Size
from cvtune_nb.data.pixels import Pixels, pixels, refuse_beyond
from cvtune_nb.data.preprocessing import SQUARE, Preprocessing
from cvtune_nb.data.rows import Rows, RowStore
from cvtune_nb.files import Progress, path_and_digest, read_json, silent, write_json
from cvtune_nb.models import backbones, memory, sizes
from cvtune_nb.models.pooling import LAST, STAGES
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.workspace import Workspace

if TYPE_CHECKING:
    from cvtune_nb.models.networks import Backbone  # brings torch
    from cvtune_nb.parameters import Config

BATCH = 32
"""Photos a forward pass on a processor: docs/measurements.md, "Photos a forward pass"."""


def suited(shown: Preprocessing, backbone: str) -> Preprocessing:
    """The same with a longer side that the network takes."""
    return shown if shown.aspect == SQUARE else replace(shown, step=max(sizes.ANY, sizes.step(backbone)))


def shown_in(config: "Config") -> Preprocessing:
    """What the network of a training run is shown."""
    return suited(Preprocessing.from_dict(config.to_dict()), config.backbone)


@dataclass(frozen=True)
class FeatureSpec:
    """A frozen network and what it is shown: all that decides the features of a photo.

    As text it is "resnet18 at 224 pixels", and what else is not as usual.

    weights: a file of them instead of ImageNet's (PARAMETERS); "": ImageNet's. pooling: which maps of the network
    become features (PARAMETERS).
    """

    backbone: str
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    weights: str = PARAMETERS["weights"].default
    pooling: str = LAST

    def __post_init__(self) -> None:
        for name in ("weights", "pooling"):
            object.__setattr__(self, name, PARAMETERS[name].check(getattr(self, name)))
        object.__setattr__(self, "preprocessing", suited(self.preprocessing, self.backbone))

    @classmethod
    def default(cls) -> "FeatureSpec":
        """What to start with: a backbone whose weights can be had."""
        return cls(backbones.default()[0])

    @classmethod
    def of(cls, config: "Config") -> "FeatureSpec":
        """What a training run starts from."""
        return cls(config.backbone, shown_in(config), config.weights, config.pooling)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FeatureSpec":
        """From what `to_dict` gave, among whatever else is in the file."""
        others = {name: str(values[name]) for name in ("weights", "pooling") if name in values}
        return cls(str(values["backbone"]), Preprocessing.from_dict(values), **others)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, named like the parameters."""
        return {
            "backbone": self.backbone,
            **self.preprocessing.to_dict(),
            "weights": self.weights,
            "pooling": self.pooling,
        }

    @property
    def image_size(self) -> int:
        """Pixels of the shorter side of what the network is shown."""
        return self.preprocessing.image_size

    @property
    def size(self) -> Size:
        """The same; of what is no square, its height and width."""
        return self.preprocessing.size

    @property
    def key(self) -> str:
        """Stands for it in the names of cached files; a file of weights by its content, wherever it lies."""
        key = f"{backbones.file_name(self.backbone)}-{self.preprocessing.key}"
        if self.weights:
            key += f"-weights={path_and_digest(self.weights)[1][:16]}"
        return key if self.pooling == LAST else f"{key}-{self.pooling}"

    def require_usable(self, photos: pd.DataFrame) -> None:
        """Raises InputError when the backbone does not take the image size, or it is beyond what the photos hold.

        photos: columns width, height.
        """
        sizes.require(self.backbone, self.size)
        refuse_beyond(photos, self.image_size)

    def network(self, progress: Progress = silent) -> "Backbone":
        """The network, with its weights. progress: called while they are downloaded. Raises InputError."""
        from cvtune_nb.models import networks  # brings torch, which takes seconds to import: not when all is in a cache

        size, weights, pooling = self.size, self.weights, self.pooling
        return networks.load(self.backbone, image_size=size, weights=weights, pooling=pooling, progress=progress)

    def __str__(self) -> str:
        words = [f"{self.backbone} at {self.image_size} pixels", *self.preprocessing.words]
        if self.weights:
            words.append(f"weights of {path_and_digest(self.weights)[0].name}")
        return ", ".join(words if self.pooling == LAST else [*words, "several stages"])


@dataclass(frozen=True)
class Features:
    """Features of a table of photos, in its order.

    Attributes
    ----------
    spec
        What they are.
    rows
        rows[indices] is float32 (len(indices), width), read from disk.
    images_per_second
        Of the photos computed now, decoding included.
    cached
        Whether none had to be computed.
    """

    spec: FeatureSpec
    rows: Rows
    images_per_second: float
    seconds: float
    cached: bool

    @property
    def own(self) -> Rows:
        """The features that the network itself gives (pooling "last"), whatever else the rows have."""
        return self.rows.first(sizes.width(self.spec.backbone))

    @functools.cached_property
    def matrix(self) -> np.ndarray:
        """All rows in memory: float32 (photos, width)."""
        return self.rows[:]


@memory.retain_freed_memory()
def features(workspace: Workspace, photos: pd.DataFrame, spec: FeatureSpec, progress: Progress = silent) -> Features:
    """The features of `photos`, computed once: they are kept in the workspace's cache by content, after a stop too.

    Parameters
    ----------
    workspace
        Whose cache it is.
    photos
        Columns path, sha256, width, height.
    spec
        What the features are.
    progress
        Called with the progress; may raise Stopped.

    Raises
    ------
    InputError
        The weights can't be had, or `spec` can't be used with these photos.
    """
    start = time.perf_counter()
    spec.require_usable(photos)
    unique = photos.drop_duplicates("sha256").set_index("sha256", drop=False)
    kept = kept_as(workspace, spec, list(unique.index))
    store = store_of(workspace, kept)
    todo = store.missing(list(unique.index))
    if todo:
        # before the decoding, which takes long
        network = kept.network(progress)
        squares = pixels(workspace, unique.loc[todo], spec.preprocessing, progress)
        speeds = fill(store, todo, squares, network, progress)
        speed = _speed_file(workspace, kept)
        if len(speeds) > 1 or not speed.exists():  # a single batch also pays for the network's start
            write_json(speed, {"images_per_second": float(np.median(speeds[1:] or speeds))})
    rows = Rows(store, photos["sha256"]).first(sizes.width(spec.backbone, spec.pooling))
    seconds = time.perf_counter() - start
    return Features(spec, rows, (len(todo) or len(photos)) / max(seconds, 1e-9), seconds, not todo)


def fill(store: RowStore, keys: list[str], squares: Pixels, network: "Backbone", progress: Progress) -> list[float]:
    """Compute rows of a store, some hundred at a time.

    Parameters
    ----------
    store
        What they are added to.
    keys
        The keys of the rows.
    squares
        The pixels, one for each key.
    network
        From uint8 photos (n, height, width, 3) to rows (n, width).
    progress
        Called with the progress.

    Returns
    -------
    list of float
        Photos a second of each minibatch, without the reading.
    """
    from cvtune_nb.models import networks
    from cvtune_nb.models.inference import fastest, photos_on_gpu
    from cvtune_nb.runs.reading import read_ahead

    device, photos = networks.device(), len(keys)
    at_once = BATCH if device.type == "cpu" else photos_on_gpu(squares.preprocessing.shape)
    speeds, computed, first = [], [], 0
    batches = [range(start, min(start + at_once, photos)) for start in range(0, photos, at_once)]
    with networks.autotuned():
        compute = fastest(network.eval().to(device), squares.centre(batches[0]), photos)
        for batch, images in zip(batches, read_ahead(squares.centre, batches, device), strict=True):
            progress(batch[0] / photos, f"computing features: {batch[0]} of {photos} photos")
            begun = time.perf_counter()
            computed.append(compute(images))
            speeds.append(len(batch) / (time.perf_counter() - begun))
            if batch.stop - first >= BATCH * 8 or batch.stop == photos:
                store.add(keys[first : batch.stop], np.concatenate(computed))
                computed, first = [], batch.stop
    return speeds


def missing(workspace: Workspace, spec: FeatureSpec, keys: Sequence[str]) -> list[str]:
    """Those of some photos whose features are not in the cache.

    Parameters
    ----------
    workspace, spec
        Whose cache it is, and which features.
    keys
        SHA-256 of the photos.
    """
    return store_of(workspace, kept_as(workspace, spec, keys)).missing(keys)


def kept_as(workspace: Workspace, spec: FeatureSpec, keys: Sequence[str]) -> FeatureSpec:
    """The features with which those of `spec` are kept: those of all stages, which begin with the network's own.

    That is where fewer of them have to be computed.

    Parameters
    ----------
    workspace, spec
        Whose cache it is, and which features.
    keys
        SHA-256 of the photos.
    """
    wide = replace(spec, pooling=STAGES)
    if spec == wide or not _folder(workspace, wide).exists():
        return spec
    return min(spec, wide, key=lambda each: len(store_of(workspace, each).missing(keys)))


def store_of(workspace: Workspace, spec: FeatureSpec) -> RowStore:
    """Where such features are kept, by content."""
    return RowStore(_folder(workspace, spec), (sizes.width(spec.backbone, spec.pooling),), "float32")


def _folder(workspace: Workspace, spec: FeatureSpec) -> Path:
    return workspace.cache / f"features-{spec.key}"


def network_speed(workspace: Workspace, spec: FeatureSpec) -> float | None:
    """Photos a second that the frozen network took, without decoding, when features were last computed.

    The median of its minibatches, with or without its stages, which cost next to nothing; None when features never
    were computed.
    """
    files = (_speed_file(workspace, replace(spec, pooling=pooling)) for pooling in (spec.pooling, LAST, STAGES))
    file = next((file for file in files if file.exists()), None)
    return float(read_json(file)["images_per_second"]) if file else None


def _speed_file(workspace: Workspace, spec: FeatureSpec) -> Path:
    return workspace.cache / f"speed-{spec.key}.json"
