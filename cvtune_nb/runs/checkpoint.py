"""What a training run needs to go on, in one safetensors file, written atomically.

That is the network, the optimizer, the average of the weights, the history, and how losses are scaled.
"""

import contextlib
import json
import os
import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from cvtune_nb.files import replacing
from cvtune_nb.runs.descent import UNSCALED
from cvtune_nb.runs.store import StoredRun
from cvtune_nb.runs.weight_average import WeightAverage

AVERAGE = "average."
"""What the names of the averaged weights begin with."""


def save(
    run: StoredRun,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage | None = None,
    scaler: torch.amp.GradScaler = UNSCALED,
) -> None:
    """Write the run's checkpoint, and best.safetensors when its last epoch is its best so far.

    Parameters
    ----------
    run
        With its history up to this epoch.
    network, optimizer, average, scaler
        What is saved. The best weights are the averaged ones.

    Raises
    ------
    OSError
        When the disk is full.
    """
    if run.best_epoch == run.history["epoch"].iloc[-1]:
        with average.in_place() if average else contextlib.nullcontext():
            write_tensors(run.folder / "best.safetensors", _weights(network))
    tensors = {f"network.{name}": tensor for name, tensor in _weights(network).items()}
    for name, tensor in (average.state() if average else {}).items():
        tensors[AVERAGE + name] = tensor.cpu().contiguous()
    for number, parameter in enumerate(network.parameters()):
        for name, tensor in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{number}.{name}"] = tensor.cpu().contiguous()
    notes = {"history": run.history.to_dict("records"), "scaler": scaler.state_dict()}
    write_tensors(run.checkpoint, tensors, {name: json.dumps(note) for name, note in notes.items()})


def _weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write `tensors` to a safetensors file, atomically.

    Parameters
    ----------
    path
        The file.
    tensors, metadata
        What it will hold.

    Raises
    ------
    OSError
        When the disk is full: safetensors itself raises an error of its own kind, with the number in its text.
    """
    with replacing(path) as temporary:
        try:
            save_file(_apart(tensors), temporary, metadata)
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            if not number:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from None


def _apart(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`tensors`, each in memory of its own, as safetensors wants it: CoaT's blocks share some of theirs."""
    seen: set[int] = set()
    found = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return found


def restore(
    run: StoredRun, network: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler = UNSCALED
) -> None:
    """Put network, optimizer and scaler back to where the checkpoint was written.

    Parameters
    ----------
    run
        Whose checkpoint is read.
    network, optimizer, scaler
        Changed in place; made as for the run. A scaler begins anew where the checkpoint has none: another device, or an
        earlier version, trained with other numbers.
    """
    with safe_open(run.checkpoint, "pt") as file:
        scaled = json.loads((file.metadata() or {}).get("scaler", "{}"))
    if scaled and scaler.is_enabled():
        scaler.load_state_dict(scaled)
    tensors = load_file(run.checkpoint)
    network.load_state_dict(
        {name.removeprefix("network."): tensor for name, tensor in tensors.items() if name.startswith("network.")}
    )
    parameters = list(network.parameters())
    fused = {parameter for group in optimizer.param_groups if group.get("fused") for parameter in group["params"]}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, number, kind = name.split(".")
            parameter = parameters[int(number)]
            # laid out in memory as the parameter is, so that sums are rounded as they were
            like = torch.empty_like(parameter) if tensor.shape == parameter.shape else torch.empty_like(tensor)
            like = like.to(parameter.device) if parameter in fused else like  # it counts its steps there
            optimizer.state[parameter][kind] = like.detach().copy_(tensor)


def restore_average(run: StoredRun, average: WeightAverage) -> None:
    """Put the average of the weights back to where the checkpoint was written; at the start there is none."""
    with safe_open(run.checkpoint, "pt") as file:
        names = [name for name in file.keys() if name.startswith(AVERAGE)]  # noqa: SIM118 - it is no dictionary
        state = {name.removeprefix(AVERAGE): file.get_tensor(name) for name in names}
    if state:
        average.restore(state)
