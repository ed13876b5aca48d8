"""Networks as a processor computes them fastest when nothing is learned: each convolution in one step with its padding
and its activation, its weights rounded and laid out once."""

import math
from copy import deepcopy
from typing import Any

import torch
from torch import nn
from torch.nn.functional import pad

from cvtune_nb.models.fold_batch_norm import calls

ACTIVATIONS = {
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
    nn.ReLU: ("relu", []),
    nn.SiLU: ("swish", []),
    nn.Hardswish: ("hardswish", []),
}
"""What PyTorch's library for processors (oneDNN) can do to a convolution's output before it is written to memory."""
BATCH = 32
"""Images that weights are laid out for; others are computed as well."""


class Fused(nn.Module):
    """`conv` and what follows it, for images of the size (height, width) that it was made for.

    Padding by one more at the right and bottom than at the left and top (timm's Conv2dSame with a stride of 2) takes a
    copy of the whole tensor; of a depthwise convolution the kernel gets a row and a column of zeros instead.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.Module | None, size: tuple[int, int], dtype: torch.dtype):
        super().__init__()
        weight, self.padding, self.before = conv.weight.detach(), list(conv.padding), None
        if _same(conv):
            rows, columns = map(_missing, size, conv.kernel_size, conv.stride, conv.dilation)
            first = [rows // 2, columns // 2]
            self.padding = [rows - first[0], columns - first[1]]
            if self.padding != first and (conv.groups == 1 or conv.dilation != (1, 1)):
                self.before, self.padding = (first[1], self.padding[1], first[0], self.padding[0]), [0, 0]
                size = size[0] + rows, size[1] + columns
            elif self.padding != first:
                weight = pad(weight, (self.padding[1] - first[1], 0, self.padding[0] - first[0], 0))
        self.stride, self.dilation, self.groups = list(conv.stride), list(conv.dilation), conv.groups
        self.bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        self.attribute, self.scalars = ACTIVATIONS[type(activation)] if activation else ("none", [])
        self.dtype, self.activated = dtype, activation is not None
        weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        # laid out as suits images of this size: without it, ResNet-18 in float32 took 1.25 times as long, not .94 times
        shape = [BATCH, conv.in_channels, *size]
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            weight, self.padding, self.stride, self.dilation, self.groups, shape
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, channels, height, width)."""
        images = images.to(self.dtype)
        if self.before:
            images = pad(images, self.before)
        found = torch.ops.mkldnn._convolution_pointwise(
            images,
            self.weight,
            self.bias,
            self.padding,
            self.stride,
            self.dilation,
            self.groups,
            self.attribute,
            self.scalars,
            "",
        )
        found.activated = self.activated
        return found


class Unless(nn.Module):
    """`activation` of what is not activated yet."""

    def __init__(self, activation: nn.Module):
        super().__init__()
        self.activation = activation

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """As the activation; what a Fused gave passes through."""
        if getattr(images, "activated", False):
            vars(images)["activated"] = False  # what is computed in place from now on is not
            return images
        return self.activation(images)


def fused(network: nn.Module, images: torch.Tensor, dtype: torch.dtype) -> nn.Module:
    """A copy of `network`, which is on the processor and in eval mode, with its convolutions Fused: for `images` like
    these, without gradients. It is not tried here whether the copy says the same. May raise errors of many kinds,
    for PyTorch promises nothing about what this is made of (torch.compile's own operators)."""
    network = deepcopy(network)
    seen, activations = _seen(network, images)
    for parent in list(network.modules()):
        for name, module in parent.named_children():
            if type(module) in ACTIVATIONS:
                setattr(parent, name, Unless(module))
            elif isinstance(module, nn.Conv2d) and (size := seen.get(module)):
                setattr(parent, name, Fused(module, activations.get(module), size, dtype))
    return network


def _seen(
    network: nn.Module, images: torch.Tensor
) -> tuple[dict[nn.Module, tuple[int, int] | None], dict[nn.Module, nn.Module]]:
    """Height and width of what each convolution that can be Fused gets (None: more than one size), and the activation
    that its output goes into."""
    sizes: dict[nn.Module, Any] = {}
    activations: dict[nn.Module, nn.Module] = {}
    for call in calls(network, images):
        module, size = call.module, call.shape[2:]
        if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros" and not isinstance(module.padding, str):
            sizes[module] = size if sizes.get(module, size) == size else None
        elif type(module) in ACTIVATIONS and call.source:
            activations[call.source] = module
    return sizes, activations


def _missing(side: int, kernel: int, stride: int, dilation: int) -> int:
    """Pixels that TensorFlow's "same" adds to a side, at both ends together."""
    return max(0, (math.ceil(side / stride) - 1) * stride + (kernel - 1) * dilation + 1 - side)


def _same(conv: nn.Conv2d) -> bool:
    """Whether it pads as TensorFlow does: timm's Conv2dSame, and models.depthwise in place of one."""
    return type(conv).__name__ == "Conv2dSame" or getattr(conv, "same", False)
