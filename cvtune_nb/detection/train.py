"""Training a detector: the habits of the classifier's loop (classification.train), on boxes."""

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from cvtune_nb.classification.run import RESUMABLE, training_it
from cvtune_nb.detection.anchors import suggest
from cvtune_nb.detection.average_precision import scores
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.cost import learn, predict_cost
from cvtune_nb.detection.dataset import Dataset, Part
from cvtune_nb.detection.inference import detections, load_best
from cvtune_nb.detection.model import build
from cvtune_nb.detection.pixels import Pictures, pictures
from cvtune_nb.detection.run import DetectorRun, load_run, new_folder, new_run, on_disk
from cvtune_nb.detection.training_step import optimizer_for, set_to_train, step
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.files import Progress, silent, write_csv
from cvtune_nb.models import memory
from cvtune_nb.models.networks import device
from cvtune_nb.runs import checkpoint

WARM_UP = 50
"""Steps over which the learning rate rises from nothing: layers that start at random would throw the others off."""
SCALED = (0.8, 1.2)
"""Factors between which training photos are scaled by chance."""
FEWEST_BOXES = 10
"""Boxes on training photos below which there is nothing to learn from."""
CROWDED = 2
"""Detections that are allowed in a photo, as a multiple of the boxes in the fullest one; 100 at least, as COCO has."""
OnEpoch = Callable[[DetectorRun], None]


@dataclass(frozen=True)
class Shown:
    """Photos of a split at the image size, with their boxes: left, top, right, bottom in shares (n, 4) and the numbers
    of their classes (n, from 1), a photo each."""

    part: Part
    pictures: Pictures
    boxes: list[np.ndarray]
    numbers: list[np.ndarray]


def require_learnable(dataset: Dataset) -> None:
    """Raises InputError when there are too few boxes to learn from or none to measure on."""
    counts = {split: len(dataset.part(split).boxes) for split in ("train", "validation")}
    if counts["train"] < FEWEST_BOXES or not counts["validation"]:
        raise InputError(
            f"there are {counts['train']} boxes on training photos and {counts['validation']} on validation photos: "
            f"draw boxes on more photos (notebook 06); {FEWEST_BOXES} and 1 are the least, 100 a class a good start"
        )


@memory.retain_freed_memory()
def fit(
    dataset: Dataset,
    config: DetectorConfig | None = None,
    run: str | None = None,
    on_epoch: OnEpoch | None = None,
    progress: Progress = silent,
    start: str = "",
    hard: Sequence[str] = (),
) -> DetectorRun:
    """Train a new run with `config`, or go on with the unfinished run called `run` from its last whole epoch.

    start: the run whose best epoch a new run begins with, its anchors too; hard: sha256 of training photos that are
    shown once more in every epoch.

    on_epoch is called with the DetectorRun after every epoch; raising Stopped in it or in `progress` ends training and
    keeps what whole epochs have learned. Out of memory, minibatch and learning rate are halved together and the run
    goes on from its last whole epoch. While it is trained, its lock tells other programs so. Raises InputError, and
    lock.Held when another program trains the run.
    """
    require_learnable(dataset)
    with contextlib.ExitStack() as locked:
        current = _resumed(dataset, run, locked) if run else _begun(dataset, config, progress, locked, start, hard)
        if current.state not in RESUMABLE:
            return current
        while True:
            try:
                current = _train(dataset, current, on_epoch or (lambda _: None), progress)
                break
            except (MemoryError, RuntimeError, OSError) as error:
                if not memory.ran_out(error):
                    raise
                smaller = current.config.halved()
                change = (
                    f"out of memory: minibatch {smaller.batch_size}, learning rate {smaller.learning_rate:g} from here"
                )
                known = on_disk(dataset, current.id)
                current = replace(known, config=smaller, changes=[*current.changes, change])
                current.save()
        current.save()
        learn(dataset, current)
        return current


def _begun(
    dataset: Dataset,
    config: DetectorConfig,
    progress: Progress,
    locked: contextlib.ExitStack,
    start: str = "",
    hard: Sequence[str] = (),
) -> DetectorRun:
    predicted = predict_cost(dataset, config, progress).seconds
    train = dataset.part("train")
    fullest = int(train.boxes.groupby("path").size().max())
    anchors, most = suggest(train.boxes, train.photos, config.image_size), max(100, CROWDED * fullest)
    if start:
        known = load_run(dataset, start)
        if known.classes != dataset.labels:
            raise InputError(f"the classes have changed since run {start}: train a new detector first")
        anchors, most = known.anchors, known.most
    folder = new_folder(dataset, config)
    locked.enter_context(training_it(folder))  # before it is written: nobody finds a new run that looks abandoned
    return new_run(dataset, config, anchors, most, predicted, folder, start=start, hard=list(hard))


def _resumed(dataset: Dataset, name: str, locked: contextlib.ExitStack) -> DetectorRun:
    run = on_disk(dataset, name)
    if run.state in RESUMABLE:
        locked.enter_context(training_it(run.folder))
        run = on_disk(dataset, name)  # as whoever had the lock until now has left it
    if run.state in RESUMABLE and run.data != dataset.id:
        raise InputError(f"photos or boxes have changed since run {run.id} began: start a new run instead of resuming")
    return run


def _train(dataset: Dataset, run: DetectorRun, on_epoch: OnEpoch, progress: Progress) -> DetectorRun:
    config, where, clock = run.config, device(), time.perf_counter()
    try:
        train, validation = (shown(dataset, split, run, progress) for split in ("train", "validation"))
        network = build(config, len(run.classes), run.anchors, run.most, pretrained=run.history.empty).to(where)
        optimizer = optimizer_for(network, config)
        if len(run.history):
            checkpoint.restore(run, network, optimizer)
        elif run.start:
            network.load_state_dict(load_best(load_run(dataset, run.start)).state_dict())
        hard = np.flatnonzero(train.part.photos["sha256"].isin(run.hard))
        steps = math.ceil((len(train.boxes) + len(hard)) / config.batch_size)
        for epoch in range(1 + (int(run.history["epoch"].max()) if len(run.history) else 0), config.epochs + 1):
            torch.manual_seed(config.seed * 1_000 + epoch)  # drawn anew every epoch: a resumed run repeats it exactly
            rng, losses = np.random.default_rng([config.seed, epoch]), []
            set_to_train(network)
            for number, (images, targets) in enumerate(_batches(train, hard, config, rng)):
                done = epoch - 1 + number / steps
                progress((epoch - 1 + 0.8 * number / steps) / config.epochs, f"epoch {epoch} of {config.epochs}")
                warm = min(1.0, (done * steps + 1) / WARM_UP)
                for group in optimizer.param_groups:
                    group["lr"] = warm * rate(config, done)
                losses.append(step(network, optimizer, images, targets))
                if not math.isfinite(losses[-1]):
                    return replace(run, state="diverged")
            looking = partial(_measuring, progress, epoch, config.epochs)
            seen = detections(network, validation.part.photos, validation.pictures, run.classes, looking)
            measured = scores(validation.part, seen, run.classes, intervals=False)
            row = {
                "epoch": epoch,
                "learning_rate": float(f"{rate(config, epoch - 0.5):.6g}"),
                "loss": float(np.mean(losses)),
                "validation_ap": measured.ap,
                "validation_ap50": measured.ap50,
                "seconds": time.perf_counter() - clock,
            }
            clock = time.perf_counter()
            run = _keep(run, network, optimizer, row, seen)
            on_epoch(run)
    except Stopped:
        return replace(run, state="stopped")
    return replace(run, state="done")


def _measuring(progress: Progress, epoch: int, epochs: int, share: float, words: str) -> None:
    progress((epoch - 0.2 + 0.2 * share) / epochs, f"epoch {epoch} of {epochs}: {words}")


def rate(config: DetectorConfig, done: float) -> float:
    """The learning rate after `done` epochs (a whole number and a part): along a cosine."""
    return config.learning_rate * (1 + math.cos(math.pi * min(1.0, done / config.epochs))) / 2


def shown(dataset: Dataset, split: str, run: DetectorRun, progress: Progress) -> Shown:
    """The photos of one split as the run sees them."""
    part = dataset.part(split)
    numbers = {label: number for number, label in enumerate(run.classes, 1)}
    by_photo = dict(list(part.boxes.groupby("path")))
    boxes, labels = [], []
    for path in part.photos["path"]:
        rows = by_photo.get(path, part.boxes[:0])
        sides = rows[["left", "top", "width", "height"]].to_numpy(np.float32).copy()
        sides[:, 2:] += sides[:, :2]
        boxes.append(sides)
        labels.append(np.array([numbers[label] for label in rows["label"]], np.int64))
    return Shown(part, pictures(dataset.workspace, part.photos, run.config.image_size, progress), boxes, labels)


def _batches(
    train: Shown, hard: np.ndarray, config: DetectorConfig, rng: np.random.Generator
) -> Iterator[tuple[list[np.ndarray], list[dict[str, torch.Tensor]]]]:
    """The minibatches of an epoch, in a new order, varied, those in `hard` (places) twice; the next is made while one
    is used."""
    order = rng.permutation(np.concatenate([np.arange(len(train.boxes)), hard]))
    batches = [order[start : start + config.batch_size] for start in range(0, len(order), config.batch_size)]
    with ThreadPoolExecutor(1) as pool:
        coming = deque()
        for batch in batches:  # one thread, so that what is drawn comes in this order
            coming.append(pool.submit(lambda batch=batch: [_varied(train, number, config, rng) for number in batch]))
            if len(coming) > 1:
                yield _both(coming.popleft().result())
        while coming:
            yield _both(coming.popleft().result())


def _both(varied: list[tuple[np.ndarray, dict]]) -> tuple[list[np.ndarray], list[dict]]:
    images, targets = zip(*varied, strict=True)
    return list(images), list(targets)


def _varied(
    train: Shown, number: int, config: DetectorConfig, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, torch.Tensor]]:
    """One photo as augmentation has it, and its boxes in pixels."""
    picture, boxes = train.pictures[number], train.boxes[number].copy()
    scale, mirrored = rng.uniform(*SCALED), rng.random() < 0.5
    if config.augmentation != "none":
        size = [max(32, round(side * scale)) for side in (picture.shape[1], picture.shape[0])]
        picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
    if config.augmentation == "scale-flip" and mirrored:
        picture, boxes[:, [0, 2]] = picture[:, ::-1], 1 - boxes[:, [2, 0]]
    height, width = picture.shape[:2]
    pixels = boxes * np.array([width, height, width, height], np.float32)
    pixels[:, 2:] = np.maximum(pixels[:, 2:], pixels[:, :2] + 1)  # torchvision refuses boxes of less than a pixel
    return picture, {"boxes": torch.from_numpy(pixels), "labels": torch.from_numpy(train.numbers[number])}


def _keep(
    run: DetectorRun, network: nn.Module, optimizer: torch.optim.Optimizer, row: dict[str, float], seen: pd.DataFrame
) -> DetectorRun:
    rows = [*run.history.to_dict("records"), row]
    run = replace(run, history=pd.DataFrame(rows, columns=run.history.columns).astype({"epoch": int}))
    if run.best_epoch == row["epoch"]:
        write_csv(run.folder / "detections.csv", seen)
    checkpoint.save(run, network, optimizer)  # last, as it is what counts: killed before, the epoch is done again
    run.save()
    return run
