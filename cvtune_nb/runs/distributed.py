"""Several processes that train one network together, as torchrun starts them; alone, nothing here does anything.

All of them open the same workspace, on a disk they share. The first process (rank 0) prepares, measures what it alone
can and writes; the others compute their share of every minibatch and every measurement.
"""

import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from cvtune_nb.errors import Stopped
from cvtune_nb.files import Progress
from cvtune_nb.models.networks import device

WAIT = timedelta(days=7)
"""How long a process waits for the others: the first may have a large set to decode."""


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Within it, the processes that torchrun started know each other: over NCCL where there are CUDA devices, one a
    process, else over gloo."""
    if not distributed.is_torchelastic_launched() or distributed.is_initialized():
        yield
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=WAIT)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """The number of this process, from 0 on."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def count() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


@contextlib.contextmanager
def first_alone() -> Iterator[None]:
    """Its body is run by the first process, and by the others once that is done: they find all in the cache."""
    if rank() > 0:
        distributed.barrier()
    yield
    if rank() == 0 and count() > 1:
        distributed.barrier()


def agreed(words: str) -> str:
    """What the first process says, up to 255 bytes."""
    if count() == 1:
        return words
    where = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    sent = torch.zeros(256, dtype=torch.uint8, device=where)
    if rank() == 0:
        coded = words.encode()
        sent[: len(coded)] = torch.tensor(list(coded), dtype=torch.uint8)
    distributed.broadcast(sent, 0)
    return bytes(sent.tolist()).rstrip(b"\0").decode()


def together(network: nn.Module) -> nn.Module:
    """The network as all processes train it: it begins with the first one's weights, and every backward pass gives
    all the mean of their gradients."""
    return DistributedDataParallel(network) if count() > 1 else network


def share(rows: torch.Tensor) -> torch.Tensor:
    """This process's part of `rows`."""
    return rows[rank() :: count()]


def added(tensor: torch.Tensor) -> torch.Tensor:
    """The sum of what each process has in its `tensor`."""
    if count() > 1:
        distributed.all_reduce(tensor)
    return tensor


class InStep:
    """A Progress for all of them: when it raises Stopped in one, all stop, after the same minibatch. Anywhere else one
    that ended would leave the others waiting. Alone, Stopped is raised at once."""

    def __init__(self, progress: Progress):
        self._progress, self._stop = progress, False

    def __call__(self, share: float, words: str) -> None:
        """Tell how far it is; among several it never raises Stopped."""
        try:
            self._progress(share, words)
        except Stopped:
            if count() == 1:
                raise
            self._stop = True

    def each_minibatch(self, share: float, words: str) -> None:
        """The same where all processes come by equally often."""
        self(share, words)
        if count() > 1 and added(torch.tensor(float(self._stop), device=device())).item() > 0:
            raise Stopped
