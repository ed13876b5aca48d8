"""Which image sizes a network takes.

A convolutional network takes any. A network with a table of positions, or with windows that have to fit, is built for
one size; timm can often build it for another and resample the table when the pretrained weights are loaded. No list
says which is which, so the network is tried: built and run on PyTorch's device "meta", which computes the shapes of
tensors and no values. That takes about a tenth of a second, and neither weights nor memory.
"""

import functools
import math
from typing import TYPE_CHECKING, Any

from cvtune_nb.errors import InputError
from cvtune_nb.models.backbones import RANDOM, family_of, require_known
from cvtune_nb.models.families import KNOWN
from cvtune_nb.models.pooling import LAST, pooled
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.quiet import quiet

if TYPE_CHECKING:
    from torch import nn

Size = int | tuple[int, int]
"""Pixels of a square's side; of what is no square, its height and width."""
STEPS = (1, 2, 4, 7, 8, 14, 16, 28, 32, 64)
"""Differences of image sizes that are tried: patches and their multiples."""
ANY = 4
"""Step of the slider for networks that take any size: it meets the sizes in use (28, 32, 48, 64, 100, 224, 500)."""
MULTIPLES = (1, -1, 3, -5, 11)
"""Of a step that are tried before it is believed: a network may take a neighbouring size by chance."""
SMALLER = math.sqrt(0.5)
"""Sides of the photos that training begins with over those it ends with, where it resizes them progressively: half the
pixels, which takes half the time."""
TRIES = 12
"""Sizes that are tried in either direction for one that the network takes."""


def both(size: Size) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else size


def require(name: str, size: Size) -> None:
    """Raises InputError, with the nearest sizes that it takes, when a backbone does not take a size.

    An unknown name passes: networks.load says what is wrong with it.
    """
    if takes(name, size):
        return
    height, width = both(size)
    image_size = min(height, width)
    if takes(name, image_size):
        raise InputError(
            f"{name} can't be used with photos {width} pixels wide and {height} high: choose aspect "
            f"{PARAMETERS['aspect'].default}, or a convolutional backbone, which takes any"
        )
    every, rule = step(name), ""
    if not every:
        rule = ", as it is made for one size"
    elif image_size % every:
        rule = f", as it needs a multiple of {every}"
    near = " or ".join(str(size) for size in nearest(name, image_size))
    raise InputError(f"{name} can't be used at image_size {image_size}{rule}: choose {near}, or another backbone")


def takes(name: str, size: Size) -> bool:
    """Whether a backbone can be built for a size, and its pretrained weights, if any, resampled for it."""
    plain = name.removesuffix(RANDOM)
    if not _must_be_tried(plain):
        return True
    given = arguments(plain, size)
    return given is not None and (not given or plain != name or _weights_fit(plain, size))


def step(name: str) -> int:
    """The step between sizes that the backbone called `name` takes; 0 when it takes its own size only."""
    plain = name.removesuffix(RANDOM)
    if not _must_be_tried(plain):
        return ANY
    return _step(name)


def default(name: str) -> int:
    """The image size to start with: that of PARAMETERS where the backbone takes it, else the network's own."""
    usual = PARAMETERS["image_size"].default
    return usual if not name or takes(name, usual) else native(name.removesuffix(RANDOM))


def nearest(name: str, image_size: int) -> list[int]:
    """The sizes next to `image_size`, below and above it, that the backbone called `name` takes; else its own."""
    every = step(name)
    if not every:
        return [native(name.removesuffix(RANDOM))]
    every = max(every, ANY)
    low, high = PARAMETERS["image_size"].low, PARAMETERS["image_size"].high
    below = image_size // every * every
    found = []
    for start, way in ((below, -1), (below + every, 1)):
        tried = (start + way * number * every for number in range(TRIES))
        found += [next((size for size in tried if low <= size <= high and takes(name, size)), None)]
    return [size for size in found if size] or [native(name.removesuffix(RANDOM))]


def smaller(name: str, image_size: int) -> int:
    """The size nearest to SMALLER of `image_size` at which a network that is built for `image_size` can be run, too.

    Raises InputError for a network that runs at the size that it is built for only.
    """
    plain, wanted = name.removesuffix(RANDOM), max(PARAMETERS["image_size"].low, image_size * SMALLER)
    found = [size for size in nearest(name, round(wanted)) if size < image_size]
    if _must_be_tried(plain):
        found = [size for size in found if arguments(plain, image_size) == arguments(plain, size) == {}]
    if not found:
        raise InputError(
            f"{plain} runs at the image size only that it is built for, {image_size}: choose progressive 0, or a "
            "convolutional backbone, which takes any"
        )
    return min(found, key=lambda size: abs(size - wanted))


def native(name: str) -> int:
    """The size that a network of timm was trained with."""
    import timm

    known = timm.get_pretrained_cfg(name)
    return known.input_size[-1] if known else PARAMETERS["image_size"].default


def _must_be_tried(plain: str) -> bool:
    """Whether the network has to be tried."""
    if family_of(plain).any_size:
        return False
    import timm

    return timm.is_model(plain)


@functools.cache
def arguments(name: str, size: Size) -> dict[str, Size] | None:
    """What `timm.create_model` needs besides the name for a size; None when the network can't be built for it."""
    from timm.layers.patch_embed import PatchEmbed

    if _features(_sketch(name), size) is not None:
        return {}
    given = {"img_size": size}
    try:
        network = _sketch(name, **given)
    except Exception:  # noqa: BLE001 - each family of networks refuses a size, or the argument, in a way of its own
        return None
    patches = next((module.patch_size for module in network.modules() if isinstance(module, PatchEmbed)), ())
    if any(length % int(patch) for length, patch in zip(both(size), patches, strict=False)):
        return None  # the photo's last rows would not be seen
    return given if _features(network, size) is not None else None


def width(name: str, pooling: str = LAST) -> int:
    """How many features a photo the backbone called `name` gives.

    pooling: which of its maps become features (PARAMETERS). Raises InputError when there is no such network, or its
    stages are not known.
    """
    plain = name.removesuffix(RANDOM)
    if plain in KNOWN and pooling == LAST:
        return KNOWN[plain].width
    require_known(plain)
    return _width(plain, pooling)


@functools.cache
def parameters(name: str) -> int:
    """How many parameters the network of timm called `name` has, its last layer left out."""
    return sum(parameter.numel() for parameter in _sketch(name).parameters())


@functools.cache
def _width(name: str, pooling: str) -> int:
    found = _features(_sketch(name), native(name), pooling)
    if not found:  # own features it has: a network takes the size that it was trained with
        raise InputError(f"the stages of {name} are not known: choose pooling {LAST}, or another backbone")
    return found


def _features(network: "nn.Module", size: Size, pooling: str = LAST) -> int | None:
    """How many features a photo the network gives at that size; None when it does not take it."""
    import torch

    images = torch.empty((2, 3, *both(size)), device=next(network.parameters()).device)
    try:
        with torch.no_grad():
            return pooled(network, images, pooling).shape[1]
    except Exception:  # noqa: BLE001 - assertions and errors about shapes, of many kinds
        return None


def _sketch(name: str, **given: Any) -> "nn.Module":
    """The network without its last layer and without values."""
    import timm
    import torch

    with torch.device("meta"), quiet("timm"):
        return timm.create_model(name, pretrained=False, num_classes=0, **given).eval()


@functools.cache
def _weights_fit(name: str, size: Size) -> bool:
    """Whether weights made for the network's own size can be loaded into one that is built for another."""
    import timm
    import torch

    with torch.device("meta"), quiet("timm"):
        own = dict(timm.create_model(name, pretrained=False).state_dict())
        try:  # timm resamples a state dict that it is given as it does one that it has fetched
            timm.create_model(
                name, pretrained=True, num_classes=0, img_size=size, pretrained_cfg_overlay={"state_dict": own}
            )
        except RuntimeError:  # tensors of other shapes
            return False
    return True


@functools.cache
def _step(name: str) -> int:
    own = native(name.removesuffix(RANDOM))
    low, high = PARAMETERS["image_size"].low, PARAMETERS["image_size"].high
    for every in (size for size in STEPS if not own % size):
        tried = [size for size in (own + every * number for number in MULTIPLES) if low <= size <= high]
        if tried and all(takes(name, size) for size in tried):
            return every
    return 0
