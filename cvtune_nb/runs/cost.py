"""What a run will cost in time and memory, estimated before it starts.

From a few steps tried on this machine, and from what runs of the same kind really took.
"""

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pandas as pd
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from cvtune_nb.console import duration
from cvtune_nb.data.pixels import room
from cvtune_nb.data.rows import RowStore
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_json, write_json
from cvtune_nb.models import memory, networks
from cvtune_nb.models.downloads import Download
from cvtune_nb.parameters import TrainingConfig
from cvtune_nb.runs.store import StoredRun
from cvtune_nb.workspace import Workspace

DECODE_SECONDS = 0.01
"""To decode and scale one photo that is not in the cache yet (docs/measurements.md, "Times that costs begin with")."""
C = TypeVar("C", bound=TrainingConfig)
PAST = 3
"""How many of the last runs show how far predictions are off."""


@dataclass(frozen=True)
class Cost:
    """What a run is expected to take.

    Attributes
    ----------
    seconds
        Time.
    megabytes, disk_megabytes
        Peak memory, and what it adds on disk.
    unkept
        Photos whose pixels the disk, or what the person allows for them, has no room for; they are decoded in every
        epoch.
    free_megabytes
        Memory that is free now.
    download
        Fetching the weights, where that has to be done; `seconds` has its time, too.
    """

    seconds: float
    megabytes: float
    disk_megabytes: float = 0.0
    unkept: int = 0
    free_megabytes: float = field(default=math.inf, compare=False)
    download: Download | None = None

    @property
    def words(self) -> str:
        """For example "about 6 min, 2.1 GB of memory, 0.5 GB of disk"."""
        words = f"about {duration(self.seconds)}, {self.megabytes / 1000:.1f} GB of memory, "
        words += f"{self.disk_megabytes / 1000:.1f} GB of disk"
        if self.download:
            words += f", with {self.download.words}"
        if self.unkept:
            words += f"; {self.unkept} photos are decoded in every epoch, for there is no room to keep their pixels"
        if self.megabytes > self.free_megabytes:
            words += f"; only {self.free_megabytes / 1000:.1f} GB are free: halve minibatch and learning rate together"
        return words


# -- how fast this machine is -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """A network, a step of training it and a forward pass as it is measured, both with so many photos."""

    network: nn.Module
    step: Callable[[], object]
    forward: Callable[[], object]
    photos: int


@dataclass(frozen=True)
class Speed:
    """The speed of one kind of training on this machine, as a file of the cache has it.

    Attributes
    ----------
    file
        One for all kinds of a task.
    kind
        What decides the speed: network, image size ... `key` adds the machine.
    """

    file: Path
    kind: str

    @property
    def key(self) -> str:
        """Its name in the file."""
        return f"{networks.device().type} x{torch.get_num_threads()} {self.kind}"

    def _known(self) -> dict[str, dict[str, float]]:
        known = read_json(self.file) if self.file.exists() else {}
        known.pop("format", None)
        return known

    def probe(self, config: TrainingConfig, make: Callable[[], Trial], progress: Progress) -> dict[str, float]:
        """What is known, measured where nothing is yet.

        Parameters
        ----------
        config
            What is measured, for messages.
        make
            Makes what is tried.
        progress
            Called when it is measured.

        Returns
        -------
        dict
            train_seconds and forward_seconds a photo; weight_bytes; activation_bytes, what the backward pass of a photo
            needs; and, once runs have ended, pace: how many times longer their epochs took.

        Raises
        ------
        InputError
            It does not fit into memory.
        """
        known = self._known()
        if self.key not in known:
            what = f"{config.network} at {config.image_size} pixels"
            progress(0.0, f"measuring the speed of {what} on this machine")
            known[self.key] = _measure(make(), what)
            write_json(self.file, known)
        return known[self.key]

    def calibrate(self, run: StoredRun, trained: int, measured: int) -> None:
        """Correct `pace` by what the run's epochs took.

        Half of the way with each run, since other work on the machine counts, too. A run without a whole epoch after
        its first teaches nothing: the first row of its history also holds the preparation.

        Parameters
        ----------
        run
            A run of this kind.
        trained, measured
            Photos that an epoch trains on, and that it is measured on.
        """
        took, known = run.history["seconds"].iloc[1:], self._known()
        if took.empty or self.key not in known:
            return
        probe = known[self.key]
        pace = float(took.median()) / max(epoch_seconds(probe, trained, measured), 1e-9)
        probe["pace"] = math.sqrt(probe["pace"] * pace) if "pace" in probe else pace
        write_json(self.file, known)


def _measure(trial: Trial, what: str) -> dict[str, float]:
    """Try a training step and a forward pass."""
    device, kept = next(trial.network.parameters()).device, {}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    weights = sum(parameter.numel() * parameter.element_size() for parameter in trial.network.parameters())
    try:
        with saved_tensors_hooks(count, lambda tensor: tensor):
            trial.step()
    except (MemoryError, RuntimeError) as error:
        if not memory.ran_out(error):
            raise
        raise InputError(
            f"{what} does not fit into memory with {trial.photos} photos at a time: choose a smaller minibatch, "
            "image_size or backbone"
        ) from None
    train = _fastest(trial.step) / trial.photos
    trial.network.eval()
    with torch.inference_mode(), networks.mixed_precision(device):
        forward = _fastest(trial.forward) / trial.photos
    return {
        "train_seconds": train,
        "forward_seconds": forward,
        "weight_bytes": weights,
        "activation_bytes": max(0, sum(kept.values()) - weights) / trial.photos,
    }


def _fastest(work: Callable[[], object]) -> float:
    """Seconds of the fastest of three calls."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)


# -- what a run will take ---------------------------------------------------------------------------------------


def epoch_seconds(probe: dict[str, float], trained: int, measured: int) -> float:
    """Seconds that an epoch takes, by a probe.

    Parameters
    ----------
    probe
        train_seconds and forward_seconds of a photo.
    trained, measured
        Photos that the epoch trains on, and that it is measured on.
    """
    return trained * probe["train_seconds"] + measured * probe["forward_seconds"]


def estimate(
    workspace: Workspace,
    config: TrainingConfig,
    probe: dict[str, float],
    epoch: float,
    photos: tuple[RowStore, list[str]],
    preparing: float = 0.0,
    copies: int = 4,
    download: Download | None = None,
) -> Cost:
    """The cost of a run, linear in its epochs.

    Parameters
    ----------
    workspace, config
        Where it runs, and its parameters.
    probe
        What Speed.probe says.
    epoch
        Seconds of an epoch once all photos are decoded.
    photos
        Where their pixels are kept, and the sha256 of all of them.
    preparing
        Seconds before the first epoch, besides decoding.
    copies
        Of the weights in memory: these, their gradients, what the optimizer keeps of each (AdamW: two), their average.
    download
        Fetching the weights, where that has to be done.
    """
    store, keys = photos
    missing = len(store.missing(keys))
    kept = min(missing, room(workspace, store))
    epoch += (missing - kept) * DECODE_SECONDS
    needed = memory_bytes(config, probe, copies)
    # on disk: the best weights, the last ones and what the optimizer keeps; one more while they are replaced
    disk = kept * store.row_bytes + (copies + 1) * probe["weight_bytes"]
    seconds = missing * DECODE_SECONDS + preparing + config.epochs * epoch
    if download:
        seconds, disk = seconds + download.seconds, disk + 1e6 * download.megabytes
    return Cost(seconds, needed / 1e6, disk / 1e6, missing - kept, free_bytes() / 1e6, download)


def memory_bytes(config: TrainingConfig, probe: dict[str, float], copies: int) -> float:
    """Memory that training needs; arguments as for `estimate`."""
    return copies * probe["weight_bytes"] + config.batch_size * probe["activation_bytes"]


def free_bytes() -> float:
    """Memory that is free where networks run."""
    device = networks.device()
    if device.type != "cuda":
        return memory.free_bytes()
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by PyTorch, for what comes next
    return torch.cuda.mem_get_info(device)[0] + kept


@dataclass(frozen=True)
class Total:
    """What runs take together.

    Attributes
    ----------
    seconds
        Time of those whose cost is known.
    possible, unknown
        How many can be run here, and how many of these have no known cost yet.
    """

    seconds: float
    possible: int
    unknown: int


def total(configs: Collection[C], costs: Mapping[C, Cost], impossible: Collection[C]) -> Total:
    """What runs take together.

    Parameters
    ----------
    configs
        Their parameters.
    costs
        What is known of their cost so far.
    impossible
        Those that can't be run here.
    """
    possible = [config for config in configs if config not in impossible]
    known = [costs[config].seconds for config in possible if config in costs]
    return Total(sum(known), len(possible), len(possible) - len(known))


def timed(runs: pd.DataFrame) -> pd.DataFrame:
    """Of `runs` (RunStore.table) those that ran to their end as predicted from the start."""
    return runs[(runs["state"] == "done") & (runs["predicted_seconds"] > 0) & ~runs["changed"]]


def past_errors(runs: pd.DataFrame) -> list[float]:
    """How far the last predictions were off, oldest first: actual time over predicted time - 1.

    Of the last PAST of `runs` (RunStore.table) that ran to their end with the parameters they began with.
    """
    runs = timed(runs)
    runs = runs[runs["seconds"] > 0].tail(PAST)
    return [float(error) for error in runs["seconds"] / runs["predicted_seconds"] - 1]


def past_in_words(errors: list[float]) -> str:
    """For example "the last 3 predictions were within 9%"; "" without any. errors: what `past_errors` gives."""
    if not errors:
        return ""
    which = f"the last {len(errors)} predictions were" if len(errors) > 1 else "the last prediction was"
    return f"{which} within {max(abs(error) for error in errors):.0%}"
