"""The fastest way this machine has to turn photos into features."""

import functools
import io
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

from cvtune_nb import networks

WORTH = 1_000
"""Photos from which ONNX Runtime is tried: to make its graph takes about 7 s, and it saves as much as 7 ms a photo."""

SAME = 1e-3
"""Largest difference of features, as a share of the largest feature, that counts as the same."""

Way = Callable[[np.ndarray], np.ndarray]
"""uint8 images (n, size, size, 3) to float32 features (n, width)."""


def fastest(network: networks.Backbone, images: np.ndarray, photos: int) -> Way:
    """PyTorch, or on a processor without instructions for bfloat16 (networks.half) ONNX Runtime, where it says the same
    and is faster; tried on `images`, when there are enough `photos` to make up for the trial.

    Measured at 224 pixels on 2 cores, images a second. EfficientNet-Lite0: PyTorch 84 in float32 and 250 in bfloat16
    with memory.kept; ONNX Runtime 200; torch.compile 220, frozen, in bfloat16, after 5 s of compiling. ResNet-18: 115,
    63 and 116. So nothing is compiled.
    """
    plain: Way = functools.partial(networks.forward, network)
    where = next(network.parameters()).device
    if photos < WORTH or where.type != "cpu" or networks.computes_in_half(where):
        return plain
    try:
        other = onnx_way(network, images)
        expected, found = plain(images), other(images)
    except Exception:  # noqa: BLE001 - an exporter that does not know a layer raises errors of many kinds
        return plain
    same = np.abs(found - expected).max() <= SAME * np.abs(expected).max()
    return other if same and _seconds(other, images) < _seconds(plain, images) else plain


def onnx_way(network: networks.Backbone, images: np.ndarray) -> Way:
    """The network in ONNX Runtime, in float32, for any number of images of this size."""
    import onnxruntime

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.from_numpy(images[:2]),), dynamo=True, input_names=["images"], output_names=["features"],
            dynamic_shapes={"images": {0: torch.export.Dim("n", min=1, max=2**20)}}, verbose=False,
        ).save(file)  # fmt: skip
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
