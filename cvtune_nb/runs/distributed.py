"""Several processes that train one network together, as torchrun starts them; alone, nothing here does anything.

All of them open the same workspace, on a disk they share. The process of rank 0 prepares the data, writes the run and
holds its lock; every process computes its shard of each minibatch, and a
classifier's of each measurement.
"""

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from cvtune_nb.errors import Stopped
from cvtune_nb.files import Progress

TIMEOUT = timedelta(days=7)
"""How long a process waits for the others: rank 0 may have a large data set to decode."""
Rows = TypeVar("Rows", torch.Tensor, np.ndarray)


@contextlib.contextmanager
def process_group() -> Iterator[None]:
    """The process group of the processes that torchrun started: NCCL for CUDA devices, one a process, else gloo.

    Messages are sent from the processors, so that no GPU is waited for.
    """
    if not distributed.is_torchelastic_launched() or distributed.is_initialized():
        yield
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=TIMEOUT)
    try:
        yield
    finally:
        distributed.destroy_process_group()


_single: ContextVar[bool] = ContextVar("single", default=False)


@contextlib.contextmanager
def single() -> Iterator[None]:
    """In the body this process is the only one: what it computes waits for none of the others."""
    token = _single.set(True)
    try:
        yield
    finally:
        _single.reset(token)


def rank() -> int:
    """The rank of this process; 0 alone."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """How many processes there are; 1 alone."""
    return distributed.get_world_size() if distributed.is_initialized() and not _single.get() else 1


@contextlib.contextmanager
def rank_zero_first() -> Iterator[None]:
    """Rank 0 runs the body first, the others once it is done: they find everything in the cache."""
    if rank() > 0:
        distributed.barrier()
    yield
    if rank() == 0 and world_size() > 1:
        distributed.barrier()


def broadcast(text: str) -> str:
    """The text that rank 0 has, up to 255 bytes."""
    if world_size() == 1:
        return text
    buffer = torch.zeros(256, dtype=torch.uint8, device=_device())
    if rank() == 0:
        encoded = text.encode()
        buffer[: len(encoded)] = torch.tensor(list(encoded), dtype=torch.uint8)
    distributed.broadcast(buffer, 0)
    return bytes(buffer.tolist()).rstrip(b"\0").decode()


def wrap_ddp(network: nn.Module) -> nn.Module:
    """The network as all processes train it.

    It starts with the weights of rank 0, and every backward pass gives all of them the mean of their gradients.
    """
    return DistributedDataParallel(network) if world_size() > 1 else network


def shard(rows: Rows) -> Rows:
    """This process's part of `rows`."""
    return rows[rank() :: world_size()]


def all_reduce_sum(tensor: torch.Tensor) -> torch.Tensor:
    """The sum over all processes of their `tensor`, in place."""
    if world_size() > 1:
        distributed.all_reduce(tensor)
    return tensor


def all_reduce_values(*values: float) -> list[float]:
    """The sums over all processes of their numbers."""
    if world_size() == 1:
        return list(values)
    return all_reduce_sum(torch.tensor(values, dtype=torch.float64, device=_device())).tolist()


def _device() -> str:
    """The device that messages between the processes must be on: Ray's groups have NCCL alone."""
    return "cpu" if "gloo" in distributed.get_backend_config() else "cuda"


class StopTogether:
    """A Progress for all processes: when it raises Stopped in one, all stop after the same minibatch.

    Otherwise one that ended would leave the others waiting. Alone, Stopped is raised at once.
    """

    def __init__(self, progress: Progress):
        self._progress, self._stop, self._several = progress, False, world_size() > 1

    def __call__(self, share: float, words: str) -> None:
        """Report progress; with several processes it never raises Stopped."""
        try:
            self._progress(share, words)
        except Stopped:
            if not self._several:
                raise
            self._stop = True

    def each_minibatch(self, share: float, words: str) -> None:
        """The same where all processes come by equally often: all of them raise Stopped once one was told to."""
        self(share, words)
        if self._several and sum(all_reduce_values(self._stop)):
            raise Stopped
