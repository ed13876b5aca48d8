"""Small sets of photos with labels as other programs write them down, and what each photo's label and split are."""

import csv
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow
from PIL import Image
from pyarrow import parquet

PER_SPLIT = {"train": 8, "validation": 4, "test": 4}
LABELS = ("cat", "dog")
Truth = dict[str, tuple[str, str]]
"""Label and stated split ("" for none) by the SHA-256 of a photo's content."""


def photo(number: int) -> bytes:
    """A small photo of its own."""
    pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", quality=95)
    return written.getvalue()


class Photos:
    """Photos in a folder; what is written of them is their truth."""

    def __init__(self, folder: Path):
        self.folder, self.truth, self.count = folder, Truth(), 0

    def add(self, path: str, split: str = "") -> str:
        """Write the next photo; returns its label."""
        content, label = photo(self.count), LABELS[self.count % 2]
        self.write(path, content)
        self.state(content, label, split)
        return label

    def state(self, content: bytes, label: str, split: str = "") -> None:
        """What the next photo is, whatever it is kept in."""
        self.count += 1
        self.truth[hashlib.sha256(content).hexdigest()] = label, split

    def write(self, path: str, content: bytes | str) -> Path:
        """Write a file."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def table(self, path: str, head: str, rows: Sequence[Sequence[object]]) -> None:
        """Write a CSV file."""
        text = io.StringIO(newline="")
        csv.writer(text).writerows([head.split(","), *rows] if head else rows)
        self.write(path, text.getvalue())

    def plain(self, pattern: str = "images/{}.jpg", count: int = 12) -> list[tuple[str, str]]:
        """Photos without a split: path, label."""
        return [(path, self.add(path)) for path in (pattern.format(number) for number in range(count))]

    def divided(
        self, pattern: str, names: Sequence[str] = ("train", "validation", "test")
    ) -> list[tuple[str, str, str]]:
        """Photos in parts called so: path, label, the part's name. {part} and {number} stand in the pattern."""
        rows = []
        for name, (split, count) in zip(names, PER_SPLIT.items(), strict=True):
            for number in range(count):
                path = pattern.format(part=name, number=f"{name}{number}")
                rows.append((path, self.add(path, split), name))
        return rows


def imagefolder_jsonl(photos: Photos) -> None:
    rows = photos.divided("{part}/{number}.jpg")
    for part in ("train", "validation", "test"):
        own = [{"file_name": path.split("/")[1], "label": label} for path, label, name in rows if name == part]
        photos.write(f"{part}/metadata.jsonl", "\n".join(map(json.dumps, own)))


def imagefolder_csv(photos: Photos) -> None:
    rows = photos.divided("{part}/{number}.jpg")
    for part in ("train", "validation", "test"):
        own = [(path.split("/")[1], label) for path, label, name in rows if name == part]
        photos.table(f"{part}/metadata.csv", "file_name,label", own)


def kaggle(photos: Photos) -> None:
    rows = [(Path(path).stem, label) for path, label in photos.plain("train_images/{}.jpg")]
    photos.table("train.csv", "image_id,label", rows)
    photos.write("test_images/900.jpg", photo(900))
    photos.table("sample_submission.csv", "image_id,label", [("900", "cat")])


def kaggle_one_hot(photos: Photos) -> None:
    rows = [
        (Path(path).stem, *(int(label == each) for each in LABELS)) for path, label in photos.plain("images/{}.jpg")
    ]
    photos.table("train.csv", "image_id,cat,dog", rows)


def label_studio(photos: Photos) -> None:
    tasks = []
    for number, (path, label) in enumerate(photos.plain("media/upload/1/0a1b2c3d-{}.jpg"), 1):
        choice = {"type": "choices", "from_name": "animal", "to_name": "image", "value": {"choices": [label]}}
        annotations = [{"id": number, "was_cancelled": False, "result": [choice]}] * (1 + number % 2)
        tasks.append(
            {"id": number, "annotations": annotations, "data": {"image": f"/data/{path.removeprefix('media/')}"}}
        )
    photos.write("project.json", json.dumps(tasks))


def label_studio_min(photos: Photos) -> None:
    tasks = [
        {"image": f"/data/local-files/?d=somewhere/images/{Path(path).name}", "id": 7, "animal": label, "annotator": 1,
         "annotation_id": 3, "created_at": "2026-01-01", "updated_at": "2026-01-01", "lead_time": 2.5}
        for path, label in photos.plain("images/photo {}.jpg")
    ]  # fmt: skip
    photos.write("project-min.json", json.dumps(tasks).replace("photo ", "photo%20"))


def cvat(photos: Photos) -> None:
    rows = photos.divided("images/{number}.jpg", ("Train", "Validation", "Test"))
    images = [
        f'<image id="{number}" name="{Path(path).name}" subset="{part}" width="16" height="16">'
        f'<tag label="{label}" source="manual"></tag></image>'
        for number, (path, label, part) in enumerate(rows)
    ]
    photos.write("annotations.xml", f"<annotations><version>1.1</version>{''.join(images)}</annotations>")


def labelme(photos: Photos) -> None:
    for path, label in photos.plain("{}.jpg"):
        flags = {each: each == label for each in LABELS}
        content = {"version": "5.5.0", "flags": flags, "shapes": [], "imagePath": Path(path).name, "imageData": None}
        photos.write(path.replace(".jpg", ".json"), json.dumps(content))


def roboflow(photos: Photos) -> None:
    rows = photos.divided("{part}/{number}_jpg.rf.0a1b.jpg", ("train", "valid", "test"))
    for part in ("train", "valid", "test"):
        own = [
            (path.split("/")[1], int(label == "cat"), int(label == "dog")) for path, label, name in rows if name == part
        ]
        photos.table(f"{part}/_classes.csv", "filename, cat, dog", own)


def roboflow_folders(photos: Photos) -> None:
    for part, split in (("train", "train"), ("valid", "validation"), ("test", "test")):
        for number in range(PER_SPLIT[split]):
            photos.add(f"{part}/{LABELS[photos.count % 2]}/{number}_jpg.rf.0a1b.jpg", split)
    photos.write("README.roboflow.txt", "exported")


def voc(photos: Photos) -> None:
    rows = photos.divided("VOCdevkit/VOC2012/JPEGImages/{number}.jpg", ("train", "val", "test"))
    photos.write("VOCdevkit/VOC2012/SegmentationClass/train0.png", photo(900))
    for part in ("train", "val", "test", "trainval"):
        own = [row for row in rows if row[2] in (["train", "val"] if part == "trainval" else [part])]
        lists = "VOCdevkit/VOC2012/ImageSets/Main"
        photos.write(f"{lists}/{part}.txt", "\n".join(Path(path).stem for path, *_ in own))
        for label in LABELS:
            lines = [f"{Path(path).stem} {1 if shown == label else -1:2d}" for path, shown, _ in own]
            photos.write(f"{lists}/{label}_{part}.txt", "\n".join(lines) + "\n")


def open_images(photos: Photos) -> None:
    codes = {"cat": "/m/01yrx", "dog": "/m/0bt9lr"}
    rows = photos.divided("{part}/{number}.jpg")
    for part in ("train", "validation", "test"):
        own = [(Path(path).stem, "verification", codes[label], 1) for path, label, name in rows if name == part]
        absent = [(name, source, codes["dog" if code == codes["cat"] else "cat"], 0) for name, source, code, _ in own]
        elsewhere = [("nobody-has-it", "verification", codes["cat"], 1)]
        head = "ImageID,Source,LabelName,Confidence"
        photos.table(f"{part}-annotations-human-imagelabels.csv", head, own + absent + elsewhere)
    photos.table("class-descriptions.csv", "", [(code, label) for label, code in codes.items()])


def webdataset(photos: Photos) -> None:
    for path, label, _ in photos.divided("{part}-0000/{number}.jpg", ("train", "val", "test")):
        photos.write(path.replace(".jpg", ".cls"), label)


def webdataset_json(photos: Photos) -> None:
    for path, label in photos.plain("{}.jpg"):
        photos.write(path.replace(".jpg", ".json"), json.dumps({"key": Path(path).stem, "label": label}))


def shard(file: Path, members: dict[str, bytes]) -> None:
    """A tar of these."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as opened:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))


def shards(photos: Photos) -> None:
    for part, split in (("train", "train"), ("val", "validation"), ("test", "test")):
        for half in range(2):
            members: dict[str, bytes] = {}
            for number in range(PER_SPLIT[split] // 2):
                content, label = photo(photos.count), LABELS[photos.count % 2]
                members |= {f"{number:04d}.jpg": content, f"{number:04d}.cls": label.encode()}
                photos.state(content, label, split)
            shard(photos.folder / f"{part}-{half:04d}.tar", members)


def rows_of_parquet(photos: Photos) -> None:
    names = {"info": {"features": {"image": {"_type": "Image"}, "label": {"names": LABELS, "_type": "ClassLabel"}}}}
    for part, split in (("train", "train"), ("validation", "validation"), ("test", "test")):
        rows = []
        for number in range(PER_SPLIT[split]):
            content, label = photo(photos.count), LABELS[photos.count % 2]
            rows.append({"image": {"bytes": content, "path": f"{number}.jpg"}, "label": LABELS.index(label)})
            photos.state(content, label, split)
        table = pyarrow.Table.from_pylist(rows).replace_schema_metadata({"huggingface": json.dumps(names)})
        file = photos.folder / "data" / f"{part}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(table, file)


SETS: dict[str, tuple[Callable[[Photos], None], str]] = {
    "imagefolder, JSON lines": (imagefolder_jsonl, "imagefolder"),
    "imagefolder, CSV": (imagefolder_csv, "imagefolder"),
    "Kaggle": (kaggle, "csv"),
    "Kaggle, a column for each class": (kaggle_one_hot, "csv"),
    "Label Studio, JSON": (label_studio, "label-studio"),
    "Label Studio, JSON-MIN": (label_studio_min, "label-studio"),
    "CVAT": (cvat, "cvat"),
    "labelme": (labelme, "labelme"),
    "Roboflow, several labels": (roboflow, "roboflow"),
    "Roboflow, folders": (roboflow_folders, "splits"),
    "Pascal VOC": (voc, "voc"),
    "Open Images": (open_images, "open-images"),
    "WebDataset, unpacked": (webdataset, "webdataset"),
    "WebDataset, JSON": (webdataset_json, "webdataset"),
    "WebDataset, shards": (shards, "webdataset"),
    "Parquet": (rows_of_parquet, "parquet"),
}
"""What makes each set, and the layout that it is."""
