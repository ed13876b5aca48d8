"""Minibatches read ahead: the next one is read, and copied to a GPU, while one is computed with."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch

Rows = TypeVar("Rows", bound=Sized)
CPU = torch.device("cpu")


def read_ahead(read: Callable[[Rows], Any], batches: Iterable[Rows], device: torch.device = CPU) -> Iterator[Any]:
    """What `read` makes of each of `batches`, on a device, its arrays as tensors; the next is read while one is used.

    One thread reads, so that what is drawn at random comes in this order. To an NVIDIA GPU it copies beside what is
    computed there, from pinned memory, and nobody waits for the copies but what is computed with them.

    Parameters
    ----------
    read
        Makes tensors or arrays, also within tuples, lists and dictionaries.
    batches
        What it is called with.
    device
        Where they are computed with.
    """
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def copied(rows: Rows) -> tuple[Any, torch.Event | None]:
        with torch.cuda.stream(stream):  # None: does nothing
            batch = _map(lambda tensor: _moved(tensor, device), read(rows))
            return batch, stream.record_event() if stream else None

    def ready(batch: Any, event: torch.Event | None) -> Any:
        if event is None:
            return batch
        current = torch.cuda.current_stream(device)
        current.wait_event(event)
        # its memory is not given to the copies that follow before what was queued with it is done
        _map(lambda tensor: tensor.record_stream(current), batch)
        return batch

    with ThreadPoolExecutor(1) as pool:
        coming = deque()
        for rows in batches:
            coming.append(pool.submit(copied, rows))
            if len(coming) > 1:
                yield ready(*coming.popleft().result())
        while coming:
            yield ready(*coming.popleft().result())


def _moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    if tensor.device == device:
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _map(change: Callable[[torch.Tensor], Any], batch: Any) -> Any:
    """`change` of every tensor and array in a batch; what is neither stays as it is."""
    if isinstance(batch, np.ndarray):
        return change(torch.from_numpy(batch if batch.flags.writeable else batch.copy()))
    if isinstance(batch, torch.Tensor):
        return change(batch)
    if isinstance(batch, dict):
        return {name: _map(change, part) for name, part in batch.items()}
    if isinstance(batch, list | tuple):
        return type(batch)(_map(change, part) for part in batch)
    return batch
