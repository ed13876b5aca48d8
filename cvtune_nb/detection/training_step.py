"""One step of training a detector."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from cvtune_nb.detection.model import images_of
from cvtune_nb.models.networks import mixed_precision
from cvtune_nb.runs.descent import UNSCALED, descend


def step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Sequence[np.ndarray | torch.Tensor],
    targets: list[dict],
    precision: str = "auto",
    scaler: torch.amp.GradScaler = UNSCALED,
) -> torch.Tensor:
    """Train on one minibatch.

    Parameters
    ----------
    network, optimizer
        The detector in training mode, and what moves its weights.
    images
        This process's photos of the minibatch, uint8 (height, width, 3).
    targets
        Of each: boxes (n, 4: left, top, right, bottom in pixels) and labels (n, from 1).
    precision
        Of PARAMETERS.
    scaler
        What scales the loss (descent.scaler_for).

    Returns
    -------
    torch.Tensor
        As descent.descend; the mean is one over the processes.
    """
    device = next(network.parameters()).device
    with mixed_precision(device, precision):
        losses = network(
            images_of(images, device), [{k: v.to(device) for k, v in target.items()} for target in targets]
        )
    loss = sum((value.float() for value in losses.values()), torch.zeros((), device=device))
    return descend(network, optimizer, loss, 1, scaler=scaler)
