"""Which policies vary training photos, each with a strength, and lists of them as a person types them.

Nothing here needs torch: the functions that carry the policies out are in `minibatch`.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cvtune_nb.errors import InputError


@dataclass(frozen=True)
class Policy:
    """One way to vary photos.

    Attributes
    ----------
    name, label, meaning
        In a list, beside its switch, and in the help.
    strength, low, high
        Its usual strength, and which it may have: the larger, the stronger.
    unit
        What the strength is.
    keeps_boxes
        Whether boxes can be moved along, so that detectors take it.
    photos
        Whether classifiers take it.
    mixes
        Whether it mixes the labels of photos with their pixels.
    chance
        Whether the strength is how many of the photos are varied, as a fraction.
    """

    name: str
    label: str
    meaning: str
    strength: float
    low: float
    high: float
    unit: str
    keeps_boxes: bool = False
    photos: bool = True
    mixes: bool = False
    chance: bool = False


_DECLARED = (
    Policy("scale", "Scale", "larger or smaller", 0.2, 0.01, 0.5, "at most, of the size", True, photos=False),
    Policy("crop", "Crop", "a random place of each photo", 1.0, 0.01, 1.0, "of the way to the borders"),
    Policy(
        "resized-crop",
        "Resized crop",
        "a random part of each photo, enlarged",
        0.4,
        0.01,
        0.95,
        "of it cut off, at most",
    ),
    Policy("flip", "Flip", "mirrored left to right", 0.5, 0.01, 1.0, "of the photos", True, chance=True),
    Policy(
        "vertical-flip", "Vertical flip", "mirrored top to bottom", 0.5, 0.01, 1.0, "of the photos", True, chance=True
    ),
    Policy(
        "d4",
        "Turns and mirrors",
        "quarter turns and mirrors: any of the 8 positions of a square; of other shapes the 4 that keep them",
        1.0,
        0.01,
        1.0,
        "of the photos",
        True,
        chance=True,
    ),
    Policy("rotation", "Rotation", "turned by any angle", 15.0, 1.0, 180.0, "degrees at most, either way"),
    Policy(
        "trivialaugment",
        "TrivialAugment",
        "one of 14 changes of shape or colour (Mueller and Hutter 2021)",
        1.0,
        0.05,
        1.0,
        "of its widest range",
    ),
    Policy(
        "colour", "Colour", "other brightness, contrast, saturation and hue", 0.4, 0.01, 1.0, "change at most", True
    ),
    Policy("blur", "Blur", "out of focus", 1.0, 0.1, 5.0, "% of the side at most", True),
    Policy("noise", "Noise", "grain of the sensor", 0.05, 0.005, 0.5, "of white at most", True),
    Policy(
        "erasing",
        "Random erasing",
        "a rectangle is hidden (Zhong and others 2020)",
        0.25,
        0.01,
        1.0,
        "of the photos",
        chance=True,
    ),
    Policy(
        "mixup",
        "Mixup",
        "two photos and their labels blended (Zhang and others 2018)",
        0.2,
        0.05,
        5.0,
        "(alpha of its beta distribution)",
        mixes=True,
    ),
    Policy(
        "cutmix",
        "CutMix",
        "a part of another photo, and of its label, set in (Yun and others 2019)",
        1.0,
        0.05,
        5.0,
        "(alpha of its beta distribution)",
        mixes=True,
    ),
)

POLICIES: Mapping[str, Policy] = MappingProxyType({policy.name: policy for policy in _DECLARED})
"""By name, in the order in which they are carried out, whatever the order of a list."""
OF_CLASSIFIERS = tuple(policy.name for policy in _DECLARED if policy.photos)
OF_DETECTORS = tuple(policy.name for policy in _DECLARED if policy.keeps_boxes)
NONE = "none"
"""The empty list."""
SHORT = MappingProxyType({"crop-flip": "crop+flip", "scale-flip": "scale+flip"})
"""What earlier versions called two of the lists; still written so."""


@functools.cache
def policies_in(text: str, allowed: tuple[str, ...] = tuple(POLICIES)) -> Mapping[str, float]:
    """What a list such as "crop+flip+rotation:20" says: strengths by name, in the order of POLICIES.

    Raises InputError for a list that can't be read or has a policy that is not `allowed`.
    """
    chosen: dict[str, float] = {}
    words = "+".join(SHORT.get(part.strip(), part) for part in text.split("+")).strip()
    for part in words.split("+") if words != NONE else ():
        name, colon, number = (piece.strip() for piece in part.partition(":"))
        if name not in allowed:
            wrong = f"{name} stands alone" if name == NONE else f"there is no {name!r}"
            example = f"{allowed[1]}+{allowed[2]}+colour:.3"
            raise InputError(f"{wrong}: choose from {', '.join(allowed)}, joined like {example}, or {NONE}")
        if name in chosen:
            raise InputError(f"{name} is there twice: name each policy once")
        chosen[name] = _strength(POLICIES[name], number) if colon else POLICIES[name].strength
    if {"crop", "resized-crop"} <= set(chosen):
        raise InputError("crop and resized-crop both choose a part of the photo: leave one of them out")
    return MappingProxyType({name: chosen[name] for name in POLICIES if name in chosen})


def _strength(policy: Policy, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not policy.low <= number <= policy.high:
        least, most = f"{policy.low:g}", f"{policy.high:g}"
        raise InputError(f"the strength of {policy.name} is {text!r}: give {least} to {most} ({policy.unit})")
    return number


def in_words(chosen: Mapping[str, float]) -> str:
    """A list as short as it can be typed; `policies_in` reads it."""
    there = [name for name in POLICIES if name in chosen]
    usual = {name: chosen[name] == POLICIES[name].strength for name in there}
    text = "+".join(name if usual[name] else f"{name}:{chosen[name]:g}" for name in there) or NONE
    return next((short for short, whole in SHORT.items() if whole == text), text)
