"""Photos that can't be used, through the command line: one sentence says what, where and what to do, the exit status is
2, and nothing that the person made is touched."""

import csv
import json
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from cvtune_nb import cli
from tests.calling import SMALL, fingerprint, refused


def empty(folder: Path) -> Path:
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


def missing(folder: Path) -> Path:
    return folder / "nowhere"


def a_file(folder: Path) -> Path:
    (folder / "letter.txt").write_text("dear")
    return folder / "letter.txt"


def one_class(folder: Path) -> Path:
    shutil.rmtree(folder / "dog")
    return folder


def one_photo(folder: Path) -> Path:
    for path in sorted((folder / "dog").iterdir())[1:]:
        path.unlink()
    return folder


def the_same_photo(folder: Path) -> Path:
    """Both classes hold one photo, the same."""
    for path in sorted((folder / "dog").iterdir()):
        path.unlink()
    for path in sorted((folder / "cat").iterdir())[1:]:
        path.unlink()
    shutil.copy(folder / "cat" / "cat-000.jpg", folder / "dog" / "hound.jpg")
    return folder


def only_copies(folder: Path) -> Path:
    """Every photo of one class lies in the other one, too."""
    shutil.rmtree(folder / "dog")
    shutil.copytree(folder / "cat", folder / "dog")
    return folder


def no_photos_inside(folder: Path) -> Path:
    for path in folder.rglob("*.jpg"):
        path.write_text("<html>not found</html>")
    return folder


def sheet(folder: Path, *rows: tuple) -> Path:
    with open(folder / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "labels.csv"


def missing_files(folder: Path) -> Path:
    return sheet(folder, ("path", "label"), ("cat/cat-000.jpg", "cat"), ("dog/gone.jpg", "dog"))


def missing_column(folder: Path) -> Path:
    return sheet(folder, ("path", "kind"), ("cat/cat-000.jpg", "cat"), ("dog/dog-000.jpg", "dog"))


def no_rows(folder: Path) -> Path:
    return sheet(folder, ("path", "label"))


def wrong_split(folder: Path) -> Path:
    return sheet(folder, ("path", "label", "split"), ("cat/cat-000.jpg", "cat", "holdout"))


def two_labels(folder: Path) -> Path:
    rows = [(f"{name}/{name}-00{number}.jpg", name) for name in ("cat", "dog") for number in range(6)]
    return sheet(folder, ("path", "label"), *rows, ("cat/cat-000.jpg", "dog"))


def zipped(folder: Path, extra: str = "", link: bool = False) -> Path:
    archive = folder / "photos.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*.jpg")):
            opened.write(path, path.relative_to(folder))
        if extra:
            entry = zipfile.ZipInfo(extra)
            if link:
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            opened.writestr(entry, "/etc/passwd")
    return archive


def climbing_zip(folder: Path) -> Path:
    return zipped(folder, "cat/../../../escaped.jpg")


def absolute_zip(folder: Path) -> Path:
    return zipped(folder, "/tmp/cvtune-escaped.jpg")


def windows_zip(folder: Path) -> Path:
    return zipped(folder, "..\\escaped.jpg")


def linking_zip(folder: Path) -> Path:
    return zipped(folder, "cat/link.jpg", link=True)


def half_a_zip(folder: Path) -> Path:
    archive = zipped(folder)
    archive.write_bytes(archive.read_bytes()[:2000])
    return archive


SPOILED = [
    (empty, "no photos", "photos"),
    (missing, "does not exist", "nowhere"),
    (a_file, "is a file", "letter.txt"),
    (one_class, "one class only", "'cat'"),
    (one_photo, "class 'dog' has only 1", "dog/dog-000.jpg"),
    (the_same_photo, "another class", "cat"),
    (only_copies, "another class", "cat"),
    (no_photos_inside, "none of the 12 files", "a web page"),
    (missing_files, "not there", "gone.jpg"),
    (missing_column, "no column 'label'", "labels.csv"),
    (no_rows, "no photos", "labels.csv"),
    (wrong_split, "holdout", "labels.csv line 2"),
    (two_labels, "more than one label", "cat/cat-000.jpg"),
    (climbing_zip, "outside its folder", "../../../escaped.jpg"),
    (absolute_zip, "outside its folder", "/tmp/cvtune-escaped.jpg"),
    (windows_zip, "outside its folder", "escaped.jpg"),
    (linking_zip, "outside its folder", "cat/link.jpg"),
    (half_a_zip, "can't be unpacked", "photos.zip"),
]
"""How the photos are spoiled, what is said about it and where."""


@pytest.mark.parametrize(("spoil", "what", "where"), SPOILED, ids=lambda value: getattr(value, "__name__", ""))
def test_spoiled_photos(photos, workspace, spoil, what, where, tmp_path, capsys):
    data = spoil(photos)
    before = fingerprint(photos)
    words = refused(capsys, "baseline", "--data", data, "--workspace", workspace, *SMALL, "--json")
    assert what in words
    assert where in words
    assert any(marker in words for marker in (": ", "; ")), "it says what to do"
    assert fingerprint(photos) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"photos", "workspace"}, "nothing escaped"
    assert not Path("/tmp/cvtune-escaped.jpg").exists()


def test_a_photo_in_two_classes_is_left_out_with_a_warning(photos, workspace, capsys):
    shutil.copy(photos / "cat" / "cat-000.jpg", photos / "dog" / "hound.jpg")
    before = fingerprint(photos)
    assert cli.main(["baseline", "--data", str(photos), "--workspace", str(workspace), *SMALL, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["validation_accuracy"] > 0
    assert "2 photos lie in two classes" in err
    assert "cat/cat-000.jpg" in err
    assert fingerprint(photos) == before


def test_a_broken_photo_is_left_out_with_its_reason(photos, workspace, capsys):
    (photos / "dog" / "zero.jpg").touch()
    (photos / "dog" / "page.jpg").write_text("<!doctype html>")
    assert cli.main(["baseline", "--data", str(photos), "--workspace", str(workspace), *SMALL, "--json"]) == 0
    assert "files left out: 2," in capsys.readouterr().err
    listed = (workspace / "skipped.csv").read_text()
    assert "dog/zero.jpg,dog,the file is empty" in listed
    assert "a web page" in listed


@pytest.mark.parametrize("label", ["hot dog", "käse & wein", "犬", "<script>alert(1)</script>".replace("/", "∕"), "-x"])
def test_labels_with_spaces_unicode_and_html_are_labels(photos, workspace, label, capsys):
    (photos / "dog").rename(photos / label)
    assert cli.main(["baseline", "--data", str(photos), "--workspace", str(workspace), *SMALL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["label"] for row in found["per_class"]] == sorted(["cat", label])
