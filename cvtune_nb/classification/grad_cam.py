"""Which pixels mattered: Grad-CAM (Selvaraju and others 2017) for convolutional networks and for transformers."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import interpolate

from cvtune_nb.classification.combining.network import Combined
from cvtune_nb.errors import InputError

PREFIX = 8
"""Tokens that may stand before those of patches: the class token and registers."""


def heat(network: nn.Module, image: np.ndarray, label: int) -> np.ndarray:
    """How much each position in a photo spoke for a class; of a combination the weighted mean over its views.

    The map is that of the last layer that still has positions and that the answer depends on, so it is coarse: 7 x 7 at
    224 pixels for most convolutional networks, 14 x 14 for transformers with patches of 16 pixels. The shape of a
    layer's output does not tell whether it has positions: channels may come first or last, or it is a list of tokens,
    some of which have no position. So it is tried: noise is added to each quarter of the photo in turn, and the map
    must change most there.

    Parameters
    ----------
    network
        From uint8 photos (n, height, width, 3) to logits (n, classes), in eval mode; for example `load_bundle`'s.
    image
        The photo, uint8 RGB (height, width, 3).
    label
        The index of the class.

    Returns
    -------
    np.ndarray
        (height, width), from 0 (nothing) to 1.

    Raises
    ------
    InputError
        No layer of the network keeps positions.
    """
    if isinstance(network, Combined):
        return _of_views(network, image, label)
    noise = np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8)
    quarters = [_quarter(image.shape[:2], number) for number in range(4)]
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
        for values, slopes in zip(*(_maps(each, image.shape[:2]) for each in (output.detach(), slope)), strict=True):
            if slopes[0].any() and _has_positions(values):
                weights = slopes[0].mean((1, 2), keepdim=True)
                seen = (weights * values[0]).sum(0).clamp_min(0)
                large = interpolate(seen[None, None], image.shape[:2], mode="bilinear")[0, 0]
                return (large / large.max().clamp_min(1e-12)).numpy()
    raise InputError("this network keeps no map of positions, so it can't be shown which pixels mattered")


def _of_views(combined: Combined, image: np.ndarray, label: int) -> np.ndarray:
    """The heat of each network for what it is shown, mirrored back and as large as the photo."""
    height, width, _ = image.shape
    whole = np.zeros((height, width))
    for view in combined.views:
        size = view.shape[1], view.shape[0]
        shown = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
        found = heat(combined.networks[view.network], np.ascontiguousarray(_turned(shown, view.mirrored)), label)
        large = Image.fromarray(_turned(found, view.mirrored).astype(np.float32)).resize((width, height))
        whole += view.weight * np.asarray(large)
    return whole / max(float(whole.max()), 1e-12)


def _turned(pixels: np.ndarray, mirrored: bool) -> np.ndarray:
    return pixels[:, ::-1] if mirrored else pixels


def _quarter(shape: tuple[int, ...], number: int) -> np.ndarray:
    """One of the four quarters of a photo or map, as a mask (height, width).

    The row in the middle of an odd height, and the column in the middle of an odd width, are in none.
    """
    rows, columns = (np.arange(length) < length // 2 for length in shape)
    row, column = (rows if number < 2 else rows[::-1]), (columns if number % 2 == 0 else columns[::-1])
    return row[:, None] & column


def _maps(output: torch.Tensor, shape: tuple[int, ...]) -> Iterator[torch.Tensor]:
    """A layer's output as maps (n, channels, height, width) of photos of that shape, in each way that it can be read.

    The shape of a map is the photo's to within a row or column, for sides are rounded where they are halved.
    """
    ratio = shape[1] / shape[0]
    if output.dim() == 4:
        for found in (output, output.permute(0, 3, 1, 2)):
            height, width = found.shape[2:]
            if min(height, width) > 1 and abs(height * ratio - width) < 1:
                yield found
        return
    for prefix in range(PREFIX + 1):
        count = max(0, output.shape[1] - prefix)
        height = max(1, round(math.sqrt(count / ratio)))
        width = count // height
        if min(height, width) > 1 and height * width == count and abs(height * ratio - width) < 1:
            yield output[:, prefix:].transpose(1, 2).unflatten(2, (height, width))


def _has_positions(maps: torch.Tensor) -> bool:
    """Whether maps differ most where the noise was.

    maps: (5, channels, height, width), of a photo and of the same with noise in each of its quarters.
    """
    changed = (maps[1:] - maps[:1]).square().sum(1)
    quarters = torch.from_numpy(np.stack([_quarter(tuple(maps.shape[2:]), number) for number in range(4)]))
    inside = torch.stack([changed[:, quarter].mean(1) for quarter in quarters], dim=1)  # noise in it x looked at
    return bool((inside.argmax(1) == torch.arange(4)).all() and (inside.diagonal() > 0).all())
