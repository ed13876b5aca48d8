"""Photos that belong to no class: far from every other photo, seen through the network."""

import numpy as np
import pandas as pd

from cvtune_nb.audit.issue import issue, quoted, table
from cvtune_nb.files import Progress, silent

NEIGHBOURS = 5
"""The distance to the nearest few, not to the nearest one: an odd photo often comes with a second one like it."""

DEVIATIONS = 6.0
"""Median absolute deviations over the median distance from which a photo is far from all. Ours; chosen on the sample
photos with digits among them, checked on photos of clothes with blood cells among them."""

FEWEST = 20
"""Photos a set must have before one of them can be called odd."""

BLOCK = 1024
"""Rows of the comparison of all with all that are in memory at a time."""


def find(
    photos: pd.DataFrame, features: np.ndarray, groups: np.ndarray, progress: Progress = silent
) -> pd.DataFrame:
    """Issues of kind "outlier".

    photos: path,label (n rows); features: (n, width); groups: (n,) int, equal for copies of one photo, which are no
    company for each other.
    """
    if len(photos) < FEWEST:
        return table([])
    distance, nearest = far(features, groups, progress)
    middle = np.median(distance)
    spread = max(float(np.median(np.abs(distance - middle))), 1e-9)
    paths = photos["path"].to_numpy()
    return table(
        issue(
            paths[i],
            "outlier",
            min(1.0, distance[i]),
            f"nothing else in the set looks like it (distance {distance[i]:.2f}; usual is {middle:.2f})",
            f"exclude it if it does not show {quoted([photos['label'].iloc[i]])} as you mean it",
            paths[nearest[i]],
        )
        for i in np.flatnonzero(distance > middle + DEVIATIONS * spread)
    )


def far(features: np.ndarray, groups: np.ndarray, progress: Progress = silent) -> tuple[np.ndarray, np.ndarray]:
    """Of each photo the mean cosine distance (0..2) to its NEIGHBOURS nearest that are no copies of it, features
    centred; and the nearest one's row. Sun and others 2022, "Out-of-distribution detection with deep nearest
    neighbors". Memory: BLOCK x n."""
    x = features - features.mean(axis=0)
    x = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    distance, nearest = np.empty(len(x)), np.empty(len(x), dtype=int)
    count = min(NEIGHBOURS, len(x) - 1)
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        progress(start / len(x), "looking for photos that belong nowhere")
        likeness = x[rows] @ x.T
        likeness[groups[rows, None] == groups[None, :]] = -1.0
        best = np.partition(likeness, len(x) - count, axis=1)[:, -count:]
        distance[rows] = 1 - best.mean(axis=1)
        nearest[rows] = likeness.argmax(axis=1)
    return distance, nearest
