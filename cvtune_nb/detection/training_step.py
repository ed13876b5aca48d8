"""One step of training a detector."""

import math

import numpy as np
import torch
from torch import nn

from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.model import images_of
from cvtune_nb.models.networks import mixed_precision


def optimizer_for(network: nn.Module, config: DetectorConfig) -> torch.optim.Optimizer:
    """AdamW over all weights, without weight decay on biases."""
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, config.learning_rate)


def set_to_train(network: nn.Module) -> None:
    """Training mode, but batch norms keep the statistics they came with: a few photos give no better ones."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def step(network: nn.Module, optimizer: torch.optim.Optimizer, images: list[np.ndarray], targets: list[dict]) -> float:
    """Train on one minibatch; returns the loss before the step. Where that is not finite no step is made."""
    where = next(network.parameters()).device
    with mixed_precision(where):
        losses = network(images_of(images, where), [{k: v.to(where) for k, v in target.items()} for target in targets])
    loss = sum(value.float() for value in losses.values())
    if math.isfinite(float(loss.detach())):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())
