"""Open Images: tables of labels that people have verified, and of what the labels are called."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from cvtune_nb.data.csv_file import parse
from cvtune_nb.data.folder_tree import Folder
from cvtune_nb.data.formats.format import Format, Stated, begins, files_of
from cvtune_nb.data.split_names import split_of
from cvtune_nb.errors import InputError

COLUMNS = ("imageid", "labelname", "confidence")
NAMES = "class-descriptions"
"""How the table is called that says /m/0pc9f is a tortoise."""


class OpenImages(Format):
    """ImageID,Source,LabelName,Confidence: 1 is verified to be there, 0 not to be; machines' guesses lie between."""

    name, title = "open-images", "Open Images"
    is_partial = True  # nobody has all nine million

    def find(self, tree: Folder) -> list[Path]:
        """Tables with its columns and no boxes, and those of names beside them."""
        tables = files_of(tree, ".csv")
        labels = [path for path in tables if NAMES not in path.name and _is_labels(begins(path).partition("\n")[0])]
        return labels + [path for path in tables if labels and NAMES in path.name]

    def read(self, files: list[Path]) -> Iterator[Stated]:
        """The verified labels of each photo, by their names for people where these are there."""
        names = {code: name for file in files if NAMES in file.name for code, name in _names_of_classes(file)}
        for file in files:
            if NAMES in file.name:
                continue
            table = parse(file)
            photo, label, confidence = (table.keys.index(column) for column in COLUMNS)
            labels: dict[str, list[str]] = {}
            first: dict[str, int] = {}
            for row, cells in enumerate(table.rows):
                try:
                    is_there = float(cells[confidence]) == 1
                except ValueError:
                    raise table.refuse(row, f"Confidence is {cells[confidence]!r}: use a number from 0 to 1") from None
                own = labels.setdefault(cells[photo].strip(), [])
                first.setdefault(cells[photo].strip(), row)
                if is_there:
                    own.append(names.get(cells[label].strip(), cells[label].strip()))
            split = split_of(re.split(r"[-_]", file.stem)[0])
            for name, own in labels.items():
                place = f"line {table.lines[first[name]]}"
                yield Stated(
                    file, place, (name,), tuple(dict.fromkeys(own)), split, "nobody has verified a label of it"
                )


def _is_labels(line: str) -> bool:
    keys = [key.strip().casefold() for key in line.lstrip("\ufeff").split(",")]
    return all(column in keys for column in COLUMNS) and "xmin" not in keys


def _names_of_classes(file: Path) -> Iterator[tuple[str, str]]:
    """What each label is called; some of these tables have a line of names on top."""
    text = file.read_bytes().decode("utf-8-sig", "replace")
    for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
        if row and len(row) < 2:
            raise InputError(f"{file} line {number}: {row[0]!r} has no name beside it: copy the file again")
        if row:
            yield row[0].strip(), row[1].strip()
