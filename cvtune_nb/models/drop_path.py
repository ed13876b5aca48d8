"""Drop path (stochastic depth; Huang and others 2016): training skips a network's blocks by chance."""

import functools

from cvtune_nb.errors import InputError
from cvtune_nb.models.backbones import RANDOM, family_of, require_known


def require_drop_path(name: str, drop_path: float) -> None:
    """Raises InputError when the backbone called `name` has no blocks that a drop path other than 0 could skip."""
    if not drop_path:
        return
    plain = name.removesuffix(RANDOM)
    require_known(plain)
    if not takes_drop_path(plain):
        raise InputError(f"{name} is built without drop path: choose drop_path 0, or another backbone")


@functools.cache
def takes_drop_path(name: str) -> bool:
    """Whether the network called `name` has blocks that training can skip."""
    import torch
    from timm.layers.drop import DropPath

    try:
        with torch.device("meta"):
            network = family_of(name).source.build(name, None, drop_path_rate=0.1)
    except (InputError, TypeError):  # it does not take the argument
        return False
    return any(isinstance(module, DropPath) and module.drop_prob for module in network.modules())
