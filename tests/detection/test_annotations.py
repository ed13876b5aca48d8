"""Boxes of others: read to the pixel, and whatever is wrong with them is named and ends nothing."""

import json

import numpy as np
import pytest
from PIL import Image

from cvtune_nb.detection import read_annotations, write_coco
from cvtune_nb.errors import InputError

SIDES = ["left", "top", "width", "height"]
VOC = "<annotation><filename>{name}</filename>{size}{things}</annotation>"
SIZE = "<size><width>200</width><height>100</height></size>"
THING = "<object><name>{label}</name><bndbox>{sides}</bndbox></object>"


def photo(folder, name, size=(200, 100), **options):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "grey").save(folder / name, **options)


def thing(left, top, right, bottom, label="cell"):
    sides = zip(("xmin", "ymin", "xmax", "ymax"), (left, top, right, bottom), strict=True)
    return THING.format(label=label, sides="".join(f"<{name}>{side}</{name}>" for name, side in sides))


def voc(folder, name, *things, size=SIZE):
    text = VOC.format(name=name, size=size, things="".join(things))
    (folder / name).with_suffix(".xml").write_text(text, encoding="utf-8")


def boxes(read):
    return [(row.path, row.label, *(round(getattr(row, side), 4) for side in SIDES)) for row in read.boxes.itertuples()]


def kinds(read):
    return read.problems["kind"].tolist()


GOOD = ("good.jpg", "cell", 0.1, 0.2, 0.4, 0.5)


@pytest.fixture
def good(tmp_path):
    """A folder of VOC files with one photo and one box that is right."""
    photo(tmp_path, "good.jpg")
    voc(tmp_path, "good.jpg", thing(20, 20, 100, 70))
    return tmp_path


def test_voc_in_folders_as_others_lay_them_out(tmp_path):
    photo(tmp_path / "JPEGImages", "a.jpg")
    photo(tmp_path / "JPEGImages", "nothing on it.jpg")
    (tmp_path / "Annotations").mkdir()
    voc(tmp_path / "Annotations", "a.jpg", thing(20, 20, 100, 70), thing(0, 0, 200, 100, "whole"))
    read = read_annotations(tmp_path)
    assert read.kind == "voc"
    assert boxes(read) == [("JPEGImages/a.jpg", "cell", 0.1, 0.2, 0.4, 0.5), ("JPEGImages/a.jpg", "whole", 0, 0, 1, 1)]
    assert read.photos.to_dict("list") == {
        "path": ["JPEGImages/a.jpg", "JPEGImages/nothing on it.jpg"],
        "width": [200, 200], "height": [100, 100], "seen": [True, False],
    }  # fmt: skip
    assert read.labels == ["cell", "whole"]
    assert read.problems.empty


def test_coco_is_read_as_it_was_written(good, tmp_path_factory):
    photo(good, "negative.jpg", (64, 48))
    before = read_annotations(good)
    other = tmp_path_factory.mktemp("coco")
    for name in ("good.jpg", "negative.jpg"):
        (other / name).write_bytes((good / name).read_bytes())
    write_coco(before, other / "boxes.json")
    after = read_annotations(other)
    assert after.kind == "coco"
    assert boxes(after) == boxes(before) == [GOOD]
    assert after.photos.equals(before.photos)
    assert json.loads((other / "boxes.json").read_text())["annotations"][0]["bbox"] == [20, 20, 80, 50]


def test_yolo_boxes_outlines_and_names(tmp_path):
    for name in ("a", "b", "c"):
        photo(tmp_path / "images" / "train", f"{name}.jpg")
    labels = tmp_path / "labels" / "train"
    labels.mkdir(parents=True)
    (labels / "a.txt").write_text("1 0.3 0.45 0.4 0.5\n0 0.5 0.5 1 1 0.97\n")
    (labels / "b.txt").write_text("0 0.1 0.2 0.5 0.2 0.5 0.7 0.1 0.7\n")
    (labels / "c.txt").write_text("")
    read = read_annotations(tmp_path)
    assert boxes(read)[0] == ("images/train/a.jpg", "1", 0.1, 0.2, 0.4, 0.5)
    assert kinds(read) == ["no class names"]
    (tmp_path / "data.yaml").write_text("names: {0: whole, 1: cell}\nnc: 2\n")
    read = read_annotations(tmp_path)
    assert boxes(read) == [
        ("images/train/a.jpg", "cell", 0.1, 0.2, 0.4, 0.5), ("images/train/a.jpg", "whole", 0, 0, 1, 1),
        ("images/train/b.jpg", "whole", 0.1, 0.2, 0.4, 0.5),
    ]  # fmt: skip
    assert read.problems.empty
    assert len(read.photos) == 3


WRONG_BOXES = {
    "outside": thing(210, 10, 260, 50),
    "over the edge": thing(150, 10, 260, 50),
    "flipped": thing(100, 70, 20, 20, "turned"),
    "no area": thing(30, 30, 30, 60),
    "tiny": thing(50, 50, 50.5, 60),
    "drawn twice": thing(20, 20, 101, 70),
    "no class": thing(30, 30, 60, 60, ""),
    "no number": thing(30, "thirty", 60, 60),
    "no box": "<object><name>cell</name></object>",
}


@pytest.mark.parametrize("kind", WRONG_BOXES)
def test_a_wrong_box_is_named_and_the_others_stay(good, kind):
    voc(good, "good.jpg", thing(20, 20, 100, 70), WRONG_BOXES[kind])
    read = read_annotations(good)
    assert kinds(read) == [kind]
    row = read.problems.iloc[0]
    assert (row["file"], row["where"], row["photo"]) == ("good.xml", "object 2", "good.jpg")
    assert boxes(read)[0] == GOOD
    kept = {"over the edge": (0.75, 0.1, 0.25, 0.4), "flipped": (0.1, 0.2, 0.4, 0.5), "tiny": (0.25, 0.5, 0.0025, 0.1)}
    assert [row[2:] for row in boxes(read)[1:]] == ([kept[kind]] if kind in kept else [])


WRONG_FILES = {
    "empty file": b"",
    "unreadable file": b"<annotation><filename>bad.jpg",
    "unreadable file ": b'<?xml version="1.0" encoding="utf-99"?><annotation/>',
    "unreadable file  ": b'<!DOCTYPE a [<!ENTITY b "cell">]><annotation><filename>&b;</filename></annotation>',
    "other file": b"<svg></svg>",
    "no photo": VOC.format(name="gone.jpg", size=SIZE, things=thing(1, 1, 9, 9)).encode(),
    "other photo": VOC.format(name="bad.jpg", size=SIZE.replace("200", "900"), things=thing(1, 1, 9, 9)).encode(),
}


@pytest.mark.parametrize("kind", WRONG_FILES)
def test_a_wrong_file_is_named_and_the_others_are_read(good, kind):
    photo(good, "bad.jpg")
    (good / "bad.xml").write_bytes(WRONG_FILES[kind])
    read = read_annotations(good)
    assert kinds(read) == [kind.strip()]
    assert read.problems.iloc[0]["file"] == "bad.xml"
    assert boxes(read) == [GOOD]
    assert read.photos["path"].tolist() == ["bad.jpg", "good.jpg"], "it stays, as a photo without boxes"


WRONG_COCO = {
    "no number": {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3]},
    "no number ": {"image_id": 1, "category_id": 1},
    "no number  ": {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, float("nan")]},
    "no class": {"image_id": 1, "category_id": 7, "bbox": [1, 2, 30, 40]},
    "no photo": {"image_id": 99, "category_id": 1, "bbox": [1, 2, 30, 40]},
    "crowd": {"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "iscrowd": 1},
}


@pytest.mark.parametrize("kind", WRONG_COCO)
def test_a_wrong_coco_annotation_is_named(tmp_path, kind):
    photo(tmp_path, "good.jpg")
    right = {"image_id": 1, "category_id": 1, "bbox": [20, 20, 80, 50]}
    content = {"images": [{"id": 1, "file_name": "good.jpg", "width": 200, "height": 100}],
               "categories": [{"id": 1, "name": "cell"}], "annotations": [right, WRONG_COCO[kind]]}  # fmt: skip
    (tmp_path / "coco.json").write_text(json.dumps(content))
    read = read_annotations(tmp_path)
    assert kinds(read) == [kind.strip()]
    assert read.problems.iloc[0]["where"] == "annotation 2"
    assert boxes(read) == [GOOD]


def test_wrong_lists_in_coco_are_named(tmp_path):
    photo(tmp_path, "good.jpg")
    content = {"images": [{"id": 1, "file_name": "good.jpg"}, {"id": 1, "file_name": "good.jpg"}, {"id": [2]}, 7],
               "categories": [{"id": 1, "name": "cell"}, {"id": 2, "name": "cell"}, None],
               "annotations": [{"image_id": 1, "category_id": 2, "bbox": [20, 20, 80, 50]}, "box"]}  # fmt: skip
    (tmp_path / "coco.json").write_text(json.dumps(content))
    (tmp_path / "other.json").write_text('{"images": [], "annotations": ')
    (tmp_path / "settings.json").write_text("{}")
    read = read_annotations(tmp_path)
    assert sorted(kinds(read)) == ["class twice", "id twice", "no photo", "unreadable file"]
    assert boxes(read) == [GOOD]


@pytest.mark.parametrize(
    ("kind", "line"),
    [("no number", "0 0.5 x 0.1 0.1"), ("no box", "0 0.5 0.5 0.1"), ("pixels", "0 120 40 30 30"),
     ("no class", "5 0.5 0.5 0.1 0.1"), ("no class", "0.5 0.5 0.5 0.1 0.1"), ("no class", "-1 0.5 0.5 0.1 0.1")],
)  # fmt: skip
def test_a_wrong_line_of_yolo_is_named(tmp_path, kind, line):
    photo(tmp_path, "good.jpg")
    (tmp_path / "classes.txt").write_text("cell\n")
    (tmp_path / "good.txt").write_text(f"0 0.3 0.45 0.4 0.5\n{line}\n")
    read = read_annotations(tmp_path)
    assert kinds(read) == [kind]
    assert read.problems.iloc[0]["where"] == "line 2"
    assert boxes(read) == [GOOD]


def test_photos_that_can_not_be_read_or_told_apart_are_named(good):
    (good / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    for folder in ("one", "two"):
        photo(good / folder, "same.jpg")
    voc(good, "same.jpg", thing(20, 20, 100, 70))
    read = read_annotations(good)
    assert sorted(kinds(read)) == ["no photo", "unreadable photo"]
    assert "2 photos are called so" in read.problems["words"].str.cat()
    assert boxes(read) == [GOOD]


def test_a_photo_that_exif_turns_has_boxes_only_where_they_fit_it(good):
    exif = Image.Exif()
    exif[0x0112] = 6  # 200 x 100 on disk, 100 x 200 once it is upright
    photo(good, "turned.jpg", exif=exif)
    voc(good, "turned.jpg", thing(20, 20, 100, 70))
    read = read_annotations(good)
    assert kinds(read) == ["turned photo"]
    voc(good, "turned.jpg", thing(10, 20, 50, 120), size="<size><width>100</width><height>200</height></size>")
    assert boxes(read_annotations(good))[1] == ("turned.jpg", "cell", 0.1, 0.1, 0.4, 0.5)


def test_a_photo_that_was_made_smaller_since_keeps_its_boxes(good):
    photo(good, "good.jpg", (100, 50))
    assert boxes(read_annotations(good)) == [GOOD]
    voc(good, "good.jpg", thing(10, 10, 50, 35), size="")
    assert boxes(read_annotations(good)) == [GOOD], "no size stated: pixels of this photo"


def test_what_can_not_be_read_at_all(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        read_annotations(tmp_path / "gone")
    photo(tmp_path, "a.jpg")
    with pytest.raises(InputError, match=r"has no annotation files: put VOC \(.xml\)"):
        read_annotations(tmp_path)
    voc(tmp_path, "a.jpg", thing(20, 20, 100, 70))
    with pytest.raises(InputError, match="has no COCO files"):
        read_annotations(tmp_path, "coco")
    with pytest.raises(InputError, match="choose coco, voc, yolo"):
        read_annotations(tmp_path, "csv")
    (tmp_path / "a.txt").write_text("0 0.3 0.45 0.4 0.5\n")
    with pytest.raises(InputError, match="several kinds, voc and yolo: say which"):
        read_annotations(tmp_path)
    assert boxes(read_annotations(tmp_path, "voc"))[0][2:] == GOOD[2:]
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(InputError, match="has no photos"):
        read_annotations(tmp_path, "voc")


def test_nothing_is_changed_and_progress_is_told(good):
    before = {file.name: file.read_bytes() for file in good.iterdir()}
    told = []
    read_annotations(good, progress=lambda share, words: told.append((share, words)))
    assert told == [(0.0, "reading photos: 0 of 1")]
    assert {file.name: file.read_bytes() for file in good.iterdir()} == before


@pytest.mark.parametrize("seed", range(30))
def test_files_that_are_damaged_at_random_end_nothing(good, seed):
    random = np.random.default_rng(seed)
    photo(good, "bad.jpg")
    voc(good, "bad.jpg", thing(20, 20, 100, 70), thing(30, 30, 60, 60))
    content = bytearray((good / "bad.xml").read_bytes())
    for place in random.integers(0, len(content), int(random.integers(1, 8))):
        content[place] = random.integers(256)
    (good / "bad.xml").write_bytes(content[: int(random.integers(1, len(content) + 1))])
    assert GOOD in boxes(read_annotations(good))
