"""How far the next step goes: the values that advice proposes."""

from typing import Any

import pandas as pd

from cvtune_nb.data.pixels import median_side
from cvtune_nb.parameters import PARAMETERS, Config

LARGER = 1.43
"""From one image size to the next: 2018's ladder goes from 224 to 500 in two such steps, ours to 320 in one."""


def larger_photos(config: Config, photos: pd.DataFrame) -> dict[str, Any]:
    """The parameters that photos of the next image size take.

    Minibatch and learning rate are halved together (2018's ladder). Empty where half of the photos (columns width,
    height) have no more pixels, or the minibatch is one photo.
    """
    size = min(PARAMETERS["image_size"].high, round(config.image_size * LARGER / 32) * 32)
    if not config.image_size < size <= median_side(photos) or config.batch_size < 2:
        return {}
    return {
        "image_size": size,
        "batch_size": config.batch_size // 2,
        "learning_rate": rate(config.learning_rate / 2),
        "schedule": "",
    }


def rate(value: float) -> float:
    """A learning rate to suggest: two digits are enough, and the lowest there is is the lowest."""
    return max(PARAMETERS["learning_rate"].low, float(f"{value:.2g}"))
