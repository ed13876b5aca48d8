"""VOC files, and which photo they mean where it has another name."""

import pytest

from cvtune_nb.detection import read_annotations
from tests.annotation_files import BOX, SHARES, boxed, boxes, kinds, negatives, photo, said, text, thing, voc


def test_voc_in_folders_as_others_lay_them_out(tmp_path):
    photo(tmp_path / "JPEGImages" / "a.jpg")
    photo(tmp_path / "JPEGImages" / "nothing on it.jpg")
    voc(tmp_path / "Annotations" / "a.xml", "a.jpg", thing(*BOX), thing(0, 0, 200, 100, label="whole"))
    read = read_annotations(tmp_path)
    assert read.kind == "voc"
    assert boxes(read) == [("JPEGImages/a.jpg", "cell", *SHARES), ("JPEGImages/a.jpg", "whole", 0, 0, 1, 1)]
    assert read.photos.to_dict("list") == {
        "path": ["JPEGImages/a.jpg", "JPEGImages/nothing on it.jpg"],
        "width": [200, 200],
        "height": [100, 100],
        "seen": [True, False],
    }
    assert read.labels == ["cell", "whole"]
    assert read.problems.empty


@pytest.mark.parametrize(
    "name", ["a.jpg", "a", "A.JPG", "old.jpg", "", "C:\\me\\a.jpg", "/home/me/a.jpg", "../images/a.jpg", "a.png"]
)
def test_the_name_of_the_photo_or_the_own_name(tmp_path, name):
    photo(tmp_path / "images" / "a.jpg")
    photo(tmp_path / "images" / "b.jpg")
    voc(tmp_path / "xml" / "a.xml", name)
    assert boxed(read_annotations(tmp_path)) == {"images/a.jpg": 1}


def test_files_that_are_numbered_otherwise_than_their_photos(tmp_path):
    for number in range(3):
        photo(tmp_path / f"img{number}.jpg")
        voc(tmp_path / f"annotation{number}.xml", f"img{number}.jpg", *[thing(*BOX)] * 1)
    assert boxed(read_annotations(tmp_path)) == {f"img{number}.jpg": 1 for number in range(3)}


def test_a_file_copied_from_another_one_is_about_its_own_photo(tmp_path):
    for name in ("a", "b"):
        photo(tmp_path / f"{name}.jpg")
    voc(tmp_path / "b.xml", "b.jpg")
    voc(tmp_path / "a.xml", "b.jpg", thing(0, 0, 50, 50))
    read = read_annotations(tmp_path)
    assert boxes(read) == [("a.jpg", "cell", 0, 0, 0.25, 0.5), ("b.jpg", "cell", *SHARES)]
    assert read.problems.empty


def test_pairs_that_were_renumbered_are_not_guessed(tmp_path):
    for number in range(1, 4):
        photo(tmp_path / f"{number}.jpg")
        voc(tmp_path / f"{number}.xml", f"{number + 1}.jpg")
    read = read_annotations(tmp_path)
    assert read.boxes.empty and negatives(read) == []
    assert read.problems["boxes"].tolist() == [1, 1, 1]
    assert "it may be about 2.jpg, 1.jpg" in said(read) and "mend <filename>" in said(read)


def test_the_folder_that_is_stated_tells_photos_of_one_name_apart(tmp_path):
    for camera in ("left", "right"):
        photo(tmp_path / camera / "1.jpg")
    voc(tmp_path / "Annotations" / "a.xml", "1.jpg", thing(0, 0, 50, 50), folder="left")
    voc(tmp_path / "Annotations" / "b.xml", "1.jpg", thing(*BOX), folder="right")
    assert boxes(read_annotations(tmp_path)) == [
        ("left/1.jpg", "cell", 0, 0, 0.25, 0.5),
        ("right/1.jpg", "cell", *SHARES),
    ]


def test_names_that_only_one_photo_has_where_the_stated_folder_is_wrong(tmp_path):
    for number, folder in enumerate(("left", "wrong", "right", "")):
        photo(tmp_path / ("left", "right")[number % 2] / f"{number}.jpg")
        voc(tmp_path / "Annotations" / f"{number}.xml", f"{number}.jpg", folder=folder)
    assert len(boxed(read_annotations(tmp_path))) == 4


def test_a_second_file_about_a_photo_that_says_something_else(tmp_path):
    photo(tmp_path / "a.jpg")
    voc(tmp_path / "a.xml", "a.jpg")
    voc(tmp_path / "a (2).xml", "a.jpg", thing(0, 0, 50, 50), thing(60, 60, 90, 90))
    read = read_annotations(tmp_path)
    assert read.boxes.empty and negatives(read) == []
    assert kinds(read) == ["stated twice", "stated twice"] and read.problems["boxes"].sum() == 3
    voc(tmp_path / "a (2).xml", "a.jpg")
    read = read_annotations(tmp_path)
    assert boxes(read) == [("a.jpg", "cell", *SHARES)]
    assert kinds(read) == ["stated twice"] and "agree" in said(read)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path, encoding):
    photo(tmp_path / "a.jpg")
    things = thing(*BOX, label="Käfer")
    text(tmp_path / "a.xml", f"<annotation><filename>a.jpg</filename>{things}</annotation>", encoding)
    assert boxes(read_annotations(tmp_path)) == [("a.jpg", "Käfer", *SHARES)]
