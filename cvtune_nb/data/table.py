"""Labels from a table: a CSV file as people have them, whatever program wrote it."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cvtune_nb.data.csv_file import COLUMNS, LABEL_COLUMNS, PATH_COLUMNS, Table, parse, require_known_encoding
from cvtune_nb.data.layout import Layout, alike, composed, in_words, laid_out, photos_in_words
from cvtune_nb.data.listed import Files, Match
from cvtune_nb.data.split_names import split_of
from cvtune_nb.errors import InputError

SPLIT_COLUMNS = {"split", "set", "subset", "fold", "partition", "phase", "dataset"}
FLAG_COLUMNS = {"isvalid": "validation", "isvalidation": "validation", "isval": "validation", "istest": "test"}
TRAIN_FLAGS = {"istrain", "istraining", "istrainingimage"}
GROUP_COLUMNS = {"group", "groups", "groupid"}
"""Names of columns, in lower case and without blanks, dashes and underscores."""

NUMBERED = re.compile(r"(label|class|category|tag)\d+")
"""Names of columns that hold one of several labels of a photo."""

SEVERAL = (
    "classes exclude each other here, so that each photo has one; leave one label for each photo, or, where photos "
    "show several things, draw boxes in notebook 06 (cvtune detect), which finds each of them"
)
"""Why a photo of several classes is refused, and the way out."""

TRUE, FALSE = {"true", "1", "1.0", "yes", "y", "t"}, {"false", "0", "0.0", "no", "n", "f", ""}
SAMPLE = 500
"""Lines that show whether a table lists the photos beside it."""


def read_table(file: Path, as_stated: bool = False) -> Layout:
    """The photos that a CSV file lists.

    Every line is used or refused; photos below its folder that it does not name are left out. as_stated: labels are
    taken as they stand, whatever they look like. Raises InputError.
    """
    return _read(parse(file), Files(file.parent), as_stated)


def table_beside(file: Path) -> Layout | InputError | None:
    """What a CSV file says that lies beside folders of photos.

    None where it is no table of labels, which has columns for path and label and at least half of whose photos are
    there; the error where it is one that can't be used.
    """
    try:
        table = parse(file)
        labels_of(table, as_stated=True)
        candidates = table.named(PATH_COLUMNS)
    except InputError:
        return None
    files = Files(file.parent)
    looked_up = slice(None, None, max(len(table.rows) // SAMPLE, 1))
    columns = [table.column(number)[looked_up] for number in candidates]
    if not any(column and sum(map(files.has, column)) * 2 >= len(column) for column in columns):
        return None
    try:
        return _read(table, files, as_stated=False)
    except InputError as error:
        return error


def _read(table: Table, files: Files, as_stated: bool) -> Layout:
    file = table.file
    labels, label_note = labels_of(table, as_stated)
    splits, split_note = splits_of_rows(table)
    paths, path_note = _paths(table, files, labels, splits)
    require_known_encoding(table, paths, labels)
    rows = dict.fromkeys(zip(paths, labels, splits, strict=True))
    twice = [path for path, count in Counter(path for path, _, _ in rows).items() if count > 1]
    if twice:
        own = sorted({label for path, label, _ in rows if path == twice[0]})
        many = f", as to {len(twice) - 1:,} other photos" * (len(twice) > 1)
        if len(own) > 1:
            raise InputError(f"{file} gives {twice[0]!r} more than one label ({in_words(own)}){many}: {SEVERAL}")
        raise InputError(f"{file} gives {twice[0]!r} more than one split{many}: leave one line for each photo")
    columns = ", ".join(note for note in (path_note, label_note, split_note) if note)
    notes = [f"CSV {file.name}" + (f": {columns}" if columns else ""), *table.notes, *files.notes]
    if len(rows) < len(paths):
        notes.append(f"{len(paths) - len(rows)} lines say again what others say")
    left_out = files.left_out({path for path, _, _ in rows}, {file}, file.name)
    unnamed = sum(count for _, _, _, count in left_out)
    if unnamed:
        notes.append(f"{photos_in_words(unnamed)} not named in it: left out")
    found = laid_out(file.parent, list(rows), [row[:3] for row in left_out], notes, "csv")
    return replace(found, columns=_cells(table, paths))


def _cells(table: Table, paths: list[str]) -> pd.DataFrame:
    """All columns as they stand, with a row for each photo: the first that names it."""
    first: dict[str, int] = {}
    for row, path in enumerate(paths):
        first.setdefault(path, row)
    columns = {name: table.column(number) for number, name in enumerate(table.columns)}
    return pd.DataFrame(columns, dtype=str).iloc[list(first.values())].reset_index(drop=True)


# -- columns --------------------------------------------------------------------------------------------------


def labels_of(table: Table, as_stated: bool = False) -> tuple[list[str], str]:
    """The label of each row, and which column says it. Raises InputError."""
    candidates = table.named(LABEL_COLUMNS)
    if not candidates:
        numbered = [name for name, key in zip(table.columns, table.keys, strict=True) if NUMBERED.fullmatch(key)]
        if len(numbered) > 1 and not all(_is_binary(table, table.columns.index(name)) for name in numbered):
            raise InputError(f"{table.file} has several columns with labels, {in_words(numbered)}: {SEVERAL}")
        return _one_hot(table)
    number = _one_of(table, candidates)
    labels = [composed(label) for label in table.column(number)]
    for row, label in enumerate(labels):
        if not label:
            raise table.refuse(row, "the label is empty: fill it in or take the line out")
    if not as_stated:
        _refuse_several_labels(table, labels, plural=table.keys[number] in ("labels", "tags", "classes"))
    return labels, table.role(number, "label")


def _one_of(table: Table, candidates: list[int]) -> int:
    """The one of several columns with labels to use: where they mean the same, the one that is no number."""
    values = {number: table.column(number) for number in candidates}
    pairs = {tuple(row) for row in zip(*values.values(), strict=True)}
    if len(candidates) > 1 and any(len(set(column)) != len(pairs) for column in values.values()):
        names = in_words(table.columns[number] for number in candidates)
        raise InputError(f"{table.file} has several columns that may be the label, {names}: name the right one 'label'")
    named = [number for number, column in values.items() if not all(re.fullmatch(r"[\d.]*", cell) for cell in column)]
    if len(candidates) > 1:
        others = [table.columns[number] for number in candidates if number != (named or candidates)[0]]
        table.notes.append(f"{', '.join(others)} says the same as {table.columns[(named or candidates)[0]]}")
    return (named or candidates)[0]


def _is_binary(table: Table, number: int) -> bool:
    """Whether a column says yes or no in every row."""
    return bool(table.rows) and all(cell.casefold() in (TRUE | FALSE) - {""} for cell in table.column(number))


def _one_hot(table: Table) -> tuple[list[str], str]:
    """Labels from a column of 0 and 1 for each class, where each row has one 1."""
    no_class = SPLIT_COLUMNS | set(FLAG_COLUMNS) | TRAIN_FLAGS
    others = set(table.named(PATH_COLUMNS)) | set(table.named(no_class))
    binary = [number for number in range(len(table.columns)) if number not in others and _is_binary(table, number)]
    rest = [number for number in binary if number not in set(table.named(GROUP_COLUMNS))]
    ones = [sum(cells[number].strip().casefold() in TRUE for number in rest) for cells in table.rows]
    if len(rest) > 1 and all(count == 1 for count in ones):  # a group of photos that is called 0 or 1, then
        binary = rest
    if len(binary) < 2:
        raise InputError(f"{table.file} has no column 'label' (it has {', '.join(table.columns)}): {COLUMNS}")
    labels = []
    for row, cells in enumerate(table.rows):
        own = [table.columns[number] for number in binary if cells[number].strip().casefold() in TRUE]
        if len(own) != 1:
            what = f"several labels, {in_words(own)}" if own else "no label"
            raise table.refuse(
                row,
                f"{what}, in a table with a column for each class: {SEVERAL}",
            )
        labels.append(composed(own[0]))
    return labels, f"a column for each class ({len(binary)})"


def _refuse_several_labels(table: Table, labels: list[str], plural: bool) -> None:
    """Raises InputError where one cell seems to hold several labels."""
    distinct = sorted(set(labels))
    for label in distinct:
        parts = _parts(label, distinct, plural)
        if parts:
            row = labels.index(label)
            raise table.refuse(
                row,
                f"the label {label!r} seems to be several, {in_words(parts)}: {SEVERAL}, or, if it is the name of one "
                "class, say so with --layout csv (in notebook 00: Layout)",
            )


def _parts(label: str, distinct: list[str], plural: bool) -> list[str]:
    """The labels that `label` seems to be made of, empty where it is one."""
    others = {alike(other) for other in distinct if other != label}
    if re.fullmatch(r"[\[({].*[\])}]", label) and re.search(r"[,'\"]", label):
        return [part.strip(" '\"") for part in label[1:-1].split(",")]
    for mark in ("|", ";"):
        if mark in label:
            return [part.strip() for part in label.split(mark)]
    if re.search(r",\S", label):
        return [part.strip() for part in label.split(",")]
    elsewhere = Counter(alike(part) for other in distinct if other != label for part in re.split(r",", other))
    commas = [part.strip() for part in label.split(",")]
    if len(commas) > 1 and any(elsewhere[alike(part)] for part in commas):
        return commas
    for pattern in (r"\s*/\s*", r"\s*[+&]\s*", r"\s+and\s+", r"\s+"):
        parts = re.split(pattern, label)
        if len(parts) > 1 and all(alike(part) in others for part in parts):
            return parts
    if plural and len(label.split()) > 1:
        words = Counter(alike(word) for other in distinct if other != label for word in other.split())
        if all(words[alike(word)] for word in label.split()):
            return label.split()
    return []


def splits_of_rows(table: Table) -> tuple[list[str], str]:
    """The split of each row, "" where it has none, and which column says it; "" where none does. Raises InputError."""
    for number in table.named(SPLIT_COLUMNS):
        values = table.column(number)
        splits = [split_of(value) if value else "" for value in values]
        wrong = [row for row, (value, split) in enumerate(zip(values, splits, strict=True)) if value and not split]
        exact = table.keys[number] == "split"
        if any(splits) and not wrong:
            return splits, table.role(number, "split")
        if wrong and (exact or any(splits)):
            name = "split" if exact else table.columns[number]
            raise table.refuse(wrong[0], f"{name} is {values[wrong[0]]!r}: use train, validation or test")
        if wrong:
            table.notes.append(f"{table.columns[number]} names no splits: not used")
    flags = {number: FLAG_COLUMNS[key] for number, key in enumerate(table.keys) if key in FLAG_COLUMNS}
    if not flags:
        for number in table.named(TRAIN_FLAGS):
            raise InputError(
                f"{table.file} says in {table.columns[number]!r} which photos are not to train with, but not whether "
                "these are for validation or test: use a column is_valid or is_test, or one called split"
            )
        return [""] * len(table.rows), ""
    splits = []
    for row, cells in enumerate(table.rows):
        own = set()
        for number, split in flags.items():
            value = cells[number].strip().casefold()
            if value not in TRUE | FALSE:
                raise table.refuse(row, f"{table.columns[number]} is {cells[number]!r}: use True or False")
            own |= {split} if value in TRUE else set()
        if len(own) > 1:
            raise table.refuse(row, "the photo is for validation and for test: leave one of them")
        splits.append(own.pop() if own else "train")
    return splits, f"{' and '.join(table.columns[number] for number in flags)} is the split"


def _paths(table: Table, files: Files, labels: list[str], splits: list[str]) -> tuple[list[str], str]:
    """The path of each row's photo relative to the table's folder, and which column says it."""
    candidates = table.named(PATH_COLUMNS)
    if not candidates:
        raise InputError(f"{table.file} has no column 'path' (it has {', '.join(table.columns)}): {COLUMNS}")
    found: dict[int, list[str]] = {}
    errors: dict[int, InputError] = {}
    notes = kept = list(files.notes)
    for number in candidates:
        files.notes = list(notes)
        try:
            found[number] = Match(table, files, table.column(number), labels, splits).paths()
            kept = files.notes
        except InputError as error:
            errors[number] = error
    if not found:
        most = max(candidates, key=lambda number: sum(files.has(name) for name in table.column(number)))
        raise errors[most]
    files.notes = kept
    if len({tuple(paths) for paths in found.values()}) > 1:
        names = in_words(table.columns[number] for number in found)
        raise InputError(f"{table.file} has several columns that name photos, {names}: name the right one 'path'")
    number = next(iter(found))
    return found[number], table.role(number, "path")
