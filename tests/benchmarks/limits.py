"""The limit of this machine: the fastest bare passes through a network, on tensors in memory, and bare decoding."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import cross_entropy

from cvtune_nb import networks
from cvtune_nb.features import width
from cvtune_nb.inference import onnx_way
from cvtune_nb.memory import kept
from cvtune_nb.training.depthwise import with_fast_depthwise
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import BATCH, seconds
from tests.benchmarks.plain import plain_network

HALVES = (False, True)
TIMES = 6
"""Calls of each way, of which the fastest counts."""


def least_decoding(workspace: Workspace, photos: pd.DataFrame, size: int) -> float:
    """Seconds to decode all photos at a reduced scale and resize them, on all cores, nothing kept."""
    side = round(size * 256 / 224)

    def decode(path: str) -> None:
        with Image.open(workspace.path_of(path)) as image:
            image.draft("RGB", (side, side))
            image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)

    def work() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(decode, photos["path"]))

    return seconds(work)


@kept()
def least_forward(backbone: str, size: int) -> tuple[float, str]:
    """Seconds a photo of the fastest bare forward pass of five, and which it is."""
    images = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), np.uint8)
    floats = torch.rand(BATCH, 3, size, size).to(memory_format=torch.channels_last)
    ours = networks.load(backbone).eval()
    kinds = {"plain": plain_network(backbone).eval().to(memory_format=torch.channels_last), "folded": ours.network}
    graph = onnx_way(ours, images)

    def forward(network: nn.Module, half: bool) -> Callable[[], None]:
        def work() -> None:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
                network(floats)

        return work

    ways = {f"{name}, {kind(half)}": forward(network, half) for name, network in kinds.items() for half in HALVES}
    ways["ONNX Runtime"] = lambda: graph(images)
    return fastest(ways)


@kept()
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
    """Seconds a photo of the fastest way, each tried TIMES times, but for one that is hopeless at once."""
    best = (float("inf"), "")
    for name, way in ways.items():
        way()
        once = seconds(way)
        best = min(best, ((once if once > 2 * BATCH * best[0] else seconds(way, TIMES)) / BATCH, name))
    return best
