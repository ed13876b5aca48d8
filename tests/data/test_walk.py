"""One walk through folders: every file is a photo, or named with its reason."""

import os
import socket

import pytest

from cvtune_nb.data import walk
from cvtune_nb.data.walk import entries, files_below, is_system, no_photo, photos_in, shown


def put(root, *names, content=b"x"):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def inside(root, paths):
    return [os.path.relpath(path, root) for path in paths]


@pytest.mark.parametrize(
    "name",
    [
        "@eaDir",
        "@EADIR",
        "#recycle",
        "#Recycle",
        "#snapshot",
        "@Recycle",
        "@Recently-Snapshot",
        "@tmp",
        "@__thumb",
        "$RECYCLE.BIN",
        "$Recycle.Bin",
        "RECYCLER",
        "RECYCLED",
        "System Volume Information",
        "FOUND.000",
        "found.012",
        "lost+found",
        "__MACOSX",
        "Network Trash Folder",
        "Temporary Items",
        "~snapshot",
        "__pycache__",
    ],
)
def test_what_systems_make_is_passed_over(tmp_path, name):
    put(tmp_path, "a.jpg", f"{name}/x.jpg", f"rose/{name}/deeper/x.jpg", "rose/b.jpg")
    photos, left_out = photos_in([tmp_path])
    assert inside(tmp_path, photos) == ["a.jpg", "rose/b.jpg"]
    assert left_out == [(str(tmp_path / name), walk.SYSTEM), (str(tmp_path / "rose" / name), walk.SYSTEM)]


@pytest.mark.parametrize(
    "name",
    [
        "found",
        "found.1",
        "founder.000",
        "recycle",
        "recycle bin",
        "lost",
        "eaDir",
        "snapshot",
        "system",
        "tmp",
        "macosx",
        "thumbs",
        "temporary",
        "#1",
        "@home",
        "$100",
        "~a",
        "__init__",
        "trash",
    ],
)
def test_what_only_sounds_so_is_a_folder_like_others(tmp_path, name):
    put(tmp_path, f"{name}/x.jpg")
    assert not is_system(name)
    assert inside(tmp_path, photos_in([tmp_path])[0]) == [f"{name}/x.jpg"]


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints/x.jpg",
        ".thumbnails/x.jpg",
        ".git/objects/ab/x",
        ".Trash/x.jpg",
        ".hidden.jpg",
        ".x",
        ".@__thumb/x.jpg",
        ".dropbox.cache/x.jpg",
    ],
)
def test_what_is_hidden_is_passed_over_and_counted(tmp_path, name):
    put(tmp_path, "a.jpg", name)
    photos, left_out = photos_in([tmp_path])
    assert inside(tmp_path, photos) == ["a.jpg"]
    assert left_out == [(str(tmp_path / name.split("/")[0]), walk.HIDDEN)]


@pytest.mark.parametrize(
    "name",
    [
        "Thumbs.db",
        "thumbs.db",
        "ehthumbs.db",
        "Desktop.ini",
        ".DS_Store",
        "._a.jpg",
        "._",
        "Icon\r",
        ".directory",
        "Picasa.ini",
        ".picasa.ini",
        ".localized",
        ".nomedia",
        ".gitkeep",
        ".gitignore",
        ".unpacked.json",
    ],
)
def test_what_systems_put_beside_photos_is_not_worth_a_word(tmp_path, name):
    put(tmp_path, "a.jpg", name, f"rose/{name}")
    assert photos_in([tmp_path]) == ([str(tmp_path / "a.jpg")], [])


def test_a_folder_may_begin_like_a_resource_fork(tmp_path):
    put(tmp_path, "._odd/x.jpg")
    assert photos_in([tmp_path]) == ([], [(str(tmp_path / "._odd"), walk.HIDDEN)])


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg",
        "a.JPG",
        "a",
        "007",
        "IMG_1.HEIC",
        "a.cr2",
        "a.dng",
        "a.psd",
        "a.svg",
        "a.jpg.bak",
        "a.tmp",
        "a.b.c",
        "a.jpeg2",
        "a.jfif",
        "a.tif",
        "no extension at all",
        "photo.",
        "ü.jpg",
        "\N{ROSE}.jpg",
        "a.jp2",
        "a.avif",
        "-a.jpg",
        "a.txt.jpg",
        "CON",
        "a b.jpg",
        "a\nb.jpg",
    ],
)
def test_what_may_be_a_photo_is_one_whatever_its_extension(tmp_path, name):
    put(tmp_path, f"rose/{name}")
    assert photos_in([tmp_path]) == ([str(tmp_path / "rose" / name)], [])


@pytest.mark.parametrize(
    "name",
    [
        "labels.csv",
        "LABELS.CSV",
        "notes.txt",
        "a.xml",
        "a.json",
        "data.yaml",
        "obj.names",
        "a.npy",
        "a.zip",
        "a.tar.gz",
        "a.mp4",
        "a.MOV",
        "a.pdf",
        "a.xlsx",
        "a.py",
        "a.ipynb",
        "a.pt",
        "a.onnx",
        "a.safetensors",
        "a.h5",
        "a.xmp",
        "a.AAE",
        "a.docx",
        "a.rar",
        "a.7z",
        "a.parquet",
        "a.tfrecord",
        "a.db",
        "a.log",
        "a.md",
        "a.html",
    ],
)
def test_what_is_no_photo_is_named(tmp_path, name):
    put(tmp_path, "a.jpg", f"rose/{name}")
    photos, left_out = photos_in([tmp_path])
    assert inside(tmp_path, photos) == ["a.jpg"]
    assert left_out == [(str(tmp_path / "rose" / name), f"not a photo (.{name.rsplit('.', 1)[1]} file)")]


def test_a_file_that_is_named_itself_is_kept_whatever_it_is(tmp_path):
    put(tmp_path, ".hidden.jpg", "a.txt", "@eaDir/x.jpg")
    named = [str(tmp_path / name) for name in (".hidden.jpg", "a.txt", "@eaDir/x.jpg", "gone.jpg")]
    assert photos_in(named) == (named, [])
    assert photos_in([tmp_path / "@eaDir"]) == ([str(tmp_path / "@eaDir" / "x.jpg")], [])


def test_the_order_is_that_of_names_and_each_folder_comes_once(tmp_path):
    put(tmp_path, "b/2.jpg", "b/10.jpg", "b/a/1.jpg", "a/z.jpg", "c.jpg", "A.jpg")
    assert inside(tmp_path, photos_in([tmp_path])[0]) == [
        "A.jpg",
        "c.jpg",
        "a/z.jpg",
        "b/10.jpg",
        "b/2.jpg",
        "b/a/1.jpg",
    ]
    folders, files, left_out = entries(tmp_path)
    assert [path.name for path in folders] == ["a", "b"] and [path.name for path in files] == ["A.jpg", "c.jpg"]
    assert left_out == []


def test_several_folders_and_files_keep_their_order(tmp_path):
    put(tmp_path, "b/1.jpg", "a/1.jpg", "a/notes.txt", "c.jpg")
    photos, left_out = photos_in([tmp_path / "b", tmp_path / "c.jpg", str(tmp_path / "a")])
    assert inside(tmp_path, photos) == ["b/1.jpg", "c.jpg", "a/1.jpg"]
    assert left_out == [(str(tmp_path / "a" / "notes.txt"), "not a photo (.txt file)")]
    assert photos_in([]) == ([], [])


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_links_are_followed_to_files_only(tmp_path):
    put(tmp_path, "rose/a.jpg", "notes.txt")
    for name, target in {
        "b.jpg": "rose/a.jpg",
        "gone.jpg": "nowhere.jpg",
        "loop.jpg": "loop.jpg",
        "back": ".",
        "rose/up": "..",
        "text.jpg": "notes.txt",
    }.items():
        (tmp_path / name).symlink_to(target)
    photos, left_out = photos_in([tmp_path])
    assert inside(tmp_path, photos) == ["b.jpg", "text.jpg", "rose/a.jpg"]
    assert {os.path.relpath(path, tmp_path): reason for path, reason in left_out} == {
        "back": walk.LINK,
        "rose/up": walk.LINK,
        "gone.jpg": walk.BROKEN_LINK,
        "loop.jpg": walk.BROKEN_LINK,
        "notes.txt": "not a photo (.txt file)",
    }
    (tmp_path / "elsewhere").symlink_to(tmp_path / "rose")
    assert inside(tmp_path, photos_in([tmp_path / "elsewhere"])[0]) == ["elsewhere/a.jpg"], "it was named itself"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_sockets_are_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.jpg")
    assert photos_in([tmp_path]) == (
        [],
        [(str(tmp_path / name), "a pipe, socket or device; delete it") for name in ("pipe.jpg", "socket.jpg")],
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(13, "Permission denied"), walk.LOCKED),
        (FileNotFoundError(2, "No such file or directory"), "can't be listed (No such file or directory)"),
        (OSError(5, "Input/output error"), "can't be listed (Input/output error)"),
    ],
)
def test_a_folder_that_can_not_be_listed_is_named(tmp_path, monkeypatch, error, reason):
    put(tmp_path, "a.jpg", "bad/x.jpg", "z/b.jpg")
    scandir = os.scandir

    def listed(folder):
        if str(folder).endswith("bad"):
            raise error
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", listed)
    photos, left_out = photos_in([tmp_path])
    assert inside(tmp_path, photos) == ["a.jpg", "z/b.jpg"]
    assert left_out == [(str(tmp_path / "bad"), reason)]


def test_a_file_that_can_not_be_looked_at_is_named(tmp_path, monkeypatch):
    put(tmp_path, "a.jpg")

    def refuse(_, **named):
        raise PermissionError

    monkeypatch.setattr(type(tmp_path), "stat", refuse)
    assert no_photo(tmp_path / "a.jpg") == walk.LOCKED


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_can_be_written_down(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        (tmp_path / name).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes text only")
    assert photos_in([tmp_path]) == ([], [(str(tmp_path / "caf?.jpg"), "its name is no UTF-8 text; rename it")])
    assert shown(name) == "caf?.jpg"


def test_folders_may_lie_deeper_than_pythons_stack(tmp_path):
    deep = tmp_path
    for _ in range(1_500):
        try:
            os.mkdir(deep / "d")
        except OSError:  # the path is as long as this system takes
            break
        deep = deep / "d"
    put(tmp_path, "a.jpg")
    (deep / "b").write_bytes(b"x")
    try:
        assert len(files_below(tmp_path)[0]) == 2
    finally:
        (deep / "b").unlink()
        os.removedirs(deep)  # pytest can't


def test_a_file_that_vanishes_meanwhile_is_named(tmp_path):
    assert no_photo(tmp_path / "gone.jpg") == "the file is gone"
