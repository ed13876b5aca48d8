"""The training loop, on one screen."""

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from cvtune_nb.classification.augmentation import augmented
from cvtune_nb.classification.cost import learn, predict_cost
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.losses import order, similarity_loss
from cvtune_nb.classification.model import Classifier, build
from cvtune_nb.classification.run import (
    MEASURED_TRAIN_PHOTOS,
    RESUMABLE,
    Run,
    new_folder,
    new_run,
    on_disk,
    training_it,
)
from cvtune_nb.classification.svm import SvmExplorer
from cvtune_nb.data.pixels import Pixels, pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.data.split import require_learnable
from cvtune_nb.errors import Beaten, InputError, Stopped
from cvtune_nb.files import Progress, silent, write_csv
from cvtune_nb.models import memory
from cvtune_nb.models.inference import quick
from cvtune_nb.models.networks import device, forward, half
from cvtune_nb.parameters import Config
from cvtune_nb.runs import checkpoint, distributed, lock
from cvtune_nb.runs.optimizer import optimizer_for
from cvtune_nb.workspace import Workspace, photos_id

WARM_UP = 20
"""Steps over which the learning rate rises from nothing, so that the start from the SVM is not lost (KNOWHOW)."""
SMOOTHING = 0.1
"""Label smoothing of the training loss (Szegedy and others 2016); reported losses are without it."""
OnEpoch = Callable[[Run], None]


@dataclass(frozen=True)
class Part:
    """Photos of one split as the network sees them, and the numbers of their classes."""

    squares: Pixels
    labels: torch.Tensor
    photos: pd.DataFrame

    def some(self, most: int, seed: int) -> "Part":
        """At most `most` of the photos, drawn by the seed."""
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self.labels))[:most])
        return Part(self.squares.take(chosen), self.labels[chosen], self.photos.iloc[chosen])


@memory.kept()
def fit(
    workspace: Workspace,
    config: Config | None = None,
    run: str | None = None,
    on_epoch: OnEpoch | None = None,
    progress: Progress = silent,
    patience: float = lock.PATIENCE,
) -> Run:
    """Train a new run with `config`, or go on with the unfinished run called `run` from its last whole epoch.

    on_epoch is called with the Run after every epoch; raising Stopped in it or in `progress` ends training and keeps
    what whole epochs have learned (before there is a run to keep, it passes through). Whatever ends it, the best epoch
    so far is in best.safetensors. Out of memory, the minibatch and learning rate are halved together and the run goes
    on. Started by torchrun, all its processes train the one run (runs.distributed), and the first one holds the lock
    that tells other programs that it is being trained. patience: seconds for which that lock is tried. Raises
    InputError, and lock.Held when another program trains the run.
    """
    with distributed.joined(), contextlib.ExitStack() as locked:
        progress = distributed.InStep(progress)
        photos = workspace.photos()
        require_learnable(photos)
        current = _begun_or_resumed(workspace, config, run, photos, progress, locked, patience)
        if current.state not in RESUMABLE:
            return current
        while True:
            try:
                current = _train(workspace, current, photos, on_epoch or (lambda _: None), progress)
                break
            except (MemoryError, RuntimeError, OSError) as error:
                if not memory.ran_out(error):
                    raise
                current = _smaller(workspace, current)
        if distributed.rank() == 0:
            current.save()
            learn(workspace, current)
        return current


def _smaller(workspace: Workspace, run: Run) -> Run:
    """The run as it goes on from its last whole epoch once memory has run out."""
    config = run.config.halved()
    change = f"out of memory: minibatch {config.batch_size}, learning rate {config.learning_rate:g} from here"
    run = replace(on_disk(workspace, run.id), config=config, changes=[*run.changes, change])
    run.save()
    if distributed.count() > 1:  # the others are in the middle of a step, and wait for this process
        raise InputError(f"{change}: go on with --resume {run.id}")
    return run


def _begun_or_resumed(
    workspace: Workspace,
    config: Config | None,
    run: str | None,
    photos: pd.DataFrame,
    progress: Progress,
    locked: contextlib.ExitStack,
    patience: float,
) -> Run:
    """The run to train: among several processes the first one's, which holds its lock."""
    current = None
    if distributed.rank() == 0:
        if run:
            current = _resumed(workspace, run, photos, locked, patience)
        else:
            current = _begun(workspace, config, photos, progress, locked)
    name = distributed.agreed(current.id if current else "")
    return current or on_disk(workspace, name)


def _begun(
    workspace: Workspace, config: Config, photos: pd.DataFrame, progress: Progress, locked: contextlib.ExitStack
) -> Run:
    predicted = predict_cost(workspace, config, progress).seconds
    counts = (
        min(MEASURED_TRAIN_PHOTOS, int((photos["split"] == "train").sum())),
        int((photos["split"] == "validation").sum()),
    )
    folder = new_folder(workspace, config)
    locked.enter_context(training_it(folder))  # before it is written: nobody finds a new run that looks abandoned
    return new_run(workspace, config, photos, counts, predicted, folder)


def _resumed(
    workspace: Workspace, name: str, photos: pd.DataFrame, locked: contextlib.ExitStack, patience: float
) -> Run:
    run = on_disk(workspace, name)
    if run.state in RESUMABLE:
        locked.enter_context(training_it(run.folder, patience))
        run = on_disk(workspace, name)  # as whoever had the lock until now has left it
    if run.state in RESUMABLE and run.photos != photos_id(photos):
        raise InputError(f"photos or labels have changed since run {run.id} began: start a new run instead of resuming")
    return run


def _train(
    workspace: Workspace, run: Run, photos: pd.DataFrame, on_epoch: OnEpoch, progress: distributed.InStep
) -> Run:
    config, where, clock = run.config, device(), time.perf_counter()
    try:
        with distributed.first_alone():
            train, validation = (
                part_of(photos, split, workspace, Preprocessing.of(config), progress)
                for split in ("train", "validation")
            )
        measured = train.some(MEASURED_TRAIN_PHOTOS, config.seed)
        network = build(config, run.classes).to(where)
        optimizer = optimizer_for(network, config)
        if len(run.history):
            checkpoint.restore(run, network, optimizer)
        elif config.head == "svm" and distributed.rank() == 0:
            logits = start_from_svm(workspace, network, (measured, validation), config, progress)
            row = {"epoch": 0, "learning_rate": 0.0, **_scores(logits, measured, validation)}
            row["seconds"], clock = time.perf_counter() - clock, time.perf_counter()
            run = _keep(run, network, optimizer, row, validation, logits[1])
            on_epoch(run)
        trained = distributed.together(network)

        for epoch in range(1 + (int(run.history["epoch"].max()) if len(run.history) else 0), config.epochs + 1):
            torch.manual_seed(config.seed * 1_000 + epoch)  # drawn anew every epoch: a resumed run repeats it exactly
            network.train()
            batches = order(train.labels, config.loss).split(config.batch_size)
            batches = [batch for batch in batches if len(batch) >= distributed.count()]
            if distributed.rank():
                torch.manual_seed(config.seed * 1_000 + epoch + distributed.rank() * 1_000_000_007)  # other crops
            for number, (batch, squares) in enumerate(read_ahead(train, batches)):
                share = (epoch - 1 + 0.8 * number / len(batches)) / config.epochs
                progress.each_minibatch(share, f"epoch {epoch} of {config.epochs}")
                warm = min(1.0, ((epoch - 1) * len(batches) + number + 1) / WARM_UP)
                for group in optimizer.param_groups:
                    group["lr"] = warm * config.rate(epoch - 1 + number / len(batches))
                if not math.isfinite(step(trained, optimizer, squares, train.labels[batch], config)):
                    return replace(run, state="diverged")
            share, words = (epoch - 0.1) / config.epochs, f"epoch {epoch} of {config.epochs}: measuring"
            network.eval()
            seeing = quick(network, measured.squares.centre([0]), len(measured.labels) + len(validation.labels))
            logits = [_logits(seeing, part, partial(progress, share, words)) for part in (measured, validation)]
            row = {"epoch": epoch, "learning_rate": config.rates[epoch - 1], **_scores(logits, measured, validation)}
            row["seconds"], clock = time.perf_counter() - clock, time.perf_counter()
            if not all(math.isfinite(value) for value in row.values()):  # the epoch's last step ran away
                return replace(run, state="diverged")
            if distributed.rank() == 0:
                run = _keep(run, network, optimizer, row, validation, logits[1])
                on_epoch(run)
    except Beaten:
        return replace(run, state="beaten")
    except Stopped:
        return replace(run, state="stopped")
    return replace(run, state="done")


def read_ahead(part: Part, batches: Iterable[torch.Tensor]) -> Iterator[tuple[torch.Tensor, np.ndarray]]:
    """(places, squares) of this process's share of each minibatch; the next is read while one is used."""

    def read(batch: torch.Tensor) -> tuple[torch.Tensor, np.ndarray]:
        own = distributed.share(batch)
        return own, part.squares[own.tolist()]

    with ThreadPoolExecutor(1) as pool:
        coming = deque()
        for batch in batches:
            coming.append(pool.submit(read, batch))
            if len(coming) > 1:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def step(
    network: nn.Module, optimizer: torch.optim.Optimizer, squares: np.ndarray, labels: torch.Tensor, config: Config
) -> float:
    """Train on one minibatch: this process's share of it as uint8 (n, side, side, 3), and its classes (n). Returns the
    loss before the step; where that is not finite no step is made."""
    where = next(network.parameters()).device
    images = augmented(torch.from_numpy(squares).to(where), config)
    with half(where):
        logits, features = network(images, with_features=True)
    loss = cross_entropy(logits.float(), labels.to(where), label_smoothing=SMOOTHING)
    if similar := similarity_loss(config.loss):  # of several processes each compares the photos of its own share
        loss = loss + similar(normalize(features.float()), labels.to(where))
    whole = distributed.added(torch.tensor([len(labels), len(labels) * loss.item()], dtype=torch.float64, device=where))
    photos, total = whole.tolist()
    if not math.isfinite(total):
        return total
    optimizer.zero_grad()
    # the mean over the minibatch, whatever its parts: gradients of several processes are averaged
    (loss * (len(labels) * distributed.count() / photos)).backward()
    optimizer.step()
    return total / photos


def part_of(
    photos: pd.DataFrame, split: str, workspace: Workspace, preprocessing: Preprocessing, progress: Progress
) -> Part:
    """The photos of one split; classes are numbered in the order of their names."""
    rows = photos[photos["split"] == split].reset_index(drop=True)
    numbers = {label: number for number, label in enumerate(sorted(photos["label"].unique()))}
    labels = torch.tensor([numbers[label] for label in rows["label"]])
    return Part(pixels(workspace, rows, preprocessing, progress), labels, rows)


def _logits(network: Classifier, part: Part, each_batch: Callable[[], None]) -> torch.Tensor:
    """The output of the network, which is in eval mode, for a part, without augmentation."""
    where = network.last.weight.device
    outputs = torch.zeros(len(part.labels), network.last.out_features, device=where)
    for batch in distributed.share(torch.arange(len(part.labels))).split(32):
        each_batch()
        outputs[batch] = torch.from_numpy(forward(network, part.squares.centre(batch.tolist()))).to(where)
    return distributed.added(outputs).cpu()


def start_from_svm(
    workspace: Workspace, network: Classifier, parts: tuple[Part, ...], config: Config, progress: Progress
) -> list[torch.Tensor]:
    """Make the baseline's SVM the last layer; the logits of the parts follow from the features it was fitted on."""
    explorer = SvmExplorer(workspace, FeatureSpec.of(config), progress)
    network.start_from(explorer.svm(explorer.best_C()))
    network.eval()
    rows = pd.Series(range(len(explorer.photos)), index=explorer.photos["path"])
    logits = []
    for part in parts:
        matrix = torch.from_numpy(explorer.features.matrix[rows[part.photos["path"]].to_numpy()])
        with torch.inference_mode():
            logits.append(network.classify(matrix.to(network.last.weight.device)).cpu())
    return logits


def _scores(logits: list[torch.Tensor], *parts: Part) -> dict[str, float]:
    scores = {}
    for name, output, part in zip(("train", "validation"), logits, parts, strict=True):
        scores[f"{name}_accuracy"] = float((output.argmax(1) == part.labels).double().mean())
        scores[f"{name}_loss"] = float(cross_entropy(output, part.labels))
    return scores


def _keep(
    run: Run,
    network: Classifier,
    optimizer: torch.optim.Optimizer,
    row: dict[str, float],
    validation: Part,
    logits: torch.Tensor,
) -> Run:
    rows = [*run.history.to_dict("records"), row]
    run = replace(run, history=pd.DataFrame(rows, columns=run.history.columns).astype({"epoch": int}))
    if run.best_epoch == row["epoch"]:
        chances, numbers = logits.softmax(1).max(1)
        predicted = validation.photos[["path", "label"]].assign(
            predicted=[run.classes[number] for number in numbers], probability=chances.numpy()
        )
        write_csv(run.folder / "predictions.csv", predicted)
    checkpoint.save(run, network, optimizer)  # last, as it is what counts: killed before, the epoch is done again
    run.save()
    return run
