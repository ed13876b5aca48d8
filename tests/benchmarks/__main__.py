"""`make bench`: cvtune beside a plain PyTorch loop as tutorials write it, on the same photos, network and machine.

python -m tests.benchmarks [--data DIR] [--photos N] [--backbone NAME]; without --data the sample photos are made.
Seconds are printed for orientation; only the ratios mean something on a busy machine.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from cvtune_nb import networks
from cvtune_nb.baseline import SvmExplorer
from cvtune_nb.data import open_workspace
from cvtune_nb.data.photo import read_photo
from cvtune_nb.features import features, width
from cvtune_nb.parameters import Config
from cvtune_nb.training import fit
from cvtune_nb.workspace import Workspace


class PlainPhotos(Dataset):
    """Photos read from their files at every access, resized and cropped by torchvision, as tutorials do."""

    def __init__(self, workspace: Workspace, photos: pd.DataFrame, size: int):
        self.files = [workspace.path_of(path) for path in photos["path"]]
        self.labels = photos["label"].astype("category").cat.codes.to_numpy(dtype=np.int64)
        mean, std = [0.5] * 3, [0.5] * 3
        self.change = transforms.Compose([
            transforms.Resize(round(size * 256 / 224)), transforms.CenterCrop(size), transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.change(read_photo(self.files[index])), self.labels[index]


def plain_network(backbone: str) -> torch.nn.Module:
    """The same network in PyTorch's default memory layout."""
    return networks.load(backbone).network.to(memory_format=torch.contiguous_format)


def plain_features(workspace: Workspace, photos: pd.DataFrame, backbone: str, size: int) -> None:
    network = plain_network(backbone).eval()
    with torch.no_grad():
        for images, _ in DataLoader(PlainPhotos(workspace, photos, size), 32):
            network(images)


def plain_epoch(workspace: Workspace, photos: pd.DataFrame, backbone: str, size: int) -> None:
    """One training epoch, then train and validation accuracy in eval mode: what our loop does in an epoch."""
    network = torch.nn.Sequential(
        plain_network(backbone), torch.nn.Flatten(), torch.nn.Linear(width(backbone), 100)
    ).train()
    optimizer = torch.optim.SGD(network.parameters(), 0.001, momentum=0.9)
    train = photos[photos["split"] == "train"]
    for images, labels in DataLoader(PlainPhotos(workspace, train, size), 32, shuffle=True):
        optimizer.zero_grad()
        cross_entropy(network(images), labels).backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        for images, _ in DataLoader(PlainPhotos(workspace, photos[photos["split"] != "test"], size), 32):
            network(images)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def row(what: str, ours: float, plain: float) -> dict[str, str]:
    return {"what": what, "cvtune s": f"{ours:.2f}", "plain s": f"{plain:.2f}", "times faster": f"{plain / ours:.1f}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="", help="a folder of labelled photos; the sample photos without it")
    parser.add_argument("--photos", type=int, default=300, help="photos to use, drawn by seed 0")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--image-size", type=int, default=224)
    arguments = parser.parse_args()
    backbone, size = arguments.backbone, arguments.image_size
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(arguments.data, Path(folder) / "workspace")
        photos = workspace.photos()
        some = photos.sample(min(arguments.photos, len(photos)), random_state=0)
        rows = []
        plain = seconds(lambda: plain_features(workspace, some, backbone, size))
        shutil.rmtree(workspace.cache)  # opening the data has decoded every photo already: that must count
        first = seconds(lambda: features(workspace, some, backbone, size))
        rows.append(row(f"{len(some)} photos to features, first run", first, plain))
        rows.append(row("the same, second run", seconds(lambda: features(workspace, some, backbone, size)), plain))

        left_out = photos[~photos["path"].isin(some["path"])]["path"]
        for path in left_out:
            workspace.decide(path, "exclude", reason="benchmark")
        photos = workspace.photos()
        config = Config(backbone, image_size=size, epochs=1)
        SvmExplorer(workspace, backbone, size)
        plain = seconds(lambda: plain_epoch(workspace, photos, backbone, size))
        run = fit(workspace, config)
        ours = float(run.history.set_index("epoch").at[1, "seconds"])
        rows.append(row("one training epoch, accuracies measured", ours, plain))
        print(pd.DataFrame(rows).to_string(index=False))

        explorer = SvmExplorer(workspace, backbone, size)
        for kernel in ("linear", "rbf"):
            explorer.C_table(kernel)
        moves = [1000 * seconds(lambda C=C: explorer.fit(C, "linear")) for C in (0.01, 0.1, 1.0, 10.0, 100.0) * 4]
        print(f"\nmoving C: {np.median(moves):.0f} ms median, {np.percentile(moves, 95):.0f} ms 95th percentile")
        print(f"a run of one epoch: predicted {run.predicted_seconds:.1f} s, took {run.seconds:.1f} s")


if __name__ == "__main__":
    main()
