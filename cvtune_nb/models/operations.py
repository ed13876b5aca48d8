"""How much a network has to compute for a photo: by that its speed is guessed before it is measured."""

import functools

from cvtune_nb.models import sizes
from cvtune_nb.models.backbones import RANDOM, family_of
from cvtune_nb.quiet import quiet


@functools.cache
def operations(name: str, image_size: sizes.Size) -> float:
    """Multiplications and additions for one photo; counted on PyTorch's device "meta", which computes no values.

    name: of a backbone that takes `image_size`. It needs no weights.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    plain = name.removesuffix(RANDOM)
    family = family_of(plain)
    given = {} if family.any_size else sizes.arguments(plain, image_size) or {}
    with torch.device("meta"), torch.no_grad(), quiet("timm"):
        network = family.source.build(plain, None, **given).eval()
        network.requires_grad_(False)  # else the counter's hooks fail in some networks
        with FlopCounterMode(display=False) as counter:
            network(torch.empty((1, 3, *sizes.both(image_size))))
    return float(counter.get_total_flops())
