"""How far the next step goes: the values that advice proposes."""

from typing import Any

import pandas as pd

from cvtune_nb.augmentation.policies import POLICIES, in_words
from cvtune_nb.classification.variations import HARMLESS, cost_of
from cvtune_nb.data.pixels import median_side
from cvtune_nb.models.recipes import recommended
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


STRONGER = ("d4", "flip", "vertical-flip", "resized-crop", "erasing", "rotation", "trivialaugment", "colour")
"""Policies in the order in which they are suggested against overfitting: docs/measurements.md, "Augmentation"."""
CONTAINED = {"flip": "d4", "vertical-flip": "d4"}
"""Policies that say nothing new where another one is in use."""


def stronger_augmentation(config: Config, costs: pd.DataFrame) -> tuple[dict[str, Any], str]:
    """What to set so that training varies its photos more, and why, in words.

    Parameters
    ----------
    config
        Of the run.
    costs
        What was measured (classification.variations.known_costs): only what was found harmless is suggested.
    """
    if costs.empty:
        return {}, "more augmentation would help, too: measure first which does no harm (notebook 03)"
    chosen = dict(config.policies)
    for name in STRONGER:
        cost = cost_of(costs, name, POLICIES[name].strength)
        if name in chosen or CONTAINED.get(name) in chosen or cost is None or cost["verdict"] != HARMLESS:
            continue
        chosen[name] = POLICIES[name].strength
        if name == "resized-crop":
            chosen.pop("crop", None)
        return {"augmentation": in_words(chosen)}, f"{name} varies the photos more, and cost no accuracy when tried"
    return {}, "every variation that does no harm is in use already"


def recommended_rate(config: Config) -> float | None:
    """The learning rate that is recommended for a config's network; None for another start or optimizer."""
    advised = recommended(config.backbone)
    return advised.learning_rate if (advised.head, advised.optimizer) == (config.head, config.optimizer) else None


def slower(config: Config, factor: float) -> tuple[dict[str, Any], str]:
    """What to set where the learning rate is too high, and why, in words.

    That is the rate that is recommended for the network where it is lower still than a part of the present one.

    Parameters
    ----------
    config
        Whose rate it is.
    factor
        The part: one of so many.
    """
    value, advised = rate(config.learning_rate / factor), recommended_rate(config)
    if advised is None or advised >= value:
        return {"learning_rate": value, "schedule": ""}, ""
    return {"learning_rate": advised, "schedule": ""}, f"; {advised:g} is recommended for {config.backbone}"


def rate(value: float) -> float:
    """A learning rate to suggest: two digits are enough, and the lowest there is is the lowest."""
    return max(PARAMETERS["learning_rate"].low, float(f"{value:.2g}"))
