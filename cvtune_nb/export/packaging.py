"""Where an export is written and what every export holds; nothing is overwritten, and nothing incomplete appears."""

import contextlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import cvtune_nb
from cvtune_nb.data import colour_spaces, file_types, photo, walk
from cvtune_nb.errors import InputError
from cvtune_nb.export import predict, verification
from cvtune_nb.files import replacing
from cvtune_nb.workspace import Workspace

PACKAGES = ("torch", "torchvision", "timm", "onnx", "onnxruntime", "numpy", "Pillow", "pi-heif", "pydicom")
"""Whose versions an export gives, besides cvtune and Python."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What is known of every export.

    Attributes
    ----------
    folder, zip
        Where it is.
    run
        What was exported: a run's id, or "svm"; "" where the network is frozen.
    files
        Names of the files in it.
    parity, parity_photos
        Largest difference between the outputs of PyTorch and of ONNX Runtime, and on how many photos.
    openings
        How often the workspace's test set has been opened, this time included.
    left_out
        Test photos that are not counted.
    notes
        What must be known of the figures, a sentence each, such as why photos are not counted.
    seconds
        How long the export took.
    """

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


AnyExport = TypeVar("AnyExport", bound=Exported)


def destination(workspace: Workspace, name: str, out: str | Path | None) -> Path:
    """The folder that an export is written to, which does not exist yet, or is empty.

    Parameters
    ----------
    workspace
        Where exports go by default.
    name
        Of the folder there; it gets a number where that is taken.
    out
        Another folder; None: that one.

    Raises
    ------
    InputError
        Where `out` holds something.
    """
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
    """`folder`, if it may be written. Raises InputError where it holds something, or its zip exists."""
    if folder.is_file():
        raise InputError(f"{folder} is a file: give --out a new folder")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and nothing in it will be overwritten: give --out a new folder")
    if zip_of(folder).exists():
        raise InputError(f"{zip_of(folder)} is there already and will not be overwritten: give --out another name")
    return folder


@contextlib.contextmanager
def made_aside(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its name in the end, or vanishes on an error."""
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
    """The program that uses the model without cvtune and PyTorch."""
    for module in (predict, photo, file_types, colour_spaces, walk):
        shutil.copy(str(module.__file__), made)


def versions() -> dict[str, str]:
    """Of cvtune, Python, and those of PACKAGES that are installed."""
    found = {"cvtune": cvtune_nb.__version__, "Python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def sealed(export: AnyExport, made: Path, start: float) -> AnyExport:
    """Write the hash of every file in `made`, once all of them are there, and the zip.

    Parameters
    ----------
    export
        What is known of it so far.
    made
        The folder that becomes export.folder.
    start
        When the export began, by time.perf_counter().

    Returns
    -------
    The export with its files and the seconds since `start`.
    """
    verification.write_hashes(made)
    files = sorted(file.name for file in made.iterdir())
    with replacing(export.zip) as packed:
        verification.write_zip(made, packed)
    return replace(export, files=files, seconds=time.perf_counter() - start)
