"""A minibatch of training photos varied as a list of policies says.

To add a policy: a function and its row in VARIATIONS here, and what a person is told of it in policies.POLICIES.
"""

from collections.abc import Callable, Mapping

import torch

from cvtune_nb.augmentation.colours import blur, colour, erasing, noise
from cvtune_nb.augmentation.geometry import (
    Generator,
    Shape,
    centre,
    crop,
    d4,
    flip,
    resized_crop,
    rotation,
    vertical_flip,
)
from cvtune_nb.augmentation.trivial import trivialaugment

PARTS: dict[str, Callable[[torch.Tensor, float, Shape, Generator], torch.Tensor]] = {
    "crop": crop,
    "resized-crop": resized_crop,
}
"""By name: from uint8 photos (n, height, width, 3), a strength and a smaller shape to photos of that."""

VARIATIONS: dict[str, Callable[[torch.Tensor, float, Generator], torch.Tensor]] = {
    "flip": flip,
    "vertical-flip": vertical_flip,
    "d4": d4,
    "rotation": rotation,
    "trivialaugment": trivialaugment,
    "colour": colour,
    "blur": blur,
    "noise": noise,
    "erasing": erasing,
}
"""By name: from uint8 photos (n, height, width, 3) and a strength to as many of the same size."""


def augmented(
    squares: torch.Tensor, image_size: int | Shape, chosen: Mapping[str, float], random: Generator = None
) -> torch.Tensor:
    """Photos varied, each in its own way; those that mix photos are in `mixing`.

    Parameters
    ----------
    squares
        uint8 (n, height, width, 3).
    image_size
        Of the result in pixels: the side of squares, else height and width.
    chosen
        Strengths by name (policies.policies_in).
    random
        What is drawn from; None: torch's global generator, which the training loop seeds every epoch.

    Returns
    -------
    torch.Tensor
        uint8 (n, height, width, 3).
    """
    part = next((name for name in PARTS if name in chosen), None)
    shape = (image_size, image_size) if isinstance(image_size, int) else image_size
    photos = PARTS[part](squares, chosen[part], shape, random) if part else centre(squares, shape)
    return varied(photos, chosen, random)


def varied(photos: torch.Tensor, chosen: Mapping[str, float], random: Generator = None) -> torch.Tensor:
    """Whole photos varied, uint8 (n, height, width, 3); arguments as in `augmented`."""
    for name, variation in VARIATIONS.items():
        if name in chosen:
            photos = variation(photos, chosen[name], random)
    return photos
