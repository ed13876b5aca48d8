"""A set of photos in numbers. photos, everywhere here: a table such as Workspace.photos gives."""

import pandas as pd


def class_sizes(rows: pd.DataFrame) -> dict[str, int]:
    """The number of photos (or boxes) of each class, the largest class first."""
    return {str(label): int(count) for label, count in rows["label"].value_counts().items()}


def classes_by_split(photos: pd.DataFrame) -> pd.DataFrame:
    """Photos of each class: label; train, validation, test, those there are; all. The last row is that of all."""
    counts = pd.crosstab(photos["label"], photos["split"], margins=True, margins_name="all")
    there = [name for name in ("train", "validation", "test", "all") if name in counts]
    return counts[there].reset_index()


def short_sides(photos: pd.DataFrame) -> tuple[int, int, float]:
    """The smallest, the largest and the median short side, in pixels."""
    short = photos[["width", "height"]].min(axis=1)
    return int(short.min()), int(short.max()), float(short.median())


def one_to_try(photos: pd.DataFrame) -> str:
    """The path of a photo to try a model on: the first test photo, else the first of all."""
    test = photos[photos["split"] == "test"]
    return str((photos if test.empty else test)["path"].iloc[0])
