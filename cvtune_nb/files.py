"""Reading and writing the plain files of a workspace.

Every write is atomic: a reader, or a person who kills the kernel in mid-write, finds either the old file or the new
one, never half of one.
"""

import contextlib
import csv
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pandas as pd

from cvtune_nb.errors import InputError

JsonObject = dict[str, Any]
"""What a JSON file, or a line of a journal, holds."""
FORMAT = 1
"""Version of the files' layout, written into every JSON file as `format`."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and renamed onto `path`.

    Raises OSError (disk full, no permission) with `path` as it was before and the temporary file removed.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch() -> Iterator[IO[bytes]]:
    """A file that is gone once it is closed, in the system's folder for temporary ones, which an OSError names."""
    try:
        with tempfile.TemporaryFile() as file:
            yield file
    except OSError as error:
        error.filename = error.filename or tempfile.gettempdir()
        raise


def require_room(folder: Path, needed: int) -> None:
    """Raises InputError when the disk of a folder has fewer bytes free than are needed."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"the disk of {folder} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB are needed: free some space, "
            "or choose a folder on another disk"
        )


def write_text(path: Path, text: str) -> None:
    """Write `text` (UTF-8) to `path`, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: JsonObject) -> None:
    """Write `value` as readable JSON with a `format` field, atomically."""
    write_text(path, json.dumps({"format": FORMAT, **value}, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> JsonObject:
    """The object in a JSON file of ours. Raises FileNotFoundError, or InputError when it is damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path} is damaged ({error}): put it back from a copy, or delete it and open your photos again"
        ) from None


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write `table` without its index, atomically."""
    text = table.to_csv(index=False, lineterminator="\n")
    if "\r" in text:  # a file name may hold one, and Python's csv quotes it only where it ends the lines
        text = table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    write_text(path, text)


def read_csv(file: Path, /, **types: type | str) -> pd.DataFrame:
    """A CSV file of ours; every column in `types` is read as that type, and empty text stays empty text."""
    return pd.read_csv(file, dtype=types or None, keep_default_na=not types)


def append_json_lines(path: Path, *values: JsonObject) -> None:
    """Add a line for each value to a journal and flush it to disk: journals only ever grow.

    A last line that a crash cut off gets its end first, so that it can't swallow the new one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                file.write(b"\n")
        file.write(b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values))
        file.flush()
        os.fsync(file.fileno())


def read_json_lines(path: Path) -> list[JsonObject]:
    """Every whole line of a journal; a last line cut off by a crash is left out. Missing file: empty list."""
    if not Path(path).exists():
        return []
    rows = []
    # split at "\n" only: labels may hold other line ends, which JSON leaves as they are
    for line in Path(path).read_text(encoding="utf-8", errors="replace").split("\n"):
        with contextlib.suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
    return rows


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's content, as hexadecimal digits."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


PIN = "@sha256:"
"""Between a file's path and the SHA-256 of its content, where exactly this content is meant."""


def pinned(file: str) -> str:
    """PATH as PATH@sha256:DIGITS, absolute: this content and no other. What is pinned already stays as it is.

    Raises InputError when there is no such file.
    """
    if not file or PIN in file:
        return file
    path = Path(file).expanduser().absolute()
    try:
        changed = path.stat()
        return f"{path}{PIN}{_digest(path, changed.st_size, changed.st_mtime_ns)}"
    except OSError as error:
        why = error.strerror or "it can't be read"
        raise InputError(f"the file {path} can't be used ({why}): name one that is there") from None


@functools.lru_cache(maxsize=64)
def _digest(path: Path, size: int, changed: int) -> str:  # noqa: ARG001 - a file that has changed is read again
    return sha256_of(path)


def path_and_digest(pin: str) -> tuple[Path, str]:
    """What `pinned` put together."""
    path, _, digest = pin.rpartition(PIN)
    return Path(path), digest


def named(pin: str) -> str:
    """A pinned file without the folder that it lies in, for those who don't have this disk."""
    return pin and f"{path_and_digest(pin)[0].name}{PIN}{path_and_digest(pin)[1]}"


def size_of(file: Path) -> int:
    """The length of a file in bytes; -1 where there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return -1


def forget(path: Path) -> bool:
    """Have the operating system drop `path` from its memory, so that the next read comes from the disk or network.

    False where there is no way to ask for that (Windows, macOS) or the file can't be opened. Pages that are mapped
    (numpy's mmap_mode) stay until they are unmapped.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        os.fdatasync(file)  # what is not on disk yet can't be dropped
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


Progress = Callable[[float, str], None]
"""Called with the fraction done (0..1) and a few words; raising `Stopped` in it ends the work."""


def silent(share: float, words: str) -> None:
    """The Progress of a caller who needs none."""
