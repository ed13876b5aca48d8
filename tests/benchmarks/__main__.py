"""`make bench`: cvtune beside the limit of this machine, a plain PyTorch loop as tutorials write it, and fastai.

    python -m tests.benchmarks --work FOLDER [--data PHOTOS] [--peers FOLDER] [--only features,epoch,sliders,fastai]

Without --data the sample photos are made; `fastai` needs photos in split/class/photo. Every figure is one JSON line.
Only the ratios mean something on a busy machine: what is compared runs in one call, one after the other.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import timm
import torch
import torchvision
from PIL import Image
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from cvtune_nb import backbones, metrics, networks
from cvtune_nb.baseline import SvmExplorer
from cvtune_nb.data import open_workspace
from cvtune_nb.data.photo import read_photo
from cvtune_nb.features import features, width
from cvtune_nb.inference import onnx_way
from cvtune_nb.parameters import Config
from cvtune_nb.training import fit, runs
from cvtune_nb.training.preview import LastLayer
from cvtune_nb.workspace import Workspace

BACKBONES = ("efficientnet_lite0", "resnet18:random")
BATCH = 32


def say(**figures: object) -> None:
    """Print one line of figures."""
    print(json.dumps({key: value if isinstance(value, str | int) else round(float(value), 4)
                      for key, value in figures.items()}), flush=True)  # fmt: skip


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Of the fastest of some calls."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


# -- the plain loop -------------------------------------------------------------------------------------------


class PlainPhotos(Dataset):
    """Photos read from their files at every access, resized and cropped by torchvision, as tutorials do."""

    def __init__(self, workspace: Workspace, photos: pd.DataFrame, size: int):
        self.files = [workspace.path_of(path) for path in photos["path"]]
        self.labels = photos["label"].astype("category").cat.codes.to_numpy(dtype=np.int64)
        self.change = transforms.Compose([
            transforms.Resize(round(size * 256 / 224)), transforms.CenterCrop(size), transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.change(read_photo(self.files[index])), self.labels[index]


def plain_network(backbone: str) -> nn.Module:
    """The network as timm or torchvision builds it: batch norms, float32, PyTorch's default memory layout."""
    name = backbone.removesuffix(backbones.RANDOM)
    if name.startswith("resnet"):
        network = torchvision.models.get_model(name, weights=None)
        network.fc = nn.Identity()
        return network
    return timm.create_model(f"tf_{name}", num_classes=0)


def plain_features(workspace: Workspace, photos: pd.DataFrame, backbone: str, size: int) -> None:
    network = plain_network(backbone).eval()
    with torch.no_grad():
        for images, _ in DataLoader(PlainPhotos(workspace, photos, size), BATCH):
            network(images)


def plain_epoch(workspace: Workspace, train: pd.DataFrame, backbone: str, size: int) -> None:
    network = nn.Sequential(plain_network(backbone), nn.Linear(width(backbone), 100)).train()
    optimizer = torch.optim.AdamW(network.parameters(), 0.0003)
    for images, labels in DataLoader(PlainPhotos(workspace, train, size), BATCH, shuffle=True):
        optimizer.zero_grad()
        cross_entropy(network(images), labels).backward()
        optimizer.step()


# -- the limit ------------------------------------------------------------------------------------------------


def least_decoding(workspace: Workspace, photos: pd.DataFrame, size: int) -> float:
    """Seconds to decode at a reduced scale and resize, on all cores, nothing kept."""
    side = round(size * 256 / 224)

    def decode(path: str) -> None:
        with Image.open(workspace.path_of(path)) as image:
            image.draft("RGB", (side, side))
            image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)

    def work() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(decode, photos["path"]))

    return seconds(work)


def least_forward(backbone: str, size: int) -> tuple[float, str]:
    """Seconds a photo of the fastest bare forward pass of four, and which it is."""
    images = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), np.uint8)
    plain, ours = plain_network(backbone).eval(), networks.load(backbone).eval()
    floats = torch.rand(BATCH, 3, size, size).to(memory_format=torch.channels_last)
    graph = onnx_way(ours, images)

    def forward(network: nn.Module, batch: torch.Tensor, half: bool) -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            network(batch)

    ways = {
        "plain, bfloat16": lambda: forward(plain, floats, True),
        "without batch norm, float32": lambda: forward(ours.network, floats, False),
        "without batch norm, bfloat16": lambda: forward(ours.network, floats, True),
        "ONNX Runtime": lambda: graph(images),
    }
    found = {name: seconds(way, 6) / BATCH for name, way in ways.items()}
    return min((value, name) for name, value in found.items())


def least_step(backbone: str, size: int) -> tuple[float, str]:
    """Seconds a photo of the fastest bare forward and backward pass on tensors in memory, and which it is."""
    from cvtune_nb.training.depthwise import with_fast_depthwise

    floats, labels = torch.rand(BATCH, 3, size, size), torch.zeros(BATCH, dtype=torch.long)

    def step(network: nn.Module, half: bool) -> Callable[[], None]:
        whole = nn.Sequential(network, nn.Linear(width(backbone), 10)).to(memory_format=torch.channels_last).train()
        batch = floats.to(memory_format=torch.channels_last)

        def work() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                logits = whole(batch)
            cross_entropy(logits.float(), labels).backward()
            whole.zero_grad()

        return work

    ways = {
        f"{name}, {'bfloat16' if half else 'float32'}": (make, half) for half in (False, True) for name, make in (
            ("plain", lambda: plain_network(backbone)),
            ("without batch norm", lambda: networks.load(backbone).network),
            ("with our depthwise gradients", lambda: with_fast_depthwise(networks.load(backbone)).network),
        )
    }  # fmt: skip
    found = {name: seconds(step(make(), half), 5) / BATCH for name, (make, half) in ways.items()}
    return min((value, name) for name, value in found.items())


# -- the rows -------------------------------------------------------------------------------------------------


def measure_features(workspace: Workspace, photos: pd.DataFrame, backbone: str, size: int) -> None:
    """From photos to features: first run with an empty cache, second run, the limit, the plain loop."""
    shutil.rmtree(workspace.cache, ignore_errors=True)  # opening the data has decoded every photo already
    first = seconds(lambda: features(workspace, photos, backbone, size))
    second = seconds(lambda: features(workspace, photos, backbone, size))
    forward, way = least_forward(backbone, size)
    limit = least_decoding(workspace, photos, size) + forward * len(photos)
    plain = seconds(lambda: plain_features(workspace, photos, backbone, size))
    say(row="features", backbone=backbone, photos=len(photos), first_s=first, second_s=second, limit_s=limit, way=way,
        plain_s=plain, of_limit=limit / first, times_plain=plain / first)  # fmt: skip


def measure_epoch(workspace: Workspace, train: pd.DataFrame, backbone: str, size: int) -> None:
    """One training epoch with its accuracies, beside the limit of its steps and the plain loop without accuracies."""
    head = "random" if backbone.endswith(backbones.RANDOM) else "svm"
    run = fit(workspace, Config(backbone, image_size=size, epochs=1, head=head))
    ours = float(run.history.set_index("epoch").at[1, "seconds"])
    step, way = least_step(backbone, size)
    forward, _ = least_forward(backbone, size)
    steps = step * len(train)
    limit = steps + forward * sum(run.counts)
    plain = seconds(lambda: plain_epoch(workspace, train, backbone, size))
    say(row="epoch", backbone=backbone, photos=len(train), seconds=ours, limit_s=limit, steps_alone_s=steps, way=way,
        plain_s=plain, of_limit=limit / ours, times_plain=plain / ours, predicted_s=run.predicted_seconds)  # fmt: skip


def measure_sliders(workspace: Workspace, backbone: str, size: int) -> None:
    """What a move of C, and of the learning rate, takes on cached features."""
    explorer = SvmExplorer(workspace, backbone, size)
    explorer.best_C()
    layer = LastLayer(workspace, backbone, size)
    rates = np.geomspace(1e-5, 0.1, 40)
    configs = [Config(backbone, image_size=size, learning_rate=float(rate)) for rate in rates]
    moves = {
        "C of the SVM": [seconds(lambda C=C: explorer.fit(C, "linear")) for C in (0.01, 0.1, 1.0, 10.0, 100.0) * 8],
        "learning rate": [seconds(lambda config=config: layer.preview(config)) for config in configs],
    }
    for what, times in moves.items():
        median, high = 1000 * np.median(times), 1000 * np.percentile(times, 95)
        say(row="sliders", what=what, median_ms=median, percentile_95_ms=high)


def measure_fastai(workspace: Workspace, peers: str, work: Path, epochs: int) -> None:
    """fastai's fine_tune at its default rate, and our default run: time to the accuracy at which fastai ends, and both
    on the test photos, paired."""
    if not (workspace.data / "train").is_dir():
        say(row="fastai", left_out="it needs photos in split/class/photo: give such a folder as --data")
        return
    out = work / f"fastai-{epochs}.npz"
    script = Path(__file__).with_name("peers_fastai.py")
    command = [sys.executable, str(script), peers, str(workspace.data), str(epochs), str(out)]
    subprocess.run(command, check=True, capture_output=True)
    theirs = np.load(out, allow_pickle=False)
    reached, took = theirs["epochs"][-1]

    history = fit(workspace, Config("efficientnet_lite0")).history
    history = history.assign(time=history["seconds"].cumsum())
    there = history[history["validation_accuracy"] >= reached]
    say(row="fastai", epochs=epochs, validation=reached, seconds=took, ours_reaches_it_after_s=there["time"].iloc[0],
        ours_validation=history["validation_accuracy"].max(), ours_seconds=history["time"].iloc[-1])  # fmt: skip
    from cvtune_nb.export import export_run

    run = runs(workspace)["run"].iloc[-1]
    exported = export_run(workspace, run)
    answers = pd.read_csv(exported.folder / "test_predictions.csv").sort_values("path")
    right = (answers["label"] == answers["predicted"]).to_numpy()
    explorer = SvmExplorer(workspace, "efficientnet_lite0")
    matrix, labels = explorer.part("test")
    places = explorer.photos.loc[explorer.photos["split"] == "test", "path"].reset_index(drop=True)
    svm = pd.Series(explorer.svm(explorer.best_C()).predict(matrix) == labels, index=places)[answers["path"]].to_numpy()
    for name, other in (("fastai", theirs["right"]), ("our SVM", svm)):
        compared = metrics.paired(other, right)
        say(row="test", ours=right.mean(), other=name, its=other.mean(), difference=compared.difference,
            low=compared.low, high=compared.high, p=compared.p)  # fmt: skip


def main() -> None:
    """Read the command line and measure the rows it names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="", help="a folder of labelled photos; the sample photos without it")
    parser.add_argument("--work", type=Path, required=True, help="folder for a workspace and results")
    parser.add_argument("--peers", default="", help="folder that fastai is installed in")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=5, help="of fastai's fine_tune")
    parser.add_argument("--only", default="features,epoch,sliders,fastai", help="rows, with commas between")
    arguments = parser.parse_args()
    work, size = arguments.work.resolve(), arguments.image_size
    workspace = open_workspace(arguments.data, work / f"bench-{time.time_ns()}")
    photos = workspace.photos()
    for row in arguments.only.split(","):
        if row == "fastai":
            measure_fastai(workspace, str(Path(arguments.peers).resolve()), work, arguments.epochs)
        elif row == "sliders":
            measure_sliders(workspace, BACKBONES[0], size)
        else:
            for backbone in BACKBONES:
                if row == "features":
                    measure_features(workspace, photos, backbone, size)
                else:
                    measure_epoch(workspace, photos[photos["split"] == "train"], backbone, size)


if __name__ == "__main__":
    main()
