"""How the weights are moved."""

import torch
from torch import nn

from cvtune_nb.parameters import Config

MOMENTUM = 0.9
"""Of SGD, as in 2018."""


def optimizer_for(network: nn.Module, config: Config) -> torch.optim.Optimizer:
    """The optimizer that config asks for, over all weights; its learning rate is set at every step.

    AdamW (Loshchilov and Hutter 2019) leaves biases out of weight decay, as usual. From the SVM's weights it hardly
    forgets in the first epoch, whatever the network's layers are like, and ends higher than SGD: TABLE.
    """
    if config.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), config.learning_rate, MOMENTUM, weight_decay=config.weight_decay)
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, config.learning_rate)
