"""A set of photos in numbers. photos, everywhere here: a table such as Workspace.photos gives."""

import math

import numpy as np
import pandas as pd

from cvtune_nb.data.file_types import RAW, suffix
from cvtune_nb.data.pixels import median_side
from cvtune_nb.data.preprocessing import SQUARE
from cvtune_nb.parameters import PARAMETERS


def class_sizes(rows: pd.DataFrame) -> dict[str, int]:
    """The number of photos (or boxes) of each class, the largest class first."""
    return {str(label): int(count) for label, count in rows["label"].value_counts().items()}


def classes_by_split(photos: pd.DataFrame) -> pd.DataFrame:
    """Photos of each class: label; train, validation, test, those there are; all. The last row is that of all."""
    counts = pd.crosstab(photos["label"], photos["split"])
    counts = counts[[name for name in ("train", "validation", "test") if name in counts]]
    counts = counts.assign(all=counts.sum(axis=1))
    total = counts.sum().to_frame().T.assign(label="all")
    return pd.concat([counts.reset_index(), total], ignore_index=True)[["label", *counts]]


def short_sides(photos: pd.DataFrame) -> tuple[int, int, float]:
    """The smallest, the largest and the median short side, in pixels."""
    short = photos[["width", "height"]].min(axis=1)
    return int(short.min()), int(short.max()), median_side(photos)


def previews(photos: pd.DataFrame) -> str:
    """How many photos are camera RAW, of which something else is shown than is stored, in words; "" for none."""
    count = sum(suffix(path) in RAW for path in photos["path"])
    noun = "photo is" if count == 1 else "photos are"
    return f"{count} camera RAW {noun} shown by the preview that the camera has put into the file" if count else ""


def one_to_try(photos: pd.DataFrame) -> str:
    """The path of a photo to try a model on: the first test photo, else the first of all."""
    test = photos[photos["split"] == "test"]
    return str((photos if test.empty else test)["path"].iloc[0])


ASPECTS = {"1:1": 1.0, "5:4": 5 / 4, "4:3": 4 / 3, "3:2": 3 / 2, "16:9": 16 / 9, "2:1": 2.0, "longer": 2.5}
"""Shapes of photos by name, upright or not: long side over short side."""


def common_aspect(photos: pd.DataFrame) -> str:
    """The aspect ratio of PARAMETERS that is nearest to the photos' median (columns width, height)."""
    median = float((photos["width"] / photos["height"]).median())
    return min(PARAMETERS["aspect"].choices, key=lambda aspect: abs(math.log(_ratio(aspect) / median)))


def _ratio(aspect: str) -> float:
    across, down = map(int, aspect.split(":"))
    return across / down


def cut_off(photos: pd.DataFrame, aspect: str = SQUARE) -> pd.Series:
    """The fraction of each photo's area (columns width, height) that the crop to an aspect ratio leaves out."""
    ratio = photos["width"] / photos["height"] / _ratio(aspect)
    return 1 - np.minimum(ratio, 1 / ratio)


def cut_off_by_aspect(photos: pd.DataFrame) -> pd.DataFrame:
    """What centre squares leave out of photos of each shape: aspect (one of ASPECTS), photos, cut_off (the mean)."""
    lost, names = cut_off(photos), pd.Series(list(ASPECTS))
    nearest = [int(np.abs(np.log(list(ASPECTS.values())) - np.log(1 / (1 - one))).argmin()) for one in lost]
    table = pd.DataFrame({"place": nearest, "cut_off": lost}).groupby("place")["cut_off"].agg(["size", "mean"])
    return pd.DataFrame(
        {"aspect": names[table.index].to_list(), "photos": table["size"].to_list(), "cut_off": table["mean"].to_list()}
    )


def cut_off_in_words(photos: pd.DataFrame, aspect: str = SQUARE) -> str:
    """For example "30% of the photos' area: 44% of 12 photos of about 16:9, 25% of 40 photos of about 4:3".

    The shapes are told of squares alone.
    """
    if aspect != SQUARE:
        return f"{cut_off(photos, aspect).mean():.0%} of the photos' area"
    shapes = cut_off_by_aspect(photos).itertuples()
    words = [f"{row.cut_off:.0%} of {row.photos:,} photos of about {row.aspect}" for row in shapes if row.cut_off]
    return f"{cut_off(photos).mean():.0%} of the photos' area" + (f": {', '.join(words)}" if words else "")


OFTEN = 0.05
"""Of the photos: if more of them lie in two classes, it is no oversight, but what the photos show. Ours."""


def in_two_classes(contested: pd.DataFrame, photos: pd.DataFrame) -> str:
    """That photos lie in two classes, in a sentence without a full stop; "" for none.

    contested: what data.conflicts gives; photos: all of them.
    """
    if contested.empty:
        return ""
    count = len(contested)
    words = (
        f"{count:,} photos lie in two classes, for example {contested['path'].iloc[0]}: they are left out until you "
    )
    words += "decide (notebook 01)"
    if count > OFTEN * (len(photos) + count):
        words += (
            "; classes exclude each other here: where photos show several things at once, draw boxes in notebook 06"
        )
    return words
