"""What a run will cost in time and memory, before it starts: a few steps tried on this machine, and what runs of the
same kind really took."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import cross_entropy

from cvtune_nb.classification import features
from cvtune_nb.classification.model import build
from cvtune_nb.classification.run import MEASURED_TRAIN_PHOTOS, TRAINING, UNFINISHED, Run
from cvtune_nb.classification.svm import C_table_file
from cvtune_nb.data import pixels
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_json, silent, write_json
from cvtune_nb.models import memory
from cvtune_nb.models.inference import quick
from cvtune_nb.models.networks import device, half
from cvtune_nb.parameters import Config
from cvtune_nb.runs.optimizer import optimizer_for
from cvtune_nb.workspace import Workspace

PROBE_PHOTOS = 32
"""At most so many photos are in the probe's minibatch: time a photo is about the same in larger ones."""
SVM_SECONDS = 0.0004
"""To fit the SVMs among which C is chosen, a training photo and class; measured on clothing (1,275 photos, 10 classes,
1,280 features: 5.5 s)."""
DECODE_SECONDS = 0.01
"""To decode and scale one photo that is not in the cache yet; measured on photos of 400 x 533 pixels."""


@dataclass(frozen=True)
class Cost:
    """Predicted time in seconds, peak memory and disk use in megabytes of a run, and these in words.

    unkept: photos whose pixels the disk, or what the person allows for them, has no room for; they are decoded in every
    epoch. free_megabytes: memory that is free now."""

    seconds: float
    megabytes: float
    disk_megabytes: float = 0.0
    unkept: int = 0
    free_megabytes: float = field(default=math.inf, compare=False)

    @property
    def words(self) -> str:
        """For example "about 6 min, 2.1 GB of memory, 0.5 GB of disk"."""
        sizes = f"{self.megabytes / 1000:.1f} GB of memory, {self.disk_megabytes / 1000:.1f} GB of disk"
        unkept = f"; {self.unkept} photos are decoded in every epoch, for there is no room to keep their pixels"
        short = f"; only {self.free_megabytes / 1000:.1f} GB are free: halve minibatch and learning rate together"
        short = short if self.megabytes > self.free_megabytes else ""
        return f"about {duration(self.seconds)}, {sizes}{unkept if self.unkept else ''}{short}"


def duration(seconds: float) -> str:
    """45 s, 6 min, 1.5 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


PAST = 3
"""How many of the last runs tell how far predictions are off."""


@memory.kept()
def predict_cost(workspace: Workspace, config: Config, progress: Progress = silent) -> Cost:
    """What `classification.fit` with this config will take on this machine: linear in photos and epochs, with the time
    a photo measured once for each backbone, image size, minibatch and optimizer, and corrected by what finished runs of
    that kind took (`learn`). Raises InputError like `networks.load`, and when image_size is beyond the photos."""
    photos = workspace.photos()
    spec = features.FeatureSpec.of(config)
    spec.require_usable(photos)
    probe = _probe(workspace, config, progress)
    epoch = _epoch(probe, *(int((photos["split"] == name).sum()) for name in ("train", "validation")))
    epoch *= probe.get("pace", 1.0)
    keys = photos["sha256"].drop_duplicates().tolist()
    store = pixels.serving(workspace, keys, spec.preprocessing)
    missing = len(store.missing(keys))
    kept = min(missing, pixels.room(workspace, store))
    start = missing * DECODE_SECONDS
    epoch += (missing - kept) * DECODE_SECONDS
    if config.head == "svm":
        todo = features.store_of(workspace, spec).missing(keys)
        start += len(todo) * probe["forward_seconds"]
        if not C_table_file(workspace, photos, spec).exists():
            start += int((photos["split"] == "train").sum()) * photos["label"].nunique() * SVM_SECONDS
    copies = 4 if config.optimizer == "adamw" else 3  # weights, gradients, and what the optimizer keeps of each
    needed = copies * probe["weight_bytes"] + config.batch_size * probe["activation_bytes"]
    # on disk: the best weights, the last ones and what the optimizer keeps; one more while they are replaced
    disk = kept * store.row_bytes + (copies + 1) * probe["weight_bytes"]
    free = torch.cuda.mem_get_info()[0] if device().type == "cuda" else memory.free_bytes()
    return Cost(start + config.epochs * epoch, needed / 1e6, disk / 1e6, missing - kept, free / 1e6)


def _epoch(probe: dict[str, float], train: int, validation: int) -> float:
    """Seconds of an epoch with so many photos, its measuring included, by the probe."""
    return train * probe["train_seconds"] + (min(train, MEASURED_TRAIN_PHOTOS) + validation) * probe["forward_seconds"]


def learn(workspace: Workspace, run: Run) -> None:
    """Correct later predictions for runs like this one by what its epochs took: half of the way with each run, since
    other work on the machine counts, too. A run without a whole epoch after its first teaches nothing: the first row of
    its history also holds the preparation."""
    took = run.history["seconds"].iloc[1:]
    file, key = workspace.cache / "speed.json", _key(run.config)
    known = read_json(file) if file.exists() else {}
    if took.empty or key not in known:
        return
    photos = workspace.photos()
    predicted = _epoch(known[key], *(int((photos["split"] == name).sum()) for name in ("train", "validation")))
    correct(file, key, float(took.median()) / max(predicted, 1e-9))


def correct(file: Path, key: str, real: float) -> None:
    """Write down that epochs of the kind `key` took `real` times what its probe in `file` says; half of the way from
    what was known before."""
    known = read_json(file)
    known[key]["pace"] = math.sqrt(known[key]["pace"] * real) if "pace" in known[key] else real
    known.pop("format", None)
    write_json(file, known)


def past_errors(known: pd.DataFrame) -> list[float]:
    """How far the last predictions were off, oldest first: real time over predicted time - 1, of the last PAST runs
    that ran to their end with the parameters they were begun with. known: a table of runs (classification.runs, or a
    detector's)."""
    known = known[~known["state"].isin((*UNFINISHED, TRAINING, "diverged")) & (known["predicted_seconds"] > 0)]
    known = known[~known["changed"] & (known["seconds"] > 0)].tail(PAST)
    return [float(error) for error in known["seconds"] / known["predicted_seconds"] - 1]


def past_in_words(errors: list[float]) -> str:
    """For example "the last 3 predictions were within 9%"; "" without any. errors: what `past_errors` gives."""
    if not errors:
        return ""
    which = f"the last {len(errors)} predictions were" if len(errors) > 1 else "the last prediction was"
    return f"{which} within {max(abs(error) for error in errors):.0%}"


def _key(config: Config) -> str:
    photos = min(config.batch_size, PROBE_PHOTOS)
    where = f"{device().type} x{torch.get_num_threads()}"
    return f"{where} {config.backbone} {config.image_size} {photos} {config.optimizer}"


def _probe(workspace: Workspace, config: Config, progress: Progress) -> dict[str, float]:
    """What `probed` says about the network and minibatch of a config, on this machine."""
    where, photos = device(), min(config.batch_size, PROBE_PHOTOS)

    def make() -> Probe:
        network = build(config, ["one", "other"]).to(where)
        optimizer = optimizer_for(network, config)
        labels = torch.zeros(photos, dtype=torch.long, device=where)
        pictures = np.zeros((photos, config.image_size, config.image_size, 3), np.uint8)
        seeing, images = quick(network.eval(), pictures, sys.maxsize), torch.from_numpy(pictures).to(where)

        def step() -> None:
            network.train()
            with half(where):
                logits = network(images)
            optimizer.zero_grad()
            cross_entropy(logits.float(), labels).backward()
            optimizer.step()

        return Probe(network, step, lambda: seeing(images), photos)

    what = str(features.FeatureSpec.of(config))
    return probed(workspace.cache / "speed.json", _key(config), what, make, progress)


@dataclass(frozen=True)
class Probe:
    """A network, a step of training it and a forward pass as accuracy is measured, both with so many photos."""

    network: nn.Module
    step: Callable[[], object]
    forward: Callable[[], object]
    photos: int


def probed(file: Path, key: str, what: str, make: Callable[[], Probe], progress: Progress) -> dict[str, float]:
    """train_seconds and forward_seconds of a photo, weight_bytes, and activation_bytes that one photo's backward pass
    keeps; tried when `file` does not know `key` yet, and kept there."""
    known = read_json(file) if file.exists() else {}
    if key not in known:
        progress(0.0, f"measuring the speed of {what} on this machine")
        probe, kept = make(), {}
        where = next(probe.network.parameters()).device

        def count(tensor: torch.Tensor) -> torch.Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        weights = sum(parameter.numel() * parameter.element_size() for parameter in probe.network.parameters())
        try:
            with saved_tensors_hooks(count, lambda tensor: tensor):
                probe.step()
        except (MemoryError, RuntimeError) as error:
            if not memory.ran_out(error):
                raise
            raise InputError(
                f"{what} does not fit into memory with {probe.photos} photos at a time: choose a smaller minibatch, "
                "image_size or backbone"
            ) from None
        train = _fastest(probe.step) / probe.photos
        probe.network.eval()
        with torch.inference_mode(), half(where):
            forward = _fastest(probe.forward) / probe.photos
        known[key] = {
            "train_seconds": train,
            "forward_seconds": forward,
            "weight_bytes": weights,
            "activation_bytes": max(0, sum(kept.values()) - weights) / probe.photos,
        }
        known.pop("format", None)
        write_json(file, known)
    return known[key]


def _fastest(work: Callable[[], object]) -> float:
    """Seconds of the fastest of three calls."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)
