"""What of a network's maps becomes the features of a photo."""

from inspect import signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

LAST, STAGES = "last", "stages"
COUNT = 4
"""Stages that count: docs/measurements.md, "Ways to use frozen features"."""


def pooled(network: "nn.Module", images: "torch.Tensor", pooling: str = LAST) -> "torch.Tensor":
    """Features (n, width) of images.

    Parameters
    ----------
    network
        Without its last layer: any of timm's, or a ResNet of torchvision.
    images
        (n, 3, height, width), normalised.
    pooling
        LAST: what the network itself gives. STAGES: that, and of each of its last COUNT stages (of a transformer:
        blocks) the mean over all positions and the class token, each part as long as the network's own.
    """
    if pooling == LAST:
        return network(images).flatten(1)
    from torch import cat
    from torch.nn.functional import normalize

    own, *parts = _of_torchvision(network, images) if hasattr(network, "avgpool") else _of_timm(network, images)
    length = own.norm(dim=1, keepdim=True)
    stages = [part.flatten(2).mean(2) if part.dim() > 2 else part for part in parts]
    return cat([own, *(length * normalize(stage) for stage in stages)], 1)


def _of_timm(network: Any, images: "torch.Tensor") -> list["torch.Tensor"]:
    """The network's own features (n, width), then its stages: maps (n, channels, ...) and tokens (n, channels)."""
    given = {"indices": min(COUNT, len(network.feature_info))}
    tokens = "return_prefix_tokens" in signature(network.forward_intermediates).parameters and network.num_prefix_tokens
    if tokens:
        given |= {"return_prefix_tokens": True, "norm": True}
    last, stages = network.forward_intermediates(images, **given)
    if tokens:
        of_class = getattr(network, "cls_token", None) is not None  # else there are registers only, which say nothing
        stages = [part for places, first in stages for part in ([first[:, 0], places] if of_class else [places])]
    return [network.forward_head(last).flatten(1), *stages]


def _of_torchvision(network: Any, images: "torch.Tensor") -> list["torch.Tensor"]:
    """As _of_timm."""
    maps = [network.maxpool(network.relu(network.bn1(network.conv1(images))))]
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        maps.append(stage(maps[-1]))
    return [network.avgpool(maps[-1]).flatten(1), *maps[1:]]
