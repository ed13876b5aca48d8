"""What training a classifier will cost in time and memory, before it starts (runs.cost)."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from cvtune_nb.classification import features
from cvtune_nb.classification.baseline import SVM_SECONDS, C_table_file
from cvtune_nb.classification.extra_photos import BESIDE
from cvtune_nb.classification.model import build, in_epoch
from cvtune_nb.classification.parent import parent_of
from cvtune_nb.classification.run import MEASURED_TRAIN_PHOTOS, Run
from cvtune_nb.data import pixels
from cvtune_nb.data.preprocessing import SQUARE
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import backbones, memory, networks
from cvtune_nb.models.drop_path import require_drop_path
from cvtune_nb.models.inference import quick
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.runs.cost import Cost, Speed, Trial, epoch_seconds, estimate, free_bytes, memory_bytes
from cvtune_nb.runs.fitting import train_mode
from cvtune_nb.runs.optimizer import optimizer_for
from cvtune_nb.workspace import Workspace

SPARE = 2.0
"""Times the memory that training is expected to need, which is left free of photos: what kernels work in, and gaps."""
PROBE_PHOTOS = 32
"""At most so many photos are in the minibatch that is tried: time a photo is about the same in larger ones."""


@memory.retain_freed_memory()
def predict_cost(workspace: Workspace, config: Config, progress: Progress = silent, extra: int = 0) -> Cost:
    """What `classification.fit` will take on this machine.

    Linear in photos and epochs: the time for one photo is measured once for each backbone, image size, minibatch and
    optimizer, and corrected by what earlier runs of that kind took.

    Parameters
    ----------
    workspace, config
        The photos, and the parameters of the run.
    progress
        Called when the speed is measured.
    extra
        How many photos it is trained on beside those of the workspace.

    Raises
    ------
    InputError
        As networks.load, when image_size is larger than the photos, and when it can't go on from its parent.
    """
    photos = workspace.photos()
    spec = features.FeatureSpec.of(config)
    spec.require_usable(photos)
    download = backbones.download(config.backbone, config.weights)
    require_drop_path(config.backbone, config.drop_path)
    in_epoch(config, 1)  # refuses a network that takes no smaller size
    parent_of(workspace, config)
    probe = _probe(workspace, config, progress)
    train, measured = _counts(photos)
    epoch = epoch_seconds(probe, train + extra, measured) * probe.get("pace", 1.0)
    epoch -= _saved(workspace, config, probe, train + extra, progress)
    keys = photos["sha256"].drop_duplicates().tolist()
    preparing = 0.0
    if config.head == "svm" and not config.parent:
        todo = features.missing(workspace, spec, keys)
        preparing += len(todo) * probe["forward_seconds"]
        known = C_table_file(workspace, photos, spec, objective=config.objective, imbalance=config.imbalance)
        if not known.exists():
            preparing += int((photos["split"] == "train").sum()) * photos["label"].nunique() * SVM_SECONDS
    store = pixels.serving(workspace, keys, spec.preprocessing)
    return estimate(workspace, config, probe, epoch, (store, keys), preparing, _copies(config), download)


def _copies(config: Config) -> int:
    """Of the weights in memory (runs.cost.estimate)."""
    return (4 if config.optimizer == "adamw" else 3) + bool(config.ema)


def room_beside(workspace: Workspace, config: Config, progress: Progress = silent) -> float:
    """Bytes of the GPU's memory that training leaves free.

    Parameters
    ----------
    workspace, config, progress
        As for `predict_cost`.
    """
    needed = memory_bytes(config, _probe(workspace, config, progress), _copies(config))
    return free_bytes() - SPARE * needed


def _saved(workspace: Workspace, config: Config, probe: dict[str, float], trained: int, progress: Progress) -> float:
    """Seconds that smaller photos save in an epoch, on average over all of them (progressive resizing)."""
    if not config.small_epochs:
        return 0.0
    small = _probe(workspace, in_epoch(config, 1), progress)
    seconds = [each["train_seconds"] * each.get("pace", 1.0) for each in (probe, small)]
    return max(0.0, trained * (seconds[0] - seconds[1])) * config.small_epochs / config.epochs


def _counts(photos: pd.DataFrame) -> tuple[int, int]:
    """Photos that an epoch trains on, and that it is measured on."""
    train, validation = (int((photos["split"] == name).sum()) for name in ("train", "validation"))
    return train, min(train, MEASURED_TRAIN_PHOTOS) + validation


def calibrate(workspace: Workspace, run: Run) -> None:
    """Correct later predictions for runs like this one by what its epochs of whole size took (Speed.calibrate)."""
    if "teacher" in run.beside:  # which was asked in every step
        return
    train, measured = _counts(workspace.photos())
    more = run.beside.get(BESIDE, {}).get("photos", 0)
    epoch = run.history["epoch"]
    whole = run.history[(epoch > run.config.small_epochs) | (epoch == epoch.min())]  # the first, slower one is left out
    speed(workspace, run.config).calibrate(replace(run, history=whole), train + more, measured)


def speed(workspace: Workspace, config: Config) -> Speed:
    """How fast this machine trains such a run."""
    photos = min(config.batch_size, PROBE_PHOTOS)
    # not which features: pooling the maps of several stages takes next to no time beside computing them
    size = config.image_size if config.aspect == SQUARE else "{}x{}".format(*features.shown_in(config).shape)
    kind = f"{config.backbone} {size} {photos} {config.optimizer}"
    if config.precision != PARAMETERS["precision"].default:
        kind += f" {config.precision}"
    return Speed(workspace.cache / "speed.json", kind)


def _probe(workspace: Workspace, config: Config, progress: Progress) -> dict[str, float]:
    """The speed of the network and minibatch of a config on this machine (Speed.probe)."""
    device, photos = networks.device(), min(config.batch_size, PROBE_PHOTOS)

    def make() -> Trial:
        network = build(config, ["one", "other"], pretrained=False).to(device)  # as fast, and nothing is downloaded
        optimizer = optimizer_for(network, config)
        labels = torch.zeros(photos, dtype=torch.long, device=device)
        pictures = np.zeros((photos, *features.shown_in(config).shape, 3), np.uint8)
        measured, images = quick(network.eval(), pictures, sys.maxsize), torch.from_numpy(pictures).to(device)

        def step() -> None:
            train_mode(network)
            with networks.mixed_precision(device, config.precision):
                logits = network(images)
            optimizer.zero_grad()
            cross_entropy(logits.float(), labels).backward()
            optimizer.step()

        return Trial(network, step, lambda: measured(images), photos)

    return speed(workspace, config).probe(config, make, progress)
