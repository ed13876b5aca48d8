"""Fine-tuning a classifier: the pieces that the training loop (runs.fitting) asks for."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from cvtune_nb.augmentation.geometry import beside
from cvtune_nb.augmentation.minibatch import augmented
from cvtune_nb.augmentation.mixing import mixed
from cvtune_nb.classification import cost
from cvtune_nb.classification.balance import Balance
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.extra_photos import ExtraPhotos, in_folder, rows_of
from cvtune_nb.classification.features import BATCH, FeatureSpec, shown_in
from cvtune_nb.classification.losses import similarity_loss
from cvtune_nb.classification.model import Classifier, add_projection, build, in_epoch
from cvtune_nb.classification.parent import named_parent, parent_of, take_over, words
from cvtune_nb.classification.run import MEASURED_TRAIN_PHOTOS, Run, new_run, run_store
from cvtune_nb.data.groups import dependent
from cvtune_nb.data.photo import both
from cvtune_nb.data.pixels import Pixels, pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.data.split import require_learnable
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import networks
from cvtune_nb.models.inference import photos_on_gpu, quick
from cvtune_nb.objectives import USUAL, objective_of
from cvtune_nb.parameters import Config
from cvtune_nb.runs import distributed, fitting, lock
from cvtune_nb.runs.descent import UNSCALED, descend, scaler_for
from cvtune_nb.runs.fitting import Measured, NewFolder, OnEpoch, Task
from cvtune_nb.runs.optimizer import optimizer_for
from cvtune_nb.runs.reading import read_ahead
from cvtune_nb.tracking import following
from cvtune_nb.workspace import Workspace, photos_id

NO_BALANCE = Balance()
CHUNK = 1_000
"""Photos that are copied to a GPU at once."""
Batch = tuple[torch.Tensor, torch.Tensor]
"""uint8 photos (n, height, width, 3), and their class ids (n)."""
WeightedBatch = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]
"""The same, and how much each photo counts (n); None: all the same."""


@dataclass(frozen=True)
class Part:
    """Photos of one split as the network sees them, and their class ids (n).

    counts_as: how much each counts in training (n), 1 on average; None: all the same. on_gpu: `squares` there, uint8
    (n, height, width, 3); None: they are not.
    """

    squares: Pixels
    labels: torch.Tensor
    photos: pd.DataFrame
    counts_as: torch.Tensor | None = None
    on_gpu: torch.Tensor | None = None

    def subsample(self, most: int, seed: int) -> "Part":
        """At most `most` of the photos, drawn by the seed."""
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self.labels))[:most])
        return Part(self.squares.take(chosen), self.labels[chosen], self.photos.iloc[chosen])

    def batch(self, rows: torch.Tensor) -> Batch:
        """The photos of these rows, and their class ids."""
        if self.on_gpu is not None:
            return self.on_gpu[beside(rows, self.on_gpu)], self.labels[rows]
        return torch.from_numpy(self.squares[rows.tolist()]), self.labels[rows]

    def kept_on(self, device: torch.device, room: float) -> "Part":
        """The same with its pixels on a GPU, if they fit into so many bytes: no step has to copy any."""
        shape = (len(self.squares), *both(self.squares.side), 3)
        if math.prod(shape) > room:
            return self
        pixels = torch.empty(shape, dtype=torch.uint8, device=device)
        for rows in torch.arange(len(pixels)).split(CHUNK):
            pixels[rows[0] : rows[-1] + 1] = torch.from_numpy(self.squares[rows.tolist()])
        return replace(self, on_gpu=pixels)


@networks.autotuned()
def fit(
    workspace: Workspace,
    config: Config | None = None,
    run: str | None = None,
    on_epoch: OnEpoch[Run] | None = None,
    progress: Progress = silent,
    patience: float = lock.PATIENCE,
    extra: ExtraPhotos | None = None,
) -> Run:
    """Train a new run with `config`, or go on with the unfinished run called `run`.

    Parameters
    ----------
    workspace
        The photos it is trained and measured on.
    config, run
        The parameters of a new run, or the id of the one to go on with.
    on_epoch, progress, patience
        As in runs.fitting.fit.
    extra
        Photos that a new run is trained on beside those of the workspace; it keeps the list of them.

    Raises
    ------
    InputError
        A class has no photos to train on or to measure on, or as runs.fitting.fit.
    lock.Held
        Another program trains the run.
    """
    photos = workspace.photos()
    require_learnable(photos)
    config = config and named_parent(workspace, config)
    task = Task(
        run_store(workspace),
        "photos or labels",
        photos_id(photos),
        config,
        partial(_new_run, workspace, photos, extra.usable(photos) if extra else None),
        partial(_trainer, workspace, photos),
        partial(cost.calibrate, workspace),
    )
    trackers = following(workspace)
    trained = fitting.fit(task, run, trackers.then(on_epoch), progress, patience)
    trackers.write(trained)
    return trained


def _new_run(
    workspace: Workspace,
    photos: pd.DataFrame,
    extra: ExtraPhotos | None,
    config: Config,
    progress: Progress,
    new_folder: NewFolder,
) -> Run:
    """Written once its cost is known."""
    estimated = cost.predict_cost(workspace, config, progress, len(extra or ()))
    parent = parent_of(workspace, config)
    size = shown_in(config).size
    origin = words(parent) if parent else networks.origin(config.backbone, size, config.weights, progress)
    counts = photos["split"].value_counts()
    measured = min(MEASURED_TRAIN_PHOTOS, int(counts["train"])), int(counts["validation"])
    seen = parent.provenance.listed() if parent else None
    return new_run(
        workspace, config, photos, measured, estimated.seconds, new_folder(), origin, extra=extra or None, seen=seen
    )


def _trainer(workspace: Workspace, photos: pd.DataFrame, run: Run, progress: Progress) -> "ClassifierTrainer":
    """That of a usual run, or of one that learns from a combination."""
    if "teacher" in run.beside:
        from cvtune_nb.classification.combining.distillation import DistillationTrainer  # which is made from this one

        return DistillationTrainer(workspace, photos, run, progress)
    return ClassifierTrainer(workspace, photos, run, progress)


class ClassifierTrainer:
    """A classifier in training (runs.fitting.Trainer)."""

    def __init__(self, workspace: Workspace, photos: pd.DataFrame, run: Run, progress: Progress):
        config = run.config
        self.workspace, self.config, self.classes = workspace, config, run.classes
        labelled, self.validation = (
            part_of(photos, split, workspace, shown_in(config), progress) for split in ("train", "validation")
        )
        self.extra = in_folder(run.folder)
        self.train = with_extra(labelled, photos, self.extra, workspace, shown_in(config), progress)
        self.balance = Balance.of(config, self.train.labels, run.classes)
        self.measured = labelled.subsample(MEASURED_TRAIN_PHOTOS, config.seed)
        # what is resumed has its own weights, and what goes on from a run gets that one's: no file that may have moved
        pretrained = run.history.empty and not config.parent
        network = build(config, run.classes, pretrained, progress)
        add_projection(network, config)
        self.network = network.to(networks.device())
        self.optimizer = optimizer_for(self.network, config)
        self.scaler = scaler_for(networks.device(), config.precision)
        if networks.device().type == "cuda" and "teacher" not in run.beside:  # whose memory nobody has estimated
            self.train = self.train.kept_on(networks.device(), cost.room_beside(workspace, config, progress))
        self.progress, self.now = progress, config
        self.smaller: Part | None = None

    def start(self, progress: Progress) -> Measured | None:
        """The run that it goes on from, or the SVM as the last layer, where the config wants it: epoch 0."""
        if parent := parent_of(self.workspace, self.config):
            take_over(self.network, parent, self.config)
            with distributed.single():  # the others get these weights, and wait for nothing before
                return self.measure(progress)
        if self.config.head != "svm":
            return None
        parts = (self.measured, self.validation)
        logits = start_from_svm(self.workspace, self.network, parts, self.config, progress, self.extra)
        return self._measured(logits)

    def batches(self, epoch: int) -> Sequence[torch.Tensor]:
        """All training photos in a new order, or as many drawn evenly from the classes: torch's generator is seeded.

        From here on they have the size of this epoch.
        """
        now = in_epoch(self.config, epoch)
        if now == self.config:
            self.smaller = None
        elif now != self.now:
            with distributed.rank_zero_first():
                squares = pixels(self.workspace, self.train.photos, shown_in(now), self.progress)
            self.smaller = replace(self.train, squares=squares)
        self.now = now
        return self.balance.order(self.train.labels, self.config.counted_loss).split(self.config.batch_size)

    def read(self, rows: torch.Tensor) -> WeightedBatch:
        """The photos of these rows, not augmented yet."""
        photos = self.smaller or self.train
        return *photos.batch(rows), None if photos.counts_as is None else photos.counts_as[rows]

    def learning_rate(self, done: float, steps: int) -> float:
        """The schedule, after the warm-up."""
        return min(1.0, (round(done * steps) + 1) / max(1, self.config.warm_up)) * self.config.rate(done)

    def step(self, network: nn.Module, batch: WeightedBatch) -> torch.Tensor:
        """One step of training; returns the loss before it."""
        squares, labels, counts_as = batch
        return step(network, self.optimizer, squares, labels, self.now, self.balance, counts_as, self.scaler)

    def measure(self, progress: Progress) -> Measured:
        """Accuracy and loss without augmentation."""
        self.network.eval()
        photos = len(self.measured.labels) + len(self.validation.labels)
        network = quick(self.network, self.measured.squares.centre([0]), photos)
        each_batch = partial(progress, 0.5, "measuring")
        parts, classes = (self.measured, self.validation), len(self.classes)
        return self._measured([_logits(network, part, classes, each_batch) for part in parts])

    def _measured(self, logits: Sequence[torch.Tensor]) -> Measured:
        """The columns of the history, and the predictions on validation, from the logits of both parts."""
        columns = {}
        for name, output, part in zip(("train", "validation"), logits, (self.measured, self.validation), strict=True):
            columns[f"{name}_accuracy"] = float((output.argmax(1) == part.labels).double().mean())
            columns[f"{name}_loss"] = float(cross_entropy(output, part.labels))
        chances = logits[1].softmax(1)
        probabilities, class_ids = chances.max(1)
        columns["objective"] = columns["validation_accuracy"]
        if self.config.objective != USUAL:
            objective = objective_of(self.config.objective, self.classes)
            columns["objective"] = objective.value(self.validation.labels.numpy(), chances.numpy())
        predicted = [self.classes[class_id] for class_id in class_ids]
        photos = self.validation.photos
        table = photos[["path", "label", *(["group"] if dependent(photos) is not None else [])]]
        table = table.assign(predicted=predicted, probability=probabilities.numpy())
        return columns, table.join(pd.DataFrame(chances.numpy(), index=table.index))


def step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    squares: torch.Tensor,
    labels: torch.Tensor,
    config: Config,
    balance: Balance = NO_BALANCE,
    counts_as: torch.Tensor | None = None,
    scaler: torch.amp.GradScaler = UNSCALED,
) -> torch.Tensor:
    """Train on one minibatch.

    Parameters
    ----------
    network, optimizer
        The classifier in training mode, and what moves its weights.
    squares, labels
        This process's photos of the minibatch, uint8 (n, height, width, 3), and their class ids (n); wherever they are.
    config
        Augmentation, loss, precision and gradient clipping.
    balance
        What its remedy for imbalance does to the loss.
    counts_as
        How much each photo counts (n), 1 on average over all training photos; None: all the same.
    scaler
        What scales the loss (descent.scaler_for).

    Returns
    -------
    torch.Tensor
        As descent.descend.
    """
    weights = next(network.parameters())
    images = augmented(beside(squares, weights), shown_in(config).shape, config.policies)
    mixture = mixed(images, config.policies)
    with networks.mixed_precision(weights.device, config.precision):
        logits, features = network(mixture.photos if mixture else images, with_features=True)
    loss = balance.loss(logits.float(), labels, mixture, counts_as)
    if similar := similarity_loss(config.counted_loss):  # of several processes each compares its own share's photos
        loss = loss + config.loss_weight * similar(normalize(features.float()), beside(labels, weights))
    return descend(network, optimizer, loss, len(labels), config.clip_norm, scaler)


def part_of(
    photos: pd.DataFrame, split: str, workspace: Workspace, preprocessing: Preprocessing, progress: Progress
) -> Part:
    """The photos of one split, decoded.

    Parameters
    ----------
    photos, split
        Which: rows of Workspace.photos. Class ids follow the order of the names of all their classes.
    workspace, preprocessing
        Where their pixels are kept, and what a network is shown of them.
    progress
        Called while photos are decoded.
    """
    rows = photos[photos["split"] == split].reset_index(drop=True)
    class_ids = {label: class_id for class_id, label in enumerate(sorted(photos["label"].unique()))}
    labels = torch.tensor([class_ids[label] for label in rows["label"]])
    return Part(pixels(workspace, rows, preprocessing, progress), labels, rows)


def with_extra(
    labelled: Part,
    photos: pd.DataFrame,
    extra: ExtraPhotos | None,
    workspace: Workspace,
    preprocessing: Preprocessing,
    progress: Progress,
) -> Part:
    """The labelled training photos, and behind them the extra ones.

    Parameters
    ----------
    labelled, photos
        The training photos, and all of the workspace.
    extra
        None: the labelled ones alone.
    workspace, preprocessing, progress
        As in `part_of`.

    Raises
    ------
    InputError
        The file of an extra photo is gone.
    """
    classes = sorted(photos["label"].unique())
    more = rows_of(workspace, extra, classes)
    if more.empty:
        return labelled
    class_ids = torch.tensor([classes.index(label) for label in more["label"]])
    rows = pd.concat([labelled.photos, more], ignore_index=True)
    counts_as = torch.cat([torch.ones(len(labelled.labels)), torch.tensor(more["weight"].to_numpy(np.float32))])
    labels, squares = torch.cat([labelled.labels, class_ids]), pixels(workspace, rows, preprocessing, progress)
    return Part(squares, labels, rows, counts_as / counts_as.mean())


def _logits(network: nn.Module, part: Part, classes: int, each_batch: Callable[[], None]) -> torch.Tensor:
    """The output (n, classes) of a network in eval mode for a part, without augmentation."""
    device = networks.device()
    outputs = torch.zeros(len(part.labels), classes, device=device)
    at_once = BATCH if device.type == "cpu" else photos_on_gpu(part.squares.preprocessing.shape)
    batches = distributed.shard(torch.arange(len(part.labels))).split(at_once)
    seen = read_ahead(lambda rows: part.squares.centre(rows.tolist()), batches, device)
    for rows, images in zip(batches, seen, strict=True):
        each_batch()
        outputs[rows] = torch.from_numpy(networks.forward(network, images)).to(outputs)
    return distributed.all_reduce_sum(outputs).cpu()


def start_from_svm(
    workspace: Workspace,
    network: Classifier,
    parts: tuple[Part, ...],
    config: Config,
    progress: Progress,
    extra: ExtraPhotos | None = None,
) -> list[torch.Tensor]:
    """Make the baseline's SVM the last layer.

    Parameters
    ----------
    workspace, config
        Whose SVM: that of the config's backbone, preprocessing and remedy for imbalance, with the best C.
    network
        The classifier that gets it.
    parts
        Photos to classify with it.
    progress
        Called while features are computed.
    extra
        Photos that the SVM is trained on besides.

    Returns
    -------
    list of torch.Tensor
        The logits (n, classes) of each part, from the features that the SVM was fitted on.
    """
    explorer = SvmExplorer(workspace, FeatureSpec.of(config), progress, config.objective, config.imbalance, extra)
    network.start_from(explorer.svm(explorer.best_C()))
    network.eval()
    rows = pd.Series(range(len(explorer.photos)), index=explorer.photos["path"])
    logits = []
    for part in parts:
        matrix = torch.from_numpy(explorer.features.matrix[rows[part.photos["path"]].to_numpy()])
        with torch.inference_mode():
            logits.append(network.classify(matrix.to(network.last.weight.device)).cpu())
    return logits
