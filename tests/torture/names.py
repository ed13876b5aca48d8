"""Odd names, what is no file at all, and what file managers put there."""

import os
import socket
import unicodedata
from pathlib import Path

from tests.torture.kinds import LOSSY, jpeg, left_out, passed_over, picture, read

# -- names --------------------------------------------------------------------------------------------------

NAMES = {
    "name with spaces": "two  words .jpg",
    "name with a space first": " first.jpg",
    "name in NFC": unicodedata.normalize("NFC", "größe.jpg"),
    "name in NFD": unicodedata.normalize("NFD", "größe.jpg"),
    "name in Japanese": "薔薇.jpg",
    "name with an emoji": "🌹.jpg",
    "name written right to left": "\u202egpj.hcta\u202c.jpg",
    "name with a line feed": "two\nlines.jpg",
    "name with a carriage return": "two\rlines.jpg",
    "name with a tab": "a\ttab.jpg",
    "name with an escape sequence": "\x1b[31mred.jpg",
    "name with a comma": "one, two.jpg",
    "name with quotes": "\"a\" 'b'.jpg",
    "name with HTML": "<img src=x onerror=alert(1)>.jpg",
    "name with a formula": "=1+1.jpg",
    "name with a percent sign": "100%d{}.jpg",
    "name with a hash and a question mark": "a#b?c.jpg",
    "name with a backslash": "a\\b.jpg",
    "name with a leading dash": "--help.jpg",
    "name that is nan": "nan",
    "name that is a number": "007",
    "name of 250 bytes": "long" * 61 + "en.jpg",
    "extension in upper case": "UPPER.JPG",
    "extension JPEG": "long.JPEG",
    "extension jfif": "windows.jfif",
    "no extension": "photo",
    "extension of another format": "really-a-jpeg.png",
    "extension of nothing known": "photo.2021-05-01",
}
for _name, _file in NAMES.items():
    _picture = picture()
    read(_name, _file, _picture, jpeg(_picture), LOSSY)


def _in_folder(path: Path) -> None:
    path.mkdir()
    (path / "inside.jpg").write_bytes(ALBUM)


_picture = picture()
ALBUM = jpeg(_picture)
read("folder named like a photo", "album.jpg", _picture, _in_folder, LOSSY, found="album.jpg/inside.jpg")

_picture = picture()
LINKED = jpeg(_picture)


def _linked(path: Path) -> None:
    target = path.parent.parent.parent / "elsewhere.jpg"
    target.write_bytes(LINKED)
    path.symlink_to(target)


read("link to a photo", "link.jpg", _picture, _linked, LOSSY)
left_out("name that is no UTF-8", b"caf\xe9.jpg", jpeg(), "its name is no UTF-8 text", "rename it")

# -- no file at all -----------------------------------------------------------------------------------------


def _socket(path: Path) -> None:
    before = os.getcwd()
    os.chdir(path.parent)  # a socket's address holds no long path
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


left_out("link to nothing", "gone.jpg", lambda path: path.symlink_to("nowhere.jpg"), "link to nothing", "mend the link")
left_out("link to itself", "loop.jpg", lambda path: path.symlink_to("loop.jpg"), "link to nothing", "mend the link")
left_out("link to a folder", "back", lambda path: path.symlink_to(".."), "link to a folder", "copy its photos here")
left_out("pipe", "pipe.jpg", os.mkfifo, "a pipe, socket or device", "delete it")
left_out("socket", "socket.jpg", _socket, "a pipe, socket or device", "delete it")


def _locked(path: Path) -> None:
    path.write_bytes(LOCKED)
    path.chmod(0)


_picture = picture()
LOCKED = jpeg(_picture)
if os.geteuid() == 0:  # root may read everything
    read("no permission", "locked.jpg", _picture, _locked, LOSSY)
else:
    left_out("no permission", "locked.jpg", _locked, "no permission to read it", "change its permissions")

# -- what file managers put there ---------------------------------------------------------------------------

passed_over("macOS folder view", ".DS_Store", b"\0\0\0\1Bud1" + bytes(40))
passed_over("macOS resource fork", "._photo.jpg", b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(40))
passed_over("macOS folder icon", "Icon\r", b"")
passed_over("Windows thumbnails", "Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40))
passed_over("Windows folder view", "desktop.ini", b"[.ShellClassInfo]")
left_out("hidden file", ".hidden.jpg", jpeg(), "hidden", "")
