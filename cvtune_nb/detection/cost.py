"""What training a detector will cost in time and memory, before it starts: a few steps tried on this machine."""

import math
import time

import numpy as np
import pandas as pd
import torch
from torch.autograd.graph import saved_tensors_hooks

from cvtune_nb import memory
from cvtune_nb.data.photo import scaled_size
from cvtune_nb.data.pixels import room
from cvtune_nb.data.rows import RowStore
from cvtune_nb.detection.anchors import USUAL_RATIOS, USUAL_SIZES, Anchors
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.detection.network import build, images_of
from cvtune_nb.detection.run import DetectorRun, runs
from cvtune_nb.detection.step import optimizer_for, set_to_train, step
from cvtune_nb.files import Progress, read_json, silent, write_json
from cvtune_nb.networks import device, half
from cvtune_nb.training.cost import DECODE_SECONDS, PAST, Cost
from cvtune_nb.training.run import UNFINISHED

PROBED = 2
"""Photos in the minibatch that is tried."""


@memory.kept()
def predict_cost(dataset: Dataset, config: DetectorConfig, progress: Progress = silent) -> Cost:
    """What `loop.fit` with this config will take on this machine: linear in photos and epochs, with the time of a photo
    measured once for each detector, image size and number of proposals, and corrected by what finished runs of that
    kind took (`learn`). Raises InputError like `network.build`."""
    photos = dataset.photos
    counts = photos["split"].value_counts()
    probe = _probe(dataset, config, progress)
    store = RowStore(dataset.workspace.cache / f"whole-{config.image_size}", (config.image_size,) * 2 + (3,), "uint8")
    used = photos[photos["split"].isin(["train", "validation"])]
    missing = len(store.missing(used["sha256"].tolist()))
    kept = min(missing, room(dataset.workspace, store))
    epoch = _epoch(probe, counts) * probe.get("pace", 1.0)
    epoch += (missing - kept) * DECODE_SECONDS
    needed = 4 * probe["weight_bytes"] + config.batch_size * probe["activation_bytes"]  # AdamW keeps two of each weight
    disk = kept * store.row_bytes + 5 * probe["weight_bytes"]
    free = torch.cuda.mem_get_info()[0] if device().type == "cuda" else memory.free_bytes()
    return Cost(missing * DECODE_SECONDS + config.epochs * epoch, needed / 1e6, disk / 1e6, missing - kept, free / 1e6)


def _epoch(probe: dict[str, float], counts: pd.Series) -> float:
    """Seconds of an epoch with so many photos a split, its measuring included, by the probe."""
    return counts.get("train", 0) * probe["train_seconds"] + counts.get("validation", 0) * probe["forward_seconds"]


def learn(dataset: Dataset, run: DetectorRun) -> None:
    """Correct later predictions for runs like this one by what its epochs took, as training.cost.learn does: half of
    the way with each run. A run without a whole epoch after its first teaches nothing."""
    took, file = run.history["seconds"].iloc[1:], dataset.workspace.cache / "speed-detectors.json"
    known = read_json(file) if file.exists() else {}
    key = _key(run.config)
    if took.empty or key not in known:
        return
    real = float(took.median()) / max(_epoch(known[key], dataset.photos["split"].value_counts()), 1e-9)
    known[key]["pace"] = math.sqrt(known[key]["pace"] * real) if "pace" in known[key] else real
    known.pop("format", None)
    write_json(file, known)


def past_errors(dataset: Dataset) -> list[float]:
    """How far the last predictions were off: real time over predicted time - 1, of the last runs that ran to their end
    with the parameters they were begun with."""
    known = runs(dataset)
    known = known[~known["state"].isin((*UNFINISHED, "diverged")) & (known["predicted_seconds"] > 0)]
    known = known[~known["changed"] & (known["seconds"] > 0)].tail(PAST)
    return [float(error) for error in known["seconds"] / known["predicted_seconds"] - 1]


def _key(config: DetectorConfig) -> str:
    return f"{device().type} x{torch.get_num_threads()} {config.detector} {config.image_size} {config.proposals}"


def _probe(dataset: Dataset, config: DetectorConfig, progress: Progress) -> dict[str, float]:
    """Seconds a photo of a training step and of a forward pass, bytes of the weights and of what one photo's backward
    pass keeps; kept in the workspace's cache."""
    file = dataset.workspace.cache / "speed-detectors.json"
    known = read_json(file) if file.exists() else {}
    where = device()
    key = _key(config)
    if key not in known:
        progress(0.0, f"measuring the speed of {config.detector} at {config.image_size} pixels on this machine")
        classes = max(1, len(dataset.labels))
        network = build(config, classes, Anchors(USUAL_SIZES, USUAL_RATIOS, 1.0)).to(where)
        optimizer = optimizer_for(network, config)
        sides = dataset.photos[["width", "height"]].median()
        width, height = scaled_size(int(sides["width"]), int(sides["height"]), config.image_size)
        rng = np.random.default_rng(0)
        images = [rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(PROBED)]
        boxes = dataset.annotations.boxes.groupby("path").size()
        n = int(boxes.median()) if len(boxes) else 1
        corner = torch.from_numpy(rng.uniform(0, 0.8, (n, 2)) * (width, height)).float()
        target = {"boxes": torch.cat([corner, corner + 0.15 * min(width, height)], 1), "labels": torch.ones(n).long()}
        kept: dict[int, int] = {}

        def count(tensor: torch.Tensor) -> torch.Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        set_to_train(network)
        with saved_tensors_hooks(count, lambda tensor: tensor):
            step(network, optimizer, images, [target] * PROBED)
        train = _timed(lambda: step(network, optimizer, images, [target] * PROBED))
        network.eval()
        with torch.inference_mode(), half(where):
            forward = _timed(lambda: network(images_of(images, where)))
        weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
        known[key] = {"train_seconds": train, "forward_seconds": forward, "weight_bytes": weights,
                      "activation_bytes": max(0, sum(kept.values()) - weights) / PROBED}  # fmt: skip
        known.pop("format", None)
        write_json(file, known)
    return known[key]


def _timed(work) -> float:
    """Seconds a photo of the fastest of three calls."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times) / PROBED
