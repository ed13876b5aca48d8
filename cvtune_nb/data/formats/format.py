"""What every format of labelled photos is read as: who is in which photo, and which file says so."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from cvtune_nb.data import walk
from cvtune_nb.data.folder_tree import Folder
from cvtune_nb.data.layout import Layout, composed, in_words, laid_out, photos_in_words
from cvtune_nb.data.listed import Files, slashed
from cvtune_nb.data.split_names import splits_of
from cvtune_nb.data.table import SEVERAL
from cvtune_nb.errors import InputError

BEGINNING = 100_000
"""Bytes of a file that show which program wrote it."""
LOOKED_AT = 20
"""Files, where there is one beside each photo, that show which program wrote them all."""


@dataclass(frozen=True)
class Stated:
    """What a file says of one photo.

    Attributes
    ----------
    file, place
        Which file says it, and where in it: "line 3", or "" for all of it.
    names
        How the photo may be called, seen from the file's folder, from the root or from below it, the likeliest first.
    labels
        Its classes; a photo of several is refused.
    split
        train, validation or test; "" where the format says none.
    without
        Why it has no label; "" for the usual reason.
    columns
        What else is said of it, by name: a rule for groups may use it.
    """

    file: Path
    place: str
    names: tuple[str, ...]
    labels: tuple[str, ...]
    split: str = ""
    without: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The file and the place in it, as the beginning of a message."""
        return f"{self.file} {self.place}".strip()


class Format(ABC):
    """A format in which programs write down the labels of photos that lie beside their files or below them.

    Attributes
    ----------
    name
        One of parameters.LAYOUTS.
    title
        How it is called by those who use it.
    own_folders
        Names of folders, in lower case, that belong to the format, and so are no classes.
    is_partial
        Whether it usually names photos that nobody has copied.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    own_folders: ClassVar[frozenset[str]] = frozenset()
    is_partial: ClassVar[bool] = False

    @abstractmethod
    def find(self, tree: Folder) -> list[Path]:
        """Its files of labels in a folder and below it; none where there is nothing of this format."""

    @abstractmethod
    def read(self, files: list[Path]) -> Iterator[Stated]:
        """What its files say of each photo. Raises InputError for what can't be read."""


def read_format(kind: Format, files: list[Path], root: Path) -> Layout | None:
    """The photos that files of a format label; None where they label none.

    Parameters
    ----------
    kind
        The format.
    files
        As it has found them.
    root
        The folder that holds them and the photos.

    Raises
    ------
    InputError
        A file can't be read, a photo is missing, may be several, or has several labels.
    """
    there, missing = Files(root), list[Stated]()
    rows: dict[str, Stated] = {}
    without: dict[str, str] = {}
    for stated in kind.read(files):
        path = _photo(there, stated)
        if not path:
            missing += [stated] * bool(stated.labels)
        elif not stated.labels:
            without[path] = stated.without or f"{kind.title} gives it no label"
        elif len(set(stated.labels)) > 1:
            raise InputError(f"{stated.where}: {path!r} has several labels, {in_words(stated.labels)}: {SEVERAL}")
        elif path in rows and (rows[path].labels[0], rows[path].split) != (stated.labels[0], stated.split):
            what = "label" if rows[path].labels != stated.labels else "split"
            raise InputError(f"{stated.where}: {path!r} has another {what} in {rows[path].where}: leave one of them")
        else:
            rows[path] = stated
    if not rows and not missing:
        return None
    if missing and (not kind.is_partial or not rows):
        raise InputError(
            f"{missing[0].where}: {missing[0].names[0]!r} is not there"
            f"{f', nor are {len(missing) - 1:,} other photos' * (len(missing) > 1)}: copy the photos into {root}, or "
            "take them out of the file"
        )
    return _layout(kind, files, there, rows, without, len(missing))


def _layout(
    kind: Format, files: list[Path], there: Files, rows: dict[str, Stated], without: dict[str, str], missing: int
) -> Layout:
    """The photos with their labels, and every other file with its reason."""
    splits = {path: stated.split for path, stated in rows.items()}
    notes = [f"{kind.title}: {_called(files, there.root)}"]
    if not any(splits.values()) and (own := split_folders(rows)):
        splits, words = own
        notes.append(f"folders {words}: splits")
    left_out = [
        (path, label, without.get(path, reason), count)
        for path, label, reason, count in there.left_out({*rows}, set(files), kind.title)
    ]
    listed = {path for path, *_ in left_out}
    unnamed = sum(count for path, _, _, count in left_out if path not in without)
    if without:
        notes.append(f"{photos_in_words(len(without))} without a label: left out")
    if unnamed:
        notes.append(f"{photos_in_words(unnamed)} not named in it: left out")
    if missing:
        notes.append(f"{photos_in_words(missing)} that it names are not here")
    found = laid_out(
        there.root,
        [(path, composed(stated.labels[0]), splits[path]) for path, stated in rows.items()],
        [row[:3] for row in left_out]
        + [(path, "", why) for path, why in without.items() if path not in listed | {*rows}],
        notes,
        kind.name,
    )
    columns = pd.DataFrame([dict(stated.columns) for stated in rows.values()], dtype=str).fillna("")
    return replace(found, columns=columns)


def split_folders(paths: Iterable[str]) -> tuple[dict[str, str], str] | None:
    """The split of each path, and the folders that say it, where the outermost folders are all called like splits."""
    parts = {path: path.split("/")[:-1] for path in paths}
    while all(parts.values()) and len({part[0] for part in parts.values()}) == 1:
        parts = {path: part[1:] for path, part in parts.items()}
    if not parts or not all(parts.values()):
        return None
    tops = sorted({part[0] for part in parts.values()})
    splits = splits_of(tops)
    if set(splits) != set(tops) or "train" not in splits.values() or len(set(splits.values())) < 2:
        return None
    return {path: splits[part[0]] for path, part in parts.items()}, ", ".join(tops)


def _photo(there: Files, stated: Stated) -> str:
    """The file that is meant, relative to the root; "" where there is none."""
    folder, names = stated.file.parent.relative_to(there.root), [name.replace("\\", "/") for name in stated.names]
    from_file, from_root = ([slashed(f"{base}/{name}") for name in names] for base in (folder.as_posix(), "."))
    every = [(name, there.at) for name in from_file + from_root] + [(name, there.below) for name in from_root]
    for name, look in every:
        places = [path] if (path := there.exact(name)) else look(name)
        if len(places) > 1:
            raise InputError(
                f"{stated.where}: {name!r} may be {in_words(places)}: give photos names of their own, or a folder with "
                "only those that are meant"
            )
        if places:
            return places[0]
    return ""


def _called(files: list[Path], root: Path) -> str:
    first = walk.shown(files[0].relative_to(root).as_posix())
    return first if len(files) == 1 else f"{first} and {len(files) - 1:,} more"


# -- which files there are ------------------------------------------------------------------------------------


def files_of(tree: Folder, *suffixes: str) -> list[Path]:
    """The files in a folder and below it that end so, in lower case."""
    return [path for path, reason in tree.below[0] if path.name.lower().endswith(suffixes) and reason != walk.LINK]


def beside_photos(tree: Folder, suffix: str) -> list[Path]:
    """Those of the files that end so and are called like a photo in their folder, but for its extension."""
    files = files_of(tree, suffix)
    photos = {path.with_suffix("") for path, reason in tree.below[0] if not reason} if files else set()
    return [path for path in files if path.with_suffix("") in photos]


def begins(file: Path) -> str:
    """The beginning of a text file; "" where it can't be read."""
    try:
        with open(file, "rb") as opened:
            return opened.read(BEGINNING).decode("utf-8-sig", "replace")
    except OSError:
        return ""


# -- what stands in them --------------------------------------------------------------------------------------


def json_of(file: Path) -> Any:
    """What a JSON file holds. Raises InputError where it is broken."""
    try:
        return json.loads(file.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} can't be read as JSON ({error}): export it again") from None
