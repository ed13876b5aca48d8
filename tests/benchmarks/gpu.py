"""`make bench-gpu`: features and training on a GPU, beside the bare network, the loop of timm's train.py and fastai.

    python -m tests.benchmarks.gpu --out FILE [--peers FOLDER] [--networks NAME,...] [--device cpu]

Takes about ten minutes. Photos are noise in memory, weights are random; every side computes in the same numbers, with
the same minibatches. The bare network sees tensors that are on the GPU already, and no optimizer moves its weights: it
is the limit. Every figure comes as a line of JSON, and all of them as a table in FILE. On a machine without a GPU
nothing is measured; `--device cpu` tries the program out there.
"""

import argparse
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import timm
import torch
from timm import utils
from timm.data.loader import PrefetchLoader
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from torch import nn
from torch.nn.functional import cross_entropy

from cvtune_nb.classification.features import fill, shown_in
from cvtune_nb.classification.model import build
from cvtune_nb.classification.train import Part, step
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.data.rows import RowStore
from cvtune_nb.files import silent
from cvtune_nb.models import networks, sizes
from cvtune_nb.models.inference import photos_on_gpu
from cvtune_nb.parameters import Config
from cvtune_nb.runs.descent import scaler_for
from cvtune_nb.runs.fitting import train_mode
from cvtune_nb.runs.optimizer import optimizer_for, set_learning_rate
from cvtune_nb.runs.reading import read_ahead
from cvtune_nb.runs.weight_average import WeightAverage
from tests.benchmarks.common import say

NETWORKS = "resnet18,resnet50,convnext_tiny,vit_small_patch16_224,vit_base_patch16_224"
CLASSES = 10
WARM_UP = 5
"""Steps before the clock starts: kernels are chosen, memory is taken."""
COLUMNS = ["network", "what", "side", "photos_per_second", "of_the_limit", "memory_mb"]


@dataclass(frozen=True)
class Noise:
    """Photos in memory, with what is asked of data.pixels.Pixels."""

    photos: np.ndarray
    preprocessing: Preprocessing

    @property
    def side(self) -> tuple[int, int]:
        """Their height and width."""
        return self.photos.shape[1], self.photos.shape[2]

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, rows: list[int]) -> np.ndarray:
        return self.photos[rows]

    def centre(self, rows: range) -> np.ndarray:
        """What a network sees of them when nothing is augmented."""
        return self.preprocessing.crop(self.photos[list(rows)])


@dataclass(frozen=True)
class Bench:
    """One network on a device, and how it is measured.

    photos: uint8 noise, as large as photos are kept for training. steps: how many are timed.
    """

    network: str
    device: torch.device
    photos: Noise
    batch: int
    steps: int

    @property
    def config(self) -> Config:
        """A run of this network, of photos that are cropped and mirrored."""
        shown = self.photos.preprocessing
        return Config(f"{self.network}:random", image_size=shown.image_size, batch_size=self.batch)

    def order(self) -> list[torch.Tensor]:
        """The rows of as many minibatches as are measured, and of the first ones, which are not."""
        rows = torch.randint(len(self.photos), (self.steps + WARM_UP, self.batch))
        return list(rows)

    def rate(self, steps: Iterator[object], photos: int) -> tuple[float, float]:
        """Photos a second of all steps but the first ones, of so many photos each, and the most memory in MB."""
        gpu = self.device.type == "cuda"
        for _ in range(WARM_UP):
            next(steps)
        if gpu:
            torch.cuda.reset_peak_memory_stats()
        self.wait()
        start, count = time.perf_counter(), sum(1 for _ in steps)
        self.wait()
        peak = torch.cuda.max_memory_allocated() / 1e6 if gpu else 0.0
        return count * photos / (time.perf_counter() - start), peak

    def wait(self) -> None:
        """Until all that was queued is done."""
        if self.device.type != "cpu":
            torch.accelerator.synchronize()

    def plain(self) -> nn.Module:
        """The network as timm builds it, with a last layer."""
        made_for = sizes.arguments(self.network, self.photos.preprocessing.size) or {}
        made = timm.create_model(self.network, num_classes=CLASSES, **made_for)
        return made.to(self.device, memory_format=torch.channels_last)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what a network sees."""
        return self.photos.preprocessing.shape

    def floats(self, count: int) -> torch.Tensor:
        """Normalised photos that are on the device already."""
        photos = torch.randn(count, 3, *self.shape, device=self.device)
        return photos.to(memory_format=torch.channels_last)


# -- features ---------------------------------------------------------------------------------------------------


def bare_forward(bench: Bench) -> tuple[float, float]:
    """The network alone, photos on the device."""
    count = photos_on_gpu(bench.shape)
    network, photos = bench.plain().eval(), bench.floats(count)

    def steps() -> Iterator[object]:
        with torch.inference_mode(), networks.mixed_precision(bench.device):
            for _ in range(bench.steps + WARM_UP):
                yield network(photos)

    return bench.rate(steps(), count)


def our_features(bench: Bench) -> tuple[float, float]:
    """From photos in memory to features on disk: what `cvtune baseline` does once photos are decoded."""
    network = networks.load(bench.config.backbone, image_size=shown_in(bench.config).size)
    keys = [str(number) for number in range(len(bench.photos))]
    seconds = []
    for _ in range(2):  # the first time kernels are chosen, too
        with tempfile.TemporaryDirectory() as folder:
            store, start = RowStore(Path(folder), (network.width,), "float32"), time.perf_counter()
            fill(store, keys, bench.photos, network, silent)  # pyright: ignore[reportArgumentType]
            seconds.append(time.perf_counter() - start)
    return len(keys) / seconds[-1], 0.0


# -- training ---------------------------------------------------------------------------------------------------


def bare_steps(bench: Bench) -> tuple[float, float]:
    """Forward and backward, photos on the device, no optimizer."""
    network, photos = bench.plain().train(), bench.floats(bench.batch)
    labels = torch.zeros(bench.batch, dtype=torch.long, device=bench.device)

    def steps() -> Iterator[object]:
        for _ in range(bench.steps + WARM_UP):
            with networks.mixed_precision(bench.device):
                logits = network(photos)
            cross_entropy(logits.float(), labels).backward()
            network.zero_grad()
            yield None

    return bench.rate(steps(), bench.batch)


def our_steps(bench: Bench, on_gpu: bool) -> tuple[float, float]:
    """All of a step of ours: reading, augmentation, AdamW, averaged weights. on_gpu: photos are kept there."""
    part, network, work = ours(bench, on_gpu)

    def steps() -> Iterator[object]:
        for batch in read_ahead(part.batch, bench.order(), bench.device):
            yield work(*batch)

    train_mode(network)
    return bench.rate(steps(), bench.batch)


def ours(bench: Bench, on_gpu: bool) -> tuple[Part, nn.Module, Callable[[torch.Tensor, torch.Tensor], object]]:
    """The photos, the network and what is done with a minibatch."""
    config = bench.config
    labels = torch.arange(len(bench.photos)) % CLASSES
    part = Part(bench.photos, labels, pd.DataFrame())  # pyright: ignore[reportArgumentType]
    if on_gpu:
        part = part.kept_on(bench.device, np.inf)
    network = build(config, [str(number) for number in range(CLASSES)]).to(bench.device)
    optimizer, average = optimizer_for(network, config), WeightAverage(network, config.ema)
    scaler = scaler_for(bench.device, config.precision)

    def work(photos: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        set_learning_rate(optimizer, 1e-4)
        loss = step(network, optimizer, photos, labels, config, scaler=scaler)
        average.update()
        return loss

    return part, network, work


def waits(bench: Bench) -> int:
    """How often a step of ours makes the processor wait for the GPU, by PyTorch's own account."""
    part, network, work = ours(bench, on_gpu=True)
    train_mode(network)
    for batch in read_ahead(part.batch, bench.order()[:WARM_UP], bench.device):
        work(*batch)
    photos, labels = (each.to(bench.device) for each in part.batch(bench.order()[0]))
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            work(photos, labels)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(each.message) for each in seen)


def timm_steps(bench: Bench) -> tuple[float, float]:
    """The loop of timm's train.py with --amp and --channels-last, photos cropped already, losses read every 50 steps.

    Its loader for GPUs copies and normalises; what its workers would decode and vary is left out.
    """
    network = bench.plain().train()
    optimizer = create_optimizer_v2(network, "adamw", lr=1e-4, weight_decay=0.01)
    loss_of, losses, total = LabelSmoothingCrossEntropy(0.1), utils.AverageMeter(), 0.0
    scaler = utils.NativeScaler() if networks.number_type(bench.device) == torch.float16 else None
    cropped = torch.from_numpy(np.ascontiguousarray(bench.photos.centre(range(len(bench.photos)))))
    cropped = cropped.permute(0, 3, 1, 2)
    batches = [(cropped[rows].contiguous(), rows % CLASSES) for rows in bench.order()]
    gpu = bench.device.type != "cpu"
    if gpu:
        batches = [(photos.pin_memory(), labels.pin_memory()) for photos, labels in batches]
    loader = PrefetchLoader(batches, device=bench.device)  # pyright: ignore[reportArgumentType]

    def steps() -> Iterator[object]:
        nonlocal total
        for number, (photos, labels) in enumerate(loader):
            photos = photos.contiguous(memory_format=torch.channels_last)
            with networks.mixed_precision(bench.device):
                loss = loss_of(network(photos), labels)
            if scaler:
                scaler(loss, optimizer, parameters=network.parameters())
            else:
                loss.backward()
                optimizer.step()
            optimizer.zero_grad()
            if (number + 1) % 50 == 0:
                losses.update(loss.item(), bench.batch)
            yield None

    return bench.rate(steps(), bench.batch)


def fastai_steps(bench: Bench, peers: str) -> tuple[float, float]:
    """fastai's Learner with its usual augmentation on the GPU, in mixed precision, photos in memory."""
    if peers not in sys.path:
        sys.path.insert(0, peers)
    from fastai.callback.core import Callback  # pyright: ignore[reportMissingImports]
    from fastai.callback.fp16 import AMPMode, MixedPrecision  # pyright: ignore[reportMissingImports]
    from fastai.data.core import DataLoaders  # pyright: ignore[reportMissingImports]
    from fastai.data.load import DataLoader  # pyright: ignore[reportMissingImports]
    from fastai.learner import Learner  # pyright: ignore[reportMissingImports]
    from fastai.torch_core import TensorCategory, TensorImage  # pyright: ignore[reportMissingImports]
    from fastai.vision.augment import aug_transforms  # pyright: ignore[reportMissingImports]
    from fastai.vision.data import IntToFloatTensor, Normalize, imagenet_stats  # pyright: ignore[reportMissingImports]
    from fasttransform import Pipeline  # pyright: ignore[reportMissingImports]

    stamps: list[float] = []

    class Clock(Callback):
        """Notes when steps end that are timed."""

        def after_batch(self) -> None:
            """After the last step before the clock starts, and after the last one of all."""
            if self.iter + 1 in (WARM_UP, WARM_UP + bench.steps):
                bench.wait()
                stamps.append(time.perf_counter())

    photos = torch.from_numpy(bench.photos.photos).permute(0, 3, 1, 2)
    batches = [(TensorImage(photos[rows]), TensorCategory(rows % CLASSES)) for rows in bench.order()]
    normalise = Normalize.from_stats(*imagenet_stats, cuda=bench.device.type == "cuda")
    change = [IntToFloatTensor(), *aug_transforms(size=bench.shape[0]), normalise]
    varied = Pipeline(change)
    loaders = [DataLoader(part, bs=None, num_workers=0, after_batch=varied) for part in (batches, batches[:1])]
    learner = Learner(
        DataLoaders(*loaders, device=bench.device), bench.plain(), loss_func=nn.CrossEntropyLoss(label_smoothing=0.1)
    )
    half = networks.number_type(bench.device)
    mixed = [MixedPrecision(AMPMode.BF16 if half == torch.bfloat16 else AMPMode.FP16)] if half != torch.float32 else []
    with learner.no_bar(), learner.no_logging():
        learner.fit(1, lr=1e-4, cbs=[Clock(), *mixed])
    return bench.steps * bench.batch / (stamps[1] - stamps[0]), 0.0


# -- the table --------------------------------------------------------------------------------------------------


def measured(bench: Bench, peers: str) -> list[dict[str, object]]:
    """The rows of one network, each side beside the limit."""
    sides: dict[str, dict[str, Callable[[], tuple[float, float]]]] = {
        "features": {"limit: bare forward": partial(bare_forward, bench), "cvtune": partial(our_features, bench)},
        "training": {
            "limit: bare forward and backward": partial(bare_steps, bench),
            "cvtune, photos on the GPU": partial(our_steps, bench, on_gpu=True),
            "cvtune, photos copied": partial(our_steps, bench, on_gpu=False),
            "timm, the step of its train.py": partial(timm_steps, bench),
        },
    }
    if peers:
        sides["training"]["fastai"] = partial(fastai_steps, bench, peers)
    rows = []
    for what, works in sides.items():
        limit = 0.0
        for side, work in works.items():
            with networks.autotuned():
                rate, memory = work()
            limit = limit or rate
            row = dict(zip(COLUMNS, (bench.network, what, side, rate, rate / limit, memory), strict=True))
            say(**row)
            rows.append(row)
    if bench.device.type == "cuda":
        say(network=bench.network, what="waits for the GPU in a step", count=waits(bench))
    return rows


def table(rows: list[dict[str, object]], machine: str) -> str:
    """All rows as Markdown."""
    lines = [machine, "", "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    form = {"photos_per_second": ".0f", "of_the_limit": ".2f", "memory_mb": ".0f"}
    lines += ["| " + " | ".join(format(row[name], form.get(name, "")) for name in COLUMNS) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def machine_in_words(device: torch.device, batch: int, size: int) -> str:
    """On what, with what and when it was measured."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} ({platform.machine()})"
    numbers = str(networks.number_type(device)).removeprefix("torch.")
    versions = f"PyTorch {torch.__version__}, timm {timm.__version__}"
    return f"{name}, {numbers}, minibatches of {batch}, {size} pixels, {versions}, {datetime.now(UTC):%Y-%m-%d}"


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Markdown file for the table")
    parser.add_argument("--peers", default="", help="folder that fastai is installed in")
    parser.add_argument("--networks", default=NETWORKS, help="timm names, with commas between")
    parser.add_argument("--device", default="", help="cpu tries the program out; without it the GPU")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=64, help="photos a step")
    parser.add_argument("--steps", type=int, default=100, help="steps that are timed")
    parser.add_argument("--photos", type=int, default=4_096, help="photos in memory")
    given = parser.parse_args(arguments)
    device = networks.device() if given.device != "cpu" else torch.device("cpu")
    if device.type == "cpu" and given.device != "cpu":
        print("There is no GPU here that PyTorch finds, so nothing is measured: --device cpu tries the program out.")
        return
    shown = Preprocessing(given.image_size)
    sides = (shown.side, shown.side) if isinstance(shown.side, int) else shown.side
    noise = np.random.default_rng(0).integers(0, 256, (given.photos, *sides, 3), np.uint8)
    rows, machine = [], machine_in_words(device, given.batch, given.image_size)
    for name in given.networks.split(","):
        rows += measured(Bench(name, device, Noise(noise, shown), given.batch, given.steps), given.peers)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(table(rows, machine), encoding="utf-8")  # after each: ten minutes may not be enough
    print(f"The table is in {given.out}")


if __name__ == "__main__":
    main()
