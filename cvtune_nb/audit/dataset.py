"""Issues of the whole set: classes with few training photos, and classes of very different size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cvtune_nb.audit.check import Issue, issue, quoted
from cvtune_nb.classification.remedies import FOLDS as FEWEST
from cvtune_nb.classification.remedies import balance_of
from cvtune_nb.imbalance import NONE

if TYPE_CHECKING:
    from cvtune_nb.audit.context import Context
    from cvtune_nb.audit.learning import Outlook

ENOUGH_IMAGES = 100
"""Training photos a class should have: the advice of the Azure ML Package for Computer Vision (2018)."""

HARDLY = 0.01
"""A gain in recall below this is hardly any. Ours."""


def small_classes(photos: pd.DataFrame) -> dict[str, int]:
    """Classes with fewer than ENOUGH_IMAGES training photos (columns label, split), and how many they have."""
    counts = training_photos(photos)
    return {label: int(count) for label, count in counts.items() if count < ENOUGH_IMAGES}


def training_photos(photos: pd.DataFrame) -> pd.Series:
    """How many training photos each class has, 0 for none."""
    training = photos.loc[photos["split"] == "train", "label"].value_counts()
    return training.reindex(sorted(photos["label"].unique()), fill_value=0)


def few_images(context: Context) -> list[Issue]:
    """Classes with few training photos, and what ENOUGH_IMAGES would bring where that is known."""
    return [
        issue(
            "",
            1 - count / ENOUGH_IMAGES,
            f"class {quoted([label])} has {count} training photos, fewer than {ENOUGH_IMAGES}",
            f"add {ENOUGH_IMAGES - count} photos of {quoted([label])}{_gain(context.outlooks.get(label))}",
        )
        for label, count in small_classes(context.in_use).items()
    ]


def imbalance(context: Context) -> list[Issue]:
    """One class that is much larger than another, and what remedies would bring."""
    balance = balance_of(context.in_use)
    if not balance.unbalanced:
        return []
    advice, usual = f"add photos of {quoted([balance.smallest])}", ", and judge models by balanced accuracy"
    if balance.counts[balance.smallest] < FEWEST:
        advice += f"{usual}; remedies can't be compared with so few photos of it"
    else:
        found = context.remedies
        advice += usual if found.objective == "balanced-accuracy" else f", or use a remedy: {found.label} counts"
        advice += f"; expected, cross-validated on {found.photos:,} photos with a frozen network: {found.brings}. "
        advice += (
            f"Choose {found.recommended} in notebook 02 or with --imbalance"
            if found.recommended != NONE
            else f"No remedy is reliably better by {found.label}"
        )
    return [issue("", 1 - 1 / balance.ratio, str(balance), advice)]


def _gain(outlook: Outlook | None) -> str:
    """What the photos to add would bring, as the end of a sentence."""
    if outlook is None:
        return ""
    if outlook.then - outlook.now < HARDLY:
        return f": by the learning curve that would bring hardly anything ({outlook.now:.0%} are recognised now)"
    return (
        f": by the learning curve about {outlook.then:.0%} of them would then be recognised, instead of "
        f"{outlook.now:.0%} (roughly {outlook.low:.0%} to {outlook.high:.0%}; frozen network and linear classifier, "
        "cross-validated)"
    )
