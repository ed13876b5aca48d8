"""Parquet files that are not quite as Hugging Face writes them."""

import sys

import pyarrow
import pytest
from pyarrow import parquet

from cvtune_nb.data import open_workspace
from cvtune_nb.errors import InputError
from tests.layouts import one_sentence
from tests.stated_labels import LABELS, Photos, photo


def write(photos, name, label=lambda number: LABELS[number % 2], column="label", **more):
    """One file of 16 photos, whose content is a column."""
    rows = [
        {"image": photo(number), column: label(number), **{key: value(number) for key, value in more.items()}}
        for number in range(16)
    ]
    photos.folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), photos.folder / name)
    return photos.folder / name


def refused(source, folder, *words):
    with pytest.raises(InputError) as error:
        open_workspace(source, folder / "w")
    one_sentence(error, *words)


def test_a_single_file_with_names_as_labels_and_a_column_of_groups(tmp_path):
    file = write(Photos(tmp_path / "set"), "mine.parquet", scene=lambda number: f"s{number // 4}")
    space = open_workspace(file, tmp_path / "w", group_by="column:scene")
    assert space.manifest()["label"].value_counts().to_dict() == dict.fromkeys(LABELS, 8)
    assert space.manifest()["group"].nunique() == 4
    assert space.manifest()["path"][0] == "mine/000000.jpeg"


def test_rows_without_a_label_or_a_photo_are_left_out(tmp_path):
    photos = Photos(tmp_path / "set")
    file = write(photos, "mine.parquet", label=lambda number: None if number == 3 else LABELS[number % 2])
    photos.write("notes.txt", "made in May")
    space = open_workspace(file.parent, tmp_path / "w")
    assert len(space.manifest()) == 15
    assert dict(zip(space.skipped()["path"], space.skipped()["reason"], strict=True)) == {
        "mine.parquet row 4": "it has no label",
        "notes.txt": "not a photo (.txt file)",
    }


def test_it_is_unpacked_once_and_again_when_it_has_changed(tmp_path):
    photos = Photos(tmp_path / "set")
    file = write(photos, "mine.parquet")
    space = open_workspace(file, tmp_path / "w")
    written = {path: path.stat().st_mtime_ns for path in space.data.rglob("*.jpeg")}
    assert {
        path: path.stat().st_mtime_ns for path in open_workspace("", tmp_path / "w").data.rglob("*.jpeg")
    } == written
    write(photos, "mine.parquet", label=lambda number: LABELS[number % 2].upper())
    assert open_workspace("", tmp_path / "w").classes == ["CAT", "DOG"]


def test_several_labels_and_columns_that_are_missing_or_two(tmp_path):
    photos = Photos(tmp_path / "set")
    refused(write(photos, "a.parquet", label=lambda _: ["cat", "dog"]), tmp_path, "a.parquet", "several labels")
    refused(
        write(photos, "b.parquet", column="answer"), tmp_path, "b.parquet has no column label (it has image, answer)"
    )
    two = write(photos, "d.parquet", photo=lambda number: photo(number))
    refused(two, tmp_path, "d.parquet has several columns of photos, 'image' and 'photo'")


def test_without_the_library_its_name_is_said(tmp_path, monkeypatch):
    file = write(Photos(tmp_path / "set"), "mine.parquet")
    monkeypatch.setitem(sys.modules, "fastparquet", None)
    refused(file, tmp_path, "mine.parquet is a Parquet file", "pip install 'cvtune-nb[parquet]'")
    assert not list((tmp_path / "w").glob("unpacked-*"))


def test_videos_beside_parquet_files_are_asked_about(tmp_path):
    photos = Photos(tmp_path / "set")
    write(photos, "mine.parquet")
    photos.write("cat/1.mp4", b"no video")
    refused(photos.folder, tmp_path, "Parquet files and videos", "--layout parquet or --layout frames")
    assert len(open_workspace(photos.folder, tmp_path / "w", layout="parquet").manifest()) == 16
    with pytest.raises(InputError) as error:
        open_workspace(photos.folder, tmp_path / "w", layout="parquet:3")
    one_sentence(error, "--layout parquet:3 says more than can be chosen")
