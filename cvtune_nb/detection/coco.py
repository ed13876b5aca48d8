"""COCO: one JSON file for many photos."""

import contextlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pycocotools import mask

from cvtune_nb.detection.claims import Listed, claims_of_list
from cvtune_nb.detection.raw_annotation import Folder, Found, Mark, number, text_of

NO_BOXES = {
    "caption": "captions of photos, without boxes",
    "segments_info": "panoptic segments, which are not read",
    "keypoints": "key points without boxes, which are not read",
}
"""What files hold that have no boxes, by what their annotations have instead."""


def is_coco(file: Path) -> bool:
    """Whether a JSON file is meant to be COCO's, as far as its text shows."""
    text = text_of(file.read_bytes())
    return '"images"' in text and '"annotations"' in text


def read(folder: Folder, files: list[str]) -> Found:
    """Read COCO files: left, top, width, height in pixels.

    Where an annotation has no box, the one round its outline or mask is taken. Crowds (iscrowd: one box round many
    objects) are left out and reported.

    The photo is `file_name` relative to the folder of the JSON file, to one above it, or to the corresponding one:
    images/train for annotations/train, train2017 for instances_train2017.json; else the only photo of that name.
    """
    found = Found()
    for file in files:
        try:
            content = json.loads((folder.root / file).read_bytes())
        except (ValueError, RecursionError) as error:
            found.wrong(file, "", "", "unreadable file", f"it can't be read as JSON ({error}); export it again")
            continue
        _read(folder, found, file, content)
    return found


def _rows(found: Found, file: str, content: Any, name: str) -> list[tuple[int, dict]]:
    """The objects in a list of the file, with their number from 1."""
    rows = content.get(name) if isinstance(content, dict) else None
    rows = rows if isinstance(rows, list) else []
    if wrong := [place for place, row in enumerate(rows, 1) if not isinstance(row, dict)]:
        words = f"{len(wrong)} of the {name} are no objects, first number {wrong[0]}; they are left out"
        found.wrong(file, name, "", "no object", words, len(wrong) if name == "annotations" else 0)
    return [(place, row) for place, row in enumerate(rows, 1) if isinstance(row, dict)]


def _read(folder: Folder, found: Found, file: str, content: Any) -> None:
    annotations = _rows(found, file, content, "annotations")
    for has, words in NO_BOXES.items():
        if annotations and all(has in row and not _outlined(row) for _, row in annotations):
            return found.wrong(file, "", "", "no boxes", f"it holds {words}; it is passed over")
    images, twice = _images(found, file, content)
    if images and not annotations:
        words = f"it has no annotations, and its {len(images)} photos are not taken for photos without objects"
        return found.wrong(file, "", "", "no boxes", f"{words}: say so in notebook 06 where there is nothing in them")
    labels = _labels(found, file, content)
    if annotations and not labels:
        found.wrong(file, "", "", "no classes", "it has no categories, so that its boxes have no class")
    claims = dict(zip(images, claims_of_list(folder, file, images.values(), frozenset(labels.values())), strict=True))
    ids, classes = _Ids(claims), _Ids(labels)
    for place, row in annotations:
        where, key = f"annotation {place}", ids.find(row.get("image_id"))
        if key is None or key in twice:
            image = str(row.get("image_id"))[:60]
            words = f"two photos have its image id, {image}" if key in twice else f"its image, {image}, is not listed"
            found.wrong(file, where, "", "no photo", f"{words}; it is left out", boxes=1)
        elif row.get("iscrowd") not in (None, 0, "0"):
            found.lose(claims[key], where, "crowd", "it is a box round many objects (iscrowd)")
        else:
            try:
                sides, drawn_on = _sides(row)
            except (TypeError, ValueError, OverflowError):
                words = f"its bbox is {str(row.get('bbox'))[:60]}, not four numbers, and it has no outline"
                found.lose(claims[key], where, "no number", words)
                continue
            size = images[key].size if min(images[key].size) > 0 else drawn_on
            label = labels.get(classes.find(row.get("category_id")), "")
            found.marks.append(Mark(claims[key], where, label, sides, size))
    if not annotations or any(ids.find(row.get("image_id")) is not None for _, row in annotations):
        found.claims += [claim for key, claim in claims.items() if key not in twice]
    else:
        words = "no annotation is about a photo that it lists, and these are not taken for photos without objects"
        found.wrong(file, "images", "", "no photo", f"{words}: mend the ids")
    return None


def _images(found: Found, file: str, content: Any) -> tuple[dict[Any, Listed], set[Any]]:
    """The photos by id, and the ids that several photos have."""
    images: dict[Any, Listed] = {}
    twice = set()
    for place, row in _rows(found, file, content, "images"):
        where, name, key = f"image {place}", str(row.get("file_name") or "").strip(), _key(row.get("id"))
        if not name or key is None:
            found.wrong(file, where, name, "no photo", "it has no id or no file_name; it is left out")
            continue
        try:
            size = (number(row.get("width")), number(row.get("height")))
        except (TypeError, ValueError):
            size = (0.0, 0.0)
        if key not in images:
            images[key] = Listed(where, name, size)
            continue
        words = f"the id {row['id']} has come before; it is left out"
        if images[key].name != name:
            twice.add(key)
            words = f"{images[key].name} has the id {row['id']}, too; the boxes of both are left out"
        found.wrong(file, where, name, "id twice", words)
    return images, twice


def _labels(found: Found, file: str, content: Any) -> dict[Any, str]:
    """The names of the classes by id."""
    names = defaultdict(set)
    for _, row in _rows(found, file, content, "categories"):
        names[_key(row.get("id"))].add(str(row.get("name") or "").strip())
    for key, several in names.items():
        if len(several) > 1:
            words = f"the classes {' and '.join(sorted(several))} have one id, {key}; their boxes are left out"
            found.wrong(file, "categories", "", "id twice", words)
    labels = {key: several.pop() if len(several) == 1 else "" for key, several in names.items()}
    for name, count in Counter(labels.values()).items():
        if name and count > 1:
            words = f"{count} classes are called {name!r}; they are one here"
            found.wrong(file, "categories", "", "class twice", words)
    return labels


# -- boxes and ids ------------------------------------------------------------------------------------------


def _outlined(row: dict) -> bool:
    return bool(row.get("bbox") or row.get("segmentation"))


def _sides(row: dict) -> tuple[tuple[float, float, float, float], tuple[float, float]]:
    """left, top, right, bottom of an annotation, and the size of the photo where a mask states it, else 0, 0.

    Raises TypeError, ValueError or OverflowError.
    """
    drawn_on, outline = (0.0, 0.0), row.get("segmentation")
    if row.get("bbox") or not outline:
        left, top, width, height = (number(side) for side in row.get("bbox") or ())
    elif isinstance(outline, dict):
        (left, top, width, height), drawn_on = _of_mask(outline)
    else:
        parts = outline if isinstance(outline[0], list) else [outline]
        points = [number(side) for part in parts for side in part]
        if any(len(part) < 6 or len(part) % 2 for part in parts):
            raise ValueError("an outline has three points at least")
        left, top = min(points[::2]), min(points[1::2])
        width, height = max(points[::2]) - left, max(points[1::2]) - top
    return (left, top, left + width, top + height), drawn_on


def _of_mask(stated: dict[str, Any]) -> tuple[tuple[float, float, float, float], tuple[float, float]]:
    """left, top, width, height of a run-length mask, and the size of its photo.

    Masks for which the C code would read beyond its end or divide by 0 are refused first. Raises TypeError, ValueError
    or OverflowError.
    """
    height, width = (int(number(side)) for side in stated.get("size", ()))
    counts = stated.get("counts", ())
    packed: Any = None
    if min(height, width) <= 0 or height * width > 2**31:
        raise ValueError("a mask without area")
    if isinstance(counts, str):
        codes = [ord(letter) - 48 for letter in counts]
        if not codes or not all(0 <= code < 64 for code in codes) or codes[-1] & 32:
            raise ValueError("counts that are no run-length code")
        packed = {"size": [height, width], "counts": counts.encode("ascii")}
    else:
        runs = [int(number(run)) for run in counts]
        if min(runs) < 0 or sum(runs) != height * width:
            raise ValueError("counts that do not fill the mask")
        stated = {"size": [height, width], "counts": runs}
        packed = mask.frPyObjects(stated, height, width)  # pyright: ignore[reportCallIssue, reportArgumentType]
    left, top, across, down = (float(side) for side in mask.toBbox(packed))
    if int(mask.area(packed)) > height * width:
        raise ValueError("counts beyond the mask")
    return (left, top, across, down), (float(width), float(height))


def _key(value: Any) -> Any:
    """An id in a form in which equal ones are equal, 0 and 0.0 too; None where it can't be one."""
    if value is None or isinstance(value, bool) or value == "":
        return None
    if isinstance(value, float):
        return None if not math.isfinite(value) else int(value) if value.is_integer() else value
    return value if isinstance(value, int | str) else (json.dumps(value, sort_keys=True),)


class _Ids:
    """Finds ids: 7, 7.0 and "7" are one where there is no other."""

    def __init__(self, keys: Iterable[Any]):
        self._keys, self._loose = set(keys), defaultdict(list)
        for key in self._keys:
            self._loose[self._text(key)].append(key)

    def find(self, value: Any) -> Any:
        """The id that `value` means, else None."""
        key = _key(value)
        alike = self._loose.get(self._text(key), [])
        return key if key in self._keys else alike[0] if len(alike) == 1 else None

    @staticmethod
    def _text(key: Any) -> str:
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            return str(_key(float(key)))
        return str(key)
