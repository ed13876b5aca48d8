"""What makes a processor wait for a GPU: found without one, by tensors on the device meta, which have no numbers."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

READING = {
    "_local_scalar_dense": "reads a number",
    "equal": "reads whether tensors are equal",
    "nonzero": "has a result whose shape depends on numbers",
    "masked_select": "has a result whose shape depends on numbers",
    "_unique2": "has a result whose shape depends on numbers",
}
"""By name: operators for which a GPU must be waited for."""


class Waited(AssertionError):
    """Something in the body would have waited for a GPU."""


class NobodyWaits(TorchDispatchMode):
    """A context in which no tensor on these devices is read, nor copied from or to them in a way that is waited for."""

    def __init__(self, *devices: str):
        super().__init__()
        self.devices = devices

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        there = [arg for arg in args if isinstance(arg, torch.Tensor) and arg.device.type in self.devices]
        if there and name in READING:
            raise Waited(f"{name} {READING[name]}")
        if there and name in ("index", "index_put_"):
            if any(each is not None and each.dtype == torch.bool for each in args[1]):
                raise Waited(f"{name} by bools has a result whose shape depends on numbers")
            if any(each is not None and each.device != there[0].device for each in args[1]):
                raise Waited(f"{name} copies its index to {there[0].device} and waits for that")
        if name == "_to_copy" and not kwargs.get("non_blocking"):
            ends = {args[0].device, torch.device(kwargs.get("device") or args[0].device)}
            if len(ends) > 1 and {end.type for end in ends}.intersection(self.devices):
                raise Waited(f"a tensor is copied between {' and '.join(map(str, ends))} and waited for")
        return func(*args, **kwargs)
