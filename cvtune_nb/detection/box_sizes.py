"""How large, how many: what the boxes of a set of photos say before anything is trained."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cvtune_nb.audit.objects import SMALL
from cvtune_nb.detection.annotations import Annotations

SEVERAL = 1.5
"""Boxes in a photo, on average over those that have any, from which one class for the whole photo says too little."""


@dataclass(frozen=True)
class Sizes:
    """How large the objects are, by class and by photo.

    Attributes
    ----------
    classes
        label, boxes, photos, extent (median of the larger side of its boxes, a fraction (0..1) of the photo's width or
        height), small (fraction of its boxes below SMALL).
    extents
        The larger side of every box.
    a_photo
        Boxes of each photo that has any.
    negatives
        Photos that were looked at and have none.
    words
        One sentence that says what follows.
    """

    classes: pd.DataFrame
    extents: np.ndarray
    a_photo: np.ndarray
    negatives: int
    words: str


def sizes(annotations: Annotations) -> Sizes:
    """The sizes of all boxes, against the line below which objects are small (audit.objects.SMALL)."""
    boxes = annotations.boxes.assign(extent=annotations.boxes[["width", "height"]].max(axis=1))
    boxes["small"] = boxes["extent"] < SMALL
    classes = boxes.groupby("label").agg(
        boxes=("path", "size"), photos=("path", "nunique"), extent=("extent", "median"), small=("small", "mean")
    )
    a_photo = boxes.groupby("path").size().to_numpy()
    extents = boxes["extent"].to_numpy(dtype=float)
    words = "there are no boxes yet"
    if len(extents):
        words = f"the median of {len(extents):,} boxes takes {np.median(extents):.0%} of the photo, "
        words += f"{boxes['small'].mean():.0%} of them less than {SMALL:.0%}"
        several = len(extents) / len(a_photo)
        if np.median(extents) < SMALL:
            words += ": small, a detector finds what a classifier would miss"
        elif several > SEVERAL:
            words += f": large enough to classify, but there are {several:.1f} in a photo, which a detector tells apart"
        else:
            words += ": large enough to classify whole photos (notebooks 02 to 05)"
    return Sizes(classes.reset_index(), extents, a_photo, int(annotations.negative.sum()), words)
