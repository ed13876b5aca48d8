"""What a training run needs to go on: network, momentum and history in one safetensors file, written atomically."""

import json

import torch
from safetensors.torch import load_file, save_file

from cvtune_nb.files import replacing
from cvtune_nb.training.model import Classifier
from cvtune_nb.training.run import Run


def save(run: Run, network: Classifier, optimizer: torch.optim.SGD) -> None:
    """Write the run's checkpoint, and best.safetensors when its last epoch is its best so far."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    if run.best_epoch == run.history["epoch"].iloc[-1]:
        with replacing(run.folder / "best.safetensors") as temporary:
            save_file(weights, temporary)
    tensors = {f"network.{name}": tensor for name, tensor in weights.items()}
    for number, parameter in enumerate(network.parameters()):
        if momentum := optimizer.state.get(parameter):
            tensors[f"momentum.{number}"] = momentum["momentum_buffer"].cpu().contiguous()
    with replacing(run.checkpoint) as temporary:
        save_file(tensors, temporary, metadata={"history": json.dumps(run.history.to_dict("records"))})


def restore(run: Run, network: Classifier, optimizer: torch.optim.SGD) -> None:
    """Put network and optimizer back to where the checkpoint was written."""
    tensors = load_file(run.checkpoint)
    network.load_state_dict(
        {name.removeprefix("network."): tensor for name, tensor in tensors.items() if name.startswith("network.")}
    )
    for number, parameter in enumerate(network.parameters()):
        if f"momentum.{number}" in tensors:
            momentum = torch.empty_like(parameter).copy_(tensors[f"momentum.{number}"])
            optimizer.state[parameter]["momentum_buffer"] = momentum.detach()
