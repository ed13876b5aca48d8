"""COCO files: ids and boxes in every form, and what is wrong with them."""

import json

import numpy as np
import pytest
from pycocotools import mask

from cvtune_nb.detection import read_annotations
from tests.annotation_files import HEIGHT, SHARES, WIDTH, boxed, boxes, coco, kinds, negatives, photo, said, text

GOOD = ("good.jpg", "cell", *SHARES)
BBOX = [20, 20, 80, 50]
RIGHT = {"image_id": 0, "category_id": 1, "bbox": BBOX}


@pytest.fixture
def folder(tmp_path):
    """A folder with one photo."""
    photo(tmp_path / "good.jpg")
    return tmp_path


WRONG = {
    "no number": {"image_id": 0, "category_id": 1, "bbox": [1, 2, 3]},
    "no number ": {"image_id": 0, "category_id": 1},
    "no number  ": {"image_id": 0, "category_id": 1, "bbox": [1, 2, 3, float("nan")]},
    "no number, an outline of two points": {"image_id": 0, "category_id": 1, "segmentation": [[1, 2, 3, 4]]},
    "no number, no outline": {"image_id": 0, "category_id": 1, "bbox": [], "segmentation": []},
    "no number, in words": {"image_id": 0, "category_id": 1, "bbox": {"x": 1}},
    "no class": {"image_id": 0, "category_id": 7, "bbox": [1, 2, 30, 40]},
    "no class, a list": {"image_id": 0, "category_id": [1], "bbox": [1, 2, 30, 40]},
    "no photo": {"image_id": 99, "category_id": 1, "bbox": [1, 2, 30, 40]},
    "no photo, a list": {"image_id": [0], "category_id": 1, "bbox": [1, 2, 30, 40]},
    "no photo, an object": {"image_id": {}, "category_id": 1, "bbox": [1, 2, 30, 40]},
    "no photo, a truth value": {"image_id": False, "category_id": 1, "bbox": [1, 2, 30, 40]},
    "crowd": {"image_id": 0, "category_id": 1, "bbox": [1, 2, 30, 40], "iscrowd": 1},
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_annotation_is_named_and_counted(folder, kind):
    coco(folder / "coco.json", "good.jpg", rows=[RIGHT, WRONG[kind]])
    read = read_annotations(folder)
    named = [[kind.split(",")[0].strip(), "annotation 2", 1]]
    assert read.problems[["kind", "where", "boxes"]].values.tolist() == named
    assert boxes(read) == [GOOD]


def test_a_photo_with_nothing_but_a_crowd_is_no_negative(folder):
    photo(folder / "crowd.jpg")
    photo(folder / "empty.jpg")
    rows = [RIGHT, {**WRONG["crowd"], "image_id": 1}]
    coco(folder / "coco.json", "good.jpg", "crowd.jpg", "empty.jpg", rows=rows)
    assert negatives(read_annotations(folder)) == ["empty.jpg"]


IDS = [(0, 0.0), (0.0, 0), (0.0, "0"), ("0", 0), ("a-7", "a-7"), ([3], [3]), (7, "7.0")]


@pytest.mark.parametrize(("image", "other"), IDS)
def test_ids_in_every_form(folder, image, other):
    images = [{"id": image, "file_name": "good.jpg"}]
    coco(folder / "coco.json", images=images, rows=[{"image_id": other, "category_id": 1.0, "bbox": BBOX}])
    read = read_annotations(folder)
    assert boxes(read) == [GOOD] and read.problems.empty


def outline():
    """BBOX as an outline."""
    return [20, 20, 100, 20, 100, 70, 20, 70]


def filled():
    """BBOX as a mask."""
    full = np.zeros((HEIGHT, WIDTH), np.uint8)
    full[20:70, 20:100] = 1
    return full


def uncompressed():
    """BBOX as the lengths of runs, as COCO writes crowds."""
    column = filled().ravel(order="F")
    ends = np.flatnonzero(np.diff(column)) + 1
    return {"counts": np.diff([0, *ends, len(column)]).tolist(), "size": [HEIGHT, WIDTH]}


def compressed():
    """BBOX as pycocotools packs it."""
    packed = mask.encode(np.asfortranarray(filled()))
    return {"counts": packed["counts"].decode(), "size": [HEIGHT, WIDTH]}


SHAPES = {
    "outline": [outline()],
    "flat outline": outline(),
    "two parts": [outline()[:6], outline()[2:]],
    "runs": uncompressed(),
    "compressed": compressed(),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sized", [True, False])
def test_a_box_round_an_outline_where_none_is_stated(folder, shape, sized):
    images = [{"id": 0, "file_name": "good.jpg", **({"width": WIDTH, "height": HEIGHT} if sized else {})}]
    row = {"image_id": 0, "category_id": 1, "segmentation": SHAPES[shape]}
    coco(folder / "coco.json", images=images, rows=[row])
    assert boxes(read_annotations(folder)) == [GOOD]


MASKS = [
    {"counts": "", "size": [9, 9]},
    {"counts": "\x7f\x7f", "size": [9, 9]},
    {"counts": "PP\u00e9", "size": [9, 9]},
    {"counts": "oooooooooooooo", "size": [9, 9]},
    {"counts": [1, 2], "size": [9, 9]},
    {"counts": [81], "size": [0, 0]},
    {"counts": [-1, 82], "size": [9, 9]},
    {"counts": [81]},
    {"counts": None, "size": [9, 9]},
    {"counts": "52203", "size": [10**9, 10**9]},
    {"counts": [1e300], "size": ["a", 1]},
]


@pytest.mark.parametrize("number", range(len(MASKS)))
def test_broken_masks_are_named(folder, number):
    rows = [RIGHT, {"image_id": 0, "category_id": 1, "segmentation": MASKS[number]}]
    coco(folder / "coco.json", "good.jpg", rows=rows)
    read = read_annotations(folder)
    assert kinds(read) == ["no number"] and boxes(read) == [GOOD]


def test_wrong_lists_are_named(folder):
    images = [{"id": 1, "file_name": "good.jpg"}, {"id": 1, "file_name": "good.jpg"}, {"id": [2]}, 7]
    categories = [{"id": 1, "name": "cell"}, {"id": 2, "name": "cell"}, None]
    rows = [{"image_id": 1, "category_id": 2, "bbox": BBOX}, "box"]
    coco(folder / "coco.json", images=images, categories=categories, rows=rows)
    (folder / "other.json").write_text('{"images": [], "annotations": ')
    (folder / "settings.json").write_text("{}")
    read = read_annotations(folder)
    named = ["class twice", "id twice", "no object", "no object", "no object", "no photo", "unreadable file"]
    assert sorted(kinds(read)) == named
    assert read.problems["boxes"].sum() == 1, "the annotation that is no object"
    assert boxes(read) == [GOOD]


def test_an_id_that_two_photos_or_classes_have_is_not_guessed(folder):
    photo(folder / "b.jpg")
    images = [{"id": 1, "file_name": "good.jpg"}, {"id": 1, "file_name": "b.jpg"}]
    coco(folder / "coco.json", images=images, rows=[{"image_id": 1, "category_id": 1, "bbox": BBOX}])
    read = read_annotations(folder)
    assert read.boxes.empty and negatives(read) == [] and read.problems["boxes"].sum() == 1
    categories = [{"id": 1, "name": "cell"}, {"id": 1, "name": "dust"}]
    coco(folder / "coco.json", "good.jpg", categories=categories)
    read = read_annotations(folder)
    assert read.boxes.empty and negatives(read) == [] and kinds(read) == ["id twice", "no class"]


CAPTION = {"image_id": 0, "id": 1, "caption": "a cell"}
NOT_BOXES = {
    "captions": {"rows": [CAPTION], "categories": []},
    "panoptic segments": {"rows": [{"image_id": 0, "segments_info": [], "file_name": "good.png"}]},
    "key points without boxes": {"rows": [{"image_id": 0, "category_id": 1, "keypoints": [1, 2, 2]}]},
    "no annotations": {"rows": []},
}


@pytest.mark.parametrize("what", NOT_BOXES)
def test_files_without_boxes_are_named_and_make_no_negatives(folder, what):
    photo(folder / "b.jpg")
    coco(folder / "boxes.json", "b.jpg")
    coco(folder / "others.json", "good.jpg", **NOT_BOXES[what])
    read = read_annotations(folder)
    assert boxed(read) == {"b.jpg": 1} and negatives(read) == []
    assert read.problems[["file", "kind"]].values.tolist() == [["others.json", "no boxes"]] and what in said(read)


def test_ids_that_fit_no_photo_make_no_negatives(folder):
    coco(folder / "boxes.json", "good.jpg", rows=[{**RIGHT, "image_id": 100 + number} for number in range(3)])
    read = read_annotations(folder)
    assert negatives(read) == [] and read.problems["boxes"].sum() == 3 and "mend the ids" in said(read)


def test_boxes_without_categories_are_named(folder):
    coco(folder / "boxes.json", "good.jpg", categories=[])
    read = read_annotations(folder)
    assert kinds(read) == ["no classes", "no class"] and negatives(read) == []


def test_photos_in_several_files(folder):
    coco(folder / "all.json", "good.jpg", classes=("cell", "dust"))
    coco(folder / "train.json", "good.jpg", classes=("cell", "dust"))
    speck = {"image_id": 0, "category_id": 1, "bbox": [0, 0, 20, 20]}
    coco(folder / "dust.json", "good.jpg", classes=("speck",), rows=[speck])
    read = read_annotations(folder)
    assert boxes(read) == [GOOD, ("good.jpg", "speck", 0, 0, 0.1, 0.2)]
    assert "all.json, dust.json, train.json agree" in said(read) and read.problems["boxes"].sum() == 0
    coco(folder / "newer.json", "good.jpg", rows=[{"image_id": 0, "category_id": 1, "bbox": [0, 0, 60, 60]}])
    read = read_annotations(folder)
    assert read.boxes.empty and negatives(read) == []
    assert read.problems["boxes"].sum() == 4 and set(kinds(read)) == {"stated twice"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings(folder, encoding):
    content = {
        "images": [{"id": 0, "file_name": "good.jpg"}],
        "categories": [{"id": 1, "name": "Käfer"}],
        "annotations": [RIGHT],
    }
    text(folder / "coco.json", json.dumps(content, ensure_ascii=False), encoding)
    assert boxes(read_annotations(folder)) == [("good.jpg", "Käfer", *SHARES)]


def test_a_coco_file_of_roboflow_in_each_part(tmp_path):
    for part in ("train", "valid"):
        photo(tmp_path / part / "a_jpg.rf.1.jpg")
        coco(tmp_path / part / "_annotations.coco.json", "a_jpg.rf.1.jpg")
    assert boxed(read_annotations(tmp_path)) == {"train/a_jpg.rf.1.jpg": 1, "valid/a_jpg.rf.1.jpg": 1}
