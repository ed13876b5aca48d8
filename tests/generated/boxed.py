"""Sets of photos with boxes, made at random, that know which boxes each photo has."""

import codecs
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.generated.made import SPLIT_NAMES, SPLITS, key, noise, photo, stem, write

Box = tuple[str, float, float, float, float]
"""Label; left, top, width, height in shares of the photo."""

CLASSES = (["disc", "box"], ["no", "yes"], ["on", "off", "010"], ["null", "1.0"], ["Größe 1", "a b"], ["cat"])
"""Some of them are no text to YAML."""


@dataclass
class Boxed:
    """truth: the boxes of each photo by content: none where it is known that there are none, None where nobody has
    looked at it. splits: those given by folders. lost: how many boxes state a photo that isn't there."""

    source: Path
    words: str
    files: dict[str, bytes]
    truth: dict[str, list[Box] | None] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    lost: int = 0


@dataclass
class Photo:
    """A photo of a set that is being made."""

    path: str
    split: str
    boxes: list[Box]
    width: int
    height: int


def boxed(root: Path, number: int) -> Boxed:
    """Photos of equal names in several folders, with YOLO, COCO or VOC files where tools put them."""
    rng = np.random.default_rng([21, 4, number])
    form = (yolo, coco, voc)[number % 3]
    names = CLASSES[int(rng.integers(len(CLASSES)))]
    words = dict(zip(SPLITS, SPLIT_NAMES[int(rng.integers(len(SPLIT_NAMES)))], strict=True))
    made = Boxed(root, "", {})
    made.words = f"{form.__name__}: {form(made, rng, names, words)}; {words}, {names}"
    folders = sorted({path.rpartition("/")[0] for path in made.files if path.endswith(".jpg")})
    noise(rng, made.files, folders)
    write(root, made.files)
    return made


def _photos(made: Boxed, rng: np.random.Generator, names: list[str], folders: dict[str, str]) -> list[Photo]:
    """Six photos in each folder (folder -> split), called alike."""
    photos, called = [], int(rng.integers(1 << 30))
    for folder, split in folders.items():
        for place in range(6):
            width, height = 4 * int(rng.integers(10, 30)), 4 * int(rng.integers(10, 30))
            content = photo(rng, ".jpg", width, height)
            path = f"{folder}/{stem(np.random.default_rng([called, 5]), place)}.jpg".lstrip("/")
            boxes = []
            for _ in range(int(rng.integers(1, 4))):
                w, h = rng.uniform(0.1, 0.3, 2)
                left, top = rng.uniform(0, 1 - w), rng.uniform(0, 1 - h)
                boxes.append((str(rng.choice(names)), *(round(float(side), 4) for side in (left, top, w, h))))
            made.files[path], made.truth[key(content)] = content, boxes
            if split:
                made.splits[key(content)] = split
            photos.append(Photo(path, split, boxes, width, height))
    return photos


def _forget(made: Boxed, one: Photo, boxes: list[Box] | None) -> None:
    """Make the photo one without a box (an empty list), or one that nobody has looked at (None)."""
    one.boxes = boxes or []
    made.truth[key(made.files[one.path])] = boxes


def _looked_at(made: Boxed, rng: np.random.Generator, one: Photo) -> bool:
    """Whether a file is to speak of the photo, of some as one without a box."""
    chance = rng.random()
    if chance < 0.3:
        _forget(made, one, None if chance < 0.15 else [])
    return chance >= 0.15


def yolo(made: Boxed, rng: np.random.Generator, names: list[str], words: dict[str, str]) -> str:
    """A text file for each photo."""
    layout = ("images/split", "split/images", "beside", "beside in folders", "background")[int(rng.integers(5))]
    folders = {
        "images/split": {f"images/{words[split]}": split for split in SPLITS},
        "split/images": {f"{words[split]}/images": split for split in SPLITS},
        "beside": {"": ""},
        "beside in folders": {"camera 1": "", "camera 2": ""},
        "background": {"images/dogs": "", "images/not dogs": ""},
    }[layout]
    photos = _photos(made, rng, names, folders)
    outlines, mark = rng.random() < 0.3, rng.choice(["", "bom", "utf-16"])
    for one in photos:
        if one.path.startswith("images/not dogs") or rng.random() < 0.15:
            _forget(made, one, [])
        lines = []
        for label, left, top, width, height in one.boxes:
            if outlines:
                right, bottom = left + width, top + height
                sides = (left, top, right, top, right, bottom, left, bottom, left, (top + bottom) / 2)
            else:
                sides = (left + width / 2, top + height / 2, width, height)
            lines.append(" ".join([str(names.index(label)), *(f"{side:.6f}" for side in sides)]))
        if not lines and rng.random() < 0.5:
            continue
        before, _, after = f"/{one.path}".rpartition("/images/")
        path = f"{before}/labels/{after}".lstrip("/") if after else one.path
        made.files[path.removesuffix(".jpg") + ".txt"] = _encoded("\n".join(lines), mark)
    listed = str(rng.choice(["list", "numbers", "lines"]))
    if listed == "lines":
        made.files["classes.txt"] = _encoded("\n".join(names) + "\n", mark)
    else:
        entries = [f"  - {name}" if listed == "list" else f"  {place}: {name}" for place, name in enumerate(names)]
        made.files["data.yaml"] = "\n".join(["train: images", "names:", *entries]).encode()
    if rng.random() < 0.2 and layout == "beside":
        made.files["gone.txt"], made.lost = b"0 .5 .5 .2 .2\n0 .3 .3 .2 .2\n", 2
    return f"{layout}, {listed}, {mark}, outlines {outlines}"


def coco(made: Boxed, rng: np.random.Generator, names: list[str], words: dict[str, str]) -> str:
    """A JSON file for all, or for each folder."""
    layout = ("one, paths", "one, names", "one a folder", "annotations/instances")[int(rng.integers(4))]
    folders = {words[split]: split for split in SPLITS}
    if layout == "one, names":
        folders = {"images": ""}
    photos = _photos(made, rng, names, folders)
    identity = (lambda n: n, lambda n: str(n), lambda n: float(n))[int(rng.integers(3))]
    outlines, bom = rng.random() < 0.3, rng.random() < 0.3
    groups: dict[str, list[Photo]] = {}
    for one in photos:
        folder = one.path.rpartition("/")[0]
        file = {
            "one a folder": f"{folder}/_annotations.coco.json",
            "annotations/instances": f"annotations/instances_{folder}.json",
        }.get(layout, "boxes.json")
        groups.setdefault(file, []).append(one)
    for file, members in groups.items():
        images, annotations = [], []
        for place, one in enumerate(members):
            if not _looked_at(made, rng, one):
                continue
            name = one.path if layout == "one, paths" else one.path.rpartition("/")[2]
            images.append({"id": identity(place), "file_name": name, "width": one.width, "height": one.height})
            for label, left, top, width, height in one.boxes:
                left, width = left * one.width, width * one.width
                top, height = top * one.height, height * one.height
                row = {"id": len(annotations), "image_id": identity(place), "category_id": names.index(label)}
                if outlines:
                    right, bottom = left + width, top + height
                    row["segmentation"] = [[left, top, right, top, right, bottom, left, bottom]]
                else:
                    row["bbox"] = [left, top, width, height]
                annotations.append(row)
        if rng.random() < 0.2:
            images.append({"id": identity(99), "file_name": "gone.jpg", "width": 50, "height": 50})
            annotations.append({"id": 999, "image_id": identity(99), "category_id": 0, "bbox": [1, 1, 9, 9]})
            made.lost += 1
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": place, "name": name} for place, name in enumerate(names)],
        }
        made.files[file] = (codecs.BOM_UTF8 if bom else b"") + json.dumps(content).encode()
    return f"{layout}, ids like {identity(1)!r}, outlines {outlines}, bom {bom}"


def voc(made: Boxed, rng: np.random.Generator, names: list[str], words: dict[str, str]) -> str:
    """An XML file for each photo."""
    layout = ("beside", "beside in folders", "Annotations", "Annotations in splits")[int(rng.integers(4))]
    folders = {
        "beside": {"": ""},
        "beside in folders": {"camera 1": "", "camera 2": ""},
        "Annotations": {"JPEGImages": ""},
        "Annotations in splits": {f"{words[split]}/JPEGImages": split for split in SPLITS},
    }[layout]
    photos = _photos(made, rng, names, folders)
    stated = str(rng.choice(["name", "stem", "missing", "old name", "path"]))
    mark = rng.choice(["", "bom", "utf-16"])
    for place, one in enumerate(photos):
        if not _looked_at(made, rng, one):
            continue
        folder, _, name = one.path.rpartition("/")
        called = {
            "name": name,
            "stem": name.removesuffix(".jpg"),
            "missing": "",
            "old name": f"DSC_{place}.jpg",
            "path": f"C:\\photos\\{name}",
        }[stated]
        objects = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{left * one.width}</xmin><ymin>{top * one.height}</ymin>"
            f"<xmax>{(left + width) * one.width}</xmax><ymax>{(top + height) * one.height}</ymax></bndbox></object>"
            for label, left, top, width, height in one.boxes
        )
        text = (
            f"<annotation><folder>{folder}</folder><filename>{called}</filename><size><width>{one.width}</width>"
            f"<height>{one.height}</height><depth>3</depth></size>{objects}</annotation>"
        )
        path = one.path.replace("JPEGImages/", "Annotations/").removesuffix(".jpg") + ".xml"
        made.files[path] = _encoded(text, mark)
    return f"{layout}, filename: {stated}, {mark}"


def _encoded(text: str, mark: str) -> bytes:
    return text.encode({"": "utf-8", "bom": "utf-8-sig", "utf-16": "utf-16"}[str(mark)])
