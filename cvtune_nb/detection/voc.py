"""Pascal VOC: an XML file for each photo, as labelImg and others write it."""

import re
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree

from cvtune_nb.detection.claims import OwnFile, read_own_files
from cvtune_nb.detection.raw_annotation import Folder, Found, number, text_of

SIDES = ("xmin", "ymin", "xmax", "ymax")
BEGINNING = 4096
"""Bytes in which the outer tag is looked for."""


def is_voc(file: Path) -> bool:
    """Whether an XML file is meant to be VOC's, as far as its beginning shows."""
    with open(file, "rb") as opened:
        return bool(re.search(r"<annotation[\s>]", text_of(opened.read(BEGINNING))))


def read(folder: Folder, files: list[str]) -> Found:
    """Read VOC files: sides are edges in pixels.

    Tools that count pixels from 1 mean half a pixel more. What else an object has (pose, truncated, difficult, parts)
    is ignored.

    The photo is the one called <filename> or like the XML file, beside it or in the corresponding folder (JPEGImages
    for Annotations), else <folder>/<filename>, else the only photo of that name.
    """
    return read_own_files(folder, files, _opened)


def _opened(found: Found, file: str, content: bytes) -> OwnFile | None:
    try:
        tree = ElementTree.fromstring(content)
    except (ParseError, ValueError, LookupError) as error:  # broken, of an unknown encoding, or unsafe
        found.wrong(file, "", "", "unreadable file", f"it can't be read as XML ({error}); export it again")
        return None
    if tree.tag != "annotation":
        found.wrong(file, "", "", "other file", f"its outer tag is <{tree.tag}>, not <annotation>; it is passed over")
        return None
    try:
        size = (number(_text(tree, "size/width")), number(_text(tree, "size/height")))
    except ValueError:
        size = (0.0, 0.0)  # not stated
    opened = OwnFile(file, _text(tree, "filename"), _text(tree, "folder"), size, [], [])
    for place, thing in enumerate(tree.iter("object"), 1):
        where, box = f"object {place}", thing.find("bndbox")
        if box is None:
            opened.wrong.append((where, "no box", "it has no <bndbox>"))
            continue
        try:
            left, top, right, bottom = (number(_text(box, side)) for side in SIDES)
        except ValueError:
            stated = ", ".join(f"{side} {_text(box, side) or 'missing'}" for side in SIDES)
            opened.wrong.append((where, "no number", f"its sides are no numbers ({stated})"))
            continue
        opened.boxes.append((where, _text(thing, "name"), (left, top, right, bottom)))
    return opened


def _text(tree: Element, path: str) -> str:
    return (tree.findtext(path) or "").strip()
