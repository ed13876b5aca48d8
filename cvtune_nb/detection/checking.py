"""Of what annotation files state: which boxes can be used, and of which photos it is known what is in them."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cvtune_nb.detection.pairing import Claim, listed, settled
from cvtune_nb.detection.raw_annotation import Found, Mark, boxes_in_words

BOX_COLUMNS = ["path", "label", "left", "top", "width", "height", "file", "where"]

TINY = 0.005
"""A box with a side below this fraction of the photo's is reported: 3 of 640 pixels, less than a detector's stride."""
SAME = 0.95
"""Boxes of one class that share so much of their area (intersection over union) are one that was drawn twice."""
SLACK = 2.0
"""Pixels that a box may reach beyond the photo without a word: tools count pixels from 0 or 1, and round."""

Row = tuple[str, str, float, float, float, float, str, str]
"""BOX_COLUMNS of a box."""


def checked(found: Found, photos: pd.DataFrame, unreadable: Mapping[str, str]) -> tuple[pd.DataFrame, set[str]]:
    """The boxes that can be used, and the photos whose content is known; all else becomes a problem.

    Parameters
    ----------
    found
        What the readers made of the annotation files; problems are added to it.
    photos
        width and height in pixels, by path.
    unreadable
        path -> reason of photos that can't be used.

    Returns
    -------
    tuple
        The table of boxes, and the paths of photos whose content is known, those with nothing to find included.
    """
    paths, reasons = settled(found.claims)
    for claim, path in [*paths.items()]:
        if path in unreadable:
            reasons[claim] = f"its photo {path} can't be used ({unreadable[path]})"
            del paths[claim]
    marks: dict[Claim, list[Mark]] = defaultdict(list)
    for mark in found.marks:
        marks[mark.claim].append(mark)
    for claim, reason in reasons.items():
        kind = "several photos" if len(claim.fitting) > 1 else "no photo"
        words = f"{reason}; {boxes_in_words(len(marks[claim]))}"
        found.wrong(claim.file, claim.where, claim.name, kind, words, len(marks[claim]))
    sizes = dict(zip(photos.index, photos[["width", "height"]].itertuples(index=False, name=None), strict=True))
    stated: dict[str, dict[Claim, list[Row]]] = defaultdict(dict)
    for claim in found.claims:
        if claim in paths:
            stated[paths[claim]][claim] = _rows(found, marks[claim], paths[claim], *sizes[paths[claim]])
    rows: list[Row] = []
    seen = set()
    for path in sorted(stated):
        kept = _agreed(found, path, stated[path])
        rows += kept or []
        if kept or (kept is not None and not any(found.lost.get(claim) for claim in stated[path])):
            seen.add(path)
    doubtful = {path for claim in reasons for path in (*claim.fitting, *claim.elsewhere)}
    for path in sorted(doubtful & found.backgrounds):
        words = "boxes that are left out may be its own: it is not taken for a photo without objects"
        found.wrong("", "", path, "not seen", words)
    return pd.DataFrame(rows, columns=BOX_COLUMNS), seen | (found.backgrounds - doubtful - set(stated))


def _rows(found: Found, marks: Sequence[Mark], path: str, width: int, height: int) -> list[Row]:
    """The boxes that a file states for a photo, those that can be used."""
    kept: list[Row] = []
    for mark in marks:
        sides = _sides(found, mark, width, height)
        if sides is None:
            continue
        file = mark.claim.file
        row = (path, mark.label, sides[0], sides[1], sides[2] - sides[0], sides[3] - sides[1], file, mark.where)
        if same := [other for other in kept if _same(row, other)]:
            words = f"it is the same box as {same[0][7]} of {same[0][6]}; one is kept"
            found.wrong(file, mark.where, path, "drawn twice", words)
            continue
        kept.append(row)
    return kept


def _agreed(found: Found, path: str, stated: Mapping[Claim, list[Row]]) -> list[Row] | None:
    """The boxes of a photo, each once; None where several files state different ones.

    Files about different classes complement each other.
    """
    claims = list(stated)
    for number, claim in enumerate(claims):
        for other in claims[:number]:
            one, two = (
                [row for row in stated[each] if against.classes is None or row[1] in against.classes]
                for each, against in ((claim, other), (other, claim))
            )
            if all(any(_same(row, mate) for mate in two) for row in one) and (
                all(any(_same(row, mate) for mate in one) for row in two)
            ):
                continue
            files = listed(list(dict.fromkeys(f"{each.file} {each.where}".strip() for each in claims)))
            for each in claims:
                words = f"{files} state different boxes for {path}; {boxes_in_words(len(stated[each]))}: take one away"
                found.wrong(each.file, each.where, path, "stated twice", words, len(stated[each]))
            return None
    kept: list[Row] = []
    for rows in stated.values():
        kept += [row for row in rows if not any(_same(row, other) for other in kept)]
    if len(claims) > 1:
        files = listed(list(dict.fromkeys(claim.file for claim in claims)))
        words = f"{files} agree on it; each box is kept once"
        found.wrong(claims[1].file, claims[1].where, path, "stated twice", words)
    return kept


# -- each box -----------------------------------------------------------------------------------------------


def _sides(found: Found, mark: Mark, width: int, height: int) -> np.ndarray | None:
    """left, top, right, bottom of a box as fractions, mended where that is safe; None where it can't be used."""

    def mended(kind: str, words: str) -> None:
        found.wrong(mark.claim.file, mark.where, mark.claim.name, kind, words)

    whole = np.array([width, height, width, height], dtype=float)
    sides = np.array(mark.sides, dtype=float)
    stated = whole[:2] if mark.size is None or min(mark.size) <= 0 else np.array(mark.size, dtype=float)
    if mark.size is not None:
        sides = sides / np.tile(stated, 2)
    if wrong := _unusable(mark, stated, sides, width, height):
        found.lose(mark.claim, mark.where, *wrong)
        return None
    if sides[0] > sides[2] or sides[1] > sides[3]:
        sides = np.array([min(sides[::2]), min(sides[1::2]), max(sides[::2]), max(sides[1::2])])
        mended("flipped", "its right or lower side comes before the other; they were exchanged")
    cut = sides.clip(0, 1)
    if (np.abs(cut - sides) * whole).max() > SLACK:
        mended("over the edge", "it reaches beyond the photo; it was cut at its edge")
    if (cut[2:] - cut[:2]).min() < TINY:
        mended("tiny", f"one side is below {TINY:.1%} of the photo's; it is kept: look whether it is meant")
    return cut


def _unusable(mark: Mark, stated: np.ndarray, sides: np.ndarray, width: int, height: int) -> tuple[str, str] | None:
    """Why a box can't be used: the kind of problem, and words."""
    if not mark.label:
        return "no class", "its class is empty or not in the list of classes"
    if tuple(stated) == (height, width) and width != height:
        return "turned photo", (
            f"it was drawn on {stated[0]:.0f} x {stated[1]:.0f} pixels, but the photo is {width} x "
            f"{height} once EXIF has turned it: draw it again"
        )
    if not math.isclose(stated[0] / stated[1], width / height, rel_tol=0.02):
        return "other photo", (
            f"it was drawn on a photo of {stated[0]:.0f} x {stated[1]:.0f} pixels, and this one has {width} x {height}"
        )
    if sides[0] == sides[2] or sides[1] == sides[3]:
        return "no area", "it has no width or no height"
    if max(min(sides[::2]), min(sides[1::2])) >= 1 or min(max(sides[::2]), max(sides[1::2])) <= 0:
        return "outside", "it lies outside the photo"
    return None


def _same(one: Row, other: Row) -> bool:
    """Whether two boxes are one that was drawn twice."""
    return one[1] == other[1] and _overlap(one, other) > SAME


def _overlap(one: Row, other: Row) -> float:
    """Intersection over union of two rows of boxes."""
    (left, top, width, height), (left_, top_, width_, height_) = one[2:6], other[2:6]
    across = min(left + width, left_ + width_) - max(left, left_)
    down = min(top + height, top_ + height_) - max(top, top_)
    shared = max(0.0, across) * max(0.0, down)
    return shared / (width * height + width_ * height_ - shared)
