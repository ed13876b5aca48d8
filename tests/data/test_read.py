import inspect
import shutil
import sys

import pandas as pd
import pytest

from cvtune_nb.data.archive import unpack
from cvtune_nb.data.read import read_layout
from cvtune_nb.errors import InputError
from tests.layouts import found, lay, left_out, one_sentence

ROWS = [(f"{label}/{number}.jpg", label) for label in ("cat", "dog") for number in range(4)]
READ = {(path, label, "") for path, label in ROWS}


def table(rows, head="path,label"):
    return "\n".join([head, *map(",".join, rows)]) + "\n"


def refused(data, *parts, layout=""):
    with pytest.raises(InputError) as error:
        read_layout(data, layout)
    one_sentence(error, *parts)


@pytest.fixture(params=["folder", "zip"])
def given(request, tmp_path):
    """Turns a folder into what is given: itself, or a zip of it that was unpacked."""

    def give(folder):
        if request.param == "folder":
            return folder
        return unpack(shutil.make_archive(tmp_path / "set", "zip", folder), tmp_path / "unpacked")

    return give


@pytest.fixture
def photos(tmp_path):
    return lay(tmp_path / "photos", "cat/#.jpg", "dog/#.jpg")


def test_what_does_not_exist_and_what_is_no_folder(tmp_path):
    refused(tmp_path / "typo", tmp_path / "typo", "does not exist: give the folder of your photos")
    refused(lay(tmp_path, "a.jpg") / "a.jpg", tmp_path / "a.jpg", "is a file, not a folder")


def test_folders_that_lie_too_deep_in_each_other(tmp_path):
    lay(tmp_path, "x/" * 90 + "1.jpg")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        refused(tmp_path, tmp_path, "lie too deep in each other")
    finally:
        sys.setrecursionlimit(limit)


def test_the_tables_have_their_columns_even_when_empty(tmp_path):
    layout = read_layout(lay(tmp_path, "a/1.jpg", "b/1.jpg"))
    assert list(layout.found.columns) == ["path", "label", "split"]
    assert list(layout.left_out.columns) == ["path", "label", "reason"]
    assert isinstance(layout.left_out, pd.DataFrame)
    assert layout.left_out.empty


STRAY = {
    "no column for the path": "camera,label\nA,x\n",
    "no column for the label": "id,camera\n1,x\n",
    "photos that are not there": "id,label\n17,x\n18,y\n",
    "no table at all": '"',
    "the labels of others": table([(f"bird/{number}.jpg", "bird") for number in range(9)]),
}


@pytest.mark.parametrize("text", STRAY.values(), ids=list(STRAY))
def test_a_stray_csv_beside_class_folders_says_nothing(photos, given, text):
    (photos / "metadata.csv").write_text(text)
    data = given(photos)
    assert found(data) == READ
    assert left_out(data) == {"metadata.csv": "lies outside every class folder"}


def test_a_table_that_says_the_same_as_the_folders(photos, given):
    (photos / "labels.csv").write_text(table(ROWS))
    data = given(photos)
    assert found(data) == READ
    assert read_layout(data).recognised == "labels.csv says the same as the folders"


def test_a_table_that_calls_the_classes_of_the_folders_otherwise_or_adds_splits(photos, given):
    names = {"cat": "Felis catus", "dog": "Canis familiaris"}
    rows = [(path, names[label], "test" if number % 4 == 0 else "train") for number, (path, label) in enumerate(ROWS)]
    (photos / "labels.csv").write_text(table(rows, "path,label,split"))
    data = given(photos)
    assert found(data) == set(rows)
    assert "classes as in the folders" in read_layout(data).recognised


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (table([("cat/0.jpg", "dog"), *ROWS[1:]]), "say different things of 1 photos, for example cat/0.jpg"),
        (table(ROWS[1:]), "class folders with 8 photos and labels.csv, which names 7 of them"),
        (table([*ROWS, ("cat/9.jpg", "cat")]), "a table of labels that can't be used"),
    ],
)
def test_a_table_that_says_something_else_than_the_folders(photos, given, text, words):
    (photos / "labels.csv").write_text(text)
    data = given(photos)
    refused(data, "class folders", words, "--layout csv" if "used" not in words else "--layout classes")
    assert found(data, "classes") == READ


@pytest.mark.parametrize("place", ["", "set/", "set/images/", "set/deep/images/"])
def test_a_table_where_the_folders_say_nothing(tmp_path, given, place):
    lay(tmp_path / "photos", f"{place}#.jpg")
    rows = [(f"{number}.jpg", "ab"[number % 2]) for number in range(4)]
    (tmp_path / "photos" / place.split("/")[0] / "labels.csv").write_text(table(rows, "filename,class"))
    layout = read_layout(given(tmp_path / "photos"))
    assert layout.found["label"].tolist() == ["a", "b", "a", "b"]
    assert all((layout.root / path).is_file() for path in layout.found["path"])
    assert "CSV labels.csv: filename is the path, class is the label" in layout.recognised


def test_a_competition_with_flat_parts_and_a_table(tmp_path, given):
    lay(tmp_path / "photos", "train/#.jpg", "test/#.jpg", "sample_submission.csv")
    rows = [(str(number), "ab"[number % 2]) for number in range(4)]
    (tmp_path / "photos" / "train.csv").write_text(table(rows, "id,label"))
    data = given(tmp_path / "photos")
    assert found(data) == {(f"train/{number}.jpg", label, "") for number, label in rows}
    assert left_out(data)["test"] == "train.csv names nothing in it (4 photos)"


def test_several_tables_and_one_that_can_not_be_used(tmp_path):
    lay(tmp_path, "images/#.jpg")
    rows = [(f"{number}.jpg", "ab"[number % 2]) for number in range(4)]
    (tmp_path / "one.csv").write_text(table([*rows, ("9.jpg", "a")]))
    refused(tmp_path, "one.csv names 1 file(s) that are not there, first '9.jpg'")
    (tmp_path / "two.csv").write_text(table(rows))
    refused(tmp_path, tmp_path, "several tables of labels, 'one.csv' and 'two.csv': give the right one itself")
    refused(tmp_path, "holds 2 CSV files", layout="csv")


def test_the_person_says_that_the_table_counts(photos, given):
    rows = [(path, {"cat": "x", "dog": "y"}[label]) for path, label in ROWS]
    (photos / "labels.csv").write_text(table(rows))
    assert found(given(photos), "csv") == {(*row, "") for row in rows}
