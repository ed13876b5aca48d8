"""Photos that belong together: frames of one scene, a burst of one camera, the photos of one patient.

Photos of one group are never on both sides of a split, so that no accuracy is measured on scenes that were trained on.
"""

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import DisjointSet

from cvtune_nb.data.layout import Layout, in_words, photos_in_words
from cvtune_nb.data.path_groups import by_path, compiled
from cvtune_nb.data.table import GROUP_COLUMNS
from cvtune_nb.data.time_groups import by_time, taken
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.parameters import EXIF, NO_GROUPS
from cvtune_nb.workspace import Workspace, photos_id

SECONDS = 60.0
"""Between two photos of one group by EXIF, at most. Ours: frames of a scene follow each other within seconds, and who
goes on to another subject takes longer; time:N says another number."""

COLUMN, TIME = "column:", "time:"
WAYS = f"give column:NAME (of a CSV file), {EXIF}, {TIME}SECONDS, a regular expression for paths, or {NO_GROUPS}"
FEWEST_GROUPS, LARGEST = 6, 0.2
"""A column is used by itself where each class has so many groups, none with a larger fraction of its photos: the
coarsest that can be divided into about 70, 15 and 15%, and of which any may be held back (docs/measurements.md, "Groups
of a column"); a column of two arms of a study is none."""
NO_GROUP = {"", "unknown", "na", "n/a", "nan", "none", "null", "-", "?"}
"""What tables say for no group, in lower case."""
SHOWN = 5
"""Of the largest groups so many are shown, and so many photos that are alone."""


@dataclass(frozen=True)
class Grouping:
    """Which photos belong together by a rule.

    Attributes
    ----------
    rule
        As the person gave it; "" for none.
    photos
        path, label, name: of the photo's group, "" where the rule finds none and the photo is alone.
    by
        The rule in words.
    lack
        What photos that are alone lack, in words that follow their names.
    """

    rule: str
    photos: pd.DataFrame
    by: str = ""
    lack: str = ""

    @property
    def grouped(self) -> pd.DataFrame:
        """Those of `photos` that are in a group."""
        return self.photos[self.photos["name"] != ""]

    @property
    def alone(self) -> list[str]:
        """The paths of the photos that the rule finds no group for."""
        return self.photos.loc[self.photos["name"] == "", "path"].to_list()

    @property
    def sizes(self) -> pd.DataFrame:
        """A row for each group, the largest first: name, photos, classes (of its photos), example (a path)."""
        groups = self.grouped.groupby("name")
        table = groups.agg(photos=("path", "size"), classes=("label", "nunique"), example=("path", "min")).reset_index()
        return table.sort_values(["photos", "name"], ascending=[False, True], ignore_index=True)

    def some_of(self, name: str, most: int) -> list[str]:
        """The first paths of a group, at most so many."""
        return sorted(self.photos.loc[self.photos["name"] == name, "path"])[:most]

    @property
    def words(self) -> str:
        """For example "grouped by EXIF: 40 photos in 5 groups of up to 12; 3 photos ... are alone"; "" for no rule."""
        if not self.rule:
            return ""
        sizes, alone = self.sizes, self.alone
        words = f"grouped by {self.by}: {photos_in_words(len(self.grouped))} in {len(sizes):,} "
        words += f"group{'s' * (len(sizes) != 1)}"
        if len(sizes):
            first = sizes.iloc[0]
            words += f", the largest with {photos_in_words(first['photos'])} ({first['name']!r}: {first['example']})"
        if alone:
            words += f"; {photos_in_words(len(alone))} {self.lack} and are alone, for example {alone[0]}"
        return words

    def require_useful(self) -> None:
        """Raises InputError where it puts no photos together, or all photos of a class."""
        rule = f"--group-by {self.rule}"
        if self.grouped.empty:
            raise InputError(
                f"{rule} finds no groups: all {len(self.photos):,} photos {self.lack}, for example "
                f"{in_words(self.alone[:2])}; {WAYS}"
            )
        if self.grouped["name"].is_unique:
            examples = [
                f"{row.path} is {row.group!r}"
                for row in self.grouped.rename(columns={"name": "group"})[:2].itertuples()
            ]
            raise InputError(f"{rule} puts no two photos together, for example {' and '.join(examples)}; {WAYS}")
        for label, rows in self.photos.groupby("label"):
            names = set(rows["name"])
            if len(rows) > 1 and len(names) == 1 and names != {""}:
                raise InputError(
                    f"{rule} puts all {len(rows):,} photos of class {label!r} into one group, {names.pop()!r} (for "
                    f"example {in_words(rows['path'][:2])}), so that none could be held back; {WAYS}"
                )


def checked(rule: str) -> str:
    """A rule as it is remembered, "" for none. Raises InputError where it is no rule."""
    rule = rule.strip()
    if rule in ("", NO_GROUPS):
        return ""
    if rule == COLUMN:
        raise InputError(f"--group-by {rule} names no column: {WAYS}")
    if rule.startswith(TIME):
        _seconds(rule)
    elif rule != EXIF and not rule.startswith(COLUMN):
        try:
            compiled(rule)
        except InputError as error:
            raise InputError(f"{error}: {WAYS}") from None
    return rule


def usual_rule(layout: Layout) -> str:
    """The rule for photos that are opened at first: the layout's column, one that is called group, or none."""
    if layout.grouped_by:
        return COLUMN + layout.grouped_by
    for name in layout.columns:
        if _key(name) in GROUP_COLUMNS:
            values = layout.columns[name].map(_named).to_numpy()
            own = pd.DataFrame({"label": layout.found["label"].to_numpy(), "name": values})
            sizes = own[own["name"] != ""].groupby(["label", "name"]).size()
            largest = (sizes / own.groupby("label").size().reindex(sizes.index, level="label")).max()
            many = own.groupby("label")["name"].nunique().min() >= FEWEST_GROUPS and largest <= LARGEST
            if many and own[own["name"] != ""].duplicated("name").any():
                return COLUMN + name
            layout.notes.append(
                f"the column {name} is not used as groups by itself, for it has few or large ones, or no two photos in "
                f"one: --group-by {COLUMN}{name} (in notebook 00: Group by) uses it"
            )
    return ""


def grouping_of(
    space: Workspace, photos: pd.DataFrame, rule: str, layout: Layout, progress: Progress = silent
) -> Grouping:
    """Which photos belong together.

    Parameters
    ----------
    space
        Whose photos they are; what EXIF says of them is kept in its cache.
    photos
        path, label, sha256.
    rule
        As `checked` gives it.
    layout
        The photos as they were read, with the columns of their table.
    progress
        Called while it is read when photos were taken, or paths are matched; may raise Stopped.

    Raises
    ------
    InputError
        The rule is no rule, names a column that isn't there, or takes too long to match.
    """
    rule, paths = checked(rule), photos["path"]
    names = [""] * len(photos)
    if not rule:
        by, lack = "", ""
    elif rule.startswith(COLUMN):
        column = _column(layout, rule)
        values = dict(zip(layout.found["path"], layout.columns[column], strict=True))
        names = [_named(values.get(path, "")) for path in paths]
        by, lack = f"the column {column}", "have no group in it (empty, unknown, NA ...)"
    else:
        names = names_by(space, photos, rule, progress)
        by, lack = f"path, {rule}", "do not match"
        if is_of_time(rule):
            by = f"camera and time, {_seconds(rule):g} seconds"
            lack = "do not say when they were taken (EXIF DateTimeOriginal)"
    return Grouping(rule, photos[["path", "label"]].assign(name=names), by, lack)


def is_of_time(rule: str) -> bool:
    """Whether it looks at when photos were taken, and not at their paths."""
    return rule == EXIF or rule.startswith(TIME)


def names_by(space: Workspace, photos: pd.DataFrame, rule: str, progress: Progress = silent) -> list[str]:
    """What a rule that needs no table calls the group of each photo, "" for none.

    Parameters
    ----------
    space, rule, progress
        As in `grouping_of`.
    photos
        path, sha256.

    Raises
    ------
    InputError
        As `grouping_of`.
    """
    if is_of_time(rule):
        return by_time(photos, taken(space, photos, progress), _seconds(rule))
    return by_path(rule, photos["path"], progress)


def joined(copies: Iterable[str], names: Iterable[str]) -> list[str]:
    """The group of each photo: what copies and the names of groups connect.

    It is called like the first of its groups of copies, whose names depend on the content of photos alone.

    Parameters
    ----------
    copies
        The group of copies of each photo.
    names
        What a rule calls its group, "" for none.
    """
    pairs = list(zip(copies, names, strict=True))
    connected: DisjointSet = DisjointSet(dict.fromkeys([("copies", copy) for copy, _ in pairs]))
    for copy, name in pairs:
        if name:
            connected.add(("name", name))
            connected.merge(("copies", copy), ("name", name))
    first: dict[object, str] = {}
    for copy, _ in pairs:
        root = connected["copies", copy]
        first[root] = min(first.get(root, copy), copy)
    return [first[connected["copies", copy]] for copy, _ in pairs]


def dependent(photos: pd.DataFrame) -> pd.Series | None:
    """The group of each photo (columns group, copies) where photos belong together; None where only copies do.

    Intervals allow for groups only then: those of data without groups stay what they were.
    """
    return photos["group"] if "copies" in photos and (photos["group"] != photos["copies"]).any() else None


def groups_at(photos: pd.DataFrame, paths: Iterable[str]) -> np.ndarray | None:
    """The group of the photo at each path where photos belong together, else None; one that is gone is alone.

    photos: path, group, copies.
    """
    own = dependent(photos)
    if own is None:
        return None
    known = dict(zip(photos["path"], own, strict=True))
    return np.array([known.get(path, path) for path in paths], dtype=object)


def groups_id(photos: pd.DataFrame) -> str:
    """A short name for how photos (columns group, copies, sha256) are grouped beyond copies; "" where they are not.

    With a dash in front, as the end of the name of what was computed with groups kept together.
    """
    if dependent(photos) is None:
        return ""
    rows = photos[["sha256", "group"]].sort_values(["sha256", "group"]).to_csv(index=False)
    return f"-{hashlib.sha256(rows.encode()).hexdigest()[:8]}"


def grouped_id(photos: pd.DataFrame) -> str:
    """A short name for exactly these photos with these labels and splits, grouped as they are."""
    return photos_id(photos) + groups_id(photos)


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _named(cell: str) -> str:
    """The group that a cell says, "" for none."""
    return "" if cell.strip().casefold() in NO_GROUP else cell


def _column(layout: Layout, rule: str) -> str:
    """The table's column that is meant. Raises InputError."""
    asked = rule.removeprefix(COLUMN)
    for fits in (lambda name: name == asked, lambda name: _key(name) == _key(asked)):
        if found := [name for name in layout.columns if fits(name)]:
            return found[0]
    there = f"its columns: {in_words(layout.columns)}" if len(layout.columns) else "it is no CSV file"
    raise InputError(f"--group-by {rule} names a column that the table of the photos does not have ({there}); {WAYS}")


def _seconds(rule: str) -> float:
    if rule == EXIF:
        return SECONDS
    try:
        seconds = float(rule.removeprefix(TIME))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise InputError(f"--group-by {rule} has no number of seconds from 0 up: {WAYS}")
    return seconds
