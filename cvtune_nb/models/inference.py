"""The fastest way this machine has to turn photos into features."""

import functools
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from cvtune_nb.models import fuse_convolutions, networks
from cvtune_nb.quiet import quiet

ONNX_PAYS = 1_000
"""Photos from which ONNX Runtime is tried: docs/measurements.md, "Ways to compute features"."""

FUSING_PAYS = 200 * 224**2
"""Pixels, of all photos together, from which a network is fused: docs/measurements.md, "Ways to compute features"."""

SAME = 1e-3
"""Largest difference of features, as a fraction of the largest feature, that counts as the same."""

AT_MOST, AT_LEAST = 128, 8
"""Photos a forward pass on a GPU: of 224 x 224 pixels, and however large they are. Fewer would leave it idle while the
processor starts its kernels."""

Forward = Callable[[np.ndarray | torch.Tensor], np.ndarray]
"""uint8 images (n, size, size, 3) to float32 features (n, width)."""


def photos_on_gpu(shape: tuple[int, int]) -> int:
    """How many photos of a height and width a forward pass on a GPU takes."""
    return max(AT_LEAST, min(AT_MOST, AT_MOST * 224**2 // (shape[0] * shape[1])))


def fastest(network: networks.Backbone, images: np.ndarray, photos: int) -> Forward:
    """The fastest forward pass that gives the same features.

    That is PyTorch with fused convolutions, or, on a processor without bfloat16, ONNX Runtime where it is faster:
    docs/measurements.md, "Ways to compute features".

    Parameters
    ----------
    network
        In eval mode.
    images
        uint8 (n, size, size, 3): what the candidates are tried on.
    photos
        How many there will be; for few nothing is tried.
    """
    plain: Forward = functools.partial(networks.forward, quick(network, images, photos))
    device = next(network.parameters()).device
    if photos < ONNX_PAYS or device.type != "cpu" or networks.has_bfloat16(device):
        return plain
    try:
        other = onnx_forward(network, images)
        expected, found = plain(images), other(images)
    except Exception:  # noqa: BLE001 - an exporter that does not know a layer raises errors of many kinds
        return plain
    return other if same(expected, found) and seconds(other, images) < seconds(plain, images) else plain


def quick(network: nn.Module, images: np.ndarray, photos: int) -> nn.Module:
    """A copy of `network` with fused convolutions, or the network itself where that does not pay.

    Parameters
    ----------
    network
        In eval mode. On a GPU it is not fused, nor where the copy would give other features.
    images
        uint8 (n, height, width, 3), like those to come.
    photos
        How many there will be.
    """
    device = next(network.parameters()).device
    if device.type != "cpu" or photos * images[0].size < 3 * FUSING_PAYS or not torch.backends.mkldnn.is_available():
        return network
    few = images[:4]
    try:
        dtype = torch.bfloat16 if networks.has_bfloat16(device) else torch.float32
        copy = fuse_convolutions.fused(network, torch.from_numpy(few), dtype)
        with torch.inference_mode():
            exact = network(torch.from_numpy(few)).numpy()
        rounding = np.abs(networks.forward(network, few) - exact).max()  # that of bfloat16, none in float32
        found = networks.forward(copy, few)
    except Exception:  # noqa: BLE001 - it is made of operators that PyTorch keeps to itself
        return network
    return copy if same(exact, found, 1.5 * rounding) else network


def same(expected: np.ndarray, found: np.ndarray, rounding: float = 0.0) -> bool:
    """Whether these are the same features, to within rounding.

    Parameters
    ----------
    expected, found
        Of one shape.
    rounding
        Largest difference to allow beyond that of float32.
    """
    return bool(np.abs(found - expected).max() <= SAME * np.abs(expected).max() + rounding)


def onnx_forward(network: networks.Backbone, images: np.ndarray) -> Forward:
    """The network in ONNX Runtime, in float32, for any number of images of this size."""
    import onnxruntime

    with quiet("onnx_ir", "onnxscript", "torch.onnx", "torch.export"):
        made = torch.onnx.export(
            network,
            (torch.from_numpy(images[:2]),),
            dynamo=True,
            input_names=["images"],
            output_names=["features"],
            dynamic_shapes={"images": {0: torch.export.Dim("n", min=1, max=2**20)}},
            verbose=False,
        )
    assert made, "dynamo gives a program"
    graph = made.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"images": np.ascontiguousarray(batch)})[0]


def seconds(forward: Forward, images: np.ndarray) -> float:
    """Seconds that the faster of two calls takes."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        forward(images)
        times.append(time.perf_counter() - start)
    return min(times)
