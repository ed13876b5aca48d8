"""Issues of the whole set: classes with few training photos, and classes of very different size."""

import pandas as pd

from cvtune_nb.audit.issue import issue, quoted, table

ENOUGH_IMAGES = 100
"""Training photos a class should have: the advice of the Azure ML Package for Computer Vision (2018)."""

IMBALANCE = 5.0
"""Largest class over smallest class, in training photos, from which accuracy mostly speaks of the large one.
Ours: a rule of thumb, not measured."""


def find(photos: pd.DataFrame) -> pd.DataFrame:
    """few-images and imbalance among the training photos (columns label, split).

    Returns issues with an empty path: they are about a class, not about a photo.
    """
    training = photos.loc[photos["split"] == "train", "label"].value_counts()
    counts = training.reindex(sorted(photos["label"].unique()), fill_value=0)
    rows = [
        issue(
            "",
            "few-images",
            1 - count / ENOUGH_IMAGES,
            f"class {quoted([label])} has {count} training photos, fewer than {ENOUGH_IMAGES}",
            f"add {ENOUGH_IMAGES - count} photos of {quoted([label])}",
        )
        for label, count in counts.items()
        if count < ENOUGH_IMAGES
    ]
    if len(counts) > 1 and counts.max() > IMBALANCE * max(counts.min(), 1):
        large, small = counts.idxmax(), counts.idxmin()
        sizes = f"class {quoted([large])} has {counts.max()} training photos, {quoted([small])} {counts.min()}"
        rows.append(
            issue(
                "",
                "imbalance",
                1 - counts.min() / counts.max(),
                sizes,
                f"add photos of {quoted([small])}, and judge models by each class's recall",
            )
        )
    return table(rows)
