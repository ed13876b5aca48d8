"""A set of photos in numbers. photos, everywhere here: a table such as Workspace.photos gives."""

import pandas as pd

from cvtune_nb.data.file_types import RAW, suffix
from cvtune_nb.data.pixels import median_side


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
