"""CVAT for images: one XML file for many photos."""

import math
import re
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree

from cvtune_nb.detection.claims import Listed, claims_of_list
from cvtune_nb.detection.raw_annotation import Folder, Found, Mark, number

SHAPES = ("box", "polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton")


def has_boxes(file: Path) -> bool:
    """Whether boxes or outlines are drawn in it; where there are only tags, it is for a classifier."""
    return bool(re.search(rb"<(box|polygon|ellipse|mask)\s", file.read_bytes()))


def read(folder: Folder, files: list[str]) -> Found:
    """Read CVAT files: edges in pixels, turned round the middle where they have a rotation.

    Round an outline or an ellipse a box is laid, as round a mask; lines, points and cuboids are left out and reported.
    The photo is `name`, looked up as COCO's file_name is.
    """
    found = Found()
    for file in files:
        try:
            tree = ElementTree.fromstring((folder.root / file).read_bytes())
        except (ParseError, ValueError, LookupError) as error:
            found.wrong(file, "", "", "unreadable file", f"it can't be read as XML ({error}); export it again")
            continue
        _read(folder, found, file, tree)
    return found


def _read(folder: Folder, found: Found, file: str, tree: Element) -> None:
    images, listed = [], []
    for place, image in enumerate(tree.iter("image"), 1):
        name = image.get("name", "").strip()
        if not name:
            found.wrong(file, f"image {place}", "", "no photo", "it has no name; it is left out", len(_shapes(image)))
            continue
        images.append(image)
        listed.append(Listed(f"image {place}", name, _size(image)))
    labels = frozenset(shape.get("label", "") for image in images for shape in _shapes(image))
    for image, stated, claim in zip(images, listed, claims_of_list(folder, file, listed, labels), strict=True):
        found.claims.append(claim)
        for place, shape in enumerate(_shapes(image), 1):
            where = f"{stated.where}, {shape.tag} {place}"
            try:
                sides = _sides(shape)
            except (TypeError, ValueError):
                found.lose(claim, where, "no number", "its sides or points are no numbers")
                continue
            if sides is None:
                found.lose(claim, where, "no box", f"a {shape.tag} has no box")
            else:
                found.marks.append(Mark(claim, where, shape.get("label", "").strip(), sides, stated.size))


def _shapes(image: Element) -> list[Element]:
    return [shape for shape in image if shape.tag in SHAPES]


def _size(image: Element) -> tuple[float, float]:
    try:
        return number(image.get("width")), number(image.get("height"))
    except ValueError:
        return 0.0, 0.0  # not stated


def _sides(shape: Element) -> tuple[float, float, float, float] | None:
    """left, top, right, bottom round a shape; None where it has no area. Raises ValueError."""
    turned = math.radians(number(shape.get("rotation", 0)))
    if shape.tag == "box":
        left, top, right, bottom = (number(shape.get(side)) for side in ("xtl", "ytl", "xbr", "ybr"))
        across, down = (right - left) / 2, (bottom - top) / 2
        x, y = left + across, top + down
        wide = abs(across * math.cos(turned)) + abs(down * math.sin(turned))
        high = abs(across * math.sin(turned)) + abs(down * math.cos(turned))
        return (x - wide, y - high, x + wide, y + high) if turned else (left, top, right, bottom)
    if shape.tag == "ellipse":
        x, y, across, down = (number(shape.get(side)) for side in ("cx", "cy", "rx", "ry"))
        wide = math.hypot(across * math.cos(turned), down * math.sin(turned))
        high = math.hypot(across * math.sin(turned), down * math.cos(turned))
        return x - wide, y - high, x + wide, y + high
    if shape.tag == "mask":
        left, top, width, height = (number(shape.get(side)) for side in ("left", "top", "width", "height"))
        return left, top, left + width, top + height
    if shape.tag == "polygon":
        points = [tuple(map(number, point.split(","))) for point in shape.get("points", "").split(";")]
        xs, ys = zip(*points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)
    return None
