"""The fastest way this machine has to turn photos into features."""

import functools
import io
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from cvtune_nb.models import fuse_convolutions, networks
from cvtune_nb.quiet import quiet

WORTH = 1_000
"""Photos from which ONNX Runtime is tried: to make its graph takes about 7 s, and it saves as much as 7 ms a photo."""

QUICK_WORTH = 200 * 224**2
"""Pixels, of all photos together, from which it pays to fuse a network: that takes about .15 s, and it saves 1 ms a
photo of 224 x 224."""

SAME = 1e-3
"""Largest difference of features, as a share of the largest feature, that counts as the same."""

Way = Callable[[np.ndarray], np.ndarray]
"""uint8 images (n, size, size, 3) to float32 features (n, width)."""


def fastest(network: networks.Backbone, images: np.ndarray, photos: int) -> Way:
    """PyTorch, fused; or on a processor without instructions for bfloat16 (networks.half) ONNX Runtime, where it says
    the same and is faster; tried on `images`, when there are enough `photos` to make up for the trial.

    Measured at 224 pixels on 2 cores, images a second. EfficientNet-Lite0 in bfloat16 with memory.retain_freed_memory:
    as it is 225, fused 295, compiled by torch.compile (frozen) 220 after 5 s; in float32 125, fused 160, ONNX Runtime
    185, and with instructions up to AVX2 125, 152, 188. ResNet-18: 107, 112; in float32 with AVX2 54, 57, 58. So
    nothing is compiled.
    """
    plain: Way = functools.partial(networks.forward, quick(network, images, photos))
    where = next(network.parameters()).device
    if photos < WORTH or where.type != "cpu" or networks.computes_in_half(where):
        return plain
    try:
        other = onnx_way(network, images)
        expected, found = plain(images), other(images)
    except Exception:  # noqa: BLE001 - an exporter that does not know a layer raises errors of many kinds
        return plain
    return other if same(expected, found) and _seconds(other, images) < _seconds(plain, images) else plain


def quick(network: nn.Module, images: np.ndarray, photos: int) -> nn.Module:
    """A fused copy of `network` (fusing.fused), which is in eval mode, for `photos` uint8 images like these; the
    network itself on a GPU, where so few photos don't pay for it, and where the copy would say something else."""
    where = next(network.parameters()).device
    if where.type != "cpu" or photos * images[0].size < 3 * QUICK_WORTH or not torch.backends.mkldnn.is_available():
        return network
    few = images[:4]
    try:
        dtype = torch.bfloat16 if networks.computes_in_half(where) else torch.float32
        copy = fuse_convolutions.fused(network, torch.from_numpy(few), dtype)
        with torch.inference_mode():
            exact = network(torch.from_numpy(few)).numpy()
        rounding = np.abs(networks.forward(network, few) - exact).max()  # that of bfloat16, none in float32
        found = networks.forward(copy, few)
    except Exception:  # noqa: BLE001 - what it is made of is PyTorch's own, and promised to nobody
        return network
    return copy if same(exact, found, 1.5 * rounding) else network


def same(expected: np.ndarray, found: np.ndarray, rounding: float = 0.0) -> bool:
    """Whether these are the same features, but for `rounding` beyond that of float32."""
    return bool(np.abs(found - expected).max() <= SAME * np.abs(expected).max() + rounding)


def onnx_way(network: networks.Backbone, images: np.ndarray) -> Way:
    """The network in ONNX Runtime, in float32, for any number of images of this size."""
    import onnxruntime

    file = io.BytesIO()
    with quiet("onnx_ir", "onnxscript", "torch.onnx", "torch.export"):
        torch.onnx.export(
            network,
            (torch.from_numpy(images[:2]),),
            dynamo=True,
            input_names=["images"],
            output_names=["features"],
            dynamic_shapes={"images": {0: torch.export.Dim("n", min=1, max=2**20)}},
            verbose=False,
        ).save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"images": np.ascontiguousarray(batch)})[0]


def _seconds(way: Way, images: np.ndarray) -> float:
    """Of the faster of two calls."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        way(images)
        times.append(time.perf_counter() - start)
    return min(times)
