"""The training loop, whatever is trained: what is to be trained is a Task, which makes a Trainer."""

import contextlib
import math
import time
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import nn

from cvtune_nb.errors import Beaten, InputError, Stopped
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import memory
from cvtune_nb.parameters import TrainingConfig
from cvtune_nb.runs import checkpoint, distributed, lock
from cvtune_nb.runs.descent import finite, ran_away, read_every
from cvtune_nb.runs.distributed import StopTogether
from cvtune_nb.runs.optimizer import set_learning_rate
from cvtune_nb.runs.reading import read_ahead
from cvtune_nb.runs.store import RESUMABLE, RunStore, StoredRun, locked
from cvtune_nb.runs.weight_average import WeightAverage

C = TypeVar("C", bound=TrainingConfig)
R = TypeVar("R", bound=StoredRun)
Rows = TypeVar("Rows", bound=Sized)
Batch = TypeVar("Batch")
OnEpoch = Callable[[R], None]
"""Called with the run after every epoch; it may raise Stopped."""
NewFolder = Callable[[], Path]
Measured = tuple[dict[str, float], pd.DataFrame]
"""Columns of the history, and what the network says of the validation photos."""


class Trainer(Protocol[Rows, Batch]):
    """A network in training: what the loop asks of it."""

    @property
    def network(self) -> nn.Module:
        """The network itself."""
        ...

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """What moves its weights."""
        ...

    @property
    def scaler(self) -> torch.amp.GradScaler:
        """What scales its losses (descent.scaler_for)."""
        ...

    def start(self, progress: Progress) -> Measured | None:
        """Give the network the weights it starts with, before the first epoch of a new run.

        What is measured then becomes epoch 0; None: nothing is.
        """
        ...

    def batches(self, epoch: int) -> Sequence[Rows]:
        """The rows of each minibatch of an epoch, in a new order."""
        ...

    def read(self, rows: Rows) -> Batch:
        """The minibatch of these rows. Called in a thread of its own, in the order of the minibatches."""
        ...

    def learning_rate(self, done: float, steps: int) -> float:
        """The learning rate after `done` epochs of so many steps."""
        ...

    def step(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Train the network on one minibatch; returns the loss before the step, as descent.descend does.

        `network` is self.network as all processes train it. The minibatch is on its device, arrays as tensors.
        """
        ...

    def measure(self, progress: Progress) -> Measured:
        """How good the network is after an epoch."""
        ...


@dataclass(frozen=True)
class Task(Generic[C, R]):
    """Something to train.

    Attributes
    ----------
    store
        Where its runs are.
    data, data_id
        What must not have changed when a run is resumed ("photos or labels"), and a short name for exactly these.
    config
        The parameters of a new run; None where there is none to begin.
    new_run
        Writes a new run of these into the folder that its third argument makes, and locks.
    trainer
        Makes the run's Trainer: data, network and optimizer, the same for the same run.
    calibrate
        Corrects later cost estimates by what the run took.
    """

    store: RunStore[C, R]
    data: str
    data_id: str
    config: C | None
    new_run: Callable[[C, Progress, NewFolder], R]
    trainer: Callable[[R, Progress], Trainer]
    calibrate: Callable[[R], None]


@memory.retain_freed_memory()
def fit(
    task: Task[Any, R],
    run: str | None = None,
    on_epoch: OnEpoch[R] | None = None,
    progress: Progress = silent,
    patience: float = lock.PATIENCE,
) -> R:
    """Train a new run, or go on with an unfinished one from its last whole epoch.

    Whatever ends it, the best epoch so far is in best.safetensors. Out of memory, minibatch and learning rate are
    halved together and the run goes on from its last whole epoch. Started by torchrun, all processes train the one run,
    and rank 0 holds its lock.

    Parameters
    ----------
    task
        What is trained.
    run
        The id of a run to go on with; None: a new one.
    on_epoch
        Called with the run after every epoch. Stopped, raised in it or in `progress`, ends training and keeps what
        whole epochs have learned; before there is a run to keep, it passes through.
    progress
        Called at every minibatch.
    patience
        Seconds for which the lock of a run that is resumed is tried.

    Raises
    ------
    InputError
        The run can't be resumed, or memory has run out with a minibatch of one photo.
    lock.Held
        Another program trains the run.
    """
    with distributed.process_group(), contextlib.ExitStack() as stack:
        together = StopTogether(progress)
        current = _begun_or_resumed(task, run, together, stack, patience)
        if current.state not in RESUMABLE:
            return current
        while True:
            try:
                current = _train(task, current, on_epoch or (lambda _: None), together)
                break
            except (MemoryError, RuntimeError, OSError) as error:
                if not memory.ran_out(error):
                    raise
                current = _halved(task.store, current)
            memory.release()  # out here, where the error, and with it all that was computed, is gone
        if distributed.rank() == 0:
            current.save()
            task.calibrate(current)
        return current


def _begun_or_resumed(
    task: Task[Any, R], name: str | None, progress: Progress, stack: contextlib.ExitStack, patience: float
) -> R:
    """The run to train: rank 0 begins it or takes it up, and holds its lock until `stack` is closed."""
    run = None
    if distributed.rank() == 0:
        with distributed.single():  # the speed may be measured by steps of training; the others wait for the run's name
            run = _resumed(task, name, stack, patience) if name else _begun(task, progress, stack)
    name = distributed.broadcast(run.id if run else "")
    return run or task.store.on_disk(name)


def _begun(task: Task[Any, R], progress: Progress, stack: contextlib.ExitStack) -> R:
    def new_folder() -> Path:
        folder = task.store.new_folder(task.config)
        stack.enter_context(locked(folder))  # before the run is written: nobody finds a new one that looks abandoned
        return folder

    if task.config is None:
        raise InputError("give the parameters of a new run, or the id of the one to go on with")
    return task.new_run(task.config, progress, new_folder)


def _resumed(task: Task[Any, R], name: str, stack: contextlib.ExitStack, patience: float) -> R:
    run = task.store.on_disk(name)
    if run.state in RESUMABLE:
        stack.enter_context(locked(run.folder, patience))
        run = task.store.on_disk(name)  # as whoever had the lock until now has left it
    if run.state in RESUMABLE and run.data_id != task.data_id:
        raise InputError(f"{task.data} have changed since run {run.id} began: start a new run instead of resuming")
    return run


def halve(run: R) -> R:
    """The run as it goes on from its last whole epoch once memory has run out.

    Minibatch and learning rate are halved together, which is written down in its folder. `run` is as it is on disk.
    Raises InputError for a minibatch of one photo.
    """
    config = run.config.halved()
    change = f"out of memory: minibatch {config.batch_size}, learning rate {config.learning_rate:g} from here"
    run = replace(run, config=config, changes=[*run.changes, change])
    run.save()
    return run


def _halved(store: RunStore[Any, R], run: R) -> R:
    run = halve(replace(store.on_disk(run.id), config=run.config, changes=run.changes))
    change = run.changes[-1]
    if distributed.world_size() > 1:  # the others are in the middle of a step, and wait for this process
        raise InputError(f"{change}: go on with --resume {run.id}")
    return run


def _train(task: Task[Any, R], run: R, on_epoch: OnEpoch[R], progress: StopTogether) -> R:
    """The epochs that are left of a run. Rank 0 writes them down."""
    config, clock = run.config, time.perf_counter()
    try:
        with distributed.rank_zero_first():
            trainer = task.trainer(run, progress)
        if len(run.history):
            checkpoint.restore(run, trainer.network, trainer.optimizer, trainer.scaler)
        elif distributed.rank() == 0 and (measured := trainer.start(progress)):
            seconds, clock = time.perf_counter() - clock, time.perf_counter()
            run = _keep(run, trainer, {"epoch": 0, "learning_rate": 0.0, "seconds": seconds}, measured)
            on_epoch(run)
        network = distributed.wrap_ddp(trainer.network)
        average = WeightAverage(trainer.network, config.ema)
        if len(run.history):
            checkpoint.restore_average(run, average)
        for epoch in range(int(run.history["epoch"].max()) + 1 if len(run.history) else 1, config.epochs + 1):
            losses = _epoch(trainer, network, average, config, epoch, progress)
            if not all(map(math.isfinite, losses)) or ran_away(trainer.scaler):
                return replace(run, state="diverged")
            with average.in_place():
                measured = trainer.measure(_measuring(progress, epoch, config.epochs))
            seconds, clock = time.perf_counter() - clock, time.perf_counter()
            if not all(map(math.isfinite, measured[0].values())):  # the epoch's last step ran away
                return replace(run, state="diverged")
            if distributed.rank() == 0:
                row = {"epoch": epoch, "learning_rate": config.rates[epoch - 1], "loss": float(np.mean(losses))}
                row["seconds"] = seconds
                run = _keep(run, trainer, row, measured, average)
                on_epoch(run)
    except Beaten:
        return replace(run, state="beaten")
    except Stopped:
        return replace(run, state="stopped")
    return replace(run, state="done")


def _epoch(
    trainer: Trainer,
    network: nn.Module,
    average: WeightAverage,
    config: TrainingConfig,
    epoch: int,
    progress: StopTogether,
) -> list[float]:
    """Train for an epoch; returns the loss of each step, of which not all are finite where training diverged."""
    torch.manual_seed(config.seed * 1_000 + epoch)  # drawn anew every epoch: a resumed run repeats it exactly
    train_mode(trainer.network)
    batches = [rows for rows in trainer.batches(epoch) if len(rows) >= distributed.world_size()]
    if rank := distributed.rank():
        torch.manual_seed(config.seed * 1_000 + epoch + rank * 1_000_000_007)  # other crops in each process
    losses, device = [], next(trainer.network.parameters()).device
    every = read_every(device)
    for number, batch in enumerate(read_ahead(trainer.read, map(distributed.shard, batches), device)):
        share = (epoch - 1 + 0.8 * number / len(batches)) / config.epochs
        progress.each_minibatch(share, f"epoch {epoch} of {config.epochs}")
        rate = trainer.learning_rate(epoch - 1 + number / len(batches), len(batches))
        set_learning_rate(trainer.optimizer, rate)
        losses.append(trainer.step(network, batch))
        if len(losses) % every == 0 and not finite(losses[-every:]):
            break
        average.update()
    return torch.stack(losses).tolist() if losses else []


def _measuring(progress: Progress, epoch: int, epochs: int) -> Progress:
    """The progress of measuring, as the last fifth of an epoch."""
    return lambda share, words: progress((epoch - 0.2 + 0.2 * share) / epochs, f"epoch {epoch} of {epochs}: {words}")


def _keep(
    run: R, trainer: Trainer, row: dict[str, float], measured: Measured, average: WeightAverage | None = None
) -> R:
    """Write down an epoch: its row of the history, the outputs of the best one, and the checkpoint."""
    columns, outputs = measured
    rows = [*run.history.to_dict("records"), {**row, **columns}]  # of which HISTORY is kept
    run = replace(run, history=pd.DataFrame(rows, columns=run.history.columns).astype({"epoch": int}))
    if run.best_epoch == row["epoch"]:
        run.keep_outputs(outputs)
    # what counts: killed before, the epoch is done again
    checkpoint.save(run, trainer.network, trainer.optimizer, average, trainer.scaler)
    run.save()
    return run


def train_mode(network: nn.Module) -> None:
    """Training mode, but batch norms keep the statistics of pretraining: a few photos give no better ones."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
