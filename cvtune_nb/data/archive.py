"""Photos in a zip or tar: unpacked once, into a folder of the workspace, and nowhere else."""

import contextlib
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from stream_inflate import StreamInflateError, stream_inflate64

from cvtune_nb.data import walk
from cvtune_nb.errors import InputError
from cvtune_nb.files import write_json

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
ARCHIVES = (".zip", *TARS)
OTHERS = (".rar", ".7z", ".gz", ".bz2", ".xz", ".zst", ".tar.zst", ".cab", ".iso", ".dmg")
"""Archives that people have and that are not read here."""

LARGEST = 200e9
"""Bytes an archive may unpack to; more is refused as a bomb unless the disk's free space already refused it."""

DEFLATE64 = 9
"""How Windows compresses large files in a zip; Python's zipfile can't read it."""

METHODS = {
    1: "Shrink",
    6: "Implode",
    20: "Zstandard",
    93: "Zstandard",
    94: "MP3",
    95: "XZ",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
}
"""What zips can be compressed with that can't be read here, by number."""

DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    StreamInflateError,
    EOFError,
    struct.error,
    RuntimeError,
)
"""What is raised for archives that can't be read to the end."""

MARKER = ".unpacked.json"
"""In a folder that was unpacked to the end; without it the folder counts for nothing."""


@dataclass(frozen=True)
class Entry:
    """A file in an archive and how to read it.

    Attributes
    ----------
    name
        With forward slashes.
    size
        Bytes.
    checksum
        "" where there is none.
    """

    name: str
    size: int
    checksum: str
    open: Callable[[], IO[bytes] | io.RawIOBase]


def is_archive(name: str | Path) -> bool:
    """Whether a file is called like an archive that can be unpacked here."""
    return str(name).lower().endswith(ARCHIVES)


def unpack(archive: Path, into: Path) -> Path:
    """Unpack an archive of photos into the new folder `into`, once; returns the folder in which the layout starts.

    Archives inside it are unpacked too, one level deep, where no photos lie beside them. No entry may leave the folder:
    absolute paths, `..`, links and devices are refused before anything is written.

    Raises InputError for these, for two files of one name, for what is damaged, encrypted or compressed in a way that
    can't be read, and for what needs more room than the disk has.
    """
    archive = Path(archive)
    if not (into / MARKER).exists():
        partial = into.with_name(into.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        into.parent.mkdir(parents=True, exist_ok=True)
        room = min(shutil.disk_usage(into.parent).free * 0.95, LARGEST)
        try:
            names, size = _unpack_one(archive, str(archive), partial, room)
            inner = [name for name in names if is_archive(name)]
            if inner and len(inner) == len([name for name in names if is_archive(name) or _may_be_photo(name)]):
                _unpack_inner(archive, partial, inner, room - size)
            write_json(partial / MARKER, {"zip": str(archive)})
            shutil.rmtree(into, ignore_errors=True)
            partial.rename(into)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return _start(into)


def _unpack_inner(archive: Path, folder: Path, inner: list[str], room: float) -> None:
    """Replace each archive in `folder` by a folder of its name with what is in it."""
    targets = {name: folder / _stem(name) for name in inner}
    for name, target in targets.items():
        if target.exists() or list(targets.values()).count(target) > 1:
            raise InputError(
                f"{archive} holds {name} and something else called {_stem(name)}: unpack it yourself, and give the "
                "folder"
            )
    for name, target in targets.items():
        _, size = _unpack_one(folder / name, f"{name} in {archive}", target, room)
        (folder / name).unlink()
        room -= size


def _unpack_one(file: Path, called: str, into: Path, room: float) -> tuple[list[str], int]:
    """Write the files in an archive below `into`; returns their names and how many bytes they have."""
    try:
        with _entries(file, called) as entries:
            kept = _require_safe(entries, called, room, into)
            into.mkdir(parents=True, exist_ok=True)
            for entry in kept:
                target = into / entry.name
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with entry.open() as source, open(target, "xb") as sink:
                        shutil.copyfileobj(source, sink, 1 << 20)
                except (FileExistsError, NotADirectoryError, IsADirectoryError):
                    raise InputError(
                        f"{called} has two entries that this disk takes for one, {walk.shown(entry.name)!r}: rename "
                        "one of them and make it again"
                    ) from None
            return [entry.name for entry in kept], sum(entry.size for entry in kept)
    except DAMAGED as error:
        raise _damaged(called, str(error)) from None
    except OSError as error:
        if error.errno is None:  # what bz2 and gzip raise for damaged data
            raise _damaged(called, str(error)) from None
        raise


def _damaged(called: str, why: str) -> InputError:
    return InputError(
        f"{called} can't be unpacked ({why or 'it ends in the middle'}): it is damaged or incomplete; copy or download "
        "it again"
    )


def _require_safe(entries: list[Entry], called: str, room: float, into: Path) -> list[Entry]:
    """The entries to be written, each name once. Raises InputError for what must not be written."""
    known: dict[str, Entry] = {}
    for entry in entries:
        parts = PurePosixPath(entry.name).parts or ("",)
        if PurePosixPath(entry.name).is_absolute() or ".." in parts or ":" in parts[0]:
            raise _escape(called, entry.name)
        name = "/".join(parts)
        same = known.setdefault(name, entry)
        if same is not entry and (same.size, same.checksum) != (entry.size, entry.checksum or None):
            raise InputError(
                f"{called} has two files called {walk.shown(name)!r}: rename one of them and make it again"
            )
    size = sum(entry.size for entry in known.values())
    if size > room:
        raise InputError(
            f"{called} unpacks to {size / 1e9:.1f} GB, and {into.parent} has room for {room / 1e9:.1f} GB: free some "
            "space or choose a workspace on another disk"
        )
    return [Entry(name, entry.size, entry.checksum, entry.open) for name, entry in known.items()]


def _escape(called: str, name: str) -> InputError:
    return InputError(
        f"{called} has an entry that points outside its folder, {walk.shown(name)!r}: make it again from the photo "
        "folder itself, without links"
    )


# -- the two formats ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _entries(file: Path, called: str) -> Iterator[list[Entry]]:
    """The files in an archive, which stays open meanwhile."""
    with contextlib.ExitStack() as stack:
        if file.name.lower().endswith(TARS) and tarfile.is_tarfile(file):
            yield _of_tar(stack.enter_context(tarfile.open(file)), called)
        elif zipfile.is_zipfile(file):
            yield _of_zip(stack.enter_context(zipfile.ZipFile(file)), called)
        elif tarfile.is_tarfile(file):
            yield _of_tar(stack.enter_context(tarfile.open(file)), called)
        else:
            raise _no_archive(file, called)


def _no_archive(file: Path, called: str) -> InputError:
    with open(file, "rb") as opened:
        start = opened.read(4)
    for begin, kind in ((b"Rar!", "RAR"), (b"7z\xbc\xaf", "7-Zip")):
        if start == begin:
            return InputError(f"{called} is a {kind} archive, despite its name: unpack it and give the folder")
    return _damaged(called, "it ends too early" if start == b"PK\3\4" else "it is not an archive")


def _of_zip(opened: zipfile.ZipFile, called: str) -> list[Entry]:
    entries = []
    for info in opened.infolist():
        name = _name_in_zip(info).replace("\\", "/")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _escape(called, name)
        if name.endswith("/") or not name:
            continue
        if info.flag_bits & 1 or info.compress_type == 99:
            raise InputError(
                f"{called} can't be unpacked: {walk.shown(name)} is locked with a password; make it again without one, "
                "or unpack it yourself and give the folder"
            )
        checksum = f"{info.CRC:08x}"
        if info.compress_type == DEFLATE64:
            entries.append(
                Entry(name, info.file_size, checksum, lambda info=info: _Deflate64(str(opened.filename), info))
            )
            continue
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            method = METHODS.get(info.compress_type, f"method {info.compress_type}")
            raise InputError(
                f"{called} can't be unpacked: {walk.shown(name)} is compressed with {method}, which can't be read "
                "here; unpack it yourself and give the folder"
            )
        entries.append(Entry(name, info.file_size, checksum, lambda info=info: opened.open(info)))
    return entries


class _Deflate64(io.RawIOBase):
    """An entry of a zip that is compressed with Deflate64, as a file to read once from beginning to end.

    Raises zipfile.BadZipFile where its length or checksum is not what the zip states.
    """

    def __init__(self, archive: str, info: zipfile.ZipInfo):
        self._archive, self._info, self._rest = archive, info, memoryview(b"")
        self._pieces = self._inflated()

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the beginning of `buffer`; returns how many bytes that are, 0 at the end."""
        into = memoryview(buffer)
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        count = min(len(into), len(self._rest))
        into[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def _inflated(self) -> Iterator[bytes]:
        info, size, checksum = self._info, 0, 0
        inflate, _, _ = stream_inflate64()
        for piece in inflate(self._compressed()):
            size, checksum = size + len(piece), zlib.crc32(piece, checksum)
            if size > info.file_size:
                break
            yield piece
        if (size, checksum) != (info.file_size, info.CRC):
            raise zipfile.BadZipFile(f"{walk.shown(info.filename)} is not what was packed")

    def _compressed(self) -> Iterator[bytes]:
        left = self._info.compress_size
        with open(self._archive, "rb") as file:
            file.seek(self._info.header_offset + 26)  # the lengths of name and extra field, which come before the data
            file.seek(sum(struct.unpack("<HH", file.read(4))), os.SEEK_CUR)
            while left and (piece := file.read(min(left, 1 << 16))):
                left -= len(piece)
                yield piece


def _name_in_zip(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: programs that write UTF-8 without saying so, or beside the name, are understood."""
    if info.flag_bits & 0x800 or info.filename.isascii():
        return info.filename
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        if kind == 0x7075 and length > 5:  # Info-ZIP's Unicode path
            with contextlib.suppress(UnicodeDecodeError):
                return extra[9 : 4 + length].decode()
        extra = extra[4 + length :]
    with contextlib.suppress(UnicodeError):
        return info.filename.encode("cp437").decode("utf-8")
    return info.filename


def _of_tar(opened: tarfile.TarFile, called: str) -> list[Entry]:
    entries = []
    for member in opened:
        if member.isdir():
            continue
        if not member.isreg():
            raise _escape(called, member.name)
        # names alone are taken, and no owner, mode or time: nothing is left for tarfile's filters to filter
        entries.append(
            Entry(member.name, member.size, "", lambda member=member: opened.extractfile(member) or io.BytesIO())
        )
    _require_end(opened)
    return entries


def _require_end(opened: tarfile.TarFile) -> None:
    """Raises tarfile.ReadError where not only zeros follow.

    tarfile takes a damaged header, and a file that was cut off, for the end.
    """
    opened.fileobj.seek(opened.offset)
    rest = opened.fileobj.read(tarfile.BLOCKSIZE)
    if len(rest) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("it ends too early")
    while rest:
        if rest.strip(b"\0"):
            raise tarfile.ReadError("an entry can't be read, or there is more behind its end")
        rest = opened.fileobj.read(1 << 20)


# -- what is in it --------------------------------------------------------------------------------------------


def _may_be_photo(name: str) -> bool:
    """Whether an entry would be read as a photo, by its name."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") or part.lower() in walk.SYSTEM_FOLDERS for part in path.parts)
    return not hidden and path.name.lower() not in walk.SYSTEM_FILES and path.suffix.lower() not in walk.NOT_PHOTOS


def _stem(name: str) -> str:
    """photos/train for photos/train.tar.gz."""
    return name[: -max(len(suffix) for suffix in ARCHIVES if name.lower().endswith(suffix))]


def _start(folder: Path) -> Path:
    """The folder in an unpacked archive where the layout starts: past single wrapping folders without labels."""
    while True:
        folders, files, _ = walk.entries(folder)
        if len(folders) != 1 or _labels(files):
            return folder
        inside, files, _ = walk.entries(folders[0])
        if not inside and not _labels(files):
            return folder
        folder = folders[0]


def _labels(files: list[Path]) -> list[Path]:
    """Those that may say the labels of photos below them."""
    return [path for path in files if path.suffix.lower() in (".csv", ".tsv", ".json", ".jsonl", ".xml")]
