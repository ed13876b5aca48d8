"""Which photo does a line of a table mean? Finds files by the names that people and other programs write down."""

import os
from collections import Counter
from pathlib import Path, PurePosixPath

from cvtune_nb.data import walk
from cvtune_nb.data.csv_file import Table
from cvtune_nb.data.layout import alike, composed, folded, in_words, photos_in_words
from cvtune_nb.data.split_names import split_of
from cvtune_nb.errors import InputError


class Files:
    """The files below a table's folder, found by names that are not spelled quite as the files are.

    Names may differ in capitals, in Unicode form or by a missing extension. They are relative to the folder, with
    forward slashes.
    """

    def __init__(self, root: Path):
        self.root = root
        self.notes: list[str] = []
        self.paths, self.passed_over = walk.files_below(root)
        self.names = [path.relative_to(root).as_posix() for path in self.paths]
        self.by_name: dict[str, list[str]] = {}
        self.by_stem: dict[str, list[str]] = {}
        for path, name in zip(self.paths, self.names, strict=True):
            self.by_name.setdefault(folded(path.name), []).append(name)
            if not walk.no_photo(path):
                self.by_stem.setdefault(folded(path.stem), []).append(name)

    def exact(self, name: str) -> str:
        """`name` relative to the root where that is a file as it stands, on any drive; else ""."""
        if "\0" in name:
            return ""
        path = Path(os.path.normpath(self.root / name))
        return Path(os.path.relpath(path, self.root)).as_posix() if os.path.isfile(path) else ""

    def has(self, name: str) -> bool:
        """Whether some file may be meant by `name`."""
        return bool(name) and bool(self.exact(name) or self.below(slashed(name)))

    def at(self, name: str) -> list[str]:
        """The files that `name` may mean, seen from the root itself."""
        return self._nearest(name, [path for path in self._pool(name) if _depth(path) == _depth(name)])

    def below(self, name: str) -> list[str]:
        """The files that `name` may mean, seen from the root or from any folder below it."""
        return self._nearest(name, self._pool(name))

    def _pool(self, name: str) -> list[str]:
        last = PurePosixPath(name).name
        return [*self.by_name.get(folded(last), []), *self.by_stem.get(folded(last), [])]

    def _nearest(self, name: str, pool: list[str]) -> list[str]:
        """Those of `pool` that `name` fits best: as it stands, else without their extension, else in other letters."""
        ends = {path: _end(path, name) for path in pool}
        fits = (
            lambda end: end == name,
            lambda end: os.path.splitext(end)[0] == name,
            lambda end: folded(end) == folded(name),
            lambda end: folded(os.path.splitext(end)[0]) == folded(name),
        )
        for fit in fits:
            if found := [path for path, end in ends.items() if fit(end)]:
                return sorted(found)
        return []

    def left_out(self, used: set[str], tables: set[Path], called: str) -> list[tuple[str, str, str, int]]:
        """(path, label, reason, number of photos) of everything below the root that is not used.

        A folder none of whose files is used is one row.

        Parameters
        ----------
        used
            The paths of the photos that are.
        tables
            The files that name them.
        called
            What these are called, for reasons.
        """
        tops = {path.split("/")[0] for path in used}
        rows, whole = [], {}
        for path, name in zip(self.paths, self.names, strict=True):
            if name in used or path in tables:
                continue
            top, reason = name.split("/")[0], walk.no_photo(path)
            if "/" in name and top not in tops:
                whole[top] = whole.get(top, 0) + (not reason)
            else:
                rows.append((walk.shown(name), "", reason or f"{called} does not name it", int(not reason)))
        rows += [
            (walk.shown(top), "", f"{called} names nothing in it ({photos_in_words(count)})", count)
            for top, count in whole.items()
        ]
        rows += [
            (walk.shown(path.relative_to(self.root).as_posix()), "", reason, 0) for path, reason in self.passed_over
        ]
        return rows


class Match:
    """The photos that the cells of a column mean, each by the only reading there is."""

    def __init__(self, table: Table, files: Files, cells: list[str], labels: list[str], splits: list[str]):
        self.table, self.files, self.cells = table, files, cells
        self.labels, self.splits = labels, splits

    def paths(self) -> list[str]:
        """A file for each row. Raises InputError for a cell that means no file, or several."""
        if empty := [row for row, cell in enumerate(self.cells) if not cell]:
            raise self.table.refuse(empty[0], "it names no photo: fill the path in or take the line out")
        exact = [self.files.exact(cell) for cell in self.cells]
        if all(exact):
            return exact
        names = [slashed(cell) for cell in self.cells]
        direct = [[path] if path else self.files.at(name) for path, name in zip(exact, names, strict=True)]
        if all(direct):
            return self._single(direct, names)
        nearest = direct
        for cut in range(max(map(_depth, names)) if not any(direct) else 0):
            shorter = _without(names, cut)
            places = [self.files.below(name) for name in shorter]
            if places and all(places):
                return self._chosen(places, shorter, names[0].split("/")[:cut])
            nearest = max(nearest, places, key=lambda places: sum(map(bool, places)))
        missing = [cell for cell, places in zip(self.cells, nearest, strict=True) if not places]
        raise InputError(
            f"{self.table.file} names {len(missing)} file(s) that are not there, first {missing[0]!r}: paths are "
            "relative to the CSV file's folder; correct them or remove the lines"
        )

    def _single(self, places: list[list[str]], names: list[str]) -> list[str]:
        """The one file of each row."""
        for row, (fitting, name) in enumerate(zip(places, names, strict=True)):
            if len(fitting) > 1:
                raise self.table.refuse(
                    row,
                    f"{name!r} may be {in_words(fitting)}: write the path of the one that is "
                    f"meant, seen from {self.files.root}",
                )
        paths = [fitting[0] for fitting in places]
        self._note(paths, names)
        return paths

    def _chosen(self, places: list[list[str]], names: list[str], cut: list[str]) -> list[str]:
        """The file of each row among those in any folder.

        The only one; else the one in the folder of its label, or of its split; else the one in the only folder that has
        them all. cut: the folders that `names` had in front.
        """
        own = [self._of_row(row, fitting) for row, fitting in enumerate(places)]
        if all(len(fitting) == 1 for fitting in own):
            places = own
        elif len(folders := self._folders_with_all(places, names)) == 1:
            places = [
                [path for path in fitting if path.removesuffix(_end(path, name)) == folders[0]]
                for fitting, name in zip(places, names, strict=True)
            ]
        paths = self._single(places, names)
        self._refuse_others(paths, names, cut)
        folders = sorted({path.removesuffix(_end(path, name)) for path, name in zip(paths, names, strict=True)})
        self.files.notes.append(
            f"photos found in {', '.join(folder.strip('/') or '.' for folder in folders[:3])}"
            + (f" and {len(folders) - 3} more folders" if len(folders) > 3 else "")
        )
        return paths

    def _of_row(self, row: int, fitting: list[str]) -> list[str]:
        """Those of several files that lie in a folder called like the row's label, then its split."""
        for test in (
            lambda part: alike(part) == alike(self.labels[row]),
            lambda part: bool(self.splits[row]) and split_of(part) == self.splits[row],
        ):
            if len(fitting) > 1:
                fitting = [path for path in fitting if any(map(test, path.split("/")[:-1]))] or fitting
        return fitting

    def _folders_with_all(self, places: list[list[str]], names: list[str]) -> list[str]:
        """The folders seen from which every row is there; of several the one that has the table's split in its name."""
        folders = [
            {path.removesuffix(_end(path, name)) for path in fitting}
            for fitting, name in zip(places, names, strict=True)
        ]
        common = sorted(set.intersection(*folders))
        known = {alike(label) for label in self.labels}
        if any(alike(part) in known for folder in common for part in folder.split("/") if part):
            return []  # a folder for each class, and not the one for this row's
        split = split_of(self.table.file.stem)
        return [folder for folder in common if split and split_of(folder.strip("/").split("/")[-1]) == split] or common

    def _refuse_others(self, paths: list[str], names: list[str], cut: list[str]) -> None:
        """A photo in the folder of another class or split than the line says is not the one that is meant."""
        known = {alike(label) for label in self.labels}
        stated = {split_of(folder) for folder in cut} - {""}
        for row, (path, name) in enumerate(zip(paths, names, strict=True)):
            folders = [part for part in path.removesuffix(_end(path, name)).split("/") if part]
            classes = known & set(map(alike, folders))
            splits = set(map(split_of, folders)) - {""}
            wrong_split = splits and stated and not splits & stated
            if wrong_split or (classes and alike(self.labels[row]) not in classes):
                raise self.table.refuse(
                    row,
                    f"{self.cells[row]!r} is not there, but {path} is, the photo of another "
                    f"{'split' if wrong_split else 'class'}: write its path, seen from "
                    f"{self.files.root}, if it is meant",
                )

    def _note(self, paths: list[str], names: list[str]) -> None:
        """Say how names differ from those on disk."""
        changed = Counter(_difference(_end(path, name), name) for path, name in zip(paths, names, strict=True))
        if any("\\" in cell for cell in self.cells):
            self.files.notes.append("Windows paths")
        self.files.notes += [f"{words}: {count:,}" for words, count in changed.items() if words]


def _difference(end: str, name: str) -> str:
    """How a name differs from that on disk, which it fits."""
    if composed(end) == composed(name):
        return ""
    if composed(os.path.splitext(end)[0]) == composed(name):
        return "names without extension"
    return "names in other capitals"


def slashed(name: str) -> str:
    """A name as another system writes it: with forward slashes, and no drive or dots in front."""
    return os.path.normpath(name.replace("\\", "/")).lstrip("/") if name else ""


def _without(names: list[str], cut: int) -> list[str]:
    """The names without their first `cut` folders, where those are the same for all; else empty."""
    parts = [name.split("/") for name in names]
    if any(len(each) <= cut or each[:cut] != parts[0][:cut] for each in parts):
        return []
    return ["/".join(each[cut:]) for each in parts]


def _end(path: str, name: str) -> str:
    """As much of the end of `path` as `name` has parts."""
    return "/".join(path.split("/")[-_depth(name) :])


def _depth(name: str) -> int:
    return name.count("/") + 1
