"""YOLO: a text file for each photo, with a line for each box: class number, middle, width and height as fractions."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cvtune_nb.data.layout import folded
from cvtune_nb.detection.class_names import ClassNames, is_list
from cvtune_nb.detection.outlines import KEY_POINTS, OUTLINE, reading
from cvtune_nb.detection.pairing import (
    Claim,
    Place,
    by_name,
    by_place,
    listed,
    replaced,
    split_path,
    splits_in,
)
from cvtune_nb.detection.raw_annotation import Folder, Found, Mark, number, text_of

LARGEST = 2.0
"""Sides beyond this can't be fractions of a photo."""

Line = tuple[str, list[str]]
"""Which line it is, and its words."""


def is_yolo(file: Path) -> bool:
    """Whether a text file is meant to be YOLO's: its first line has five words or more, and all are numbers."""
    with open(file, "rb") as opened:
        lines = text_of(opened.read(4096)).split("\n")
    words = next((line.split() for line in lines if line.strip()), [])
    return len(words) >= 5 and _numbers(words) is not None


def is_class_file(path: str) -> bool:
    """Whether a file may name the classes."""
    return is_list(split_path(path)[1]) or path.lower().endswith((".yaml", ".yml", ".data"))


def label_files(root: Path, files: Sequence[str]) -> list[str]:
    """The text files that are YOLO's.

    An empty one is a photo without boxes, and so is one with a broken first line, where others in the folder are
    YOLO's.
    """
    files = [file for file in files if not is_list(split_path(file)[1])]
    folders = {split_path(file)[0] for file in files if is_yolo(root / file)}
    return [file for file in files if split_path(file)[0] in folders]


def read(folder: Folder, files: list[str]) -> Found:
    """Read YOLO files: each line has a class and a box, an outline, or a box and key points.

    A box may be followed by its certainty; round an outline a box is laid. Whether further numbers are an outline or
    key points is decided by kpt_shape in data.yaml, else by the lines of all files together; where they leave both
    open, they are left out.

    The photo has the file's name, and lies beside it or in the corresponding folder: images for labels. A photo without
    a file shows nothing where others in its folder have one.
    """
    found = Found()
    names = ClassNames(folder, found)
    lines = {file: _lines(folder.root / file) for file in files}
    claims = _claims(folder, files)
    unstated = [
        numbers[1:]
        for file in files
        if names.points(file) is None
        for _, words in lines[file]
        if len(words) > 6 and (numbers := _numbers(words))
    ]
    long = reading(unstated)
    nameless = False
    for claim in claims:
        if not claim.fitting and not claim.elsewhere and not any(_numbers(words) for _, words in lines[claim.file]):
            words = "its lines are no boxes, and no photo is called so; it is passed over"
            found.wrong(claim.file, "", "", "other file", words)
            continue
        found.claims.append(claim)
        points = names.points(claim.file)
        for where, words in lines[claim.file]:
            nameless |= _read(found, names, claim, where, words, points, long)
    if nameless:
        words = "no classes.txt, obj.names or data.yaml names the classes: they are numbers here"
        found.wrong("", "", "", "no class names", words)
    for words in names.doubts():
        found.wrong("", "", "", "no class names", words)
    _add_backgrounds(folder, found, files)
    return found


def _lines(file: Path) -> list[Line]:
    lines = re.split(r"\r\n|\n|\r", text_of(file.read_bytes()))
    return [(f"line {place}", line.split()) for place, line in enumerate(lines, 1) if line.strip()]


def _numbers(words: Sequence[str]) -> list[float] | None:
    try:
        return [number(word) for word in words]
    except ValueError:
        return None


def _read(
    found: Found,
    names: ClassNames,
    claim: Claim,
    where: str,
    words: list[str],
    points: tuple[int, int] | None,
    long: str,
) -> bool:
    """Read a line; whether its class has no name because no file names any."""

    def lost(kind: str, why: str) -> bool:
        found.lose(claim, where, kind, why)
        return False

    numbers = _numbers(words)
    if numbers is None:
        return lost("no number", f"{' '.join(words)[:60]!r} is not all numbers")
    which, *sides = numbers
    if len(sides) < 4:
        return lost("no box", f"it has {len(words)} numbers, not a class and four sides")
    if len(sides) > 5:
        if points is not None and len(sides) != 4 + points[0] * points[1]:
            stated = f"a box and {points[0]} key points of {points[1]} numbers (kpt_shape)"
            return lost("no box", f"it has {len(words)} numbers, not a class, {stated}")
        kind = KEY_POINTS if points is not None else long
        if not kind:
            what = "an outline or a box with key points: state kpt_shape in data.yaml, or export boxes"
            return lost("two readings", f"its {len(words)} numbers may be {what}")
        if kind == OUTLINE and len(sides) % 2:
            return lost("no box", f"it has {len(words)} numbers, not a class and pairs")
        sides = sides if kind == OUTLINE else sides[:4]
    else:
        sides = sides[:4]
    if max(abs(side) for side in sides) > LARGEST:
        return lost("pixels", "its sides are no shares of the photo (0 to 1)")
    if len(sides) > 4:
        box = min(sides[::2]), min(sides[1::2]), max(sides[::2]), max(sides[1::2])
    else:
        x, y, width, height = sides
        box = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    whole = int(which) if which == int(which) else -1
    label = names.of(claim.file, whole)
    found.marks.append(Mark(claim, where, str(whole) if label is None and whole >= 0 else label or "", box, None))
    return label is None


def _claims(folder: Folder, files: Sequence[str]) -> list[Claim]:
    """The photos that label files mean."""
    photos, lying = folder.photos, defaultdict(list)
    for file in files:
        lying[split_path(file)[0]].append(file)

    def lying_in(*folders: str) -> Place:
        return lambda file: [photo for inside in folders for photo in photos.labelled(inside, _stem(file))]

    claims = []
    for where, group in lying.items():
        places = [lying_in(where), lying_in(replaced(where, "labels", "images")), lying_in(*photos.mirrors(where))]
        fitting = by_place(group, places)
        found_there = any(fitting)
        if not found_there:
            fitting = by_name(photos, [[_stem(file)] for file in group], where, splits_in(where))
        # where one name fits several photos, no name here says whose file it is
        several = next((fits for fits in fitting if len(fits) > 1), ()) if not found_there else ()
        for file, fits in zip(group, fitting, strict=True):
            elsewhere = () if fits else photos.anywhere(_stem(file))
            doubt = ""
            if several and len(fits) == 1:
                doubt = f"it may be about {fits[0]}, but names are not unique ({listed(several)}): rename them"
            claims.append(Claim(file, "", _stem(file), fits, not found_there, elsewhere, doubt))
    return claims


def _stem(file: str) -> str:
    return PurePosixPath(file).stem


def _add_backgrounds(folder: Folder, found: Found, files: Sequence[str]) -> None:
    """Photos without a file, where others in their folder have one, or below images where labels corresponds to it.

    Nothing is known of a split without any labels.
    """
    photos, claimed = folder.photos, {photo for claim in found.claims for photo in claim.fitting}
    lying = {split_path(file)[0] for file in files}
    near = {split_path(photo)[0] for photo in claimed}
    roots = {_above(where, "labels") for where in lying} - {None}
    splits = set().union(*(splits_in(where) for where in lying))
    for inside, lying_there in photos.folders.items():
        without = [photo for photo in lying_there if photo not in claimed and photo not in photos.unusable]
        there = splits_in(inside)
        if inside in near or (_above(inside, "images") in roots and (not there or not splits or there & splits)):
            found.backgrounds.update(without)
        elif without:
            words = f"no photo in {inside or 'this folder'} has a label file ({listed(without, 2)}): they are not taken"
            way_out = "for photos without objects; put empty .txt files beside them, or say so in notebook 06"
            found.wrong("", "", inside, "no labels", f"{words} {way_out}")


def _above(folder: str, word: str) -> str | None:
    """The folder in which the last folder called `word` of a path lies; None where there is none."""
    parts = [folded(part) for part in folder.split("/")]
    return "/".join(parts[: len(parts) - 1 - parts[::-1].index(word)]) if word in parts else None
