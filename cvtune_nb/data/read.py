"""Which photos are there? Chooses what says the labels: folders, their names, a CSV file, or files of a format."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from cvtune_nb.data import walk
from cvtune_nb.data.archive import ARCHIVES, OTHERS, is_archive
from cvtune_nb.data.csv_file import TABLES
from cvtune_nb.data.folder_tree import Folder, unwrapped
from cvtune_nb.data.folders import prefixes, read_folders, ways_to_label
from cvtune_nb.data.formats import FORMATS, PACKED, Format, read_format
from cvtune_nb.data.layout import USABLE, Layout, in_words, require_classes
from cvtune_nb.data.table import read_table, table_beside
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import LAYOUTS, RECOGNISE


def read_layout(data: Path, layout: str = "", called: str = "") -> Layout:
    """The photos of a folder or CSV file, each file used or left out with a reason. No photo is opened.

    Parameters
    ----------
    data : the folder or file.
    layout : one of LAYOUTS where the person said how it is to be read; "" to recognise it.
    called : what the person calls it, for errors; `data` by default.

    Raises InputError where there is nothing to train on, and where there are several readings.
    """
    data = Path(data)
    called = called or str(data)
    if (packed := PACKED.get(layout.partition(":")[0])) and packed.name not in FORMATS:  # they were looked for before
        raise InputError(f"{called} holds no {packed.title}: choose another layout, or {RECOGNISE}")
    if layout and layout not in LAYOUTS:
        raise InputError(f"{layout!r} is not a layout: choose {', '.join(LAYOUTS)} or {RECOGNISE}")
    if not data.exists():
        raise InputError(f"{data} does not exist: give the folder of your photos, a CSV file, a zip or a tar")
    if data.is_dir():
        try:
            found = _read_folder(data, layout, called)
        except RecursionError:
            raise InputError(
                f"{called} has folders that lie too deep in each other: give a folder further down"
            ) from None
    elif data.suffix.lower() in TABLES:
        if layout not in ("", "csv"):
            raise InputError(f"{data} is a CSV file, and layout {layout!r} is one of folders: leave it out")
        found = read_table(data, as_stated=layout == "csv")
    else:
        raise _no_source(data)
    require_classes(found, called, layout)
    return found


def _no_source(data: Path) -> InputError:
    name = data.name.lower()
    if name.endswith(OTHERS):
        return InputError(f"{data} is an archive that can't be read here: unpack it, and give the folder")
    if name.endswith((".xlsx", ".xls", ".ods")):
        return InputError(f"{data} is a spreadsheet: save it as CSV UTF-8, and give that file")
    return InputError(
        f"{data} is a file, not a folder: give a folder of photos, a .csv file, or an archive ({', '.join(ARCHIVES)})"
    )


def _read_folder(data: Path, layout: str, called: str) -> Layout:
    """What the class folders say, or the one statement of labels that lies beside them, where only one can be meant."""
    tree = Folder(data)
    if layout in FORMATS:
        return _asked_for(tree, FORMATS[layout], called)
    if layout and layout != "csv":
        return read_folders(tree, layout)
    formats = {} if layout else {kind: files for kind in FORMATS.values() if (files := kind.find(tree))}
    tables = [path for path in _tables(tree) if not any(path in files for files in formats.values())]
    if layout == "csv":
        if len(tables) != 1:
            names = f" ({in_words(path.name for path in tables)})" if tables else ""
            raise InputError(f"{called} holds {len(tables)} CSV files{names}: give the one with the labels itself")
        return _seen_from(data, read_table(tables[0], as_stated=True))
    stated = {Statement(file.name): found for file in tables if (found := table_beside(file)) is not None}
    for kind, files in formats.items():
        if (found := _of_format(kind, files, data)) is not None:
            stated[Statement(kind.title, kind.name)] = found
    try:
        folders = read_folders(tree)
        _require_some(tree, folders, called)
        _require_own_classes(folders, [FORMATS[each.layout] for each in stated if each.layout in FORMATS], called)
    except InputError:
        if not stated and formats:
            kind = next(iter(formats))
            raise InputError(
                f"{called} has files of {kind.title} that give no photo a class: give each photo one, or, where they "
                "hold boxes, open notebook 06 (cvtune detect)"
            ) from None
        if not stated:
            raise
        return _seen_from(data, _only(stated, called))
    for statement, found in stated.items():
        if len(stated) == 1 and isinstance(found, Layout) and _names_the_folders(data, folders, found):
            found.notes.append("classes as in the folders")
            return _seen_from(data, found)
        _require_agreement(data, folders, statement, found, called)
    return folders


@dataclass(frozen=True)
class Statement:
    """What says labels beside folders, a table or the files of a format, and the layout that it is chosen by."""

    name: str
    layout: str = "csv"


def _asked_for(tree: Folder, kind: Format, called: str) -> Layout:
    """What the files of the format say that the person asked for."""
    files = kind.find(tree)
    if not files:
        raise InputError(f"{called} has no files of {kind.title} with labels: choose another layout, or {RECOGNISE}")
    found = read_format(kind, files, tree.path)
    if found is None:
        raise InputError(f"{called} has files of {kind.title} that give no photo a class: give each photo one")
    return found


def _of_format(kind: Format, files: list[Path], root: Path) -> Layout | InputError | None:
    try:
        return read_format(kind, files, root)
    except InputError as error:
        return error


def _only(stated: dict[Statement, Layout | InputError], called: str) -> Layout:
    """The one statement there is. Raises InputError where there are several, or where it can't be used."""
    names = in_words(each.name for each in stated)
    if len(stated) > 1 and all(each.layout == "csv" for each in stated):
        raise InputError(
            f"{called} holds several tables of labels, {names}: give the right one itself, or join them"
        ) from None
    if len(stated) > 1:
        raise InputError(f"{called} has labels of several kinds, {names}: {_ways(stated)}") from None
    found = next(iter(stated.values()))
    if isinstance(found, InputError):
        raise found from None
    return found


def _ways(stated: Iterable[Statement], *others: str) -> str:
    """How a person says which of several readings is right."""
    layouts = [f"--layout {layout}" for layout in dict.fromkeys([*(each.layout for each in stated), *others])]
    return f"say which of them is right with {', '.join(layouts[:-1])} or {layouts[-1]} (in notebook 00: Layout)"


def _require_own_classes(folders: Layout, kinds: list[Format], called: str) -> None:
    """Raises InputError where the folders are those of a format, such as JPEGImages, and no classes."""
    own = {name for kind in kinds for name in kind.own_folders}
    if {label.casefold() for label in folders.found["label"]} <= own:
        raise InputError(f"{called} has photos but no class folders: {USABLE}")


def _names_the_folders(data: Path, folders: Layout, found: Layout) -> bool:
    """Whether a table divides the photos as the folders do, but calls the classes otherwise or adds splits."""
    by_folder = {row.path: (row.label, row.split) for row in folders.found.itertuples()}
    stated = {row.path: (row.label, row.split) for row in _seen_from(data, found).found.itertuples()}
    if set(stated) != set(by_folder) or stated == by_folder:
        return False
    pairs = {(by_folder[path][0], label) for path, (label, _) in stated.items()}
    folder_labels, table_labels = ({pair[side] for pair in pairs} for side in (0, 1))
    return len(pairs) == len(folder_labels) == len(table_labels) and all(
        by_folder[path][1] in ("", split) for path, (_, split) in stated.items()
    )


def _tables(tree: Folder) -> list[Path]:
    """The CSV files in a folder, and in those that only wrap the class folders."""
    folders = [tree]
    while len(folders[-1].full) == 1:  # past images/ beside labels.csv, too
        folders.append(folders[-1].full[0])
    files = [path for folder in folders for path, _ in folder.files]
    tables = [path for path in files if path.suffix.lower() in (".csv", ".tsv") and path.is_file()]
    return [path for path in tables if not re.match(r"sample_?submission", path.stem, re.IGNORECASE)]  # of Kaggle


def _require_some(tree: Folder, found: Layout, called: str) -> None:
    """Raises InputError where the folders say no labels; says what might."""
    folder = unwrapped(tree)
    if found.found["label"].nunique() > 1:
        return
    heap = folder.photos if found.found.empty else [path for path, reason in folder.below[0] if not reason]
    archives = [path for path, _ in tree.below[0] if is_archive(path)]
    if heap and (counts := prefixes(heap)):
        raise InputError(f"{called} has photos but not several class folders; {ways_to_label(counts)}")
    if found.found.empty and archives:
        what = f"{archives[0]} itself" if len(archives) == 1 else "one of them, or unpack them"
        names = in_words(path.name for path in archives)
        raise InputError(f"{called} has no photos, but {names}: give {what}")
    if found.found.empty and heap:
        raise InputError(f"{called} has photos but no class folders: {USABLE}")
    require_classes(found, called, "")


def _require_agreement(
    data: Path, folders: Layout, statement: Statement, found: Layout | InputError, called: str
) -> None:
    """Raises InputError where a statement beside class folders says something else than they do."""
    ways, name = _ways([statement], "classes", "splits"), statement.name
    if isinstance(found, InputError):
        what = "a table of labels" if statement.layout == "csv" else "labels"
        raise InputError(
            f"{called} has class folders and {name}, {what} that can't be used ({found}): correct it, remove it, or "
            "ignore it with --layout classes or --layout splits (in notebook 00: Layout)"
        )
    stated = {row.path: (row.label, row.split) for row in _seen_from(data, found).found.itertuples()}
    by_folder = {row.path: (row.label, row.split) for row in folders.found.itertuples()}
    differing = [path for path, own in stated.items() if by_folder.get(path) != own]
    if differing:
        raise InputError(
            f"{called} has class folders and {name}, which say different things of {len(differing)} photos, for "
            f"example {walk.shown(differing[0])}: {ways}"
        )
    if len(stated) < len(by_folder):
        raise InputError(
            f"{called} has class folders with {len(by_folder)} photos and {name}, which names {len(stated)} of "
            f"them: {ways}"
        )
    folders.notes.append(f"{name} says the same as the folders")


def _seen_from(data: Path, found: Layout) -> Layout:
    """The same with paths relative to `data`, which holds the table."""
    if found.root == data:
        return found
    inner = found.root.relative_to(data).as_posix()

    def moved(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(path=[f"{inner}/{path}" for path in table["path"]])

    return replace(found, root=data, found=moved(found.found), left_out=moved(found.left_out))
