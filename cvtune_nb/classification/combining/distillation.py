"""Distillation: one network learns to answer as a combination does, and costs what one network costs.

The combination is the teacher: its probabilities, softened by a temperature, are what the student is trained to say,
beside the labels (Hinton and others 2015, "Distilling the knowledge in a neural network"). Both look at the same
augmented photos (Beyer and others 2022, "Knowledge distillation: a good teacher is patient and consistent"), so the
teacher is asked anew in every step. Unlabelled photos teach, too. How much of the gain that keeps:
docs/measurements.md, "Distillation of a combination".
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import torch
from torch import nn
from torch.nn.functional import kl_div

from cvtune_nb.augmentation.geometry import beside
from cvtune_nb.augmentation.minibatch import augmented
from cvtune_nb.augmentation.mixing import mixed
from cvtune_nb.classification import Run, cost, load_run
from cvtune_nb.classification.combining.combination import COMBINATION, Stored, load_combination
from cvtune_nb.classification.combining.network import Resized
from cvtune_nb.classification.exportable import candidate
from cvtune_nb.classification.features import shown_in
from cvtune_nb.classification.model import load_best
from cvtune_nb.classification.parent import digest
from cvtune_nb.classification.run import MEASURED_TRAIN_PHOTOS, new_run, run_store
from cvtune_nb.classification.train import ClassifierTrainer, Part, WeightedBatch, fit
from cvtune_nb.data.pixels import pixels
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_csv, sha256_of, silent, write_csv
from cvtune_nb.models import networks
from cvtune_nb.models.recipes import recommended
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.runs import lock
from cvtune_nb.runs.descent import descend
from cvtune_nb.runs.fitting import Measured, OnEpoch
from cvtune_nb.runs.provenance import COLUMNS
from cvtune_nb.workspace import Workspace, photos_id

SOFTENING = 2.0
"""Temperature of teacher and student beyond that of calibration."""
TEACHER = 0.9
"""What the teacher counts, and the labels the rest (Hinton and others: "considerably lower weight" for labels)."""
EPOCHS = 2
"""Times the epochs of the run that the student takes its parameters from: a teacher is patient."""
LOCK = "distillation.lock"
"""The file beside a combination that is locked while a run is looked for or made: of two processes that distil it at
once, the second finds the run of the first."""
UNLABELLED = "unlabelled.csv"
"""The file in a run's folder that lists the photos without labels: path, sha256."""


def student(workspace: Workspace, stored: Stored) -> tuple[Config, str]:
    """The parameters of a student, and the run whose best epoch it starts from, "" for none.

    Those of the best single classifier; where that is the SVM, of the heaviest run in the combination; where there is
    none, as recommended for the SVM's network.
    """
    made_of = [stored.combination.single, *stored.combination.members["network"]]
    known = set(run_store(workspace).ids())
    start = next((name for name in made_of if name in known), "")
    if start:
        config = load_run(workspace, start).config
        epochs = EPOCHS * max(1, config.epochs)  # of whole photos, from the run itself
        plain = {"schedule": "", "progressive": 0.0, "parent": "", "loss": PARAMETERS["loss"].default, "projection": 0}
        return replace(config, epochs=epochs, **plain), start
    network = {name: stored.network[name] for name in ("backbone", "image_size", "framing", "aspect", "pooling")}
    return recommended(**network), ""


def distil(
    workspace: Workspace,
    name: str = COMBINATION,
    unlabelled: pd.DataFrame | None = None,
    config: Config | None = None,
    progress: Progress = silent,
    on_epoch: OnEpoch[Run] | None = None,
) -> Run:
    """Train one network with a combination as its teacher; the same call again goes on with a run that was stopped.

    Parameters
    ----------
    workspace
        Where the combination is.
    name
        Its id; COMBINATION: the last one.
    unlabelled
        Photos without labels that the student learns from, too: path (absolute), sha256. None of them may be a copy of
        one that is measured on (self_training.pool finds those).
    config
        The student's parameters; None: as `student` has them.
    progress, on_epoch
        As in runs.fitting.fit.

    Returns
    -------
    Run
        A usual run, with `beside` saying what its teacher was.

    Raises
    ------
    InputError
        There is no such combination, it is of earlier photos, or as classification.fit.
    lock.Held
        Another process begins to distil it, or trains the same run.
    """
    stored = load_combination(workspace, name)
    if stored.provenance.id != photos_id(workspace.photos()):
        raise InputError(
            f"{stored.id} was made of classifiers of earlier photos or labels, which may have seen what is validation "
            "now: combine again, then distil"
        )
    usual, start = student(workspace, stored)
    config = config or usual
    if start and not _same_network(load_run(workspace, start).config, config):
        start = ""
    beside = {"teacher": stored.id, "weights": sha256_of(stored.weights)[:16], "start": start, "unlabelled": 0}
    if start:
        beside["start_weights"] = digest(load_run(workspace, start))
    if unlabelled is not None:
        listed = "\n".join(sorted(unlabelled["sha256"]))
        beside |= {"unlabelled": len(unlabelled), "photos": hashlib.sha256(listed.encode()).hexdigest()[:16]}
    way_out = "start this one again when that is training: the same distillation then goes on as one run"
    with lock.holding(stored.folder / LOCK, f"beginning to distil {stored.id}", way_out):
        run = _earlier(workspace, config, beside)
        run = run or _new(workspace, stored, config, beside, unlabelled, progress)
    return fit(workspace, run=run.id, on_epoch=on_epoch, progress=progress)


def distillation_seconds(
    workspace: Workspace, name: str = COMBINATION, progress: Progress = silent, unlabelled: int = 0
) -> float:
    """What `distil` takes: as a run of its own, and the teacher's answers in every epoch.

    Parameters
    ----------
    workspace, name, progress
        As for `distil`.
    unlabelled
        How many photos without labels there are.
    """
    stored = load_combination(workspace, name)
    config, _ = student(workspace, stored)
    photos = int((workspace.photos()["split"] == "train").sum()) + unlabelled
    asked = config.epochs * photos * stored.combination.milliseconds / 1000
    return cost.predict_cost(workspace, config, progress, unlabelled).seconds + asked


def _same_network(one: Config, other: Config) -> bool:
    fields = ("backbone", "weights", "pooling", "image_size", "framing", "aspect", "head")
    return all(getattr(one, name) == getattr(other, name) for name in fields)


def _earlier(workspace: Workspace, config: Config, beside: dict[str, object]) -> Run | None:
    """The same distillation on today's photos, done or not; None where there is none."""
    today, store = photos_id(workspace.photos()), run_store(workspace)
    runs = [store.on_disk(name) for name in store.ids()]
    same = [run for run in runs if run.beside == beside and run.config == config and run.data_id == today]
    return same[-1] if same else None


def _new(
    workspace: Workspace,
    stored: Stored,
    config: Config,
    beside: dict[str, object],
    unlabelled: pd.DataFrame | None,
    progress: Progress,
) -> Run:
    """Written last: until then there is no run, only lists of what it will learn from."""
    photos = workspace.photos()
    counts = photos["split"].value_counts()
    measured = min(MEASURED_TRAIN_PHOTOS, int(counts["train"])), int(counts["validation"])
    more = 0 if unlabelled is None else len(unlabelled)
    seconds = distillation_seconds(workspace, stored.id, progress, more)
    origin = networks.origin(config.backbone, shown_in(config).size, config.weights, progress)
    folder, seen = run_store(workspace).new_folder(config), [stored.provenance.listed()[COLUMNS]]
    if unlabelled is not None:
        write_csv(folder / UNLABELLED, unlabelled[["path", "sha256"]])
        seen.append(unlabelled.assign(group=unlabelled["sha256"].str[:16], label="", split="train")[COLUMNS])
    return new_run(workspace, config, photos, measured, seconds, folder, origin, beside, seen=pd.concat(seen))


class DistillationTrainer(ClassifierTrainer):
    """A classifier that learns from a combination (runs.fitting.Trainer)."""

    def __init__(self, workspace: Workspace, photos: pd.DataFrame, run: Run, progress: Progress):
        super().__init__(workspace, photos, run, progress)
        teacher = candidate(workspace, str(run.beside["teacher"]), progress)
        if teacher.classes != run.classes:
            raise InputError(f"{teacher.id} knows other classes than there are now: combine again, then distil")
        self.start_run = str(run.beside.get("start", ""))
        self.teacher = teacher.network.to(networks.device()).eval().requires_grad_(False)
        own = shown_in(run.config)
        self.shown = max(own, teacher.shown, key=lambda shown: shown.shape)
        self.for_student, self.for_teacher = (
            Resized(self.shown.shape, shown.shape).to(networks.device()) for shown in (own, teacher.shown)
        )
        rows, labels = self.train.photos, self.train.labels
        self.labelled = len(labels)
        file = run.folder / UNLABELLED
        if file.exists():
            others = read_csv(file, path=str, sha256=str)
            rows = pd.concat([rows, others], ignore_index=True)
            labels = torch.cat([labels, torch.full((len(others),), -1)])
        self.train = Part(pixels(workspace, rows, self.shown, progress), labels, rows)

    def start(self, progress: Progress) -> Measured | None:
        """The best epoch of the run that it starts from, else as any run."""
        if not self.start_run:
            return super().start(progress)
        self.network.load_state_dict(load_best(load_run(self.workspace, self.start_run)).state_dict())
        return self.measure(progress)

    def batches(self, epoch: int) -> Sequence[torch.Tensor]:  # noqa: ARG002 - torch's generator is seeded by it
        """All photos in a new order, those without labels among the others."""
        labelled = self.balance.order(self.train.labels[: self.labelled], self.config.counted_loss)
        others = self.labelled + torch.randperm(len(self.train.labels) - self.labelled)
        rows = torch.cat([labelled, others])
        return (rows[torch.randperm(len(rows))] if len(others) else rows).split(self.config.batch_size)

    def step(self, network: nn.Module, batch: WeightedBatch) -> torch.Tensor:
        """One step towards what the teacher says of the same augmented photos, and towards the labels."""
        squares, labels = batch[0], batch[1]
        weights = next(network.parameters())
        images = augmented(beside(squares, weights), self.shown.shape, self.config.policies)
        mixture = mixed(images, self.config.policies)
        images = mixture.photos if mixture else images
        with torch.no_grad(), networks.mixed_precision(weights.device):
            taught = self.teacher(self.for_teacher(images)).float()
        with networks.mixed_precision(weights.device, self.config.precision):
            logits = network(self.for_student(images)).float()
        loss, known = softened(logits, taught), labels >= 0
        if self.labelled == len(self.train.labels) or known.all():
            loss = TEACHER * loss + (1 - TEACHER) * self.balance.loss(logits, labels, mixture)
        elif known.any() and not mixture:  # mixed photos have parts of labels that nobody knows
            own = self.balance.loss(logits[known.to(logits.device)], labels[known])
            loss = TEACHER * loss + (1 - TEACHER) * own * float(known.float().mean())
        return descend(network, self.optimizer, loss, len(labels), self.config.clip_norm, self.scaler)


def softened(logits: torch.Tensor, taught: torch.Tensor, softening: float = SOFTENING) -> torch.Tensor:
    """The Kullback-Leibler divergence of the student's softened probabilities from the teacher's.

    Times the softening squared, so that its gradient is as large as that of labels (Hinton and others 2015).

    Parameters
    ----------
    logits, taught
        Of student and teacher, (n, classes).
    softening
        What both are divided by.
    """
    mine, theirs = (each.div(softening).log_softmax(dim=1) for each in (logits, taught))
    return softening**2 * kl_div(mine, theirs, reduction="batchmean", log_target=True)
