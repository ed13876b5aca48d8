"""Boxes that others have drawn: read from VOC, COCO, YOLO, CVAT or labelme files, and checked one by one."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.data import file_types, photo, walk
from cvtune_nb.detection import coco, cvat, labelme, other_formats, voc, yolo
from cvtune_nb.detection.checking import checked
from cvtune_nb.detection.pairing import Photos
from cvtune_nb.detection.raw_annotation import Folder, Found, Reader
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent, write_text

PROBLEM_COLUMNS = ["file", "where", "photo", "kind", "words", "boxes"]

READERS: dict[str, Reader] = {
    "coco": coco.read,
    "voc": voc.read,
    "yolo": yolo.read,
    "cvat": cvat.read,
    "labelme": labelme.read,
}
FOR_BOTH = {"CVAT": ("cvat", cvat.has_boxes), "labelme": ("labelme", labelme.has_boxes)}
"""Tools whose files may hold boxes, or else labels for a classifier: the kind, and what says which."""
WHICH: tuple[str, ...] = ("all photos", "with boxes", "nothing to find", "not looked at")
"""What can be asked for of the photos."""
OTHER_KIND = "annotations of another kind than those that were chosen"
SAFE = "draw boxes in notebook 06"


@dataclass(frozen=True)
class Annotations:
    """Photos and the boxes in them.

    Attributes
    ----------
    kind
        One of READERS; "" where there are no annotation files.
    photos
        path (relative to root, with forward slashes), width, height (pixels, upright), seen: whether its content is
        known, so that without a box it is a negative; one whose boxes were lost is not seen.
    boxes
        path, label; left, top, width, height as fractions (0..1) of the upright photo; file and where: the line or
        object it comes from.
    problems
        file, where, photo, kind, words, boxes (how many are left out): all that was left out or corrected, and why.
    left_out
        path, reason of files that are neither photos nor annotations that were read.
    others
        path -> tool of annotation files that are not read.
    """

    root: Path
    kind: str
    photos: pd.DataFrame
    boxes: pd.DataFrame
    problems: pd.DataFrame
    left_out: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["path", "reason"], dtype=str))
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """The classes, in order of their names."""
        return sorted(self.boxes["label"].unique())

    @property
    def boxed(self) -> pd.Series:
        """Which of the photos have a box."""
        return self.photos["path"].isin(self.boxes["path"])

    @property
    def negative(self) -> pd.Series:
        """Which of the photos were looked at and have no box."""
        return self.photos["seen"] & ~self.boxed

    def paths(self, which: str) -> list[str]:
        """The photos that are one of WHICH."""
        chosen = zip(WHICH, (self.photos["path"] != "", self.boxed, self.negative, ~self.photos["seen"]), strict=True)
        return self.photos.loc[dict(chosen)[which], "path"].tolist()

    def boxes_of(self, path: str) -> list[list[Any]]:
        """The boxes of a photo: label, left, top, width, height."""
        rows = self.boxes[self.boxes["path"] == path]
        return [list(row) for row in rows[["label", "left", "top", "width", "height"]].itertuples(index=False)]

    def problem_kinds(self) -> pd.DataFrame:
        """The kinds of problem: kind; times; boxes that are left out; file and words of the first."""
        kinds = self.problems.groupby("kind", sort=False).agg(
            times=("kind", "size"), boxes=("boxes", "sum"), file=("file", "first"), words=("words", "first")
        )
        return kinds.reset_index()

    @property
    def lost(self) -> str:
        """How many boxes are left out and what else is wrong, in words; "" where nothing is."""
        if self.problems.empty:
            return ""
        boxes, others = int(self.problems["boxes"].sum()), int((self.problems["boxes"] == 0).sum())
        said = [f"{boxes:,} box{' is' if boxes == 1 else 'es are'} left out"] if boxes else []
        said += [f"{others:,} other remark{'' if others == 1 else 's'} on boxes or files"] if others else []
        return ", ".join(said)


def read_annotations(
    root: Path,
    kind: str = "",
    progress: Progress = silent,
    photos: pd.DataFrame | None = None,
    required: bool = True,
    unreadable: Mapping[str, str] | None = None,
) -> Annotations:
    """The photos in a folder and below it, and the boxes that the files of one of READERS there state.

    What is wrong with a file or a box is listed in `problems` and ends nothing: boxes outside the photo, without area
    or class, or whose photo is missing or uncertain are left out; those that reach over its edge are cut; flipped ones
    are turned; of those that were drawn twice one is kept; tiny ones are kept and named. Files are only read.

    Parameters
    ----------
    root, kind: the folder, and which files to read: one of READERS, or "" for those there are.
    photos, unreadable: path, width, height of the photos, and path -> reason of others, where they are known; else all
        headers are read.
    required: whether there must be annotation files.

    Raises
    ------
    InputError
        when there are no photos or, where they are `required`, no annotation files, and when there are several kinds of
        these and `kind` does not say which.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder: give the folder with the photos and their annotations")
    if kind and kind not in READERS:
        raise InputError(f"annotations of kind {kind!r} can't be read: choose {', '.join(READERS)}")
    files, passed_over = walk.files_below(root)
    reasons = {_relative(path, root): walk.no_photo(path) for path in files}
    beside = [path for path, reason in reasons.items() if reason and (root / path).is_file()]
    cocos = [path for path in beside if path.lower().endswith(".json") and coco.is_coco(root / path)]
    tools = {path: tool for path in beside if path not in cocos and (tool := other_formats.tool_of(root / path))}
    of_kind = {"coco": cocos, **_kinds(root, [path for path in beside if path not in tools])}
    for tool, (name, has_boxes) in FOR_BOTH.items():
        own = [path for path, whose in tools.items() if whose == tool]
        if any(has_boxes(root / path) for path in own):
            of_kind[name], tools = own, {path: whose for path, whose in tools.items() if whose != tool}
    there = [name for name, found in of_kind.items() if found]
    if (not there and required) or (kind and kind not in there):
        raise _nothing_to_read(root, kind, tools)
    if not kind and len(there) > 1:
        raise InputError(
            f"{root} has annotations of several kinds, {' and '.join(there)}: choose one, for example "
            f"with --boxes {there[0]} (BOXES in notebook 06)"
        )
    kind = kind or next(iter(there), "")
    may_be_photos = [path for path, reason in reasons.items() if not reason]
    named = photos is None
    if photos is None:
        photos, unreadable = _photos(root, may_be_photos, progress)
    known, unreadable = photos.set_index("path")[["width", "height"]], unreadable or {}
    chosen = of_kind.get(kind, [])
    found = READERS[kind](Folder(root, beside, Photos(known.index, unreadable)), chosen) if kind else Found()
    for path, words in unreadable.items() if named else ():
        found.wrong(path, "", path, "unreadable photo", f"{words}; it is left out")
    for tool in dict.fromkeys(tools.values()):
        _name_other(found, tool, [path for path, whose in tools.items() if whose == tool])
    boxes, seen = checked(found, known, unreadable)
    problems = pd.DataFrame([vars(problem) for problem in found.problems], columns=PROBLEM_COLUMNS)
    table = known.reset_index()
    read = {*chosen, *table["path"], *unreadable}
    other = {path for paths in of_kind.values() for path in paths}
    left_out = [(_relative(path, root), reason) for path, reason in passed_over] + [
        (path, other_formats.in_words(tools[path]) if path in tools else OTHER_KIND if path in other else reason)
        for path, reason in reasons.items()
        if path not in read and not (kind == "yolo" and yolo.is_class_file(path))
    ]
    return Annotations(
        root,
        kind,
        table.assign(seen=table["path"].isin(seen)),
        boxes,
        problems,
        pd.DataFrame(left_out, columns=["path", "reason"], dtype=str),
        tools,
    )


def require_boxes(annotations: Annotations) -> None:
    """Raises InputError where there is no box, and the only annotation files are of a kind that is not read."""
    if annotations.boxes.empty and annotations.others and not annotations.kind:
        raise _nothing_to_read(annotations.root, "", annotations.others)


def write_coco(annotations: Annotations, file: Path) -> None:
    """Write the photos that were looked at, and all boxes, as one COCO file.

    Paths in it are relative to the root. An existing file is replaced.
    """
    numbers = {label: number for number, label in enumerate(annotations.labels, 1)}
    rows = annotations.photos[annotations.photos["seen"]]
    ids = {path: number for number, path in enumerate(rows["path"], 1)}
    sides = rows.set_index("path")[["width", "height"]]
    content: dict[str, Any] = {
        "images": [
            {"id": ids[row.path], "file_name": row.path, "width": int(row.width), "height": int(row.height)}
            for row in rows.itertuples()
        ],
        "categories": [{"id": number, "name": label} for label, number in numbers.items()],
        "annotations": [],
    }
    for number, row in enumerate(annotations.boxes.itertuples(), 1):
        shares = np.array([row.left, row.top, row.width, row.height])
        box = [round(float(side), 2) for side in shares * np.tile(sides.loc[row.path], 2)]
        content["annotations"].append(
            {
                "id": number,
                "image_id": ids[row.path],
                "category_id": numbers[row.label],
                "bbox": box,
                "area": round(box[2] * box[3], 2),
                "iscrowd": 0,
            }
        )
    write_text(Path(file), json.dumps(content, indent=1, ensure_ascii=False) + "\n")


# -- which files there are ----------------------------------------------------------------------------------


def _relative(path: Path, root: Path) -> str:
    return walk.shown(path.relative_to(root).as_posix())


def _kinds(root: Path, files: Sequence[str]) -> dict[str, list[str]]:
    """VOC's and YOLO's files. Where one XML file is VOC's all are, so that a broken one is named."""
    xml, text = ([path for path in files if path.lower().endswith(suffix)] for suffix in (".xml", ".txt"))
    is_voc = any(voc.is_voc(root / path) for path in xml)
    return {"voc": xml if is_voc else [], "yolo": yolo.label_files(root, text)}


def _nothing_to_read(root: Path, kind: str, tools: Mapping[str, str]) -> InputError:
    """There are no annotation files, or none of a kind."""
    if tools and not kind:
        file, tool = next(iter(tools.items()))
        return InputError(f"{root / file} is {other_formats.in_words(tool)}, or {SAFE}")
    return InputError(
        f"{root} has no {kind.upper() or 'annotation'} files: put VOC (.xml), COCO (.json), YOLO (.txt), CVAT "
        f"(.xml) or labelme (.json) files beside the photos, or {SAFE}"
    )


def _name_other(found: Found, tool: str, files: Sequence[str]) -> None:
    """Files of a tool that are not read become one problem."""
    those = f"it and {len(files) - 1:,} more are" if len(files) > 1 else "it is"
    found.wrong(files[0], "", "", "other format", f"{those} {other_formats.in_words(tool)}")


def _photos(root: Path, paths: Sequence[str], progress: Progress) -> tuple[pd.DataFrame, dict[str, str]]:
    """path, width, height of the photos below root, and the reasons of those that can't be read."""
    if not paths:
        raise InputError(f"{root} has no photos: put them beside the annotations")
    sizes, unreadable = [], file_types.beside_jpeg(paths)
    paths = [path for path in paths if path not in unreadable]

    def look(path: str) -> tuple[int, int] | str:
        try:
            return photo.upright_size(root / path)
        except photo.UnreadablePhoto as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        for number, (path, seen) in enumerate(zip(paths, pool.map(look, paths), strict=True)):
            progress(number / len(paths), f"reading photos: {number} of {len(paths)}")
            if isinstance(seen, str):
                unreadable[path] = seen
            else:
                sizes.append((path, *seen))
    return pd.DataFrame(sizes, columns=["path", "width", "height"]), unreadable
