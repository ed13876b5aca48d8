"""Which pixels mattered: Grad-CAM (Selvaraju and others 2017) for convolutional networks and for transformers."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.nn.functional import interpolate

from cvtune_nb.errors import InputError

PREFIX = 8
"""Tokens that may stand before those of patches: the class token and registers."""


def heat(network: nn.Module, image: np.ndarray, label: int) -> np.ndarray:
    """How much each position in a photo spoke for a class.

    The map is that of the last layer that still has positions and that the answer depends on, so it is coarse: 7 x 7 at
    224 pixels for most convolutional networks, 14 x 14 for transformers with patches of 16 pixels. The shape of a
    layer's output does not tell whether it has positions: channels may come first or last, or it is a list of tokens,
    some of which have no position. So it is tried: noise is added to each quarter of the photo in turn, and the map
    must change most there.

    Parameters
    ----------
    network
        From uint8 photos (n, size, size, 3) to logits (n, classes), in eval mode; for example `load_bundle`'s.
    image
        The photo, uint8 RGB (size, size, 3).
    label
        The index of the class.

    Returns
    -------
    np.ndarray
        (size, size), from 0 (nothing) to 1.

    Raises
    ------
    InputError
        No layer of the network keeps positions.
    """
    noise = np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8)
    quarters = [_quarter(len(image), number) for number in range(4)]
    images = np.stack([image, *(image + noise * quarter[..., None] for quarter in quarters)])  # wraps
    outputs: list[torch.Tensor] = []

    def note(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.dim() in (3, 4) and len(output) == len(images):
            outputs.append(output)

    # linear layers give queries and keys, and four times as many numbers inside a block: no maps
    leaves = [module for module in network.modules() if not (list(module.children()) or isinstance(module, nn.Linear))]
    hooks = [module.register_forward_hook(note) for module in leaves]
    try:
        with torch.enable_grad():
            logit = network(torch.from_numpy(images))[0, label]
    finally:
        for hook in hooks:
            hook.remove()
    for output in reversed(outputs):
        if not output.requires_grad:
            continue
        (slope,) = torch.autograd.grad(logit, output, retain_graph=True, allow_unused=True)
        if slope is None:
            continue
        for values, slopes in zip(_maps(output.detach()), _maps(slope), strict=True):
            if slopes[0].any() and _has_positions(values):
                weights = slopes[0].mean((1, 2), keepdim=True)
                seen = (weights * values[0]).sum(0).clamp_min(0)
                large = interpolate(seen[None, None], image.shape[:2], mode="bilinear")[0, 0]
                return (large / large.max().clamp_min(1e-12)).numpy()
    raise InputError("this network keeps no map of positions, so it can't be shown which pixels mattered")


def _quarter(side: int, number: int) -> np.ndarray:
    """One of the four quarters of a square, as a mask (side, side).

    The row and column in the middle of an odd side are in none.
    """
    first = np.arange(side) < side // 2
    row, column = (first if number < 2 else first[::-1]), (first if number % 2 == 0 else first[::-1])
    return row[:, None] & column


def _maps(output: torch.Tensor) -> Iterator[torch.Tensor]:
    """A layer's output as maps (n, channels, side, side), in each way that its shape can be read."""
    if output.dim() == 4:
        for found in (output, output.permute(0, 3, 1, 2)):
            if found.shape[2] == found.shape[3] > 1:
                yield found
        return
    for prefix in range(PREFIX + 1):
        side = math.isqrt(max(0, output.shape[1] - prefix))
        if side > 1 and side * side == output.shape[1] - prefix:
            yield output[:, prefix:].transpose(1, 2).unflatten(2, (side, side))


def _has_positions(maps: torch.Tensor) -> bool:
    """Whether maps differ most where the noise was.

    maps: (5, channels, side, side), of a photo and of the same with noise in each of its quarters.
    """
    changed = (maps[1:] - maps[:1]).square().sum(1)
    quarters = torch.from_numpy(np.stack([_quarter(maps.shape[-1], number) for number in range(4)]))
    inside = torch.stack([changed[:, quarter].mean(1) for quarter in quarters], dim=1)  # noise in it x looked at
    return bool((inside.argmax(1) == torch.arange(4)).all() and (inside.diagonal() > 0).all())
