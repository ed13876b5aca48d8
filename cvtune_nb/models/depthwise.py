"""Depthwise convolutions that are trained on a processor as fast as they can be.

oneDNN computes the forward pass of a depthwise convolution fast, and so the backward pass for strides of 1 and kernels
of 3 x 3; the rest is up to 50 times slower: docs/measurements.md, "Depthwise convolutions in training". Here the slow
cases are put together from the fast ones.
"""

from typing import TypeVar

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import pad_same
from torch import nn
from torch.nn.functional import pad

NHWC = torch.channels_last

Network = TypeVar("Network", bound=nn.Module)


class Depthwise(nn.Conv2d):
    """A depthwise convolution in place of `conv`, sharing its weights, that is faster in training on a processor.

    Output and gradients are the same to within rounding.
    """

    def __init__(self, conv: nn.Conv2d):
        (height, width), (down, across) = conv.kernel_size, conv.stride
        super().__init__(
            conv.in_channels, conv.out_channels, (height, width), (down, across), groups=conv.groups, bias=False
        )
        self.padding = conv.padding
        self.weight, self.bias, self.same = conv.weight, conv.bias, isinstance(conv, Conv2dSame)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """As nn.Conv2d, or timm's Conv2dSame where it replaces one."""
        if self.same:
            images = pad_same(images, list(self.kernel_size), list(self.stride))
        if not (self.training and images.device.type == "cpu"):
            return self._conv_forward(images, self.weight, self.bias)
        mixed = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if mixed else self.weight.dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        return _Convolution.apply(images.to(dtype), self.weight.to(dtype), bias, self.stride[0], self.padding[0])


class Strided(nn.Conv2d):
    """A convolution of 1 x 1 of the photo in place of `conv`, sharing its weights, whose training does not crash.

    PyTorch 2.15 does, on a processor: docs/measurements.md, "Architectures of timm".
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__(conv.in_channels, conv.out_channels, 1, (conv.stride[0], conv.stride[1]), bias=False)
        self.weight, self.bias = conv.weight, conv.bias

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """As nn.Conv2d, of the pixels that it looks at."""
        if not (self.training and images.device.type == "cpu"):
            return self._conv_forward(images, self.weight, self.bias)
        down, across = self.stride
        return torch.conv2d(images[:, :, ::down, ::across].contiguous(memory_format=NHWC), self.weight, self.bias)


def with_fast_depthwise(network: Network) -> Network:
    """`network` with each depthwise convolution of an odd kernel, and each Strided one, replaced, in place."""
    for parent in list(network.modules()):
        for name, conv in parent.named_children():
            if isinstance(conv, nn.Conv2d) and _fits(conv):
                setattr(parent, name, Depthwise(conv))
            elif isinstance(conv, nn.Conv2d) and _crashes(conv):
                setattr(parent, name, Strided(conv))
    return network


def _crashes(conv: nn.Conv2d) -> bool:
    unpadded = conv.padding == (0, 0) and conv.groups == 1
    return unpadded and conv.kernel_size == (1, 1) and conv.stride > (1, 1) and conv.in_channels == 3


def _fits(conv: nn.Conv2d) -> bool:
    (height, width), (down, across) = conv.kernel_size, conv.stride
    depthwise = conv.groups == conv.in_channels == conv.out_channels > 1
    even = height == width and height % 2 and height > 1 and down == across and conv.dilation == (1, 1)
    if not depthwise or not even or conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        return False
    return len(set(conv.padding)) == 1 and conv.padding[0] < height


class _Convolution(torch.autograd.Function):
    """Images (n, channels, height, width), weight (channels, 1, k, k), bias (channels,) or None."""

    @staticmethod
    def forward(ctx, images, weight, bias, stride, padding):
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.conv2d(images, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx, gradient):
        images, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=NHWC)
        by_images = by_weight = by_bias = None
        if ctx.needs_input_grad[0]:
            by_images = _by_images(gradient, images, weight, ctx.stride, ctx.padding)
        if ctx.needs_input_grad[1]:
            by_weight = _by_weight(gradient, images, weight, ctx.stride, ctx.padding)
        if ctx.needs_input_grad[2]:
            wide = torch.promote_types(gradient.dtype, torch.float32)
            by_bias = gradient.sum((0, 2, 3), dtype=wide).to(gradient.dtype)
        return by_images, by_weight, by_bias, None, None


def _by_images(gradient, images, weight, stride, padding):
    """The convolution of the gradient, its pixels `stride` apart, with the kernel turned around."""
    if stride == 1:
        return _backward(gradient, images, weight, 1, padding, 0)
    k, (n, channels, height, width) = weight.shape[-1], images.shape
    shape = (n, channels, height + 2 * padding - k + 1, width + 2 * padding - k + 1)
    apart = torch.empty(shape, dtype=gradient.dtype, memory_format=NHWC).zero_()
    apart[:, :, ::stride, ::stride] = gradient
    return torch.conv2d(apart, weight.flip(2, 3), None, 1, k - 1 - padding, groups=channels)


def _by_weight(gradient, images, weight, stride, padding):
    """A kernel's gradient from those of the 3 x 3 kernels in it."""
    k, (height, width) = weight.shape[-1], gradient.shape[2:]
    if k == 3:
        return _backward(gradient, images, weight, stride, padding, 1)
    images = pad(images, (padding,) * 4)
    height, width = ((side - 1) * stride + 3 for side in (height, width))
    found, part = torch.empty_like(weight), weight[:, :, :3, :3].contiguous()
    for y in range(0, k - 2, 2):
        for x in range(0, k - 2, 2):
            window = images[:, :, y : y + height, x : x + width].contiguous(memory_format=NHWC)
            found[:, :, y : y + 3, x : x + 3] = _backward(gradient, window, part, stride, 0, 1)
    return found


def _backward(gradient, images, weight, stride, padding, which):
    """PyTorch's own gradient, by the images (which = 0) or by the weight (1)."""
    return torch.ops.aten.convolution_backward(
        gradient,
        images,
        weight,
        None,
        [stride] * 2,
        [padding] * 2,
        [1, 1],
        False,
        [0, 0],
        len(weight),
        [which == 0, which == 1, False],
    )[which]
