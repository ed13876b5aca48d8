"""Load a pretrained network as photos in, features out."""

import contextlib
import itertools
from collections.abc import Iterator
from copy import deepcopy
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import nn

from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import backbones, own_weights, sizes
from cvtune_nb.models.backbones import RANDOM
from cvtune_nb.models.drop_path import require_drop_path
from cvtune_nb.models.families import Colours
from cvtune_nb.models.fold_batch_norm import folded
from cvtune_nb.models.pooling import LAST, pooled
from cvtune_nb.models.sizes import Size

TRACED = 64
"""Pixels of the images that a network is traced with, where it takes any."""


class Backbone(nn.Module):
    """A network without its last layer that normalises colours as it was trained with, its batch norms folded.

    width: features a photo; matching: how the tensors of a person's own file fitted, in words; pooling: which of its
    maps become features (PARAMETERS).
    """

    network: nn.Module
    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self, network: nn.Module, width: int, colours: Colours, image_size: Size = TRACED, pooling: str = LAST
    ):
        super().__init__()
        self.colours, self.width, self.matching, self.pooling = colours, width, "", pooling
        mean, std = map(torch.tensor, colours)
        self.network = folded(network, image_size, partial(pooled, pooling=pooling))
        self.network.to(memory_format=torch.channels_last)
        self.register_buffer("shift", -mean / std, persistent=False)
        self.register_buffer("scale", 1 / (255 * std), persistent=False)

    def forward(self, images: torch.Tensor, pooling: str = "") -> torch.Tensor:
        """Features (n, width) of uint8 photos (n, height, width, 3); pooling: others than its own."""
        n, height, width, _ = images.shape
        rows = images.reshape(n, height, 3 * width).to(self.scale.dtype)  # long rows: 4 times as fast as 3 colours each
        rows = torch.addcmul(self.shift.repeat(width), rows, self.scale.repeat(width))
        return pooled(self.network, rows.view(n, height, width, 3).permute(0, 3, 1, 2), pooling or self.pooling)


def load(
    name: str,
    pretrained: bool = True,
    image_size: Size | None = None,
    weights: str = "",
    drop_path: float = 0.0,
    pooling: str = LAST,
    progress: Progress = silent,
) -> Backbone:
    """The backbone called `name`, with its ImageNet weights or those of a file.

    Parameters
    ----------
    name
        One of backbones.KNOWN or any other name of timm's.
    pretrained
        False: an untrained network whose weights are about to be replaced. Random weights otherwise only come by
        asking for them by name (`resnet18:random`).
    image_size
        Of the photos that it will be given; a network that is made for one size is built for this one, its table of
        positions resampled. None: the size that it was trained with.
    weights
        A file of weights instead of ImageNet's (PARAMETERS).
    drop_path
        How often training skips its deepest block (PARAMETERS).
    pooling
        Which of its maps become features (PARAMETERS).
    progress
        Called while weights are downloaded.

    Raises
    ------
    InputError
        There is no such network, it does not take the image size, drop path or pooling, its weights are neither
        on disk nor within reach, or those in the file are not of this network.
    """
    plain = name.removesuffix(RANDOM)
    if weights and plain != name:
        raise InputError(f"{name} asks for random weights, and weights names a file: leave one of them out")
    if image_size and pretrained:
        sizes.require(name, image_size)
    family, width = backbones.family_of(name), sizes.width(name, pooling)
    given, traced = {}, TRACED
    if not family.any_size:
        given = (sizes.arguments(plain, image_size) or {}) if image_size else {}
        traced = given.get("img_size") or sizes.native(plain)
    if drop_path:
        require_drop_path(name, drop_path)
        given = {**given, "drop_path_rate": drop_path}
    torch.manual_seed(0)
    file = family.source.fetched(plain, progress) if pretrained and plain == name and not weights else None
    network = family.source.build(plain, file, **given)
    colours = family.colours or _colours(network)
    make = partial(Backbone, width=width, colours=colours, image_size=traced, pooling=pooling)
    if not (weights and pretrained):
        return make(network)
    tensors, last_layer = own_weights.read(weights), family.source.last_layer(plain)
    rename = partial(family.source.renamed, plain)
    found, backbone = own_weights.best(network, tensors, last_layer, rename), None
    if found.missing:  # networks that we have trained have their batch norms folded
        trained = make(deepcopy(network))
        folded_too = own_weights.best(trained.network, tensors, last_layer, rename)
        if folded_too.share > found.share:
            found, backbone = folded_too, trained
    if not found.most or found.deeper:
        raise own_weights.refused(plain, weights, tensors, found)
    (backbone.network if backbone else network).load_state_dict(found.tensors, strict=False)
    backbone = backbone or make(network)
    backbone.matching = found.words
    return backbone


def origin(name: str, image_size: Size, weights: str, progress: Progress = silent) -> str:
    """Which weights a network has at the start, in words; "" for random ones.

    For those of a file how its tensors fit; else exactly which file of ImageNet's weights it is.

    Parameters
    ----------
    name, image_size, weights, progress
        As `load` has them.

    Raises
    ------
    InputError
        As `load`.
    """
    return _matching(name, image_size, weights) if weights else backbones.fetch(name, progress)


@cache
def _matching(name: str, image_size: Size, weights: str) -> str:
    return load(name, image_size=image_size, weights=weights).matching


def _colours(network: Any) -> Colours:
    """What timm says of a network."""
    return Colours(network.pretrained_cfg["mean"], network.pretrained_cfg["std"])


def device() -> torch.device:
    """The device that networks run on: this process's CUDA device, else Apple's GPU, else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())  # by number: other threads begin with the first one
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16", "sve_bf16"}
"""Instructions, by torch.cpu.get_capabilities' names, with which a processor is faster in bfloat16 than in float32:
docs/measurements.md, "bfloat16 on a processor"."""


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and any(torch.cpu.get_capabilities().get(name) for name in BFLOAT16)


TENSOR_CORES = (7, 0)
"""The least compute capability of NVIDIA GPUs that multiply float16 several times as fast as float32 (Volta, 2017)."""


def has_float16(device: torch.device) -> bool:
    """Whether the device is fast at float16, and right."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < TENSOR_CORES:
        return False
    # which count as Turing, have no tensor cores, and give NaN from convolutions in float16
    return "GTX 16" not in torch.cuda.get_device_name(device)


def number_type(device: torch.device, precision: str = "auto") -> torch.dtype:
    """What networks compute in on a device, by a choice of PARAMETERS["precision"]."""
    if precision != "auto":
        return getattr(torch, precision)
    if has_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if has_float16(device) else torch.float32


def mixed_precision(device: torch.device, precision: str = "auto") -> torch.autocast:
    """A context in which networks compute in `number_type`, but for what needs float32."""
    dtype = number_type(device, precision)
    mixed = dtype != torch.float32
    return torch.autocast(device.type, dtype if mixed else None, enabled=mixed)


@contextlib.contextmanager
def autotuned() -> Iterator[None]:
    """A context for photos of one size on an NVIDIA GPU: cuDNN tries which of its algorithms are the fastest with them.

    And float32 is multiplied as TF32 where the GPU has that. Without such a GPU it does nothing.
    """
    if not torch.cuda.is_available():
        yield
        return
    cudnn, precision = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = cudnn
        torch.set_float32_matmul_precision(precision)


def forward(network: torch.nn.Module, images: np.ndarray | torch.Tensor) -> np.ndarray:
    """The network's output for images, without gradients and in `mixed_precision`: float32 (n, ...).

    What float16 has no number for is computed again in float32. images: uint8 (n, height, width, 3).
    """
    device = next(itertools.chain(network.parameters(), network.buffers())).device
    images = torch.as_tensor(images).to(device)
    with torch.inference_mode(), mixed_precision(device):
        output = network(images).float().cpu().numpy()
    if number_type(device) == torch.float16 and not np.isfinite(output).all():
        with torch.inference_mode():
            return network(images).float().cpu().numpy()
    return output
