"""COCO: one JSON file for all photos."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from cvtune_nb.detection.mark import Found, Mark, number


def read(root: Path, files: list[str]) -> Found:
    """Boxes are left, top, width, height in pixels. Outlines and crowds (iscrowd: a box round many objects) are not
    read: crowds are left out and named."""
    found = Found()
    for file in files:
        try:
            content = json.loads((root / file).read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            found.wrong(file, "", "", "unreadable file", f"it can't be read as JSON ({error}); export it again")
            continue
        _read(found, file, content)
    return found


def is_coco(file: Path) -> bool:
    """Whether a JSON file is meant to be COCO's, as far as its text tells."""
    text = file.read_text(encoding="utf-8", errors="replace")
    return '"images"' in text and '"annotations"' in text


def _rows(content: Any, name: str) -> list[dict]:
    rows = content.get(name) if isinstance(content, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _read(found: Found, file: str, content: Any) -> None:
    names = {row.get("id"): str(row.get("name", "")).strip() for row in _rows(content, "categories")}
    photos: dict[Any, tuple[str, tuple[float, float]]] = {}
    for place, row in enumerate(_rows(content, "images"), 1):
        photo = str(row.get("file_name") or "").strip()
        if not photo or _key(row.get("id")) is None:
            found.wrong(file, f"image {place}", photo, "no photo", "it has no id or no file_name; it is left out")
            continue
        try:
            size = (number(row.get("width")), number(row.get("height")))
        except (TypeError, ValueError):
            size = (0.0, 0.0)  # not stated
        if row["id"] in photos:
            words = f"the id {row['id']} has come before; it is left out"
            found.wrong(file, f"image {place}", photo, "id twice", words)
            continue
        photos[row["id"]] = photo, size
        found.photos.add(photo)
    for name, count in Counter(names.values()).items():
        if name and count > 1:
            words = f"{count} classes are called {name!r}; they are one here"
            found.wrong(file, "categories", "", "class twice", words)
    for place, row in enumerate(_rows(content, "annotations"), 1):
        where = f"annotation {place}"
        if _key(row.get("image_id")) not in photos:
            words = f"it is about image {row.get('image_id')!r}, which the file does not list; it is left out"
            found.wrong(file, where, "", "no photo", words)
            continue
        photo, size = photos[row["image_id"]]
        if row.get("iscrowd"):
            found.wrong(file, where, photo, "crowd", "it is a box round many objects (iscrowd); it is left out")
            continue
        try:
            left, top, width, height = (number(side) for side in row.get("bbox"))
        except (TypeError, ValueError):
            words = f"its bbox is {str(row.get('bbox'))[:60]}, not four numbers; it is left out"
            found.wrong(file, where, photo, "no number", words)
            continue
        label = names.get(_key(row.get("category_id")), "")
        found.marks.append(Mark(photo, file, where, label, (left, top, left + width, top + height), size))


def _key(value: Any) -> Any:
    """An id, None where it can't be one."""
    return value if isinstance(value, int | str) else None
