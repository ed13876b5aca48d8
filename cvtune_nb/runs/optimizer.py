"""The optimizers."""

import torch
from torch import nn

from cvtune_nb.parameters import Config

MOMENTUM = 0.9
"""Of SGD, as in 2018."""


def optimizer_for(network: nn.Module, config: Config) -> torch.optim.Optimizer:
    """The optimizer that a classifier's config names, over all weights; the loop sets its learning rate at every step.

    AdamW is the default: started from the SVM's weights it forgets less than SGD (docs/measurements.md, "SGD and AdamW
    from the SVM").
    """
    if config.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), config.learning_rate, MOMENTUM, weight_decay=config.weight_decay)
    return adamw(network, config.learning_rate, config.weight_decay)


def adamw(network: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019), without weight decay on biases, as usual.

    Parameters
    ----------
    network
        All its parameters are trained.
    learning_rate, weight_decay
        As torch.optim.AdamW takes them.
    """
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, learning_rate)
