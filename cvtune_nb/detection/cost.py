"""What training a detector will cost in time and memory, before it starts (runs.cost)."""

import numpy as np
import pandas as pd
import torch

from cvtune_nb.data.photo import scaled_size
from cvtune_nb.detection.anchors import USUAL_RATIOS, USUAL_SIZES, Anchors
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.detection.model import build, download, images_of
from cvtune_nb.detection.pixels import store_of
from cvtune_nb.detection.run import DetectorRun
from cvtune_nb.detection.training_step import step
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import memory, networks
from cvtune_nb.parameters import DETECTOR_PARAMETERS
from cvtune_nb.runs.cost import Cost, Speed, Trial, epoch_seconds, estimate
from cvtune_nb.runs.fitting import train_mode
from cvtune_nb.runs.optimizer import adamw

PROBE_PHOTOS = 2
"""Photos in the minibatch that is tried."""


@memory.retain_freed_memory()
def predict_cost(dataset: Dataset, config: DetectorConfig, progress: Progress = silent) -> Cost:
    """What `detection.fit` will take on this machine.

    Linear in photos and epochs: the time for one photo is measured once for each detector, image size and number of
    proposals, and corrected by what earlier runs of that kind took.

    Parameters
    ----------
    dataset, config
        The photos and boxes, and the parameters of the run.
    progress
        Called when the speed is measured.

    Raises
    ------
    InputError
        As detection.model.build.
    """
    photos = dataset.photos
    fetching = download(config.detector)
    probe = _probe(dataset, config, progress)
    epoch = epoch_seconds(probe, *_counts(photos)) * probe.get("pace", 1.0)
    keys = photos.loc[photos["split"].isin(["train", "validation"]), "sha256"].tolist()
    store = store_of(dataset.workspace, config.image_size)
    return estimate(dataset.workspace, config, probe, epoch, (store, keys), download=fetching)


def _counts(photos: pd.DataFrame) -> tuple[int, int]:
    """Photos that an epoch trains on, and that it is measured on."""
    return int((photos["split"] == "train").sum()), int((photos["split"] == "validation").sum())


def calibrate(dataset: Dataset, run: DetectorRun) -> None:
    """Correct later predictions for runs like this one by what its epochs took (Speed.calibrate)."""
    speed(dataset, run.config).calibrate(run, *_counts(dataset.photos))


def speed(dataset: Dataset, config: DetectorConfig) -> Speed:
    """How fast this machine trains such a run."""
    kind = f"{config.detector} {config.image_size} {config.proposals}"
    if config.precision != DETECTOR_PARAMETERS["precision"].default:
        kind += f" {config.precision}"
    return Speed(dataset.workspace.cache / "speed-detectors.json", kind)


def _probe(dataset: Dataset, config: DetectorConfig, progress: Progress) -> dict[str, float]:
    """The speed of a detector on photos of this shape with so many boxes (Speed.probe)."""
    device = networks.device()

    def make() -> Trial:
        anchors, here = Anchors(USUAL_SIZES, USUAL_RATIOS, 1.0), download(config.detector) is None
        network = build(config, max(1, len(dataset.labels)), anchors, pretrained=here).to(device)
        optimizer = adamw(network, config.learning_rate, config.weight_decay)
        sides = dataset.photos[["width", "height"]].median()
        width, height = scaled_size(int(sides["width"]), int(sides["height"]), config.image_size)
        rng = np.random.default_rng(0)
        images = [rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(PROBE_PHOTOS)]
        boxes = dataset.annotations.boxes.groupby("path").size()
        n = int(boxes.median()) if len(boxes) else 1
        corner = torch.from_numpy(rng.uniform(0, 0.8, (n, 2)) * (width, height)).float()
        target = {"boxes": torch.cat([corner, corner + 0.15 * min(width, height)], 1), "labels": torch.ones(n).long()}

        def one_step() -> None:
            train_mode(network)
            step(network, optimizer, images, [target] * PROBE_PHOTOS, config.precision)

        return Trial(network, one_step, lambda: network(images_of(images, device)), PROBE_PHOTOS)

    return speed(dataset, config).probe(config, make, progress)
