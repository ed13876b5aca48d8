"""Boxes of others: read to the pixel, and whatever is wrong with them is named and ends nothing."""

import json

import numpy as np
import pytest
from PIL import Image

from cvtune_nb.detection import read_annotations, write_coco
from cvtune_nb.detection.annotations import WHICH
from cvtune_nb.errors import InputError
from tests.annotation_files import BOX, SHARES, SIZE, boxes, coco, kinds, negatives, photo, text, thing, voc

UPRIGHT = "<size><width>100</width><height>200</height></size>"
GOOD = ("good.jpg", "cell", *SHARES)
VOC = "<annotation><filename>{name}</filename>{size}{things}</annotation>"


@pytest.fixture
def good(tmp_path):
    """A folder of VOC files with one photo and one box that is right."""
    photo(tmp_path / "good.jpg")
    voc(tmp_path / "good.xml", "good.jpg", thing(20, 20, 100, 70))
    return tmp_path


WRONG_BOXES = {
    "outside": thing(210, 10, 260, 50),
    "over the edge": thing(150, 10, 260, 50),
    "flipped": thing(100, 70, 20, 20, label="turned"),
    "no area": thing(30, 30, 30, 60),
    "tiny": thing(50, 50, 50.5, 60),
    "drawn twice": thing(20, 20, 101, 70),
    "no class": thing(30, 30, 60, 60, label=""),
    "no number": thing(30, "thirty", 60, 60),
    "no box": "<object><name>cell</name></object>",
}


@pytest.mark.parametrize("kind", WRONG_BOXES)
def test_a_wrong_box_is_named_and_the_others_stay(good, kind):
    voc(good / "good.xml", "good.jpg", thing(20, 20, 100, 70), WRONG_BOXES[kind])
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
    photo(good / "bad.jpg")
    (good / "wrong.xml").write_bytes(WRONG_FILES[kind])
    read = read_annotations(good)
    assert kinds(read) == [kind.strip()]
    assert read.problems.iloc[0]["file"] == "wrong.xml"
    assert boxes(read) == [GOOD]
    assert read.photos["path"].tolist() == ["bad.jpg", "good.jpg"], "it stays, as a photo without boxes"


def test_photos_that_can_not_be_read_are_named_with_their_boxes(good):
    (good / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    voc(good / "broken.xml", "broken.jpg", thing(*BOX), thing(0, 0, 50, 50))
    read = read_annotations(good)
    assert read.problems[["kind", "photo", "boxes"]].values.tolist() == [
        ["unreadable photo", "broken.jpg", 0],
        ["no photo", "broken.jpg", 2],
    ]
    assert "its photo broken.jpg can't be used (damaged" in read.problems["words"].iloc[1]
    assert boxes(read) == [GOOD]


LOST = {
    "no number": thing(30, "thirty", 60, 60),
    "no class": thing(30, 30, 60, 60, label=""),
    "no area": thing(30, 30, 30, 60),
    "outside": thing(210, 10, 260, 50),
    "no box": "<object><name>cell</name></object>",
}


@pytest.mark.parametrize("kind", LOST)
def test_a_photo_whose_only_box_is_lost_is_no_negative(good, kind):
    photo(good / "bad.jpg")
    voc(good / "bad.xml", "bad.jpg", LOST[kind])
    photo(good / "empty.jpg")
    text(good / "empty.xml", VOC.format(name="empty.jpg", size=SIZE, things=""))
    read = read_annotations(good)
    assert negatives(read) == ["empty.jpg"]
    assert read.problems[["kind", "boxes"]].values.tolist() == [[kind, 1]]
    assert read.lost == "1 box is left out"


def test_a_photo_that_exif_turns_has_boxes_only_where_they_fit_it(good):
    exif = Image.Exif()
    exif[0x0112] = 6  # 200 x 100 on disk, 100 x 200 once it is upright
    photo(good / "turned.jpg", exif=exif)
    voc(good / "turned.xml", "turned.jpg", thing(20, 20, 100, 70))
    read = read_annotations(good)
    assert kinds(read) == ["turned photo"]
    voc(good / "turned.xml", "turned.jpg", thing(10, 20, 50, 120), size=UPRIGHT)
    assert boxes(read_annotations(good))[1] == ("turned.jpg", "cell", 0.1, 0.1, 0.4, 0.5)


def test_a_photo_that_was_made_smaller_since_keeps_its_boxes(good):
    photo(good / "good.jpg", (100, 50))
    assert boxes(read_annotations(good)) == [GOOD]
    voc(good / "good.xml", "good.jpg", thing(10, 10, 50, 35), size="")
    assert boxes(read_annotations(good)) == [GOOD], "no size stated: pixels of this photo"


def test_what_can_not_be_read_at_all(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        read_annotations(tmp_path / "gone")
    photo(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"has no annotation files: put VOC \(.xml\)"):
        read_annotations(tmp_path)
    voc(tmp_path / "a.xml", "a.jpg", thing(20, 20, 100, 70))
    with pytest.raises(InputError, match="has no COCO files"):
        read_annotations(tmp_path, "coco")
    with pytest.raises(InputError, match="choose coco, voc, yolo"):
        read_annotations(tmp_path, "csv")
    (tmp_path / "a.txt").write_text("0 0.3 0.45 0.4 0.5\n")
    with pytest.raises(InputError, match="several kinds, voc and yolo: choose one, for example with --boxes voc"):
        read_annotations(tmp_path)
    assert boxes(read_annotations(tmp_path, "voc"))[0][2:] == GOOD[2:]
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(InputError, match="has no photos"):
        read_annotations(tmp_path, "voc")


def test_coco_is_read_as_it_was_written(good, tmp_path_factory):
    photo(good / "negative.jpg", (64, 48))
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


def test_files_that_were_not_used_are_listed_with_the_reason(good):
    coco(good / "boxes.json", "good.jpg")
    text(good / "notes.txt", "hello")
    text(good / "README", "hello")
    photo(good / ".hidden" / "x.jpg")
    left_out = read_annotations(good, "voc").left_out
    assert left_out.set_index("path")["reason"].to_dict() == {
        ".hidden": "hidden",
        "boxes.json": "annotations of another kind than those that were chosen",
        "notes.txt": "not a photo (.txt file)",
    }


def test_nothing_is_changed_and_progress_is_told(good):
    before = {file.name: file.read_bytes() for file in good.iterdir()}
    told = []
    read_annotations(good, progress=lambda share, words: told.append((share, words)))
    assert told == [(0.0, "reading photos: 0 of 1")]
    assert {file.name: file.read_bytes() for file in good.iterdir()} == before


@pytest.mark.parametrize("seed", range(30))
def test_files_that_are_damaged_at_random_end_nothing(good, seed):
    random = np.random.default_rng(seed)
    photo(good / "bad.jpg")
    voc(good / "bad.xml", "bad.jpg", thing(20, 20, 100, 70), thing(30, 30, 60, 60))
    content = bytearray((good / "bad.xml").read_bytes())
    for place in random.integers(0, len(content), int(random.integers(1, 8))):
        content[place] = random.integers(256)
    (good / "bad.xml").write_bytes(content[: int(random.integers(1, len(content) + 1))])
    assert GOOD in boxes(read_annotations(good))


def test_photos_are_asked_for_by_what_is_in_them(good):
    photo(good / "empty.jpg")
    voc(good / "empty.xml", "empty.jpg", "")
    photo(good / "new.jpg")
    voc(good / "good.xml", "good.jpg", thing(20, 20, 100, 70), thing(30, 30, 30, 60), thing(40, 40, 40, 60))
    found = read_annotations(good)
    asked = {which: found.paths(which) for which in WHICH}
    assert asked == {
        "all photos": ["empty.jpg", "good.jpg", "new.jpg"],
        "with boxes": ["good.jpg"],
        "nothing to find": ["empty.jpg"],
        "not looked at": ["new.jpg"],
    }
    assert found.boxes_of("empty.jpg") == []
    ((label, *sides),) = found.boxes_of("good.jpg")
    assert label == "cell" and sides == pytest.approx(SHARES)
    assert found.problem_kinds()[["kind", "times", "boxes", "file"]].to_dict("records") == [
        {"kind": "no area", "times": 2, "boxes": 2, "file": "good.xml"}
    ]
