"""Pascal VOC: an XML file for each photo, as labelImg and others write it."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree

from cvtune_nb.data.layout import folded
from cvtune_nb.detection.pairing import (
    Claim,
    Place,
    by_name,
    by_place,
    listed,
    names_of,
    parents,
    replaced,
    split_path,
    splits_in,
    stem_of,
)
from cvtune_nb.detection.raw_annotation import Folder, Found, Mark, number, text_of

SIDES = ("xmin", "ymin", "xmax", "ymax")
BEGINNING = 4096
"""Bytes in which the outer tag is looked for."""


@dataclass(frozen=True)
class _File:
    """What an annotation file states.

    filename, folder: of its photo; boxes: where, label, sides; wrong: where, kind and words of those that can't be
    read.
    """

    path: str
    filename: str
    folder: str
    size: tuple[float, float]
    boxes: list[tuple[str, str, tuple[float, float, float, float]]]
    wrong: list[tuple[str, str, str]]

    @property
    def stem(self) -> str:
        """Its own name without extension."""
        return PurePosixPath(self.path).stem

    @property
    def name(self) -> str:
        """What it calls its photo."""
        return self.filename or self.stem

    @property
    def agrees(self) -> bool:
        """Whether it is called like the photo that it names."""
        last = split_path(self.filename.replace("\\", "/"))[1]
        return not last or folded(self.stem) in (folded(last), folded(stem_of(last)))


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
    found, lying = Found(), defaultdict(list)
    for file in files:
        content = (folder.root / file).read_bytes()
        if not content.strip():
            found.wrong(file, "", "", "empty file", "the file is empty; delete it, or export it again")
        elif opened := _opened(found, file, content):
            lying[split_path(file)[0]].append(opened)
    for where, group in lying.items():
        for file, claim in zip(group, _claims(folder, where, group), strict=True):
            found.claims.append(claim)
            found.marks += [Mark(claim, line, label, sides, file.size) for line, label, sides in file.boxes]
            for problem in file.wrong:
                found.lose(claim, *problem)
    return found


def _opened(found: Found, file: str, content: bytes) -> _File | None:
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
    opened = _File(file, _text(tree, "filename"), _text(tree, "folder"), size, [], [])
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


def _claims(folder: Folder, where: str, group: Sequence[_File]) -> list[Claim]:
    """The photos that the XML files in one folder mean."""
    photos = folder.photos
    names = {file.path: names_of(file.filename, folder.root.name) for file in group}
    files = {file.path: file for file in group}

    def lying_in(*folders: str) -> Place:
        def place(path: str) -> list[str]:
            stated = photos.first(folders, names[path])
            own = [photo for inside in folders for photo in photos.labelled(inside, files[path].stem)]
            return list(stated or own) if set(stated) & set(own) or not stated else [*stated, *own]

        return place

    def as_stated(path: str) -> tuple[str, ...]:
        stated = files[path].folder
        return photos.first(parents(where), [f"{stated}/{name}" for name in names[path]]) if stated else ()

    images = replaced(where, "annotations", "JPEGImages")
    fitting = by_place(list(files), [lying_in(where), lying_in(images), lying_in(*photos.mirrors(where))])
    if not any(fitting):
        stated = [as_stated(path) for path in files]
        named = by_name(photos, [[*names[file.path], file.stem] for file in group], where, splits_in(where))
        return [
            Claim(file.path, "", file.name, there or elsewhere, not there)
            for file, there, elsewhere in zip(group, stated, named, strict=True)
        ]
    agreeing = {fits[0] for file, fits in zip(group, fitting, strict=True) if file.agrees and len(fits) == 1}
    fitting = [
        fits if file.agrees else tuple(photo for photo in fits if photo not in agreeing) or fits
        for file, fits in zip(group, fitting, strict=True)
    ]
    doubt = any(len(fits) > 1 for file, fits in zip(group, fitting, strict=True) if not file.agrees)
    claims = []
    for file, fits in zip(group, fitting, strict=True):
        words = ""
        if doubt and fits and not file.agrees:
            words = (
                f"it may be about {listed(fits)}, for files in {where or 'this folder'} are called like other "
                "photos than they name: mend <filename>"
            )
        elsewhere = () if fits else photos.anywhere((names[file.path] or [file.stem])[-1])
        claims.append(Claim(file.path, "", file.name, fits, elsewhere=elsewhere, doubt=words))
    return claims


def _text(tree: Element, path: str) -> str:
    return (tree.findtext(path) or "").strip()
