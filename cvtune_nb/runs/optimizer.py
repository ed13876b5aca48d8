"""How the weights are moved."""

import torch
from torch import nn

from cvtune_nb.parameters import Config

MOMENTUM = 0.9
"""Of SGD, as in 2018."""


def optimizer_for(network: nn.Module, config: Config) -> torch.optim.Optimizer:
    """The optimizer that config asks for, over all weights; its learning rate is set at every step.

    AdamW (Loshchilov and Hutter 2019) leaves biases out of weight decay, as usual. Started from the SVM's weights it
    forgets less in the first epoch than SGD, whose steps suit some layers and ruin others. Held-out accuracy with
    EfficientNet-Lite0, both along a cosine: 397 sample photos at 128 pixels, 4 epochs (SVM .819): SGD .839 at a rate of
    .001, .804 at .003, lost at .01; AdamW .842 at .00003, .839 at .0001, .854 at .0003, .842 at .001. 400 scanned
    digits at 96 pixels (SVM .930): SGD .982, .976, lost; AdamW .967, .977, .987 at .0003. With 8 epochs and .0003 the
    sample photos reach .872 and .854 (2 seeds), clothing at 128 pixels .868 (SVM .801, 341 validation photos). No
    gain beyond chance on the sample photos came from averaged weights (.859), smaller rates for early layers (.844 in 4
    epochs) and a sharper start (SVM scores times 10: .849).
    """
    if config.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), config.learning_rate, MOMENTUM, weight_decay=config.weight_decay)
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, config.learning_rate)
