"""Photos that are no files yet: rows of a table, frames of a video, addresses. They are unpacked into the workspace."""

import hashlib
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import pandas as pd

from cvtune_nb.data import walk
from cvtune_nb.data.archive import MARKER
from cvtune_nb.data.layout import Layout
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_json, write_json

TABLES = ("found", "left_out", "columns")
"""The tables of a Layout."""


class Packed(ABC):
    """A form in which photos are kept that have to be unpacked, once, before they can be opened.

    Attributes
    ----------
    name
        One of parameters.LAYOUTS.
    title
        What its files are, in the plural.
    is_growing
        Whether it is gone through at every opening, for what could not be had before.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    is_growing: ClassVar[bool] = False

    def asked(self, option: str) -> "Packed":
        """The same as the person asked for it behind a colon. Raises InputError where there is nothing to ask for."""
        if option:
            raise InputError(f"--layout {self.name}:{option} says more than can be chosen: give {self.name} alone")
        return self

    @abstractmethod
    def find(self, source: Path) -> list[Path]:
        """Its files in a folder and below it, or the file itself; none where there is nothing of this form."""

    @abstractmethod
    def unpack(self, files: list[Path], source: Path, into: Path, progress: Progress) -> Layout:
        """Write the photos below a folder.

        Parameters
        ----------
        files
            As it has found them.
        source
            What the person gave: a folder or a file.
        into
            The folder to write to, which is the layout's root.
        progress
            Called now and then; may raise Stopped.

        Raises
        ------
        InputError
            A file can't be read, or says no labels.
        """


def open_packed(kinds: Iterable[Packed], source: Path, folder: Path, layout: str, progress: Progress) -> Layout | None:
    """The photos that are packed in a source, unpacked into a workspace; None where there are none.

    Without a layout, only where no photos lie beside what is packed: then these are what is meant.

    Parameters
    ----------
    kinds
        The forms there are.
    source
        The folder or file.
    folder
        The workspace's.
    layout
        The name of a form, perhaps with an option behind a colon; "" to recognise it.
    progress
        Called now and then; may raise Stopped.

    Raises
    ------
    InputError
        Several forms are recognised, or a file can't be read.
    """
    name, _, option = layout.partition(":")
    asked = [kind.asked(option) for kind in kinds if kind.name == name or not layout]
    if not asked or (not layout and _holds_photos(source)):
        return None
    found = {kind: files for kind in asked if (files := kind.find(source))}
    if not found:
        return None
    if len(found) > 1:
        titles, ways = zip(*((kind.title, f"--layout {kind.name}") for kind in found), strict=True)
        raise InputError(
            f"{source} holds {' and '.join(titles)}: say which are meant with {' or '.join(ways)} (in notebook 00: "
            "Layout)"
        )
    kind, files = next(iter(found.items()))
    if kind.is_growing:
        return kind.unpack(files, source, folder / kind.name, progress)
    into = folder / f"unpacked-{_key(files, source, kind.name, option)}"
    if not (into / MARKER).exists():
        partial = into.with_name(f"{into.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            _keep(kind.unpack(files, source, partial, progress), partial / MARKER)
            shutil.rmtree(into, ignore_errors=True)
            partial.rename(into)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return _kept(into)


def below(source: Path, *suffixes: str) -> list[Path]:
    """The files of a folder, or the file itself, that end so, in lower case."""
    files = [source] if source.is_file() else walk.files_below(source)[0]
    return [path for path in files if path.name.lower().endswith(suffixes) and path.is_file()]


def left_beside(source: Path, files: list[Path]) -> list[tuple[str, str, str]]:
    """(path, label, reason) of all other files in a folder."""
    if not source.is_dir():
        return []
    (there, passed_over), unpacked = walk.files_below(source), {*files}
    reasons = [(path, walk.no_photo(path) or "lies beside what is unpacked") for path in there if path not in unpacked]
    return [(walk.shown(path.relative_to(source).as_posix()), "", why) for path, why in reasons + passed_over]


def relative(file: Path, source: Path) -> Path:
    """Where a file lies, seen from what the person gave."""
    return file.relative_to(source) if source.is_dir() else Path(file.name)


def _holds_photos(source: Path) -> bool:
    """Whether a photo lies in a folder or below it; looks no further than the first."""
    waiting = [source] if source.is_dir() else []
    while waiting:
        try:
            folders, files, _ = walk.entries(waiting.pop())
        except OSError:  # whoever reads the folders says so
            return True
        if any(not walk.no_photo(file) for file in files):
            return True
        waiting += folders
    return False


def _key(files: list[Path], source: Path, *rest: str) -> str:
    """Another one for other files, and for files that were written to since."""
    states = [(os.path.relpath(file, source), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps([states, rest]).encode()).hexdigest()[:12]


def _keep(layout: Layout, file: Path) -> None:
    tables = {name: getattr(layout, name).to_dict("split", index=False) for name in TABLES}
    write_json(file, {"notes": layout.notes, "kind": layout.kind, "grouped_by": layout.grouped_by, **tables})


def _kept(into: Path) -> Layout:
    kept = read_json(into / MARKER)
    tables = {name: pd.DataFrame(kept[name]["data"], columns=kept[name]["columns"], dtype=str) for name in TABLES}
    return Layout(into, notes=kept["notes"], kind=kept["kind"], grouped_by=kept["grouped_by"], **tables)
