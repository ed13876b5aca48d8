"""Pascal VOC: an XML file for each photo, as labelImg and others write it."""

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree

from cvtune_nb.detection.mark import Found, Mark, number

SIDES = ("xmin", "ymin", "xmax", "ymax")


def read(root: Path, files: list[str]) -> Found:
    """Sides are taken as edges in pixels; tools that count pixels from 1 mean half a pixel more. What else an object
    has (pose, truncated, difficult, parts) is passed over."""
    found = Found()
    for file in files:
        content = (root / file).read_bytes()
        if not content.strip():
            found.wrong(file, "", "", "empty file", "the file is empty; delete it, or export it again")
        else:
            _read(found, file, content)
    return found


def _read(found: Found, file: str, content: bytes) -> None:
    try:
        tree = ElementTree.fromstring(content)
    except (ParseError, ValueError, LookupError) as error:  # broken, of an unknown encoding, or unsafe
        found.wrong(file, "", "", "unreadable file", f"it can't be read as XML ({error}); export it again")
        return
    if tree.tag != "annotation":
        found.wrong(file, "", "", "other file", f"its outer tag is <{tree.tag}>, not <annotation>; it is passed over")
        return
    photo = _text(tree, "filename") or Path(file).stem
    found.photos.add(photo)
    try:
        size = (number(_text(tree, "size/width")), number(_text(tree, "size/height")))
    except ValueError:
        size = (0.0, 0.0)  # not stated
    for place, thing in enumerate(tree.iter("object"), 1):
        where, box = f"object {place}", thing.find("bndbox")
        if box is None:
            found.wrong(file, where, photo, "no box", "it has no <bndbox>; it is left out")
            continue
        try:
            left, top, right, bottom = (number(_text(box, side)) for side in SIDES)
        except ValueError:
            stated = ", ".join(f"{side} {_text(box, side) or 'missing'}" for side in SIDES)
            found.wrong(file, where, photo, "no number", f"its sides are no numbers ({stated}); it is left out")
            continue
        found.marks.append(Mark(photo, file, where, _text(thing, "name"), (left, top, right, bottom), size))


def _text(tree: Element, path: str) -> str:
    return (tree.findtext(path) or "").strip()
