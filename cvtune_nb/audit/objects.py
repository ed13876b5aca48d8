"""How large the objects in the photos are.

A person drags a box around it in a few sampled photos; nothing that was tried could tell it without them
(class-activation maps do not grow with the object).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cvtune_nb.audit.check import Issue, issue
from cvtune_nb.errors import InputError
from cvtune_nb.files import append_json_lines, read_json_lines
from cvtune_nb.workspace import Workspace, now

if TYPE_CHECKING:
    from cvtune_nb.audit.context import Context

SAMPLED = 12
"""Photos that are asked about."""

FEWEST = 6
"""Boxes from which it is said how large objects are. Ours: of 6 the median holds if 4 agree."""

SMALL = 0.20
"""Objects are small when their median extent is below this fraction of the photo: the Azure ML Package for Computer
Vision (2018) advised detection instead of classification from there."""

Box = tuple[float, float, float, float]
"""Left, top, width, height as fractions (0..1) of the upright photo's width and height."""


@dataclass(frozen=True)
class Extent:
    """How large objects are.

    Attributes
    ----------
    boxes : int
        How many photos were boxed.
    median : float
        Of the larger side of each box, as a fraction (0..1) of the photo's width or height.
    words : str
        What follows from it.
    """

    boxes: int
    median: float
    words: str

    @property
    def small(self) -> bool:
        """Whether the objects are too small for a classifier that looks at whole photos."""
        return self.boxes >= FEWEST and self.median < SMALL


def sample(photos: pd.DataFrame, seed: int = 0) -> list[str]:
    """Paths of SAMPLED photos to ask about, of each class in turn; which ones depends on their content and the seed.

    photos: path,label,sha256.
    """
    keys = [hashlib.sha256(f"box:{seed}:{key}".encode()).hexdigest() for key in photos["sha256"]]
    drawn = photos.assign(key=keys).sort_values("key").drop_duplicates("sha256")
    drawn = drawn.assign(turn=drawn.groupby("label").cumcount()).sort_values(["turn", "key"])
    return drawn["path"].head(SAMPLED).tolist()


def write_box(workspace: Workspace, path: str, box: Box | None) -> None:
    """Write down the box of a photo in boxes.jsonl, which is append-only.

    Parameters
    ----------
    workspace, path
        The photo.
    box
        left, top, width, height as fractions (0..1) of the photo; None takes its box back.

    Raises
    ------
    InputError
        For an unknown photo and for a box that is not inside the photo.
    """
    rows = workspace.manifest().set_index("path")
    if path not in rows.index:
        raise InputError(f"{path} is not a photo of this workspace ({workspace.folder}): open the data again")
    if box is not None:
        left, top, width, height = (round(float(value), 4) for value in box)
        box = left, top, width, height
        if min(left, top) < 0 or min(width, height) <= 0 or max(left + width, top + height) > 1.001:
            raise InputError(f"the box {box} of {path} is not inside the photo: left, top, width, height in 0..1")
    entry = {"time": now(), "sha256": rows.at[path, "sha256"], "path": path, "box": box}
    append_json_lines(workspace.folder / "boxes.jsonl", entry)


def boxes(workspace: Workspace) -> dict[str, Box]:
    """The box of each photo that has one, by the photo's sha256."""
    last: dict[str, Any] = {line["sha256"]: line["box"] for line in read_json_lines(workspace.folder / "boxes.jsonl")}
    return {key: tuple(box) for key, box in last.items() if box}


def extent(found: dict[str, Box]) -> Extent:
    """How large objects are, from the boxes of some photos."""
    sides = [max(width, height) for _, _, width, height in found.values()]
    median = float(np.median(sides)) if sides else 0.0
    if len(sides) < FEWEST:
        return Extent(len(sides), median, f"{len(sides)} of at least {FEWEST} photos have a box")
    what = f"in {len(sides)} boxed photos the object takes {median:.0%} of the photo (median of its larger side)"
    if median < SMALL:
        return Extent(len(sides), median, f"{what}: small, under {SMALL:.0%}")
    return Extent(len(sides), median, f"{what}: large enough to classify whole photos, {SMALL:.0%} or more")


def small_objects(context: Context) -> list[Issue]:
    """Whether the boxed objects are small."""
    known = set(context.photos["sha256"])
    seen = extent({key: box for key, box in boxes(context.workspace).items() if key in known})
    if not seen.small:
        return []
    size = context.spec.image_size
    return [
        issue(
            "",
            1 - seen.median / SMALL,
            seen.words,
            "find the objects instead of classifying whole photos (notebook 06), or crop the photos: at image "
            f"size {size} the network sees such an object with {seen.median * size:.0f} pixels",
        )
    ]
