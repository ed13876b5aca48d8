"""The limit of this machine: the fastest bare passes through a network, on tensors in memory, and bare decoding."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import cross_entropy

from cvtune_nb.models import networks
from cvtune_nb.models.depthwise import with_fast_depthwise
from cvtune_nb.models.inference import onnx_forward, quick
from cvtune_nb.models.memory import retain_freed_memory
from cvtune_nb.models.sizes import width
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import BATCH, seconds
from tests.benchmarks.plain import plain_network

HALVES = (False, True)
TIMES = 6
"""Calls of each way, of which the fastest tells which way is the fastest."""
LONG = 30
"""Calls of that way, of which the mean counts: what is compared with it is the sum of as many, and no two of them take
the same time on a shared machine."""


def least_decoding(workspace: Workspace, photos: pd.DataFrame, size: int, resampling: Image.Resampling) -> float:
    """Seconds to decode all photos at a reduced scale and resize their middle squares, on all cores, nothing kept."""
    side = round(size * 256 / 224)

    def decode(path: str) -> None:
        with Image.open(workspace.path_of(path)) as image:
            image.draft("RGB", (side, side))
            image.load()
            short = min(image.size)
            left, top = ((length - short) / 2 for length in image.size)
            image.resize((side, side), resampling, (left, top, left + short, top + short))

    def work() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(decode, photos["path"]))

    return seconds(work)


@retain_freed_memory()
def least_forward(backbone: str, size: int) -> tuple[float, str, float]:
    """Seconds a photo of the fastest bare forward pass of five, and which it is; and of our own fused one."""
    images = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), np.uint8)
    floats = torch.rand(BATCH, 3, size, size).to(memory_format=torch.channels_last)
    ours = networks.load(backbone).eval()
    kinds = {"plain": plain_network(backbone).eval().to(memory_format=torch.channels_last), "folded": ours.network}
    graph = onnx_forward(ours, images)

    def forward(network: nn.Module, half: bool) -> Callable[[], None]:
        def work() -> None:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
                network(floats)

        return work

    ways = {f"{name}, {kind(half)}": forward(network, half) for name, network in kinds.items() for half in HALVES}
    ways["ONNX Runtime"] = lambda: graph(images)
    own = quick(ours, images, sys.maxsize)
    return *fastest(ways), seconds_a_photo(forward(own.network, True))


@retain_freed_memory()
def least_step(backbone: str, size: int) -> tuple[float, str]:
    """Seconds a photo of the fastest bare forward and backward pass of six, and which it is."""
    labels = torch.zeros(BATCH, dtype=torch.long)
    floats = torch.rand(BATCH, 3, size, size).to(memory_format=torch.channels_last)
    kinds = {
        "plain": lambda: plain_network(backbone),
        "folded": lambda: networks.load(backbone).network,
        "folded, fast depthwise": lambda: with_fast_depthwise(networks.load(backbone)).network,
    }

    def step(network: nn.Module, half: bool) -> Callable[[], None]:
        last = nn.Sequential(nn.Flatten(), nn.Linear(width(backbone), 10))
        whole = nn.Sequential(network, last).to(memory_format=torch.channels_last).train()

        def work() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                logits = whole(floats)
            cross_entropy(logits.float(), labels).backward()
            whole.zero_grad()

        return work

    return fastest({f"{name}, {kind(half)}": step(make(), half) for name, make in kinds.items() for half in HALVES})


def kind(half: bool) -> str:
    """The numbers that are computed with."""
    return "bfloat16" if half else "float32"


def fastest(ways: dict[str, Callable[[], None]]) -> tuple[float, str]:
    """Seconds a photo of the fastest way (each is tried TIMES times, but for one that is hopeless at once), and which
    it is."""
    best = (float("inf"), "")
    for name, way in ways.items():
        way()
        once = seconds(way)
        best = min(best, (once if once > 2 * best[0] else seconds(way, TIMES), name))
    return seconds_a_photo(ways[best[1]]), best[1]


def seconds_a_photo(way: Callable[[], None]) -> float:
    """The mean of LONG calls, each with BATCH photos."""
    return seconds(lambda: [way() for _ in range(LONG)]) / (LONG * BATCH)
