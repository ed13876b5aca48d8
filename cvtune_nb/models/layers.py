"""The layers of a network in their order, and which of its weights decay: what an optimizer has to know of it."""

import fnmatch
from typing import Any

from timm.models._manipulate import group_with_matcher
from torch import nn

from cvtune_nb.errors import InputError
from cvtune_nb.models.networks import Backbone

ORDER = {
    "stem": r"^(?:stem|conv1|bn1|patch_embed|pos_embed|cls_token)",
    "blocks": [
        (r"^layer(\d+)\.(\d+)", None),
        (r"^(?:stages|transformers)\.(\d+)\.(?:blocks\.)?(\d+)", None),
        (r"^(?:stages|transformers)\.(\d+)", (0,)),
    ],
}
"""The layers of networks that do not state them, torchvision's ResNets and some of timm's (MetaFormer, PiT, CSATv2), in
the form of timm's `group_matcher`."""
LAST = "last"
"""Stands for what comes after the backbone."""


def distances(network: nn.Module) -> dict[str, int]:
    """How many layers lie between each parameter of a network and its last layer, by name.

    Layers are what timm's `group_matcher` says: mostly a residual block, or the stem. What a network has beyond the
    last block counts as its last layer.

    Parameters
    ----------
    network
        A network that contains a Backbone; what is not in it belongs to the last layer.

    Raises
    ------
    InputError
        The order of its layers is not known.
    """
    found = {name: 0 for name, _ in network.named_parameters()}
    for prefix, backbone in network.named_modules():
        if isinstance(backbone, Backbone):
            inside = backbone.network
            stated: Any = getattr(inside, "group_matcher", None)
            names = [name for name, _ in inside.named_parameters()]
            depths: Any = group_with_matcher(
                iter([(name, None) for name in [*names, LAST]]), stated(coarse=False) if stated else ORDER, reverse=True
            )
            if depths[LAST] < 2:
                raise InputError(
                    "the order of this backbone's layers is not known: choose layer_decay 1, or another backbone"
                )
            prefix = f"{prefix}.network." if prefix else "network."
            found |= {prefix + name: depths[LAST] - depths[name] for name in names}
    return found


def decaying(network: nn.Module) -> set[str]:
    """The names of the parameters that weight decay pulls towards zero: weights of linear and convolutional layers.

    Not biases, norms, scales, embeddings and tokens, nor what timm's `no_weight_decay` lists.
    """
    embedding = {f"{name}.weight" for name, module in network.named_modules() if isinstance(module, nn.Embedding)}
    spared: set[str] = set()
    for prefix, module in network.named_modules():
        listed: Any = getattr(module, "no_weight_decay", set)
        spared |= {f"{prefix}.{pattern}".removeprefix(".") for pattern in listed()}
    return {
        name
        for name, parameter in network.named_parameters()
        if parameter.ndim > 1
        and "weight" in name.rpartition(".")[2]
        and name not in embedding
        and not any(fnmatch.fnmatchcase(name, pattern) for pattern in spared)
    }
