"""Down the gradient of a loss: in mixed precision, by one process or several, and without making a GPU wait.

A GPU computes what the processor has queued for it, and idles where the processor reads a number first: then it has to
finish, and the processor begins to queue anew. So losses stay where they are computed, and are read now and then.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from cvtune_nb.models.networks import number_type
from cvtune_nb.runs import distributed

READ_EVERY = {"cpu": 1}
"""Steps after which losses are read, by device: on a processor that costs nothing."""
SELDOM = 50
"""The same on any GPU: enough to end what has diverged within seconds, too few to matter."""
UNSCALED = torch.amp.GradScaler(enabled=False)
"""Takes a loss as it is."""
LEAST_SCALE = 1.0
"""Scale of a loss below which float16 has no room for its gradients at all: they grow without end."""


def scaler_for(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """What scales losses so that float16 has room for their gradients; with other numbers it does nothing.

    Where it scaled too much it leaves out the step (Micikevicius and others 2018, "Mixed precision training").
    """
    return torch.amp.GradScaler(device.type, enabled=number_type(device, precision) == torch.float16)


def read_every(device: torch.device) -> int:
    """Steps after which the losses of a device are read."""
    return READ_EVERY.get(device.type, SELDOM)


def descend(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: torch.Tensor,
    count: int,
    clip_norm: float = 0.0,
    scaler: torch.amp.GradScaler = UNSCALED,
) -> torch.Tensor:
    """Move the weights down the gradient of the loss of a minibatch.

    Parameters
    ----------
    network, optimizer
        In training mode, and what moves its weights.
    loss
        The mean over this process's photos.
    count
        How many these are.
    clip_norm
        The longest gradient; 0: any.
    scaler
        As `scaler_for` made it.

    Returns
    -------
    torch.Tensor
        The mean loss of the whole minibatch before the step, without dimensions, on its device. Where it is not finite
        no step is made.
    """
    at_once = read_every(loss.device) == 1
    photos, total = count, count * (loss.detach().double() if at_once else loss.detach())
    if distributed.world_size() > 1:
        photos, total = distributed.all_reduce_sum(torch.stack([torch.full_like(total, count), total]))
    mean, share = total / photos, count * distributed.world_size() / photos
    if at_once and not math.isfinite(mean):
        return mean
    if optimizer.defaults.get("fused") and not scaler.is_enabled():
        # a fused one looks at this by itself, on the device, as GradScaler has it do
        optimizer.found_inf = mean.isfinite().logical_not().float()  # pyright: ignore[reportAttributeAccessIssue]
    optimizer.zero_grad()
    # the mean over the minibatch, whatever its parts: gradients of several processes are averaged
    scaler.scale(loss * (share.to(loss) if isinstance(share, torch.Tensor) else share)).backward()
    if clip_norm:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    scaler.step(optimizer)
    scaler.update()
    return mean


def finite(losses: Sequence[torch.Tensor]) -> bool:
    """Whether all of these are finite; waits until they are computed."""
    return not losses or bool(torch.stack(list(losses)).isfinite().all())


def ran_away(scaler: torch.amp.GradScaler) -> bool:
    """Whether float16 has no numbers for the gradients any more, however little the loss is scaled."""
    return scaler.is_enabled() and scaler.get_scale() < LEAST_SCALE
