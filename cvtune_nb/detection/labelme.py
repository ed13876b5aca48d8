"""labelme: a JSON file for each photo."""

import json
import math
import re
from pathlib import Path
from typing import Any

from cvtune_nb.detection.claims import OwnFile, read_own_files
from cvtune_nb.detection.raw_annotation import Folder, Found, number, text_of

BEGINNING = 200_000
"""Bytes in which a shape is looked for: the photo itself may stand behind them."""


def has_boxes(file: Path) -> bool:
    """Whether something is drawn in it; where there are only flags, it is for a classifier."""
    with open(file, "rb") as opened:
        return bool(re.search(r'"shapes"\s*:\s*\[\s*\{', text_of(opened.read(BEGINNING))))


def read(folder: Folder, files: list[str]) -> Found:
    """Read labelme files: points in pixels.

    Round an outline or a circle a box is laid; lines and points are left out and reported. The photo is the one called
    imagePath or like the JSON file, looked up as VOC's filename is.
    """
    return read_own_files(folder, files, _opened)


def _opened(found: Found, file: str, content: bytes) -> OwnFile | None:
    try:
        stated = json.loads(content)
    except (ValueError, RecursionError) as error:
        found.wrong(file, "", "", "unreadable file", f"it can't be read as JSON ({error}); write it again")
        return None
    if not isinstance(stated, dict) or not isinstance(stated.get("shapes"), list):
        found.wrong(file, "", "", "other file", "it has no list of shapes; it is passed over")
        return None
    try:
        size = number(stated.get("imageWidth")), number(stated.get("imageHeight"))
    except (TypeError, ValueError):
        size = (0.0, 0.0)  # not stated
    opened = OwnFile(file, str(stated.get("imagePath") or ""), "", size, [], [])
    for place, shape in enumerate(stated["shapes"], 1):
        where = f"shape {place}"
        try:
            sides = _sides(shape)
        except (TypeError, ValueError, AttributeError, IndexError):
            opened.wrong.append((where, "no number", "its points are no numbers"))
            continue
        if sides is None:
            opened.wrong.append((where, "no box", f"a {shape.get('shape_type')} has no box"))
        else:
            opened.boxes.append((where, str(shape.get("label") or "").strip(), sides))
    return opened


def _sides(shape: dict[str, Any]) -> tuple[float, float, float, float] | None:
    """left, top, right, bottom round a shape; None where it has no area. Raises what its content deserves."""
    kind = shape.get("shape_type", "polygon")
    if kind not in ("rectangle", "polygon", "circle", "mask", "oriented_rectangle"):
        return None
    xs, ys = zip(*((number(x), number(y)) for x, y in shape["points"]), strict=True)
    if kind == "circle":  # its middle, and a point on it
        radius = math.hypot(xs[1] - xs[0], ys[1] - ys[0])
        return xs[0] - radius, ys[0] - radius, xs[0] + radius, ys[0] + radius
    return min(xs), min(ys), max(xs), max(ys)
