"""labelme's files, one for each photo."""

import json

import pytest

from cvtune_nb.detection import read_annotations
from cvtune_nb.errors import InputError
from tests.annotation_files import SHARES, boxed, boxes, coco, kinds, negatives, photo, said, text

CORNERS = [[20, 20], [100, 70]]


def labelme(file, name, *shapes, **more):
    """A file about the photo called `name`; a shape is its kind and its points."""
    drawn = [{"label": "cell", "points": points, "shape_type": kind, "flags": {}} for kind, points in shapes]
    stated = {"version": "5.5.0", "flags": {}, "shapes": drawn, "imagePath": name, "imageData": None}
    text(file, json.dumps({**stated, "imageHeight": 100, "imageWidth": 200, **more}))


@pytest.mark.parametrize("name", ["a.jpg", "..\\images\\a.jpg", "/home/me/a.jpg", "", "old.jpg"])
@pytest.mark.parametrize("folder", ["images", "labels"])
def test_the_photo_beside_it_or_in_the_corresponding_folder(tmp_path, name, folder):
    for other in ("a", "b"):
        photo(tmp_path / "images" / f"{other}.jpg")
    labelme(tmp_path / folder / "a.json", name, ("rectangle", CORNERS))
    labelme(tmp_path / folder / "b.json", "b.jpg")
    read = read_annotations(tmp_path)
    assert read.kind == "labelme" and read.problems.empty
    assert boxes(read) == [("images/a.jpg", "cell", *SHARES)]
    assert negatives(read) == ["images/b.jpg"]


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("rectangle", CORNERS[::-1]),
        ("polygon", [[20, 45], [60, 20], [100, 50], [40, 70]]),
        ("mask", CORNERS),
        ("oriented_rectangle", [[20, 45], [60, 20], [100, 50], [40, 70]]),
    ],
)
def test_a_box_is_laid_round_what_has_an_area(tmp_path, kind, points):
    photo(tmp_path / "a.jpg")
    labelme(tmp_path / "a.json", "a.jpg", (kind, points))
    assert boxes(read_annotations(tmp_path)) == [("a.jpg", "cell", *SHARES)]


def test_a_circle_is_its_middle_and_a_point_on_it(tmp_path):
    photo(tmp_path / "a.jpg")
    labelme(tmp_path / "a.json", "a.jpg", ("circle", [[60, 45], [60, 70]]))
    assert boxes(read_annotations(tmp_path)) == [("a.jpg", "cell", 0.175, 0.2, 0.25, 0.5)]


@pytest.mark.parametrize(
    ("drawn", "kind"),
    [
        (("line", CORNERS), "no box"),
        (("point", [[1, 2]]), "no box"),
        (("rectangle", [["x", 2], [3, 4]]), "no number"),
        (("circle", [[3, 4]]), "no number"),
        (("polygon", None), "no number"),
    ],
)
def test_what_has_none_is_reported(tmp_path, drawn, kind):
    photo(tmp_path / "a.jpg")
    labelme(tmp_path / "a.json", "a.jpg", ("rectangle", CORNERS), drawn)
    read = read_annotations(tmp_path)
    assert boxed(read) == {"a.jpg": 1} and kinds(read) == [kind]
    assert read.problems["where"].tolist() == ["shape 2"]


def test_a_file_that_ends_too_early(tmp_path):
    for name in ("a", "b"):
        photo(tmp_path / f"{name}.jpg")
        labelme(tmp_path / f"{name}.json", f"{name}.jpg", ("rectangle", CORNERS))
    whole = (tmp_path / "b.json").read_text()
    (tmp_path / "b.json").write_text(whole[:-20])
    read = read_annotations(tmp_path)
    assert boxed(read) == {"a.jpg": 1} and kinds(read) == ["unreadable file"]
    assert "it can't be read as JSON" in said(read) and negatives(read) == []


def test_beside_coco_it_is_asked_which_counts(tmp_path):
    photo(tmp_path / "a.jpg")
    labelme(tmp_path / "a.json", "a.jpg", ("rectangle", CORNERS))
    coco(tmp_path / "coco.json", "a.jpg")
    with pytest.raises(InputError, match="annotations of several kinds, coco and labelme: choose one"):
        read_annotations(tmp_path)
    assert boxes(read_annotations(tmp_path, "labelme")) == boxes(read_annotations(tmp_path, "coco"))
