"""One step of training a detector."""

import math

import numpy as np
import torch
from torch import nn

from cvtune_nb.detection.model import images_of
from cvtune_nb.models.networks import mixed_precision
from cvtune_nb.runs import distributed


def step(network: nn.Module, optimizer: torch.optim.Optimizer, images: list[np.ndarray], targets: list[dict]) -> float:
    """Train on one minibatch.

    Parameters
    ----------
    network, optimizer
        The detector in training mode, and what moves its weights.
    images
        This process's photos of the minibatch, uint8 (height, width, 3).
    targets
        Of each: boxes (n, 4: left, top, right, bottom in pixels) and labels (n, from 1).

    Returns
    -------
    float
        The loss before the step, a mean over the processes. Where it is not finite no step is made.
    """
    device = next(network.parameters()).device
    with mixed_precision(device):
        losses = network(
            images_of(images, device), [{k: v.to(device) for k, v in target.items()} for target in targets]
        )
    loss = sum((value.float() for value in losses.values()), torch.zeros(()))
    (total,) = distributed.all_reduce_values(loss.item())
    if math.isfinite(total):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return total / distributed.world_size()
