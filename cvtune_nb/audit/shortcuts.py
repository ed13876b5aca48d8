"""Whether a model could cheat.

A property of the file or of the light that gives a class away is learned instead of the things shown, and is gone in
the next set of photos. The same measure says whether given splits look alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from cvtune_nb.audit.check import Issue, issue, quoted

if TYPE_CHECKING:
    from cvtune_nb.audit.context import Context

TELLING, TOO_TELLING = 0.80, 0.90
"""AUROC of one property for one class against the rest from which it is a warning, and from which an error
(docs/measurements.md, "Properties that give a class away")."""

APART = 0.70
"""AUROC of one property for one split against the others from which the splits are called different. Ours."""

SHUFFLES = 30
"""Times the labels are shuffled: whatever a property reaches then for any class is chance."""

FEWEST = 10
"""Photos a class (or split) must have: with fewer, chance alone tells it from the rest."""

PROPERTIES = {
    "mean": "brightness",
    "brightness": "its brightest part",
    "contrast": "contrast",
    "burnt": "burnt out parts",
    "sharpness": "sharpness",
    "width": "width of the file",
    "height": "height of the file",
    "aspect": "shape of the file",
    "density": "bytes a pixel of the file",
}
"""What is looked at: columns of `properties`, in words."""


def properties(photos: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """PROPERTIES of each photo, from the manifest (width,height,bytes) and quality.measure's table."""
    width, height = (photos[name].to_numpy(dtype=float) for name in ("width", "height"))
    density = photos["bytes"].to_numpy(dtype=float) / width / height
    made = measures.reset_index(drop=True)
    return made.assign(width=width, height=height, aspect=width / height, density=density)[list(PROPERTIES)]


def shortcut(context: Context) -> list[Issue]:
    """Properties that give a class away, about the class and not about a photo."""
    values, rows = properties(context.photos, context.measures), []
    for found in telling(values, context.photos["label"], TELLING):
        how = "alone nearly gives it away" if found["auroc"] < TOO_TELLING else "alone gives it away"
        rows.append(
            issue(
                "",
                found["auroc"],
                f"class {quoted([found['name']])}: {PROPERTIES[found['property']]} {how} (AUROC {found['auroc']:.2f}, "
                f"by chance at most {found['chance']:.2f}); it is {found['direction']} than in the others",
                f"add photos of {quoted([found['name']])} and of others that differ in this, or a model may learn "
                "that instead of what they show",
            )
        )
    return rows


def split_drift(context: Context) -> list[Issue]:
    """Properties that give a split away."""
    values = properties(context.photos, context.measures)
    return [
        issue(
            "",
            found["auroc"],
            f"split {quoted([found['name']])}: {PROPERTIES[found['property']]} is {found['direction']} than in "
            f"the others (AUROC {found['auroc']:.2f}, by chance at most {found['chance']:.2f})",
            "draw the splits at random from all photos, unless the difference is meant",
        )
        for found in telling(values, context.photos["split"], APART)
    ]


def telling(values: pd.DataFrame, names: pd.Series, least: float, shuffles: int = SHUFFLES) -> list[dict]:
    """Which columns of `values` tell which of `names` from the rest.

    Parameters
    ----------
    values : pandas.DataFrame
        What `properties` gives (n rows).
    names : pandas.Series
        Class or split of each photo.
    least : float
        AUROC from which a property counts.
    shuffles : int
        Times the names are shuffled (fixed seed): a property must reach more than any did in all of them, so that a
        false alarm is rarer than one set in so many.

    Returns
    -------
    list of dict
        name, property, auroc (.5 to 1: the chance that the property of one photo of the class lies on that side of one
        of another), chance, direction. A class gets its most telling property only.
    """
    names = names.to_numpy(dtype=str)
    kept, counts = np.unique(names, return_counts=True)
    kept = kept[counts >= FEWEST]
    if len(kept) < 2:
        return []
    ranks = np.stack([rankdata(values[name]) for name in values], axis=1)
    member = names[:, None] == kept
    random = np.random.default_rng(0)
    chance = max(_extent(_auroc(ranks[random.permutation(len(ranks))], member)).max() for _ in range(shuffles))
    auroc = _auroc(ranks, member)
    found = []
    for index, name in enumerate(kept):
        column = int(_extent(auroc[index]).argmax())
        extent = float(_extent(auroc[index, column]))
        if extent >= max(least, chance):
            found.append(
                {
                    "name": str(name),
                    "property": values.columns[column],
                    "auroc": extent,
                    "chance": float(chance),
                    "direction": "higher" if auroc[index, column] > 0.5 else "lower",
                }
            )
    return found


def _auroc(ranks: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Mann and Whitney's U as a fraction (classes, properties), of ranks (n, properties) and members (n, classes)."""
    inside = member.sum(axis=0)[:, None]
    outside = len(member) - inside
    return (member.T.astype(float) @ ranks - inside * (inside + 1) / 2) / np.maximum(inside * outside, 1)


def _extent(auroc: np.ndarray) -> np.ndarray:
    """How far from chance, in either direction: .5..1."""
    return np.maximum(auroc, 1 - auroc)
