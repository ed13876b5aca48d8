"""Which pixels mattered: Grad-CAM (Selvaraju and others 2017) by captum."""

import numpy as np
import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import nn

from cvtune_nb.errors import InputError


def heat(network: nn.Module, image: np.ndarray, label: int) -> np.ndarray:
    """How much each place of a photo spoke for class number `label`: (image_size, image_size), 0 (not at all) to 1.

    network: from uint8 photos to logits, for example `load_bundle`'s; image: uint8 RGB (image_size, image_size, 3).
    The last layer that still has places is asked, so the map is coarse: 7 x 7 at 224 pixels. Raises InputError for a
    network that keeps no places (a transformer, for example).
    """
    images = torch.from_numpy(image[None].copy())
    layer = _last_with_places(network, images)
    with torch.enable_grad():
        found = LayerGradCam(network, layer).attribute(images, target=label, relu_attributions=True)
    large = LayerAttribution.interpolate(found.detach(), image.shape[:2], "bilinear")[0, 0].clamp_min(0)
    return (large / large.max().clamp_min(1e-12)).numpy()


def _last_with_places(network: nn.Module, images: torch.Tensor) -> nn.Module:
    """The module that gives the last feature map (n, channels, height, width) of more than one place."""
    seen: list[nn.Module] = []

    def note(module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.dim() == 4 and min(output.shape[2:]) > 1:
            seen.append(module)

    hooks = [module.register_forward_hook(note) for module in network.modules() if not list(module.children())]
    try:
        with torch.inference_mode():
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        raise InputError("this network keeps no map of places, so it can't be shown which pixels mattered")
    return seen[-1]
