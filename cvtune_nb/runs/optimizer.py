"""The optimizers."""

import torch
from torch import nn

from cvtune_nb.models.layers import decaying, distances
from cvtune_nb.parameters import Config

MOMENTUM = 0.9
"""Of SGD, as in 2018."""


def optimizer_for(network: nn.Module, config: Config) -> torch.optim.Optimizer:
    """The optimizer that a classifier's config names, over all weights; the loop sets its learning rate at every step.

    AdamW is the default: started from the SVM's weights it forgets less than SGD (docs/measurements.md, "SGD and AdamW
    from the SVM"). With SGD weight decay pulls all weights, as in 2018.
    """
    if config.optimizer == "sgd":
        groups, fused = _groups(network, config.layer_decay, set()), fuses(network)
        return torch.optim.SGD(groups, config.learning_rate, MOMENTUM, weight_decay=config.weight_decay, fused=fused)
    return adamw(network, config.learning_rate, config.weight_decay, config.layer_decay)


def adamw(network: nn.Module, learning_rate: float, weight_decay: float, layer_decay: float = 1.0) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019), with weight decay on the weights of linear and convolutional layers alone.

    Parameters
    ----------
    network
        All its parameters are trained.
    learning_rate, weight_decay
        As torch.optim.AdamW takes them.
    layer_decay
        Learning rate of a layer as a fraction of that of the next (Howard and Ruder 2018, Bao and others 2021).
    """
    decayed = decaying(network)
    spared = {name for name, _ in network.named_parameters()} - decayed
    groups = _groups(network, layer_decay, spared)
    return torch.optim.AdamW(groups, learning_rate, weight_decay=weight_decay, fused=fuses(network))


def fuses(network: nn.Module) -> bool | None:
    """Whether one kernel moves all weights: on GPUs. None: as PyTorch has it."""
    return True if next(network.parameters()).device.type in ("cuda", "mps") else None


def _groups(network: nn.Module, layer_decay: float, spared: set[str]) -> list[dict]:
    """Parameter groups: of each layer, from the last to the first, what decays, then what is spared from it."""
    away = distances(network) if layer_decay < 1 else {}
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault((away.get(name, 0), name in spared), []).append(parameter)
    return [
        {"params": groups[key], "lr_scale": layer_decay ** key[0], **({"weight_decay": 0.0} if key[1] else {})}
        for key in sorted(groups)
    ]


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the last layer; those of the other layers follow by layer decay."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)
