"""CVAT's files of images with boxes and outlines."""

import pytest

from cvtune_nb.detection import read_annotations
from tests.annotation_files import BOX, SHARES, boxed, boxes, kinds, negatives, photo, said, text

SIDES = 'xtl="20" ytl="20" xbr="100" ybr="70"'


def cvat(file, **images):
    """An export with these images: name (_ for a dot) -> what is drawn on it."""
    inside = "".join(
        f'<image id="{number}" name="{name.replace("_", ".")}" width="200" height="100">{drawn}</image>'
        for number, (name, drawn) in enumerate(images.items())
    )
    text(file, f"<?xml version='1.0'?>\n<annotations><version>1.1</version>{inside}</annotations>")


def shape(kind, **more):
    said = " ".join(f'{name}="{value}"' for name, value in more.items())
    return f'<{kind} label="cell" source="manual" {said}/>'


@pytest.mark.parametrize("folder", ["", "images", "export/images/train"])
def test_boxes_of_many_photos(tmp_path, folder):
    for name in ("a", "b"):
        photo(tmp_path / folder / f"{name}.jpg")
    cvat(tmp_path / "annotations.xml", a_jpg=f'<box label="cell" {SIDES}/><tag label="seen"/>', b_jpg="")
    read = read_annotations(tmp_path)
    assert read.kind == "cvat" and read.problems.empty and read.left_out.empty
    place = f"{folder}/" if folder else ""
    assert boxes(read) == [(f"{place}a.jpg", "cell", *SHARES)]
    assert negatives(read) == [f"{place}b.jpg"]


@pytest.mark.parametrize(
    ("drawn", "sides"),
    [
        (shape("polygon", points="20,20;100,30;60,70"), BOX),
        (shape("ellipse", cx=60, cy=45, rx=40, ry=25), BOX),
        (shape("ellipse", cx=60, cy=45, rx=25, ry=40, rotation=90), BOX),
        (shape("box", xtl=35, ytl=5, xbr=85, ybr=85, rotation=90), BOX),
        (shape("mask", rle="1, 2", left=20, top=20, width=80, height=50), BOX),
    ],
)
def test_a_box_is_laid_round_what_has_an_area(tmp_path, drawn, sides):
    photo(tmp_path / "a.jpg")
    cvat(tmp_path / "annotations.xml", a_jpg=drawn)
    left, top, right, bottom = sides
    assert boxes(read_annotations(tmp_path)) == [
        ("a.jpg", "cell", left / 200, top / 100, (right - left) / 200, (bottom - top) / 100)
    ]


@pytest.mark.parametrize(
    ("drawn", "kind"),
    [
        (shape("points", points="20,20;30,30"), "no box"),
        (shape("polyline", points="20,20;30,30"), "no box"),
        (shape("box", xtl="?", ytl=1, xbr=9, ybr=9), "no number"),
        (shape("polygon", points="20,20;x"), "no number"),
    ],
)
def test_what_has_none_is_reported(tmp_path, drawn, kind):
    photo(tmp_path / "a.jpg")
    cvat(tmp_path / "annotations.xml", a_jpg=f'<box label="cell" {SIDES}/>{drawn}')
    read = read_annotations(tmp_path)
    assert boxed(read) == {"a.jpg": 1} and kinds(read) == [kind]
    assert read.problems["where"].tolist()[0].startswith("image 1, ")


def test_photos_that_are_not_there_and_files_that_are_broken(tmp_path):
    photo(tmp_path / "a.jpg")
    cvat(tmp_path / "one.xml", a_jpg=f'<box label="cell" {SIDES}/>', gone_jpg=f'<box label="cell" {SIDES}/>')
    text(tmp_path / "two.xml", "<annotations><image name='a.jpg'><box ")
    read = read_annotations(tmp_path)
    assert boxed(read) == {"a.jpg": 1}
    assert sorted(kinds(read)) == ["no photo", "unreadable file"]
    assert "it can't be read as XML" in said(read)


def test_tags_alone_are_for_a_classifier(tmp_path):
    photo(tmp_path / "a.jpg")
    cvat(tmp_path / "annotations.xml", a_jpg='<tag label="cell"/>')
    assert read_annotations(tmp_path, required=False).kind == ""
