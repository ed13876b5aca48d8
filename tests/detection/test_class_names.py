"""What YOLO's class numbers mean, wherever and however that is written."""

import pytest

from cvtune_nb.detection import read_annotations
from tests.annotation_files import LINE, boxes, kinds, negatives, photo, said, text

YAML = {
    "list": ("names: [dust, cell]\n", "cell"),
    "lines": ("names:\n  - dust\n  - 'a cell: b'\n", "a cell: b"),
    "numbered": ("names: {0: dust, 1: cell}\n", "cell"),
    "numbered in words": ("names:\n  '0': dust\n  '1': cell\n", "cell"),
    "the other way round": ("names: {dust: 0, cell: 1}\n", "cell"),
    "no": ("names: [yes, no]\n", "no"),
    "on": ("names: [off, on]\n", "on"),
    "null": ("names: [x, null]\n", "null"),
    "tilde": ("names: [x, ~]\n", "~"),
    "octal": ("names: [x, 010]\n", "010"),
    "float": ("names: [x, 1.50]\n", "1.50"),
    "date": ("names: [x, 2024-01-02]\n", "2024-01-02"),
    "sixty": ("names: [x, 1:30]\n", "1:30"),
    "truth as a key": ("names: {0: y, 1: N}\n", "N"),
    "tag": ("names: [x, !!python/name:os.system y]\n", "y"),
}


@pytest.fixture
def folder(tmp_path):
    """A photo with a box of class 1."""
    photo(tmp_path / "images" / "a.jpg")
    text(tmp_path / "labels" / "a.txt", f"1{LINE[1:]}")
    return tmp_path


def labels(read):
    return [box[1] for box in boxes(read)]


@pytest.mark.parametrize("kind", YAML)
def test_names_in_yaml_are_what_is_written(folder, kind):
    content, name = YAML[kind]
    text(folder / "data.yaml", content)
    assert labels(read_annotations(folder)) == [name]


LISTS = {
    "classes.txt": {"classes.txt": "dust\ncell\n"},
    "beside the labels": {"labels/classes.txt": "dust\r\ncell"},
    "obj.names": {"obj.names": "dust\ncell\n"},
    "other.names": {"cfg/other.names": "dust\ncell\n"},
    "other.yaml": {"cells.yaml": "names: [dust, cell]\n"},
    "in a file of its own": {"data.yaml": "names: names.yaml\n", "names.yaml": "[dust, cell]\n"},
    "in a file with names": {"data.yaml": "names: cfg/n.yaml\n", "cfg/n.yaml": "names: {0: dust, 1: cell}\n"},
    "in a text file": {"data.yaml": "names: cfg/n.txt\n", "cfg/n.txt": "dust\ncell\n"},
    "by a path elsewhere": {"data.yaml": "names: C:\\me\\cfg\\n.txt\n", "cfg/n.txt": "dust\ncell\n"},
    "darknet": {"obj.data": "classes = 2\nnames = data/my.txt\n", "my.txt": "dust\ncell\n"},
    "UTF-16": {"data.yaml": "\ufeffnames: [dust, cell]\n"},
    "twice": {"classes.txt": "dust\ncell\n", "data.yaml": "names: [dust, cell]\n"},
}


@pytest.mark.parametrize("kind", LISTS)
def test_names_in_every_file(folder, kind):
    for name, content in LISTS[kind].items():
        text(folder / name, content, "utf-16" if kind == "UTF-16" else "utf-8")
    read = read_annotations(folder)
    assert labels(read) == ["cell"]
    assert "no class names" not in kinds(read)


def test_a_single_class_may_be_a_word(tmp_path):
    photo(tmp_path / "a.jpg")
    text(tmp_path / "a.txt", LINE)
    text(tmp_path / "data.yaml", "nc: 1\nnames: cell\n")
    assert labels(read_annotations(tmp_path)) == ["cell"]


WRONG = {
    "gone": ("names: names.yaml\n", "names.yaml names the classes, which is not there"),
    "broken": ("names: [dust, cell\n", "can't be read as YAML"),
    "key points": ("names: [dust, cell]\nkpt_shape: many\n", "its kpt_shape is many, not two numbers"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_can_not_be_read_is_named(folder, kind):
    content, words = WRONG[kind]
    text(folder / "data.yaml", content)
    read = read_annotations(folder)
    assert words in said(read) and len(read.boxes) == 1


def test_files_that_contradict_each_other_are_not_guessed_from(folder):
    text(folder / "classes.txt", "dust\ncell\n")
    text(folder / "data.yaml", "names: [dust, speck]\n")
    read = read_annotations(folder)
    assert read.boxes.empty and negatives(read) == []
    assert kinds(read) == ["no class names", "no class"]
    assert "class 1 is cell or speck (classes.txt, data.yaml): take the wrong file away" in said(read)


def test_each_folder_may_have_a_list_of_its_own(tmp_path):
    for camera, names in (("left", "dust\ncell\n"), ("right", "cell\ndust\n")):
        photo(tmp_path / camera / "a.jpg")
        text(tmp_path / camera / "a.txt", LINE)
        text(tmp_path / camera / "classes.txt", names)
    read = read_annotations(tmp_path)
    assert [box[:2] for box in boxes(read)] == [("left/a.jpg", "dust"), ("right/a.jpg", "cell")]


def test_two_classes_of_one_name_and_other_encodings_are_named(folder):
    (folder / "classes.txt").write_bytes("K\u00e4fer\nK\u00e4fer\n".encode("latin-1"))
    read = read_annotations(folder)
    assert labels(read) == ["K\u00e4fer"]
    assert kinds(read) == ["no class names", "class twice"] and "save it as UTF-8" in said(read)
