"""Hugging Face's imagefolder: metadata.csv or metadata.jsonl in the folder of the photos or in each of its parts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cvtune_nb.data.csv_file import LABEL_COLUMNS, parse
from cvtune_nb.data.folder_tree import Folder
from cvtune_nb.data.formats.format import Format, Stated, begins, files_of
from cvtune_nb.data.split_names import split_of
from cvtune_nb.errors import InputError

NAMES = ("metadata.jsonl", "metadata.csv")
PHOTO = "file_name"


class ImageFolder(Format):
    """metadata.jsonl, or metadata.csv in a part of its own: a column file_name, and one for the label."""

    name, title = "imagefolder", "Hugging Face imagefolder"

    def find(self, tree: Folder) -> list[Path]:
        """A metadata.csv that lies alone is a table like others, which `table` reads."""
        files = [path for path in files_of(tree, *NAMES) if path.name.lower() in NAMES]
        is_alone = not any(path.suffix == ".jsonl" or split_of(path.parent.name) for path in files)
        return [] if is_alone or not any(PHOTO in begins(path) for path in files) else files

    def read(self, files: list[Path]) -> Iterator[Stated]:
        """A row for each photo; one without a label is left out."""
        for file in files:
            for line, row in _json_rows(file) if file.suffix.lower() == ".jsonl" else _csv_rows(file):
                name = row.get(PHOTO)
                if not isinstance(name, str) or not name:
                    raise InputError(
                        f"{file} {line}: it has no {PHOTO}: name the photo there, relative to the file's folder"
                    )
                columns = {key: str(value) for key, value in row.items() if isinstance(value, str | int)}
                yield Stated(file, line, (name,), _labels(row), columns=columns)


def _labels(row: dict[str, Any]) -> tuple[str, ...]:
    """What the first column says that is called like one of labels."""
    for key, value in row.items():
        if key.casefold().replace("_", "") in LABEL_COLUMNS and not isinstance(value, dict):
            values = value if isinstance(value, list) else [value]
            return tuple(str(each) for each in values if each not in (None, ""))
    return ()


def _json_rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(file.read_bytes().decode("utf-8-sig", "replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file} line {number} can't be read as JSON ({error}): write it again") from None
        if not isinstance(row, dict):
            raise InputError(f"{file} line {number} is no JSON object: write one with {PHOTO} and label")
        yield f"line {number}", row


def _csv_rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    table = parse(file)
    for line, cells in zip(table.lines, table.rows, strict=True):
        yield f"line {line}", dict(zip(table.columns, map(str.strip, cells), strict=True))
