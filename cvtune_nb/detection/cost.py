"""What training a detector will cost in time and memory, before it starts: a few steps tried on this machine."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cvtune_nb.classification.cost import DECODE_SECONDS, Cost, Probe, correct, probed
from cvtune_nb.data.photo import scaled_size
from cvtune_nb.data.pixels import room
from cvtune_nb.detection.anchors import USUAL_RATIOS, USUAL_SIZES, Anchors
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.detection.model import build, images_of
from cvtune_nb.detection.pixels import store_of
from cvtune_nb.detection.run import DetectorRun
from cvtune_nb.detection.training_step import optimizer_for, set_to_train, step
from cvtune_nb.files import Progress, read_json, silent
from cvtune_nb.models import memory
from cvtune_nb.models.networks import device

PROBED = 2
"""Photos in the minibatch that is tried."""


@memory.retain_freed_memory()
def predict_cost(dataset: Dataset, config: DetectorConfig, progress: Progress = silent) -> Cost:
    """What `loop.fit` with this config will take on this machine: linear in photos and epochs, with the time of a photo
    measured once for each detector, image size and number of proposals, and corrected by what finished runs of that
    kind took (`learn`). Raises InputError like `network.build`."""
    photos = dataset.photos
    counts = photos["split"].value_counts()
    probe = _probe(dataset, config, progress)
    store = store_of(dataset.workspace, config.image_size)
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
    """Correct later predictions for runs like this one by what its epochs took, as classification.cost.learn does: half
    of the way with each run. A run without a whole epoch after its first teaches nothing."""
    took, file, key = run.history["seconds"].iloc[1:], _file(dataset), _key(run.config)
    known = read_json(file) if file.exists() else {}
    if len(took) and key in known:
        predicted = _epoch(known[key], dataset.photos["split"].value_counts())
        correct(file, key, float(took.median()) / max(predicted, 1e-9))


def _file(dataset: Dataset) -> Path:
    return dataset.workspace.cache / "speed-detectors.json"


def _key(config: DetectorConfig) -> str:
    return f"{device().type} x{torch.get_num_threads()} {config.detector} {config.image_size} {config.proposals}"


def _probe(dataset: Dataset, config: DetectorConfig, progress: Progress) -> dict[str, float]:
    """What classification.cost.probed says of a detector on photos of this shape with so many boxes here."""
    where = device()

    def make() -> Probe:
        network = build(config, max(1, len(dataset.labels)), Anchors(USUAL_SIZES, USUAL_RATIOS, 1.0)).to(where)
        optimizer = optimizer_for(network, config)
        sides = dataset.photos[["width", "height"]].median()
        width, height = scaled_size(int(sides["width"]), int(sides["height"]), config.image_size)
        rng = np.random.default_rng(0)
        images = [rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(PROBED)]
        boxes = dataset.annotations.boxes.groupby("path").size()
        n = int(boxes.median()) if len(boxes) else 1
        corner = torch.from_numpy(rng.uniform(0, 0.8, (n, 2)) * (width, height)).float()
        target = {"boxes": torch.cat([corner, corner + 0.15 * min(width, height)], 1), "labels": torch.ones(n).long()}

        def one_step() -> None:
            set_to_train(network)
            step(network, optimizer, images, [target] * PROBED)

        return Probe(network, one_step, lambda: network(images_of(images, where)), PROBED)

    what = f"{config.detector} at {config.image_size} pixels"
    return probed(_file(dataset), _key(config), what, make, progress)
