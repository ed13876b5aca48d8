"""Training a detector: the pieces that the training loop (runs.fitting) asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from cvtune_nb.augmentation.boxes import varied_with_boxes
from cvtune_nb.detection import cost
from cvtune_nb.detection.anchors import suggest
from cvtune_nb.detection.average_precision import scores
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.dataset import Dataset, Part
from cvtune_nb.detection.inference import detections
from cvtune_nb.detection.model import build, load_best
from cvtune_nb.detection.pixels import Pictures, pictures
from cvtune_nb.detection.run import DetectorRun, load_run, new_run, require_known, run_store
from cvtune_nb.detection.training_step import step
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.models.networks import device
from cvtune_nb.runs import fitting
from cvtune_nb.runs.descent import scaler_for
from cvtune_nb.runs.fitting import Measured, NewFolder, OnEpoch, Task
from cvtune_nb.runs.optimizer import adamw
from cvtune_nb.tracking import following

WARM_UP = 50
"""Steps over which the learning rate rises from nothing: layers that start at random would throw the others off."""
FEWEST_BOXES = 10
"""Boxes on training photos below which there is nothing to train on."""
CROWDED = 2
"""Detections that are allowed in a photo, as a multiple of the boxes in the fullest one; 100 at least, as COCO has."""
Batch = tuple[list[np.ndarray], list[dict[str, torch.Tensor]]]
"""Photos, uint8 (height, width, 3), and their boxes and labels as torchvision wants them."""


@dataclass(frozen=True)
class Shown:
    """Photos of a split at the image size, with the boxes of each.

    left, top, right, bottom as fractions (n, 4), and class ids (n, from 1).
    """

    part: Part
    pictures: Pictures
    boxes: list[np.ndarray]
    class_ids: list[np.ndarray]


def require_learnable(dataset: Dataset) -> None:
    """Raises InputError when there are too few boxes to train on or none to measure on."""
    counts = {split: len(dataset.part(split).boxes) for split in ("train", "validation")}
    if counts["train"] < FEWEST_BOXES or not counts["validation"]:
        raise InputError(
            f"there are {counts['train']} boxes on training photos and {counts['validation']} on validation photos: "
            f"draw boxes on more photos (notebook 06); {FEWEST_BOXES} and 1 are the least, 100 a class a good start"
        )


def fit(
    dataset: Dataset,
    config: DetectorConfig | None = None,
    run: str | None = None,
    on_epoch: OnEpoch[DetectorRun] | None = None,
    progress: Progress = silent,
    start: str = "",
    hard: Sequence[str] = (),
) -> DetectorRun:
    """Train a new run with `config`, or go on with the unfinished run called `run`.

    Parameters
    ----------
    dataset
        The photos and boxes it is trained and measured on.
    config, run
        The parameters of a new run, or the id of the one to go on with.
    on_epoch, progress
        As in runs.fitting.fit.
    start
        The run whose best epoch a new one begins with, its anchors too.
    hard
        sha256 of training photos that are shown once more in every epoch.

    Raises
    ------
    InputError
        There are too few boxes, `start` can't be gone on from, or as runs.fitting.fit.
    lock.Held
        Another program trains the run.
    """
    require_learnable(dataset)
    task = Task(
        run_store(dataset),
        "photos or boxes",
        dataset.id,
        config,
        partial(_new_run, dataset, start, list(hard)),
        partial(DetectorTrainer, dataset),
        partial(cost.calibrate, dataset),
    )
    trackers = following(dataset.workspace)
    trained = fitting.fit(task, run, trackers.then(on_epoch), progress)
    trackers.write(trained)
    return trained


def _new_run(
    dataset: Dataset, start: str, hard: list[str], config: DetectorConfig, progress: Progress, new_folder: NewFolder
) -> DetectorRun:
    """Written once its cost is known."""
    estimated = cost.predict_cost(dataset, config, progress)
    train = dataset.part("train")
    fullest = int(train.boxes.groupby("path").size().max())
    anchors, max_detections = suggest(train.boxes, train.photos, config.image_size), max(100, CROWDED * fullest)
    if start:
        before = load_run(dataset, start)
        require_known(dataset, before)
        anchors, max_detections = before.anchors, before.max_detections
    return new_run(dataset, config, anchors, max_detections, estimated.seconds, new_folder(), start, hard)


class DetectorTrainer:
    """A detector in training (runs.fitting.Trainer)."""

    def __init__(self, dataset: Dataset, run: DetectorRun, progress: Progress):
        config = run.config
        self.dataset, self.run, self.config = dataset, run, config
        self.train, self.validation = (shown(dataset, split, run, progress) for split in ("train", "validation"))
        self.hard = np.flatnonzero(self.train.part.photos["sha256"].isin(run.hard))
        pretrained = run.history.empty
        network = build(config, len(run.classes), run.anchors, run.max_detections, pretrained, progress)
        self.network = network.to(device())
        self.optimizer = adamw(self.network, config.learning_rate, config.weight_decay)
        self.scaler = scaler_for(device(), config.precision)
        self.random = np.random.default_rng()

    def start(self, progress: Progress) -> None:  # noqa: ARG002 - it takes no time
        """The weights of another run's best epoch, where it is to begin with these."""
        if self.run.start:
            before = load_best(load_run(self.dataset, self.run.start))
            self.network.load_state_dict(before.state_dict())

    def batches(self, epoch: int) -> Sequence[np.ndarray]:
        """All training photos in a new order, those in `hard` twice."""
        self.random = np.random.default_rng([self.config.seed, epoch])
        order = self.random.permutation(np.concatenate([np.arange(len(self.train.boxes)), self.hard]))
        return [order[i : i + self.config.batch_size] for i in range(0, len(order), self.config.batch_size)]

    def read(self, rows: np.ndarray) -> Batch:
        """The photos of these rows, augmented."""
        images, targets = zip(*(augmented(self.train, row, self.config, self.random) for row in rows), strict=True)
        return list(images), list(targets)

    def learning_rate(self, done: float, steps: int) -> float:
        """The schedule, after WARM_UP steps."""
        return min(1.0, (done * steps + 1) / WARM_UP) * self.config.rate(done)

    def step(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """One step of training; returns the loss before it."""
        return step(network, self.optimizer, *batch, self.config.precision, self.scaler)

    def measure(self, progress: Progress) -> Measured:
        """Average precision on validation, and what was found."""
        part = self.validation.part
        found = detections(self.network, part.photos, self.validation.pictures, self.run.classes, progress)
        measured = scores(part, found, self.run.classes, intervals=False)
        return {"validation_ap": measured.ap, "validation_ap50": measured.ap50}, found


def shown(dataset: Dataset, split: str, run: DetectorRun, progress: Progress) -> Shown:
    """The photos of one split as a run sees them.

    Parameters
    ----------
    dataset, split
        Which photos: train or validation.
    run
        Its image size, and its classes by their ids.
    progress
        Called while photos are decoded.
    """
    part = dataset.part(split)
    class_ids = {label: class_id for class_id, label in enumerate(run.classes, 1)}
    by_photo = dict(list(part.boxes.groupby("path")))
    boxes, labels = [], []
    for path in part.photos["path"]:
        rows = by_photo.get(path, part.boxes[:0])
        sides = rows[["left", "top", "width", "height"]].to_numpy(np.float32).copy()
        sides[:, 2:] += sides[:, :2]
        boxes.append(sides)
        labels.append(np.array([class_ids[label] for label in rows["label"]], np.int64))
    return Shown(part, pictures(dataset.workspace, part.photos, run.config.image_size, progress), boxes, labels)


def augmented(
    train: Shown, row: int, config: DetectorConfig, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, torch.Tensor]]:
    """One training photo, varied.

    Parameters
    ----------
    train, row
        Which photo.
    config
        How it is varied.
    rng
        What is drawn from.

    Returns
    -------
    tuple
        The photo, uint8 (height, width, 3); boxes (n, 4: left, top, right, bottom in pixels) and labels (n, from 1).
    """
    picture, boxes = varied_with_boxes(train.pictures[row], train.boxes[row], config.policies, rng)
    height, width = picture.shape[:2]
    pixels = boxes * np.array([width, height, width, height], np.float32)
    pixels[:, 2:] = np.maximum(pixels[:, 2:], pixels[:, :2] + 1)  # torchvision refuses boxes of less than a pixel
    return picture, {"boxes": torch.from_numpy(pixels), "labels": torch.from_numpy(train.class_ids[row])}
