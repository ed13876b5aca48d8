"""Where an export goes, and what every one of them holds: never over something, and only when it is whole."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from cvtune_nb.data import photo, walk
from cvtune_nb.errors import InputError
from cvtune_nb.export import predict, verification
from cvtune_nb.files import replacing
from cvtune_nb.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What every export tells of itself. run: what was exported; parity: largest difference of a number between PyTorch
    and ONNX Runtime on `parity_photos` photos; openings: how often the workspace's test set has been looked at, this
    time included; left_out: test photos that are not counted; notes: what must be known of the figures, a sentence
    each, such as why these are not."""

    folder: Path
    zip: Path
    run: str
    files: list[str] = field(default_factory=list)
    parity: float
    parity_photos: int
    openings: int
    left_out: int = 0
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "folder": str(self.folder),
            "zip": str(self.zip),
            "run": self.run,
            "files": self.files,
            "parity": self.parity,
            "parity_photos": self.parity_photos,
            "test_openings": self.openings,
            "test_left_out": self.left_out,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 2),
        }


Kind = TypeVar("Kind", bound=Exported)


def destination(workspace: Workspace, name: str, out: str | Path | None) -> Path:
    """The new folder `out`, or one in the workspace that is called `name`, with a number when that is taken. Raises
    InputError where `out` holds something."""
    return free_name(workspace.exports / name) if out is None else empty(Path(out).expanduser())


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


def write_program(made: Path) -> None:
    """The little program that uses the model, which needs neither cvtune nor PyTorch."""
    for module in (predict, photo, walk):
        shutil.copy(module.__file__, made)


def sealed(export: Kind, made: Path, start: float) -> Kind:
    """Once all is in `made`: the hash of every file in it, and its zip. Gives the export with its files and the seconds
    since `start` (time.perf_counter())."""
    verification.write_hashes(made)
    files = sorted(file.name for file in made.iterdir())
    with replacing(export.zip) as packed:
        verification.write_zip(made, packed)
    return replace(export, files=files, seconds=time.perf_counter() - start)
