"""Fuse convolutions with their padding and activation, for inference on a processor.

PyTorch's mkldnn operators, which torch.compile generates code for, compute convolution and activation in one pass over
memory, and take weights that are rounded to bfloat16 and laid out in oneDNN's blocked format beforehand. Used directly,
they give the speed without the compiling.
"""

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
"""What can be applied to a convolution's output before it is written to memory: oneDNN's name, and arguments."""
BATCH = 32
"""The batch size that weights are laid out for; any other works as well."""


class Fused(nn.Module):
    """A convolution and the activation that follows it, for inputs of one height and width.

    Parameters
    ----------
    conv
        The convolution; its weights are copied.
    activation
        What its output goes into, one of ACTIVATIONS; None: nothing that can be fused.
    size
        Height and width of the input.
    dtype
        What it is computed in: torch.bfloat16 or torch.float32.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.Module | None, size: tuple[int, int], dtype: torch.dtype):
        super().__init__()
        weight, self.padding, self.pad_input = conv.weight.detach(), list(conv.padding), None
        if _pads_same(conv):
            # TensorFlow's "same" pads by up to one more at the right and bottom than at the left and top, which the
            # operator can't: it takes one number for both ends
            rows, columns = map(_same_padding, size, conv.kernel_size, conv.stride, conv.dilation)
            top, left = rows // 2, columns // 2
            bottom, right = rows - top, columns - left
            self.padding = [bottom, right]
            if (top, left) != (bottom, right) and (conv.groups == 1 or conv.dilation != (1, 1)):
                self.pad_input, self.padding = (left, right, top, bottom), [0, 0]  # copies the whole input
                size = size[0] + rows, size[1] + columns
            elif (top, left) != (bottom, right):
                # pad both ends by the larger number, and the kernel by zeros on the side where that is too much: no
                # copy of the input, and a depthwise kernel is small enough for the zeros to cost nothing
                weight = pad(weight, (right - left, 0, bottom - top, 0))
        self.stride, self.dilation, self.groups = list(conv.stride), list(conv.dilation), conv.groups
        self.bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        self.fused_activation, self.scalars = ACTIVATIONS[type(activation)] if activation else ("none", [])
        self.dtype, self.activated = dtype, activation is not None
        weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        # laid out for this very shape of input: docs/measurements.md, "Ways to compute features"
        shape = [BATCH, conv.in_channels, *size]
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            weight, self.padding, self.stride, self.dilation, self.groups, shape
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, channels, height, width)."""
        images = images.to(self.dtype)
        if self.pad_input:
            images = pad(images, self.pad_input)
        found = torch.ops.mkldnn._convolution_pointwise(
            images,
            self.weight,
            self.bias,
            self.padding,
            self.stride,
            self.dilation,
            self.groups,
            self.fused_activation,
            self.scalars,
            "",  # of several algorithms for the activation the usual one
        )
        found.activated = self.activated  # a mark on the tensor, for the Unless that it may come to
        return found


class Unless(nn.Module):
    """An activation that skips tensors to which a Fused has applied it already.

    The activation module stays in place, because one module may serve several convolutions, only some of them fused.
    """

    def __init__(self, activation: nn.Module):
        super().__init__()
        self.activation = activation

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """As the activation; what a Fused gave passes through."""
        if getattr(images, "activated", False):
            vars(images)["activated"] = False  # the mark must not outlive an operation in place on this tensor
            return images
        return self.activation(images)


def fused(network: nn.Module, images: torch.Tensor, dtype: torch.dtype) -> nn.Module:
    """A copy of `network` with its convolutions Fused, for inference.

    Whether the copy gives the same is not checked here. It may raise errors of many kinds, as PyTorch keeps these
    operators to itself.

    Parameters
    ----------
    network
        On the processor and in eval mode.
    images
        (n, height, width, 3) uint8, or whatever it takes, of the size that the copy is for.
    dtype
        What convolutions are computed in: torch.bfloat16 or torch.float32.
    """
    network = deepcopy(network)
    sizes, activations = _traced(network, images)
    for parent in list(network.modules()):
        for name, module in parent.named_children():
            if type(module) in ACTIVATIONS:
                setattr(parent, name, Unless(module))
            elif isinstance(module, nn.Conv2d) and (size := sizes.get(module)):
                setattr(parent, name, Fused(module, activations.get(module), size, dtype))
    return network


def _traced(
    network: nn.Module, images: torch.Tensor
) -> tuple[dict[nn.Module, tuple[int, int] | None], dict[nn.Module, nn.Module]]:
    """Height and width of the input of each convolution that can be Fused, and the activation after it.

    A convolution that is called with more than one size has None: it is laid out for one.
    """
    sizes: dict[nn.Module, Any] = {}
    activations: dict[nn.Module, nn.Module] = {}
    for call in calls(network, images):
        module, size = call.module, call.shape[2:]
        if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros" and not isinstance(module.padding, str):
            sizes[module] = size if sizes.get(module, size) == size else None
        elif type(module) in ACTIVATIONS and call.source:
            activations[call.source] = module
    return sizes, activations


def _same_padding(side: int, kernel: int, stride: int, dilation: int) -> int:
    """Pixels that TensorFlow's "same" adds to a side, both ends together."""
    return max(0, (math.ceil(side / stride) - 1) * stride + (kernel - 1) * dilation + 1 - side)


def _pads_same(conv: nn.Conv2d) -> bool:
    """Whether it pads as TensorFlow's "same" does: timm's Conv2dSame, or a models.depthwise.Depthwise in its place."""
    return type(conv).__name__ == "Conv2dSame" or getattr(conv, "same", False)
