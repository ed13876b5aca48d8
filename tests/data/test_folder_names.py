"""Names of class folders, links to them, and folders that can't be read."""

import os
import unicodedata

import pytest

from cvtune_nb.data.read import read_layout
from cvtune_nb.errors import InputError
from tests.layouts import counts, found, lay, left_out, one_sentence

# -- names ----------------------------------------------------------------------------------------------------


def test_two_unicode_forms_of_a_name_are_one_class(tmp_path):
    for form, number in (("NFC", 1), ("NFD", 2)):
        lay(tmp_path, f"{unicodedata.normalize(form, 'crème brûlée')}/{number}.jpg")
    if len(os.listdir(tmp_path)) < 2:
        pytest.skip("this file system has one form only")
    lay(tmp_path, "b/1.jpg")
    assert counts(tmp_path) == {("b", ""): 1, ("crème brûlée", ""): 2}
    assert "two Unicode forms are one class" in read_layout(tmp_path).recognised


@pytest.mark.parametrize("twin", ["Cat", "CAT", " cat", "cat_", "_cat_"])
@pytest.mark.parametrize("part", ["", "train/"])
def test_spellings_of_one_name_are_refused_unless_asked_for(tmp_path, twin, part):
    lay(
        tmp_path,
        f"{part}cat/1.jpg",
        f"{part}dog/1.jpg",
        f"{part and 'test/'}{twin}/2.jpg",
        f"{part and 'test/'}dog/2.jpg",
    )
    if not (tmp_path / f"{part and 'test/'}{twin}" / "2.jpg").exists():
        pytest.skip("this file system has one spelling only")
    layout = "splits" if part else "classes"
    with pytest.raises(InputError) as error:
        read_layout(tmp_path)
    one_sentence(error, tmp_path, "'cat'", repr(twin), "give them one name", f"--layout {layout}")
    assert {label for _, label, _ in found(tmp_path, layout)} == {"cat", twin, "dog"}
    assert "are classes of their own" in read_layout(tmp_path, layout).recognised


# -- links and permissions ------------------------------------------------------------------------------------


def test_a_linked_class_folder_is_followed_and_a_loop_is_not(tmp_path):
    lay(tmp_path / "elsewhere", "1.jpg")
    lay(tmp_path / "photos", "a/1.jpg")
    (tmp_path / "photos" / "b").symlink_to(tmp_path / "elsewhere")
    for loop in ("a/loop", "up"):
        (tmp_path / "photos" / loop).symlink_to(tmp_path / "photos")
    assert found(tmp_path / "photos") == {("a/1.jpg", "a", ""), ("b/1.jpg", "b", "")}
    link = "a link to a folder, which is not followed; copy its photos here"
    assert left_out(tmp_path / "photos") == {"a/loop": link, "up": link}


def test_a_name_that_is_no_text_is_listed_not_a_crash(tmp_path):
    lay(tmp_path, "a/1.jpg", "b/1.jpg")
    try:
        with open(os.fsencode(tmp_path / "a") + b"/caf\xe9.jpg", "wb"):
            pass
    except OSError:
        pytest.skip("this file system has no such names")
    assert len(found(tmp_path)) == 2
    assert left_out(tmp_path) == {"a/caf?.jpg": "its name is no UTF-8 text; rename it"}


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    lay(tmp_path, "a/1.jpg", "b/1.jpg")
    whole = os.scandir

    def closed(path):
        if os.path.basename(path) == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(InputError) as error:
        read_layout(tmp_path)
    one_sentence(error, "no permission to read the folder", tmp_path / "b")
