"""Roboflow: _classes.csv in each part, with a column for each class."""

from collections.abc import Iterator
from pathlib import Path

from cvtune_nb.data.csv_file import parse
from cvtune_nb.data.folder_tree import Folder
from cvtune_nb.data.formats.format import Format, Stated, files_of
from cvtune_nb.errors import InputError

NAME, NONE = "_classes.csv", "unlabeled"


class Roboflow(Format):
    """The export for several labels; that for one label is a folder for each class, which `folders` reads."""

    name, title = "roboflow", "Roboflow"

    def find(self, tree: Folder) -> list[Path]:
        """One in each of train, valid and test."""
        return [path for path in files_of(tree, NAME) if path.name.lower() == NAME]

    def read(self, files: list[Path]) -> Iterator[Stated]:
        """The classes whose column says 1; a photo of none is left out."""
        for file in files:
            table = parse(file)
            for row, cells in enumerate(table.rows):
                marks = dict(zip(table.columns[1:], map(str.strip, cells[1:]), strict=True))
                if wrong := [mark for mark in marks.values() if mark not in ("0", "1", "0.0", "1.0")]:
                    raise table.refuse(row, f"{wrong[0]!r} is neither 0 nor 1: export it again from Roboflow")
                if not cells[0].strip():
                    raise InputError(f"{file} line {table.lines[row]}: it names no photo: take the line out")
                labels = tuple(name for name, mark in marks.items() if float(mark) and name.lower() != NONE)
                yield Stated(file, f"line {table.lines[row]}", (cells[0].strip(),), labels)
