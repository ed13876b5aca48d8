import os
import stat
import zipfile

import pandas as pd
import pytest

from cvtune_nb.data.archive import unpack
from cvtune_nb.data.read import read_layout
from cvtune_nb.errors import InputError


def lay(root, *names):
    """Empty files with these names: reading a layout opens no photo."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def found(data):
    return set(read_layout(data).found.itertuples(index=False, name=None))


def left_out(data):
    return {row.path: row.reason for row in read_layout(data).left_out.itertuples()}


def one_sentence(error, *parts):
    words = str(error.value)
    assert "\n" not in words
    for part in parts:
        assert str(part) in words


# -- folders ------------------------------------------------------------------------------------------------


def test_a_folder_for_each_class_however_deep_the_photos_lie(tmp_path):
    lay(tmp_path, "rose/1.jpg", "rose/2023/may/2.PNG", "tulip/no suffix", "tulip/deep/er/3.bmp")
    assert found(tmp_path) == {
        ("rose/1.jpg", "rose", ""),
        ("rose/2023/may/2.PNG", "rose", ""),
        ("tulip/no suffix", "tulip", ""),
        ("tulip/deep/er/3.bmp", "tulip", ""),
    }


def test_labels_may_hold_anything_a_folder_name_may(tmp_path):
    labels = ["Grüne Bohne", "<b>&amp;", "薔薇 🌹", "a'b\"c", "nan", "007"]
    lay(tmp_path, *(f"{label}/1.jpg" for label in labels))
    assert {label for _, label, _ in found(tmp_path)} == set(labels)


def test_hidden_files_and_those_of_file_managers_are_ignored(tmp_path):
    lay(tmp_path, "a/1.jpg", "a/._1.jpg", "a/.DS_Store", "a/Thumbs.db", "a/desktop.ini", ".git/x.jpg", "b/1.jpg",
        "__MACOSX/a/._1.jpg", "b/.cache/2.jpg")  # fmt: skip
    assert found(tmp_path) == {("a/1.jpg", "a", ""), ("b/1.jpg", "b", "")}
    assert left_out(tmp_path) == {}


def test_what_is_no_photo_is_listed_with_the_reason(tmp_path):
    lay(tmp_path, "a/1.jpg", "a/notes.txt", "b/1.jpg", "b/film.MP4", "README.md", "stray.jpg")
    assert found(tmp_path) == {("a/1.jpg", "a", ""), ("b/1.jpg", "b", "")}
    assert left_out(tmp_path) == {
        "a/notes.txt": "not a photo (.txt file)",
        "b/film.MP4": "not a photo (.MP4 file)",
        "README.md": "lies outside every class folder",
        "stray.jpg": "lies outside every class folder",
    }


@pytest.mark.parametrize("validation", ["validation", "val", "valid", "Val", "dev"])
def test_train_validation_and_test_folders(tmp_path, validation):
    lay(tmp_path, "train/a/1.jpg", "train/b/x/1.jpg", f"{validation}/a/2.jpg", f"{validation}/b/2.jpg",
        "Test/a/3.jpg", "Test/b/3.jpg")  # fmt: skip
    assert found(tmp_path) == {
        ("train/a/1.jpg", "a", "train"),
        ("train/b/x/1.jpg", "b", "train"),
        (f"{validation}/a/2.jpg", "a", "validation"),
        (f"{validation}/b/2.jpg", "b", "validation"),
        ("Test/a/3.jpg", "a", "test"),
        ("Test/b/3.jpg", "b", "test"),
    }


def test_what_lies_beside_the_splits_is_listed(tmp_path):
    lay(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "train/loose.jpg", "extra/a/9.jpg")
    assert len(found(tmp_path)) == 2
    assert left_out(tmp_path) == {
        "train/loose.jpg": "lies outside every class folder",
        "extra": "folder is none of train, validation, test",
    }


def test_a_class_may_be_called_test(tmp_path):
    lay(tmp_path, "test/1.jpg", "train/1.jpg", "tram/1.jpg")
    assert {label for _, label, _ in found(tmp_path)} == {"test", "train", "tram"}


def test_a_linked_class_folder_is_followed_and_a_loop_is_not(tmp_path):
    lay(tmp_path / "elsewhere", "1.jpg")
    lay(tmp_path / "photos", "a/1.jpg")
    (tmp_path / "photos" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "a" / "loop").symlink_to(tmp_path / "photos")
    assert found(tmp_path / "photos") == {("a/1.jpg", "a", ""), ("b/1.jpg", "b", "")}


def test_a_name_that_is_no_text_is_listed_not_a_crash(tmp_path):
    lay(tmp_path, "a/1.jpg", "b/1.jpg")
    try:
        with open(os.fsencode(tmp_path / "a") + b"/caf\xe9.jpg", "wb"):
            pass
    except OSError:
        pytest.skip("this file system has no such names")
    assert len(found(tmp_path)) == 2
    assert left_out(tmp_path) == {"a/caf?.jpg": "its name is no UTF-8 text; rename it"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "has no photos: put one folder per class"),
        (["1.jpg", "2.jpg"], "has no photos: put one folder per class"),
        (["a/1.jpg", "a/2.jpg"], "has one class only, 'a'"),
        (["a/1.jpg", "b/notes.txt"], "has one class only, 'a'"),
        (["a/1.txt", "b/1.txt"], "has no photos"),
    ],
)
def test_nothing_to_learn_from(tmp_path, files, words):
    with pytest.raises(InputError) as error:
        read_layout(lay(tmp_path, *files))
    one_sentence(error, tmp_path, words, "path,label")


def test_what_does_not_exist_and_what_is_no_folder(tmp_path):
    with pytest.raises(InputError) as error:
        read_layout(tmp_path / "typo")
    one_sentence(error, tmp_path / "typo", "does not exist: give the folder of your photos")
    lay(tmp_path, "a.jpg")
    with pytest.raises(InputError) as error:
        read_layout(tmp_path / "a.jpg")
    one_sentence(error, tmp_path / "a.jpg", "is a file, not a folder")


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    lay(tmp_path, "a/1.jpg", "b/1.jpg")
    whole = type(tmp_path).iterdir

    def closed(self):
        if self.name == "b":
            raise PermissionError(13, "Permission denied", str(self))
        return whole(self)

    monkeypatch.setattr(type(tmp_path), "iterdir", closed)
    with pytest.raises(InputError) as error:
        read_layout(tmp_path)
    one_sentence(error, "no permission to read the folder", tmp_path / "b")


# -- CSV ----------------------------------------------------------------------------------------------------


def write(tmp_path, text, encoding="utf-8"):
    lay(tmp_path, "photos/1.jpg", "photos/2.jpg", "photos/größe, 3.jpg")
    (tmp_path / "list.csv").write_text(text, encoding=encoding)
    return tmp_path / "list.csv"


def test_a_csv_without_split(tmp_path):
    file = write(tmp_path, 'path,label\nphotos/1.jpg,rose\n"photos/größe, 3.jpg", nan \n')
    root, table, _ = read_layout(file)
    assert root == tmp_path
    assert table.to_dict("list") == {
        "path": ["photos/1.jpg", "photos/größe, 3.jpg"],
        "label": ["rose", "nan"],
        "split": ["", ""],
    }


def test_a_csv_as_a_spreadsheet_saves_it(tmp_path):
    text = "Path , LABEL,extra,Split\r\nphotos/1.jpg,rose,,Train\r\nphotos/2.jpg,tulip,x,val\r\n"
    file = write(tmp_path, text, encoding="utf-8-sig")
    assert found(file) == {("photos/1.jpg", "rose", "train"), ("photos/2.jpg", "tulip", "validation")}


def test_a_csv_may_split_only_some(tmp_path):
    file = write(tmp_path, "path,label,split\nphotos/1.jpg,a,test\nphotos/2.jpg,b,\n")
    assert found(file) == {("photos/1.jpg", "a", "test"), ("photos/2.jpg", "b", "")}


def test_a_csv_may_lie_elsewhere_and_name_absolute_paths(tmp_path):
    lay(tmp_path / "photos", "1.jpg", "2.jpg")
    file = tmp_path / "lists" / "mine.CSV"
    file.parent.mkdir()
    file.write_text(f"path,label\n{tmp_path}/photos/1.jpg,a\n../photos/../photos/2.jpg,b\n")
    root, table, _ = read_layout(file)
    assert [(root / path).resolve() for path in table["path"]] == [
        tmp_path / "photos" / "1.jpg",
        tmp_path / "photos" / "2.jpg",
    ]


def test_a_line_given_twice_counts_once(tmp_path):
    file = write(tmp_path, "path,label\nphotos/1.jpg,a\n./photos/1.jpg,a\nphotos/2.jpg,b\n")
    assert found(file) == {("photos/1.jpg", "a", ""), ("photos/2.jpg", "b", "")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,label\nphotos/1.jpg,a\n", "has no column 'path' (it has file, label)"),
        ("path,class\nphotos/1.jpg,a\n", "has no column 'label'"),
        ("path;label\nphotos/1.jpg;a\n", "has no column 'path' (it has path;label)"),
        (
            "path,label\nphotos/1.jpg,a\nphotos/9.jpg,b\nphotos/8.jpg,b\n",
            "names 2 file(s) that are not there, first 'photos/9.jpg'",
        ),
        ("path,label\nphotos/1.jpg,a\nphotos/2.jpg,\n", "line 3: the label is empty"),
        ("path,label\nphotos/1.jpg,a\nphotos/2.jpg\n", "line 3: the label is empty"),
        ("path,label,split\nphotos/1.jpg,a,train\nphotos/2.jpg,b,trian\n", "line 3: split is 'trian': use train"),
        ("path,label\nphotos/1.jpg,a\nphotos/1.jpg,b\n", "gives 'photos/1.jpg' more than one label or split"),
        ("path,label\nphotos/1.jpg,a, big\nphotos/2.jpg,b, big\n", "can't be read as CSV"),
        ("path,label\nphotos/1.jpg,a\nphotos/2.jpg,b,big\n", "can't be read as CSV"),
        ("", "can't be read as CSV"),
        ("path,label\n", "has no photos"),
        ("path,label\nphotos/1.jpg,a\n", "has one class only"),
    ],
)  # fmt: skip
def test_a_csv_that_can_not_be_used(tmp_path, text, words):
    file = write(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_layout(file)
    one_sentence(error, file, words)


def test_a_csv_in_another_encoding(tmp_path):
    file = write(tmp_path, "path,label\nphotos/1.jpg,größe\n", encoding="latin-1")
    with pytest.raises(InputError) as error:
        read_layout(file)
    one_sentence(error, file, "save it as UTF-8 CSV")


# -- zip ----------------------------------------------------------------------------------------------------


def pack(file, *names, compression=zipfile.ZIP_DEFLATED, content=b"photo"):
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name in names:
            archive.writestr(name, content)
    return file


@pytest.mark.parametrize("wrapped", ["", "My photos/", "download/My photos/"])
def test_a_zip_of_class_folders_wrapped_or_not(tmp_path, wrapped):
    archive = pack(tmp_path / "p.zip", f"{wrapped}rose/1.jpg", f"{wrapped}tulip/2.jpg", "__MACOSX/rose/._1.jpg")
    inside = unpack(archive, tmp_path / "w" / "unpacked")
    assert found(inside) == {("rose/1.jpg", "rose", ""), ("tulip/2.jpg", "tulip", "")}


def test_a_zip_of_splits(tmp_path):
    archive = pack(tmp_path / "p.zip", "set/train/a/1.jpg", "set/train/b/1.jpg", "set/val/a/2.jpg", "set/val/b/2.jpg")
    assert found(unpack(archive, tmp_path / "u")) == {
        ("train/a/1.jpg", "a", "train"),
        ("train/b/1.jpg", "b", "train"),
        ("val/a/2.jpg", "a", "validation"),
        ("val/b/2.jpg", "b", "validation"),
    }


@pytest.mark.parametrize("folder", ["", "set/"])
@pytest.mark.parametrize("photos", ["", "images/"])
def test_a_zip_with_a_csv(tmp_path, folder, photos):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr(f"{folder}{photos}1.jpg", "")
        archive.writestr(f"{folder}{photos}2.jpg", "")
        archive.writestr(f"{folder}list.csv", f"path,label\n{photos}1.jpg,a\n{photos}2.jpg,b\n")
    assert found(unpack(tmp_path / "p.zip", tmp_path / "u")) == {
        (f"{photos}1.jpg", "a", ""),
        (f"{photos}2.jpg", "b", ""),
    }


def test_a_zip_is_unpacked_once(tmp_path):
    archive = pack(tmp_path / "p.zip", "a/1.jpg", "b/1.jpg")
    inside = unpack(archive, tmp_path / "u")
    archive.unlink()
    assert unpack(archive, tmp_path / "u") == inside


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.jpg",
        "a/../../escaped.jpg",
        "/tmp/escaped.jpg",
        "a\\..\\..\\escaped.jpg",
        "C:\\escaped.jpg",
        "c:/escaped.jpg",
    ],
)
def test_an_entry_that_leaves_the_folder_is_refused_and_nothing_is_written(tmp_path, name):
    archive = pack(tmp_path / "p.zip", "a/1.jpg", "b/1.jpg", name)
    (tmp_path / "w").mkdir()
    with pytest.raises(InputError) as error:
        unpack(archive, tmp_path / "w" / "unpacked")
    one_sentence(error, archive, "points outside its folder", "escaped.jpg")
    assert everything(tmp_path) == ["p.zip", "w"]


def test_a_link_in_a_zip_is_refused(tmp_path):
    archive = pack(tmp_path / "p.zip", "a/1.jpg", "b/1.jpg")
    link = zipfile.ZipInfo("a/link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(InputError) as error:
        unpack(archive, tmp_path / "unpacked")
    one_sentence(error, archive, "points outside its folder", "a/link.jpg")
    assert everything(tmp_path) == ["p.zip"]


def damage(archive, how):
    data = bytearray(archive.read_bytes())
    if how == "truncated":
        data = data[: len(data) // 2]
    elif how == "no zip":
        data = b"<html>not found</html>"
    elif how == "flipped":
        data[60:90] = bytes(255 - byte for byte in data[60:90])
    elif how == "password":  # the flag of an encrypted entry, in the local header and in the directory
        for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(mark) + offset] |= 1
    archive.write_bytes(data)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("how", ["truncated", "no zip", "flipped", "password"])
def test_a_damaged_zip_leaves_nothing_behind(tmp_path, how, compression):
    archive = pack(tmp_path / "p.zip", "a/1.jpg", "b/1.jpg", compression=compression, content=bytes(range(256)) * 8)
    damage(archive, how)
    (tmp_path / "w").mkdir()
    with pytest.raises(InputError) as error:
        unpack(archive, tmp_path / "w" / "unpacked")
    one_sentence(error, archive, "can't be unpacked", "make the zip again, without a password")
    assert everything(tmp_path) == ["p.zip", "w"]


def test_a_zip_that_does_not_fit_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    archive = pack(tmp_path / "p.zip", "a/1.jpg", "b/1.jpg", content=b"0" * 5_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 4_000_000})())
    with pytest.raises(InputError) as error:
        unpack(archive, tmp_path / "w" / "unpacked")
    one_sentence(error, archive, "unpacks to 0.0 GB", "free some space or choose a workspace on another disk")
    assert everything(tmp_path) == ["p.zip", "w"]


def test_a_zip_with_a_single_class_is_refused_with_its_layouts(tmp_path):
    inside = unpack(pack(tmp_path / "p.zip", "set/a/1.jpg"), tmp_path / "u")
    with pytest.raises(InputError, match="one class only"):
        read_layout(inside)


def test_the_tables_have_their_columns_even_when_empty(tmp_path):
    _, table, left = read_layout(lay(tmp_path, "a/1.jpg", "b/1.jpg"))
    assert list(table.columns) == ["path", "label", "split"]
    assert list(left.columns) == ["path", "label", "reason"]
    assert isinstance(left, pd.DataFrame)
    assert left.empty
