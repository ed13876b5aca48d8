"""A plain PyTorch loop as tutorials write it: a Dataset that reads files, float32, the network as it is built. In a
process of its own, with memory as PyTorch finds it; settings (common.told): workspace, backbone, image_size, what.
Prints the seconds of `what`: features (of all photos), or epoch (steps and validate)."""

import json
import os
from pathlib import Path

import pandas as pd
import timm
import torch
import torchvision
from PIL import Image
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from cvtune_nb.models import backbones
from cvtune_nb.models.sizes import width
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import BATCH, seconds, told

NORMALIZE = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


class PlainPhotos(Dataset):
    """Photos read from their files at every access, transformed by torchvision."""

    def __init__(self, workspace: Workspace, photos: pd.DataFrame, change: transforms.Compose):
        self.files = [Path(workspace.path_of(path)) for path in photos["path"]]
        self.labels, self.change = photos["label"].astype("category").cat.codes.tolist(), change

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        with Image.open(self.files[index]) as image:
            return self.change(image.convert("RGB")), self.labels[index]


def plain_network(backbone: str) -> nn.Module:
    """The network without its last layer as timm or torchvision builds it, in training mode."""
    name = backbone.removesuffix(backbones.RANDOM)
    if name.startswith("resnet"):
        network = torchvision.models.get_model(name, weights=None)
        network.fc = nn.Identity()
        return network
    return timm.create_model(f"tf_{name}", num_classes=0)


def loader(workspace: Workspace, photos: pd.DataFrame, size: int, train: bool) -> DataLoader:
    """With the transforms of PyTorch's tutorial on transfer learning, and a worker a core."""
    if train:
        steps = [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip()]
    else:
        steps = [transforms.Resize(round(size * 256 / 224)), transforms.CenterCrop(size)]
    change = transforms.Compose([*steps, transforms.ToTensor(), NORMALIZE])
    dataset = PlainPhotos(workspace, photos, change)
    return DataLoader(dataset, BATCH, shuffle=train, num_workers=os.cpu_count())


def plain_features(workspace: Workspace, photos: pd.DataFrame, backbone: str, size: int) -> None:
    """All features, which are thrown away."""
    network = plain_network(backbone).eval()
    with torch.no_grad():
        for images, _ in loader(workspace, photos, size, train=False):
            network(images)


class PlainTraining:
    """A network and what trains it."""

    def __init__(self, workspace: Workspace, photos: pd.DataFrame, backbone: str, size: int):
        self.network = nn.Sequential(plain_network(backbone), nn.Linear(width(backbone), photos["label"].nunique()))
        parts = {split: photos[photos["split"] == split] for split in ("train", "validation")}
        self.train, self.validation = (loader(workspace, part, size, split == "train") for split, part in parts.items())
        self.optimizer = torch.optim.AdamW(self.network.parameters(), 0.0003)

    def epoch(self) -> None:
        """One epoch of training."""
        self.network.train()
        for images, labels in self.train:
            self.optimizer.zero_grad()
            cross_entropy(self.network(images), labels).backward()
            self.optimizer.step()

    def validate(self) -> None:
        """One pass over the validation photos."""
        self.network.eval()
        with torch.no_grad():
            for images, labels in self.validation:
                (self.network(images).argmax(1) == labels).sum().item()


def main() -> None:
    """Measure."""
    settings = told()
    workspace = Workspace(Path(settings["workspace"]))
    about = workspace, workspace.photos(), settings["backbone"], settings["image_size"]
    if settings["what"] == "features":
        print(json.dumps({"features": seconds(lambda: plain_features(*about))}))
    else:
        plain = PlainTraining(*about)
        print(json.dumps({"steps": seconds(plain.epoch), "validate": seconds(plain.validate)}))


if __name__ == "__main__":
    main()
