import io
import os
import stat
import struct
import tarfile
import zipfile

import pytest

from cvtune_nb.data.archive import unpack
from cvtune_nb.data.read import read_layout
from cvtune_nb.errors import InputError
from tests.layouts import found, lay, left_out, one_sentence


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
    words = ("is locked with a password",) if how == "password" else ("damaged or incomplete", "download it again")
    one_sentence(error, archive, "can't be unpacked", *words)
    assert everything(tmp_path) == ["p.zip", "w"]


def test_a_zip_that_does_not_fit_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    archive = pack(tmp_path / "p.zip", "a/1.jpg", "b/1.jpg", content=b"0" * 5_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 4_000_000})())
    with pytest.raises(InputError) as error:
        unpack(archive, tmp_path / "w" / "unpacked")
    one_sentence(error, archive, "unpacks to 0.0 GB", "free some space or choose a workspace on another disk")
    assert everything(tmp_path) == ["p.zip", "w"]


# -- what programs write --------------------------------------------------------------------------------------


def rename(archive, names):
    """Put other bytes of the same length in the place of the names in a zip, without the flag of UTF-8."""
    data = archive.read_bytes()
    for old, new in names.items():
        assert len(old) == len(new)
        data = data.replace(old, new)
    archive.write_bytes(data)


@pytest.mark.parametrize("wrapped", ["", "My photos/", "photos\\"])
def test_backslashes_separate_folders(tmp_path, wrapped):
    archive = pack(tmp_path / "p.zip", f"{wrapped}rose\\1.jpg", f"{wrapped}tulip\\deep\\2.jpg")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(f"{wrapped}rose\\".replace("/", "\\"), "")
    assert found(unpack(archive, tmp_path / "u")) == {("rose/1.jpg", "rose", ""), ("tulip/deep/2.jpg", "tulip", "")}


def test_names_in_utf_8_that_do_not_say_so(tmp_path):
    names = {"größe/1.jpg".encode(): b"gr__________"[: len("größe/1.jpg".encode()) - 6] + b"/1.jpg"}
    archive = pack(tmp_path / "p.zip", *(short.decode() for short in names.values()), "b/1.jpg")
    rename(archive, {short: real for real, short in names.items()})
    assert {label for _, label, _ in found(unpack(archive, tmp_path / "u"))} == {"größe", "b"}


def test_the_unicode_name_beside_the_other_one_counts(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as opened:
        info = zipfile.ZipInfo("gr__e/1.jpg")
        real = "größe/1.jpg".encode()
        info.extra = struct.pack("<HHBI", 0x7075, 5 + len(real), 1, 0) + real
        opened.writestr(info, "photo")
        opened.writestr("b/1.jpg", "photo")
    rename(tmp_path / "p.zip", {b"gr__e": b"gr\xf6\xdfe"})
    assert {label for _, label, _ in found(unpack(tmp_path / "p.zip", tmp_path / "u"))} == {"größe", "b"}


@pytest.mark.parametrize(("method", "words"), [(93, "Zstandard"), (98, "PPMd"), (77, "method 77")])
def test_a_compression_that_can_not_be_read_is_named(tmp_path, method, words):
    archive = pack(tmp_path / "p.zip", "a/1.jpg", "b/1.jpg")
    data = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", data, data.index(mark) + offset, method)
    archive.write_bytes(data)
    with pytest.raises(InputError) as error:
        unpack(archive, tmp_path / "u")
    one_sentence(error, archive, f"a/1.jpg is compressed with {words}", "unpack it yourself and give the folder")
    assert everything(tmp_path) == ["p.zip"]


@pytest.mark.parametrize(("start", "words"), [(b"Rar!\x1a\7\1", "RAR"), (b"7z\xbc\xaf\x27\x1c", "7-Zip")])
def test_another_archive_called_zip_is_named(tmp_path, start, words):
    (tmp_path / "p.zip").write_bytes(start + bytes(100))
    with pytest.raises(InputError) as error:
        unpack(tmp_path / "p.zip", tmp_path / "u")
    one_sentence(error, tmp_path / "p.zip", f"is a {words} archive, despite its name", "unpack it")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name(tmp_path):
    archive = pack(tmp_path / "same.zip", "a/1.jpg", "b/1.jpg", "a/1.jpg", "./b/1.jpg")
    assert len(found(unpack(archive, tmp_path / "u"))) == 2
    for other in ("a/1.jpg", "a\\1.jpg", "a//1.jpg"):
        archive = pack(tmp_path / "p.zip", "a/1.jpg", "b/1.jpg")
        with zipfile.ZipFile(archive, "a") as opened:
            opened.writestr(other, "another photo")
        with pytest.raises(InputError) as error:
            unpack(archive, tmp_path / "v")
        one_sentence(error, archive, "two files called 'a/1.jpg'")
        assert not (tmp_path / "v").exists()


def test_entries_that_differ_in_capitals_are_both_there_or_refused(tmp_path):
    archive = pack(tmp_path / "p.zip", "a/IMG.jpg", "a/img.jpg", "b/1.jpg")
    lay(tmp_path, "capitals")
    if (tmp_path / "CAPITALS").exists():
        with pytest.raises(InputError, match="two entries that this disk takes for one"):
            unpack(archive, tmp_path / "u")
    else:
        assert len(found(unpack(archive, tmp_path / "u"))) == 3


def test_a_file_where_a_folder_must_be(tmp_path):
    archive = pack(tmp_path / "p.zip", "a/1.jpg", "a/1.jpg/2.jpg", "b/1.jpg")
    with pytest.raises(InputError, match="two entries that this disk takes for one"):
        unpack(archive, tmp_path / "w" / "u")
    assert everything(tmp_path) == ["p.zip", "w"]


def test_a_leftover_that_was_not_unpacked_to_the_end_never_counts(tmp_path):
    archive = pack(tmp_path / "p.zip", "a/1.jpg", "b/1.jpg")
    lay(tmp_path, "u/a/1.jpg", "u/c/9.jpg", "u.partial/d/9.jpg")
    assert found(unpack(archive, tmp_path / "u")) == {("a/1.jpg", "a", ""), ("b/1.jpg", "b", "")}
    assert not (tmp_path / "u.partial").exists()


# -- archives in archives -------------------------------------------------------------------------------------


def test_a_zip_in_a_zip_and_several_side_by_side(tmp_path):
    inner = pack(tmp_path / "photos.zip", "rose/1.jpg", "tulip/2.jpg")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as opened:
        opened.write(inner, "download/photos.zip")
        opened.writestr("download/license.txt", "free")
    assert {row[1] for row in found(unpack(tmp_path / "p.zip", tmp_path / "u"))} == {"rose", "tulip"}
    with zipfile.ZipFile(tmp_path / "q.zip", "w") as opened:
        for part in ("train", "test"):
            opened.write(pack(tmp_path / f"{part}.zip", f"{part}/rose/1.jpg", f"{part}/tulip/2.jpg"), f"{part}.zip")
    assert {row[1:] for row in found(unpack(tmp_path / "q.zip", tmp_path / "v"))} == {
        (label, part) for label in ("rose", "tulip") for part in ("train", "test")
    }


def test_what_lies_in_a_zip_in_a_zip_is_looked_at_too(tmp_path):
    cases = {"../../escaped.jpg": "points outside its folder", "c/inner.zip": "has no photos, but 'inner.zip'"}
    for name, words in cases.items():
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as opened:
            opened.write(pack(tmp_path / "photos.zip", name), "photos.zip")
        with pytest.raises(InputError, match=words):
            read_layout(unpack(tmp_path / "p.zip", tmp_path / f"u{len(name)}"))
    assert not (tmp_path.parent / "escaped.jpg").exists()


def test_a_bomb_in_a_zip_in_a_zip_is_refused(tmp_path, monkeypatch):
    inner = pack(tmp_path / "photos.zip", "a/1.jpg", "b/1.jpg", content=b"0" * 5_000_000)
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as opened:
        opened.write(inner, "photos.zip")
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 4_000_000})())
    with pytest.raises(InputError, match=r"photos.zip in .*p.zip unpacks to 0.0 GB"):
        unpack(tmp_path / "p.zip", tmp_path / "u")
    assert everything(tmp_path) == ["p.zip", "photos.zip"]


def test_archives_side_by_side_share_the_room_there_is(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as opened:
        for name in ("a", "b"):
            opened.write(pack(tmp_path / f"{name}.zip", f"{name}/1.jpg", content=b"0" * 5_000_000), f"{name}.zip")
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 8_000_000})())
    with pytest.raises(InputError, match=r"b.zip in .*p.zip unpacks to 0.0 GB"):
        unpack(tmp_path / "p.zip", tmp_path / "u")


def test_an_archive_beside_photos_is_left_out(tmp_path):
    inner = pack(tmp_path / "backup.zip", "rose/1.jpg")
    archive = pack(tmp_path / "p.zip", "rose/1.jpg", "tulip/2.jpg")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.write(inner, "rose/backup.zip")
    assert left_out(unpack(archive, tmp_path / "u")) == {"rose/backup.zip": "not a photo (.zip file)"}


# -- tar ------------------------------------------------------------------------------------------------------


def tar(file, *names, mode="w", members=()):
    with tarfile.open(file, mode) as opened:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 5
            opened.addfile(info, io.BytesIO(b"photo"))
        for member in members:
            opened.addfile(member)
    return file


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("p.tar", "w"),
        ("p.tar.gz", "w:gz"),
        ("p.TGZ", "w:gz"),
        ("p.tar.bz2", "w:bz2"),
        ("p.tar.xz", "w:xz"),
        ("p.zip", "w:gz"),
    ],
)
def test_a_tar_whatever_it_is_compressed_with(tmp_path, name, mode):
    archive = tar(tmp_path / name, "./set/rose/1.jpg", "./set/tulip/größe.jpg", mode=mode)
    assert found(unpack(archive, tmp_path / "u")) == {("rose/1.jpg", "rose", ""), ("tulip/größe.jpg", "tulip", "")}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    member = tarfile.TarInfo("a/odd.jpg")
    member.type, member.linkname = kind, "1.jpg"
    archive = tar(tmp_path / "p.tar", "a/1.jpg", "b/1.jpg", members=[member])
    with pytest.raises(InputError) as error:
        unpack(archive, tmp_path / "u")
    one_sentence(error, archive, "a/odd.jpg", "without links")
    assert everything(tmp_path) == ["p.tar"]


@pytest.mark.parametrize("name", ["../escaped.jpg", "/tmp/escaped.jpg", "a/../../escaped.jpg"])
def test_an_entry_of_a_tar_that_leaves_the_folder(tmp_path, name):
    archive = tar(tmp_path / "p.tar.gz", "a/1.jpg", name, mode="w:gz")
    with pytest.raises(InputError) as error:
        unpack(archive, tmp_path / "u")
    one_sentence(error, archive, "points outside its folder", "escaped.jpg")
    assert everything(tmp_path) == ["p.tar.gz"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("how", ["truncated", "flipped"])
def test_a_damaged_tar_leaves_nothing_behind(tmp_path, mode, how):
    archive = tar(
        tmp_path / f"p.tar{mode[1:].replace(':', '.')}", "a/1.jpg", *(f"b/{n}.jpg" for n in range(300)), mode=mode
    )
    data = bytearray(archive.read_bytes())
    half = len(data) // 2 // 512 * 512
    archive.write_bytes(
        data[: half + 300] if how == "truncated" else data[:half] + os.urandom(200) + data[half + 200 :]
    )
    with pytest.raises(InputError) as error:
        unpack(archive, tmp_path / "u")
    one_sentence(error, archive, "can't be unpacked", "damaged or incomplete")
    assert everything(tmp_path) == [archive.name]
