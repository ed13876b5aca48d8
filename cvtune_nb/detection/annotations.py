"""Boxes that others have drawn: read from VOC, COCO or YOLO files, and checked one by one."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.data import photo, walk
from cvtune_nb.detection import coco, other_formats, voc, yolo
from cvtune_nb.detection.mark import Folder, Found, Mark, Reader, boxes_in_words
from cvtune_nb.detection.pairing import Claim, Photos, listed, settled
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent, write_text

BOX_COLUMNS = ["path", "label", "left", "top", "width", "height", "file", "where"]
PROBLEM_COLUMNS = ["file", "where", "photo", "kind", "words", "boxes"]

TINY = 0.005
"""A box with a side below this share of the photo's is named: of 640 pixels, 3, less than a detector's stride of 4."""
SAME = 0.95
"""Boxes of one class that share so much of their area (intersection over union) are one that was drawn twice."""
SLACK = 2.0
"""Pixels that a box may reach beyond the photo without a word: tools count pixels from 0 or 1, and round."""

READERS: dict[str, Reader] = {"coco": coco.read, "voc": voc.read, "yolo": yolo.read}
OTHER_KIND = "annotations of another kind than those that were chosen"
SAFE = "draw boxes in notebook 06"

Row = tuple[str, str, float, float, float, float, str, str]
"""BOX_COLUMNS of a box."""


@dataclass(frozen=True)
class Annotations:
    """Photos and the boxes in them.

    kind: voc, coco or yolo; "" where there are no annotation files. photos: path (relative to root, with forward
    slashes), width, height (pixels, upright), seen (whether it is known what is in it: without a box it is a negative
    then; one whose boxes were lost is not seen). boxes: path, label; left, top, width, height in shares (0..1) of the
    upright photo; file and where say which line or object it comes from. problems: file, where, photo, kind, words,
    boxes (how many are left out): all that was left out or mended, and why. left_out: path, reason of files that are
    neither photos nor annotations that were read. others: path -> tool of annotation files that are not read.
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
    def lost(self) -> str:
        """How many boxes are left out and what else is wrong, in words; "" where nothing is."""
        if self.problems.empty:
            return ""
        boxes, others = int(self.problems["boxes"].sum()), int((self.problems["boxes"] == 0).sum())
        said = [f"{boxes:,} box{' is' if boxes == 1 else 'es are'} left out"] if boxes else []
        said += [f"{others:,} other remark{'' if others == 1 else 's'} on boxes or files"] if others else []
        return ", ".join(said)


def read_annotations(
    root: Path, kind: str = "", progress: Progress = silent, photos: pd.DataFrame | None = None, required: bool = True,
    unreadable: Mapping[str, str] | None = None,
) -> Annotations:  # fmt: skip
    """The photos in a folder and below it, and the boxes that VOC (XML), COCO (JSON) or YOLO (text) files there state.

    What is wrong with a file or a box is listed in `problems` and ends nothing: boxes outside the photo, without area
    or class, or whose photo is missing or uncertain are left out; those that reach over its edge are cut; flipped ones
    are turned; of those that were drawn twice one is kept; tiny ones are kept and named. Files are only read.

    Parameters
    ----------
    root, kind: the folder, and which files to read: voc, coco, yolo, or "" for those there are.
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
    reasons = {_relative(path, root): no_photo(path) for path in files}
    beside = [path for path, reason in reasons.items() if reason]
    tools = {path: tool for path in reasons if (tool := _tool(root, path))}
    of_kind = _kinds(root, [path for path in beside if path not in tools])
    there = [name for name, found in of_kind.items() if found]
    if (not there and required) or (kind and kind not in there):
        raise _nothing_to_read(root, kind, tools)
    if not kind and len(there) > 1:
        raise InputError(f"{root} has annotations of several kinds, {' and '.join(there)}: choose one, for example "
                         f"with --boxes {there[0]} (BOXES in notebook 06)")  # fmt: skip
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
    boxes, seen = _checked(found, known, unreadable)
    problems = pd.DataFrame([vars(problem) for problem in found.problems], columns=PROBLEM_COLUMNS)
    table = known.reset_index()
    read = {*chosen, *table["path"], *unreadable}
    other = {path for paths in of_kind.values() for path in paths}
    left_out = [(_relative(path, root), reason) for path, reason in passed_over] + [
        (path, other_formats.in_words(tools[path]) if path in tools else OTHER_KIND if path in other else reason)
        for path, reason in reasons.items() if path not in read and not (kind == "yolo" and yolo.is_class_file(path))
    ]  # fmt: skip
    return Annotations(root, kind, table.assign(seen=table["path"].isin(seen)), boxes, problems,
                       pd.DataFrame(left_out, columns=["path", "reason"], dtype=str), tools)  # fmt: skip


def require_boxes(annotations: Annotations) -> None:
    """Raises InputError where there is no box, and the only annotation files are of a kind that is not read."""
    if annotations.boxes.empty and annotations.others and not annotations.kind:
        raise _nothing_to_read(annotations.root, "", annotations.others)


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


def _relative(path: Path, root: Path) -> str:
    return walk.shown(path.relative_to(root).as_posix())


def no_photo(path: Path) -> str:
    """Why `path` can't be a photo, as far as can be told without opening it; "" where it may be one."""
    beside = path.suffix.lower() in (*other_formats.BINARY, ".data")  # darknet's settings
    return walk.no_photo(path) or (f"not a photo ({path.suffix} file)" if beside else "")


def _tool(root: Path, path: str) -> str:
    """The tool whose annotation file this is, where it is one that is not read."""
    file, suffix = root / path, Path(path).suffix.lower()
    if not file.is_file() or (suffix == ".json" and coco.is_coco(file)):
        return ""
    return other_formats.tool_of(file)


def _kinds(root: Path, files: Sequence[str]) -> dict[str, list[str]]:
    """The annotation files of each kind. Where one XML file is VOC's all are, so that a broken one is named."""
    files = [path for path in files if (root / path).is_file()]
    ending = {suffix: [path for path in files if path.lower().endswith(suffix)] for suffix in (".json", ".xml", ".txt")}
    is_voc = any(voc.is_voc(root / path) for path in ending[".xml"])
    return {
        "coco": [path for path in ending[".json"] if coco.is_coco(root / path)],
        "voc": ending[".xml"] if is_voc else [],
        "yolo": yolo.label_files(root, ending[".txt"]),
    }


def _nothing_to_read(root: Path, kind: str, tools: Mapping[str, str]) -> InputError:
    """There are no annotation files, or none of a kind."""
    if tools and not kind:
        file, tool = next(iter(tools.items()))
        return InputError(f"{root / file} is {other_formats.in_words(tool)}, or {SAFE}")
    return InputError(
        f"{root} has no {kind.upper() or 'annotation'} files: put VOC (.xml), COCO (.json) or YOLO (.txt) files "
        f"beside the photos, or {SAFE}"
    )


def _name_other(found: Found, tool: str, files: Sequence[str]) -> None:
    """Files of a tool that are not read become one problem."""
    those = f"it and {len(files) - 1:,} more are" if len(files) > 1 else "it is"
    found.wrong(files[0], "", "", "other format", f"{those} {other_formats.in_words(tool)}")


def _photos(root: Path, paths: Sequence[str], progress: Progress) -> tuple[pd.DataFrame, dict[str, str]]:
    """path, width, height of the photos below root, and the reasons of those that can't be read."""
    if not paths:
        raise InputError(f"{root} has no photos: put them beside the annotations")
    sizes, unreadable = [], {}

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


# -- each photo ---------------------------------------------------------------------------------------------


def _checked(found: Found, photos: pd.DataFrame, unreadable: Mapping[str, str]) -> tuple[pd.DataFrame, set[str]]:
    """The boxes that can be used, and the photos of which it is known what is in them; all else becomes a problem."""
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
    """The boxes of a photo, each once; None where several files state different ones. Files that speak of different
    classes complement each other."""
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
    """left, top, right, bottom of a box in shares, mended where that is safe; None where it can't be used."""

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
        return "turned photo", (f"it was drawn on {stated[0]:.0f} x {stated[1]:.0f} pixels, but the photo is {width} x "
                                f"{height} once EXIF has turned it: draw it again")  # fmt: skip
    if not math.isclose(stated[0] / stated[1], width / height, rel_tol=0.02):
        return "other photo", (f"it was drawn on a photo of {stated[0]:.0f} x {stated[1]:.0f} pixels, and this one has "
                               f"{width} x {height}")  # fmt: skip
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
