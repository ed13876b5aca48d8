"""Boxes that others have drawn: read from VOC, COCO or YOLO files, and checked one by one."""

import json
import math
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.data import photo, walk
from cvtune_nb.detection import coco, voc, yolo
from cvtune_nb.detection.mark import Found, Mark, Reader
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent, write_text

BOX_COLUMNS = ["path", "label", "left", "top", "width", "height", "file", "where"]
PROBLEM_COLUMNS = ["file", "where", "photo", "kind", "words"]

TINY = 0.005
"""A box with a side below this share of the photo's is named: of 640 pixels, 3, less than a detector's stride of 4."""
SAME = 0.95
"""Boxes of one class that share so much of their area (intersection over union) are one that was drawn twice."""
SLACK = 2.0
"""Pixels that a box may reach beyond the photo without a word: tools count pixels from 0 or 1, and round."""

READERS: dict[str, Reader] = {"coco": coco.read, "voc": voc.read, "yolo": yolo.read}


@dataclass(frozen=True)
class Annotations:
    """Photos and the boxes in them.

    kind: voc, coco or yolo; "" where there are no annotation files. photos: path (relative to root, with forward
    slashes), width, height (pixels, upright), seen (whether annotations speak of it: without a box it is a negative
    then; YOLO's photos all are, for there a photo without objects has no file). boxes: path, label; left, top, width,
    height in shares (0..1) of the upright photo; file and where say which line or object it comes from. problems: file,
    where, photo, kind, words: all that was left out or mended, and why.
    """

    root: Path
    kind: str
    photos: pd.DataFrame
    boxes: pd.DataFrame
    problems: pd.DataFrame

    @property
    def labels(self) -> list[str]:
        """The classes, in order of their names."""
        return sorted(self.boxes["label"].unique())


def read_annotations(
    root: Path, kind: str = "", progress: Progress = silent, photos: pd.DataFrame | None = None, required: bool = True
) -> Annotations:
    """The photos in a folder and below it, and the boxes that VOC (XML), COCO (JSON) or YOLO (text) files there state.

    What is wrong with a file or a box is listed in `problems` and ends nothing: boxes outside the photo, without area
    or class, or whose photo is not there are left out; those that reach over its edge are cut; flipped ones are turned;
    of those that were drawn twice one is kept; tiny ones are kept and named. Files are only read. photos: path, width,
    height of the photos, where they are known; else their headers are read.

    Raises InputError when there are no photos or, where they are `required`, no annotation files, and when there are
    several kinds of these and `kind` does not say which.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder: give the folder with the photos and their annotations")
    files = {name: _files(root, name) for name in READERS}
    there = [name for name, found in files.items() if found]
    if kind and kind not in READERS:
        raise InputError(f"annotations of kind {kind!r} can't be read: choose {', '.join(READERS)}")
    if (not there and required) or (kind and kind not in there):
        raise InputError(
            f"{root} has no {kind.upper() or 'annotation'} files: put VOC (.xml), COCO (.json) or YOLO (.txt) files "
            "beside the photos, or draw boxes in notebook 06"
        )
    if not kind and len(there) > 1:
        raise InputError(f"{root} has annotations of several kinds, {' and '.join(there)}: say which to use (kind)")
    kind = kind or next(iter(there), "")
    known, unreadable = (photos.set_index("path")[["width", "height"]], []) if photos is not None else (
        _photos(root, progress))  # fmt: skip
    found = READERS[kind](root, files[kind]) if kind else Found()
    for path, words in unreadable:
        found.wrong(path, "", path, "unreadable photo", f"{words}; it is left out")
    boxes, seen = _checked(found, known)
    problems = pd.DataFrame([vars(problem) for problem in found.problems], columns=PROBLEM_COLUMNS)
    table = known.reset_index()
    return Annotations(root, kind, table.assign(seen=table["path"].isin(seen) | (kind == "yolo")), boxes, problems)


def write_coco(annotations: Annotations, file: Path) -> None:
    """Write the photos that were looked at, and all boxes, as one COCO file, with paths relative to the root. What is
    there is replaced."""
    numbers = {label: number for number, label in enumerate(annotations.labels, 1)}
    rows = annotations.photos[annotations.photos["seen"]]
    ids = {path: number for number, path in enumerate(rows["path"], 1)}
    sides = rows.set_index("path")[["width", "height"]]
    content: dict[str, Any] = {
        "images": [{"id": ids[row.path], "file_name": row.path, "width": int(row.width), "height": int(row.height)}
                   for row in rows.itertuples()],
        "categories": [{"id": number, "name": label} for label, number in numbers.items()],
        "annotations": [],
    }  # fmt: skip
    for number, row in enumerate(annotations.boxes.itertuples(), 1):
        shares = np.array([row.left, row.top, row.width, row.height])
        box = [round(float(side), 2) for side in shares * np.tile(sides.loc[row.path], 2)]
        content["annotations"].append({
            "id": number, "image_id": ids[row.path], "category_id": numbers[row.label], "bbox": box,
            "area": round(box[2] * box[3], 2), "iscrowd": 0,
        })  # fmt: skip
    write_text(Path(file), json.dumps(content, indent=1, ensure_ascii=False) + "\n")


# -- which files there are ----------------------------------------------------------------------------------


def _files(root: Path, kind: str) -> list[str]:
    """Annotation files of this kind, relative to root."""
    suffix = {"voc": ".xml", "coco": ".json", "yolo": ".txt"}[kind]
    files = [path for path in sorted(root.rglob("*")) if path.suffix.lower() == suffix and path.is_file()]
    files = [path for path in files if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    if kind == "coco":
        files = [path for path in files if coco.is_coco(path)]
    if kind == "yolo":
        named = [path for path in files if path.name not in yolo.NAMES]
        # an empty file is a photo without boxes, and so is one with a broken first line, where others are YOLO's
        folders = {path.parent for path in named if yolo.is_yolo(path)}
        files = [path for path in named if path.parent in folders]
    return [path.relative_to(root).as_posix() for path in files]


def _photos(root: Path, progress: Progress) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """path -> width, height of the photos below root, and those that can't be read, with the reason."""
    paths = [Path(path).relative_to(root).as_posix() for path in walk.photos_in([root])[0]]
    if not paths:
        raise InputError(f"{root} has no photos: put them beside the annotations")
    sizes, unreadable = {}, []

    def look(path: str) -> tuple[int, int] | str:
        try:
            return photo.upright_size(root / path)
        except photo.UnreadablePhoto as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        for number, (path, seen) in enumerate(zip(paths, pool.map(look, paths), strict=True)):
            progress(number / len(paths), f"reading photos: {number} of {len(paths)}")
            if isinstance(seen, str):
                unreadable.append((path, seen))
            else:
                sizes[path] = seen
    table = pd.DataFrame.from_dict(sizes, orient="index", columns=["width", "height"])
    return table.rename_axis("path"), unreadable


# -- each box -----------------------------------------------------------------------------------------------


def _checked(found: Found, photos: pd.DataFrame) -> tuple[pd.DataFrame, set[str]]:
    """The boxes that can be used, and the photos that the files speak of; all else becomes a problem."""
    names = _by_name(photos.index)
    paths: dict[str, str] = {}
    for name in sorted(found.photos):
        fitting = _fitting(name, names)
        if len(fitting) == 1:
            paths[name] = fitting[0]
            continue
        there = f"{len(fitting)} photos are called so, first {fitting[0]}" if fitting else "there is no such photo"
        first = next((mark.file for mark in found.marks if mark.photo == name), "")
        found.wrong(first, "", name, "no photo", f"{there}; its boxes are left out")
    sizes = dict(zip(photos.index, photos[["width", "height"]].itertuples(index=False, name=None), strict=True))
    kept: dict[str, list[tuple]] = defaultdict(list)
    for mark in found.marks:
        if mark.photo not in paths:
            continue
        path = paths[mark.photo]
        sides = _sides(found, mark, *sizes[path])
        if sides is None:
            continue
        row = (path, mark.label, sides[0], sides[1], sides[2] - sides[0], sides[3] - sides[1], mark.file, mark.where)
        if same := [other for other in kept[path] if other[1] == mark.label and _overlap(row, other) > SAME]:
            words = f"it is the same box as {same[0][7]} of {same[0][6]}; one is kept"
            found.wrong(mark.file, mark.where, path, "drawn twice", words)
            continue
        kept[path].append(row)
    rows = [row for path in sorted(kept) for row in kept[path]]
    return pd.DataFrame(rows, columns=BOX_COLUMNS), set(paths.values())


def _by_name(paths: pd.Index) -> dict[str, list[str]]:
    """Photos by their path, their name and their name without extension, in lower case."""
    names: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        pure = PurePosixPath(path)
        for name in {path.lower(), pure.name.lower(), pure.stem.lower()}:
            names[name].append(path)
    return names


def _fitting(name: str, names: dict[str, list[str]]) -> list[str]:
    """The photos that an annotation file means by `name`: by path, else by name, else by name without extension."""
    pure = PurePosixPath(name.replace("\\", "/"))
    for tried in (pure.as_posix(), pure.name, pure.stem):
        if fitting := names.get(tried.lower()):
            return fitting
    return []


def _sides(found: Found, mark: Mark, width: int, height: int) -> tuple[float, ...] | None:
    """left, top, right, bottom of a box in shares, mended where that is safe; None where it can't be used."""

    def wrong(kind: str, words: str) -> None:
        found.wrong(mark.file, mark.where, mark.photo, kind, words)

    if not mark.label:
        return wrong("no class", "its class is empty or not in the list of classes; it is left out")
    whole = np.array([width, height, width, height], dtype=float)
    sides = np.array(mark.sides, dtype=float)
    if mark.size is not None:
        stated = np.array(mark.size, dtype=float)
        if stated.min() <= 0:
            stated = whole[:2]
        if tuple(stated) == (height, width) and width != height:
            return wrong("turned photo", f"it was drawn on {stated[0]:.0f} x {stated[1]:.0f} pixels, but the photo is "
                         f"{width} x {height} once EXIF has turned it; it is left out: draw it again")  # fmt: skip
        if not math.isclose(stated[0] / stated[1], width / height, rel_tol=0.02):
            return wrong("other photo", f"it was drawn on a photo of {stated[0]:.0f} x {stated[1]:.0f} pixels, and "
                         f"this one has {width} x {height}; it is left out")  # fmt: skip
        sides = sides / np.tile(stated, 2)
    if sides[0] > sides[2] or sides[1] > sides[3]:
        sides = np.array([min(sides[::2]), min(sides[1::2]), max(sides[::2]), max(sides[1::2])])
        wrong("flipped", "its right or lower side comes before the other; they were exchanged")
    if sides[0] == sides[2] or sides[1] == sides[3]:
        return wrong("no area", "it has no width or no height; it is left out")
    if max(sides[:2]) >= 1 or min(sides[2:]) <= 0:
        return wrong("outside", "it lies outside the photo; it is left out")
    cut = sides.clip(0, 1)
    if (np.abs(cut - sides) * whole).max() > SLACK:
        wrong("over the edge", "it reaches beyond the photo; it was cut at its edge")
    if (cut[2:] - cut[:2]).min() < TINY:
        wrong("tiny", f"one side is below {TINY:.1%} of the photo's; it is kept: look whether it is meant")
    return tuple(cut)


def _overlap(one: tuple, other: tuple) -> float:
    """Intersection over union of two rows of boxes."""
    (left, top, width, height), (left_, top_, width_, height_) = one[2:6], other[2:6]
    across = min(left + width, left_ + width_) - max(left, left_)
    down = min(top + height, top_ + height_) - max(top, top_)
    shared = max(0.0, across) * max(0.0, down)
    return shared / (width * height + width_ * height_ - shared)
