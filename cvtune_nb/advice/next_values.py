"""How far the next step goes: the values that advice proposes."""

from typing import Any

import pandas as pd

from cvtune_nb.augmentation.policies import POLICIES, in_words
from cvtune_nb.classification.variations import HARMFUL, HARMLESS, cost_of
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


STRONGER = ("d4", "flip", "vertical-flip", "resized-crop", "erasing", "rotation", "trivialaugment")
"""Policies in the order in which they are suggested against overfitting; those that cost training accuracy where it was
measured are left out: docs/measurements.md, "Augmentation"."""
CONTAINED = {"flip": "d4", "vertical-flip": "d4"}
"""Policies that say nothing new where another one is in use."""
UNMEASURED = "not measured"


def harmful_in_use(config: Config, costs: pd.DataFrame) -> dict[str, pd.Series]:
    """What was measured of the policies in use that cost accuracy, by name; arguments as in stronger_augmentation."""
    found = {name: cost_of(costs, name, strength) for name, strength in config.policies.items()}
    return {name: cost for name, cost in found.items() if cost is not None and cost["verdict"] == HARMFUL}


def harmless_augmentation(config: Config, costs: pd.DataFrame) -> dict[str, Any]:
    """What to set so that none of those is in use any more; empty where none is."""
    harmful = harmful_in_use(config, costs)
    rest = {name: strength for name, strength in config.policies.items() if name not in harmful}
    return {"augmentation": in_words(rest)} if harmful else {}


def stronger_augmentation(config: Config, costs: pd.DataFrame) -> tuple[dict[str, Any], str]:
    """What to set so that training varies its photos more, without what costs accuracy, and why, in words.

    Parameters
    ----------
    config
        Of the run.
    costs
        What was measured (classification.variations.known_costs): only what was found harmless is suggested.
    """
    if costs.empty:
        return {}, "more augmentation would help, too: measure first which does no harm (notebook 03)"
    harmful, change = harmful_in_use(config, costs), harmless_augmentation(config, costs)
    without = f"{' and '.join(harmful)} cost a frozen network accuracy: train without; " if harmful else ""
    chosen = {name: strength for name, strength in config.policies.items() if name not in harmful}
    verdicts: dict[str, list[str]] = {}
    for name in STRONGER:
        if name not in chosen and CONTAINED.get(name) not in chosen:
            cost = cost_of(costs, name, POLICIES[name].strength)
            verdicts.setdefault(UNMEASURED if cost is None else cost["verdict"], []).append(name)
    if HARMLESS not in verdicts:
        others = "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in verdicts.items())
        known = (
            f"no other variation is known to do no harm ({others})"
            if others
            else "every variation that might be suggested is in use"
        )
        return change, f"{without}{known}"
    name = verdicts[HARMLESS][0]
    chosen[name] = POLICIES[name].strength
    if name == "resized-crop":
        chosen.pop("crop", None)
    why = f"{name} did no harm to a frozen network; whether it helps training is not measured yet"
    return {"augmentation": in_words(chosen)}, f"{without}{why}"


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
