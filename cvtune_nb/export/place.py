"""Where an export goes: never over something, and only when it is whole."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cvtune_nb.errors import InputError


def free_name(folder: Path) -> Path:
    """`folder`, or the same with the first free number behind it."""
    number = 2
    free = folder
    while free.exists() or zip_of(free).exists():
        free = folder.with_name(f"{folder.name}-{number}")
        number += 1
    return free


def zip_of(folder: Path) -> Path:
    """The zip beside the folder."""
    return folder.with_name(folder.name + ".zip")


def empty(folder: Path) -> Path:
    """`folder`, to which nothing stands in the way. Raises InputError where it, or its zip, holds something."""
    if folder.is_file():
        raise InputError(f"{folder} is a file: give --out a new folder")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and nothing in it will be overwritten: give --out a new folder")
    if zip_of(folder).exists():
        raise InputError(f"{zip_of(folder)} is there already and will not be overwritten: give --out another name")
    return folder


@contextlib.contextmanager
def made_aside(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its name at the end, or vanishes on an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield aside
        aside.chmod(0o755)
        if folder.exists():
            folder.rmdir()  # empty, or this raises
        os.rename(aside, folder)
    except OSError as error:
        if str(aside) in str(error.filename or aside):
            error.filename = str(folder)  # the name that the person knows
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
