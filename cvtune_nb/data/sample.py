"""Sample photos with known faults, so that the first run needs no download.

Everyday things that a person would mix up now and then, rendered like photos, with wrong labels, duplicates and bad
photos planted and written down.
"""

import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from cvtune_nb.data.digits import digit_files
from cvtune_nb.data.rendering.backdrops import CREDITS
from cvtune_nb.data.rendering.scene import FAULTS, make_photo, make_scene
from cvtune_nb.data.rendering.things import CLASSES, FRUIT, SMALL_CLASS, fruit, thing_of
from cvtune_nb.errors import InputError
from cvtune_nb.files import JsonObject, Progress, read_json, silent, write_json

KINDS = ("photos", "digits", "scenes")
SCENE_CLASSES = ("lemon", "lime", "orange", "tennis ball")
"""Of the small things in the scenes. The white balls are not among them: so small that nothing tells them apart."""
EMPTY_SCENES = 0.1
"""Fraction of the scenes that show none of them."""
BOXES = "boxes.json"
"""The boxes of the scenes, as COCO has them."""
LOOK_ALIKES = (
    ("lemon", "lime"),
    ("lemon", "tennis ball"),
    ("lime", "tennis ball"),
    ("orange", "tangerine"),
    ("golf ball", "table tennis ball"),
)
FLIPPED_SHARE = 0.04
NEAR_DUPLICATES = 12
OF_EACH_OTHER_KIND = 5
FULL_SIZE = 800
"""Photos from which the full number of faults is planted; fewer photos get fewer faults, but one of each kind."""
ALTERATIONS = ("resized", "recompressed", "cropped", "flipped", "brightness")
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class SampleReport:
    """A finished sample: its folder, its classes (folders), how many images, and what is wrong with which of them."""

    directory: Path
    classes: list[str]
    images: int
    planted: JsonObject


@dataclass(frozen=True)
class Slot:
    """One file of the sample, before it is made."""

    number: int
    label: str
    path: str
    shows: tuple[str, ...]
    """What is in the photo: one class, or two; ("lemon", "lime", "between") is one fruit half-way."""
    fault: str = ""
    copy_of: "Slot | None" = None
    how: str = ""


OnFirst = Callable[[Path], None]

FIRST = 8
"""Photos of a class after which `on_first` is called: a row of the contact sheet."""


def make_sample(
    directory: Path,
    images_per_class: int = 120,
    seed: int = 0,
    kind: str = "photos",
    progress: Progress = silent,
    on_first: OnFirst | None = None,
) -> SampleReport:
    """Write sample photos to `directory`/<class>/<file>.jpg, and what is wrong with them to planted.json.

    The same seed gives the same bytes. A finished sample of the same kind, size and seed is left as it is.

    Parameters
    ----------
    directory
        Empty, new, or with a finished sample.
    images_per_class
        4 to 1000; one class gets two thirds of that.
    seed
        0 or more.
    kind
        "photos": seven classes of rendered photos. "digits": the 1,797 handwritten digits that come with scikit-learn,
        as they are. "scenes": rendered photos of many small things, and their boxes (BOXES), for a detector.
    progress
        Called with the fraction done (0..1) and a few words.
    on_first
        Called once, when the first few rendered photos of every class are there, with the folder that they are in for
        now.

    Raises
    ------
    InputError
        For anything else in `directory`, which is then not touched.
    OSError
        When the disk is full.
    """
    directory = Path(directory)
    if kind not in KINDS:
        raise InputError(f"the sample kind {kind!r} is not known: use one of {', '.join(KINDS)}")
    if not 4 <= images_per_class <= 1000:
        raise InputError(f"images_per_class is {images_per_class}: give a number from 4 to 1000")
    if seed < 0:
        raise InputError(f"the seed is {seed}: give a whole number from 0")
    asked = {"seed": seed, "images_per_class": images_per_class, "kind": kind}
    finished = _finished(directory, asked)
    if finished:
        return finished

    directory.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}.", suffix=".tmp"))
    try:
        building.chmod(0o755)
        if kind == "digits":
            planted, files = {}, digit_files()
        else:
            planted, files = (_scenes if kind == "scenes" else _photos)(images_per_class, seed)
        counts: dict[str, int] = {}
        for share, path, content in files:
            (building / path).parent.mkdir(exist_ok=True)
            (building / path).write_bytes(content)
            if path != BOXES:
                label = path.split("/")[0]
                counts[label] = counts.get(label, 0) + 1
            progress(share, f"making sample photos: {sum(counts.values())} done")
            if on_first and kind == "photos" and sum(counts.values()) == FIRST * len(CLASSES):
                on_first(building)
        write_json(building / "planted.json", {**asked, **planted, "classes": counts, "credits": CREDITS})
        if directory.exists():
            directory.rmdir()  # it is empty; a rename onto it works on Linux only
        building.rename(directory)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return SampleReport(directory, sorted(counts), sum(counts.values()), planted)


def _finished(directory: Path, asked: JsonObject) -> SampleReport | None:
    """The sample that is in `directory` already, or None if that is missing or empty. Raises InputError."""
    if directory.is_file():
        raise InputError(f"{directory} is a file: give a folder for the sample photos")
    if not directory.exists() or not any(directory.iterdir()):
        return None
    try:
        found = read_json(directory / "planted.json")
        counts = found.pop("classes")
        same = all(found.pop(key) == value for key, value in asked.items())
    except (OSError, ValueError, KeyError, AttributeError):
        found, same, counts = {}, False, {}
    there = {entry.name for entry in directory.iterdir()} - {"planted.json", BOXES}
    if not same or there != set(counts) or any(len(list((directory / c).iterdir())) != n for c, n in counts.items()):
        raise InputError(f"{directory} already holds something else: give an empty or new folder for the sample photos")
    planted = {key: value for key, value in found.items() if key not in ("format", "credits")}
    return SampleReport(directory, sorted(counts), sum(counts.values()), planted)


def _photos(images_per_class: int, seed: int) -> tuple[JsonObject, Iterator[tuple[float, str, bytes]]]:
    slots, planted = plan(images_per_class, seed)

    # one of each class, then the next of each: so the first photos already show what there is
    first_of = {slot.label: slot.number for slot in reversed(slots)}
    slots = sorted(slots, key=lambda slot: slot.number - first_of[slot.label])

    def made() -> Iterator[tuple[float, str, bytes]]:
        # Threads, not processes: the work is inside numpy and Pillow, and notebooks can't always start processes.
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            contents = pool.map(lambda slot: _content(slot, seed), slots)
            for done, (slot, content) in enumerate(zip(slots, contents, strict=True), 1):
                yield done / len(slots), slot.path, content
        finally:
            pool.shutdown(cancel_futures=True)

    return planted, made()


def _scenes(count: int, seed: int) -> tuple[JsonObject, Iterator[tuple[float, str, bytes]]]:
    """Photos of many small things, and at last their boxes."""

    def scene(number: int) -> tuple[bytes, tuple[int, int], list[tuple[str, tuple[int, int, int, int]]]]:
        rng = np.random.default_rng([seed, number, 2])
        shown = [] if number % round(1 / EMPTY_SCENES) == 0 else rng.choice(SCENE_CLASSES, rng.integers(3, 10))
        picture, boxes = make_scene(rng, [thing_of(rng, str(label)) for label in shown])
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=int(rng.integers(85, 96)))
        marks = [(str(label), box) for label, box in zip(shown, boxes, strict=True) if box]
        return stream.getvalue(), picture.size, marks

    def made() -> Iterator[tuple[float, str, bytes]]:
        images, annotations = [], []
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            for number, (content, (width, height), marks) in enumerate(pool.map(scene, range(1, count + 1)), 1):
                name = f"scenes/IMG_{number:04d}.jpg"
                images.append({"id": number, "file_name": name, "width": width, "height": height})
                for label, (left, top, right, bottom) in marks:
                    sides = {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}
                    annotations.append(
                        {
                            "id": len(annotations) + 1,
                            "image_id": number,
                            "iscrowd": 0,
                            **sides,
                            "category_id": SCENE_CLASSES.index(label) + 1,
                        }
                    )
                yield number / count, name, content
        finally:
            pool.shutdown(cancel_futures=True)
        categories = [{"id": number, "name": label} for number, label in enumerate(SCENE_CLASSES, 1)]
        coco = {"images": images, "categories": categories, "annotations": annotations}
        yield 1.0, BOXES, json.dumps(coco, indent=1).encode()

    return {"boxes": BOXES}, made()


def plan(images_per_class: int, seed: int) -> tuple[list[Slot], JsonObject]:
    """Every file there will be, and what planted.json says about them."""
    rng = np.random.default_rng([seed, 0])
    counts = dict.fromkeys(CLASSES, images_per_class)
    counts[SMALL_CLASS] = max(3, round(images_per_class * 2 / 3))
    total = sum(counts.values())
    numbers = iter(rng.permutation(total) + 1)
    slots = [
        Slot(0, label, f"{label}/IMG_{next(numbers):04d}.jpg", (label,))
        for label in CLASSES
        for _ in range(counts[label])
    ]
    slots = [replace(slot, number=number) for number, slot in enumerate(slots, 1)]

    # Faults go to the classes in turn, so that none gets most of them; originals of copies come from the other end.
    turn = np.concatenate([rng.permutation(counts[label]) + rng.random() for label in CLASSES])
    order = [slots[k] for k in np.argsort(turn, kind="stable")]
    free, originals = iter(order), list(reversed(order))
    changed: dict[int, Slot] = {}

    def plant(**what: Any) -> Slot:
        slot = replace(next(free), **what)
        changed[slot.number] = slot
        return slot

    def original_in(label: str) -> Slot:
        found = next(slot for slot in originals if slot.label == label)
        originals.remove(found)
        return found

    def scaled(full: int) -> int:
        return max(1, round(full * min(1.0, total / FULL_SIZE)))

    few = scaled(OF_EACH_OTHER_KIND)
    planted: JsonObject = {"flipped": [], "ambiguous": [], "exact_duplicates": [], "near_duplicates": []}
    for k in range(max(1, round(FLIPPED_SHARE * total))):
        slot = plant()
        others = (
            [b if a == slot.label else a for a, b in LOOK_ALIKES if slot.label in (a, b)]
            if k % 2
            else [label for label in CLASSES if label != slot.label]
        )
        true_label = str(rng.choice(others))
        changed[slot.number] = replace(slot, shows=(true_label,))
        planted["flipped"].append({"path": slot.path, "label": slot.label, "true_label": true_label})
    for k in range(few):
        slot = plant()
        other = str(rng.choice([b if a == slot.label else a for a, b in LOOK_ALIKES if slot.label in (a, b)]))
        half_way = k % 2 == 1 and slot.label in FRUIT and other in FRUIT
        changed[slot.number] = replace(slot, shows=(slot.label, other, "between") if half_way else (slot.label, other))
        planted["ambiguous"].append({"path": slot.path, "between": [slot.label, other]})
    for _ in range(few):
        slot = plant()
        original = original_in(slot.label)
        changed[slot.number] = replace(slot, copy_of=original)
        planted["exact_duplicates"].append({"path": slot.path, "original": original.path})
    for k in range(scaled(NEAR_DUPLICATES)):
        slot = plant(how=ALTERATIONS[k % len(ALTERATIONS)])
        source = str(rng.choice([label for label in CLASSES if label != slot.label])) if k == 1 else slot.label
        original = original_in(source)
        changed[slot.number] = replace(slot, copy_of=original)
        planted["near_duplicates"].append({"path": slot.path, "original": original.path, "how": slot.how})
    for fault in ("truncated", *FAULTS, "small"):
        key = "small_objects" if fault == "small" else fault
        planted[key] = sorted(plant(fault=fault).path for _ in range(few))
    planted["small_class"] = [SMALL_CLASS]
    return [changed.get(slot.number, slot) for slot in slots], planted


def _content(slot: Slot, seed: int) -> bytes:
    """The bytes of one file."""
    rng = np.random.default_rng([seed, slot.number])
    if slot.copy_of:
        original = _content(slot.copy_of, seed)
        return _altered(rng, original, slot.how) if slot.how else original
    if slot.shows[-1] == "between":
        things = [fruit(rng, slot.shows[0], towards=slot.shows[1])]
    else:
        things = [thing_of(rng, label) for label in slot.shows]
    small = slot.fault == "small"
    content = _jpeg(rng, make_photo(rng, things, "" if small else slot.fault, small), int(rng.integers(85, 96)))
    return content[: int(len(content) * rng.uniform(0.25, 0.6))] if slot.fault == "truncated" else content


def _jpeg(rng: np.random.Generator, photo: Image.Image, quality: int) -> bytes:
    """A photo as a camera stores it; one in ten was taken with the camera turned, which EXIF says."""
    exif = Image.Exif()
    if rng.random() < 0.1:
        tag, turn = [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)][
            rng.integers(3)
        ]
        exif[_ORIENTATION] = tag
        photo = photo.transpose(turn)
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=quality, exif=exif)
    return stream.getvalue()


def _altered(rng: np.random.Generator, original: bytes, how: str) -> bytes:
    """Another file of the same photo, seen the same way up."""
    with Image.open(io.BytesIO(original)) as opened:
        exif = Image.Exif()
        exif[_ORIENTATION] = opened.getexif().get(_ORIENTATION, 1)
        photo = opened.convert("RGB")
    width, height = photo.size
    if how == "resized":
        share = rng.uniform(0.68, 0.88)
        photo = photo.resize((int(width * share), int(height * share)), Image.Resampling.LANCZOS)
    elif how == "cropped":
        left, top, right, bottom = rng.uniform(0.01, 0.05, 4)
        photo = photo.crop((int(left * width), int(top * height), int((1 - right) * width), int((1 - bottom) * height)))
    elif how == "flipped":
        photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    elif how == "brightness":
        photo = ImageEnhance.Brightness(photo).enhance(rng.choice([0.78, 1.22]))
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=55 if how == "recompressed" else 90, exif=exif)
    return stream.getvalue()
