"""What every reader of labelled photos gives, whatever they are kept in: folders, a table or an archive."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from cvtune_nb.data.walk import shown
from cvtune_nb.errors import InputError

OUTSIDE = "lies outside every class folder"
USABLE = (
    "put one folder per class in it (tulip/1.jpg, rose/2.jpg), or train, validation and test folders with those "
    "inside, or give a CSV file with the columns path,label"
)
"""What to do where there is nothing to train on."""


@dataclass(frozen=True)
class Layout:
    """The labelled photos that were found.

    Parameters
    ----------
    root : the folder that paths are relative to.
    found : path,label,split; paths have forward slashes, split is "" where the data has none.
    left_out : path,label,reason of what is not used, a folder with the number of its photos in the reason.
    notes : what was recognised as what, a few words each; empty for a folder for each class.
    kind : which of LAYOUTS the person would say for it, "" for none.
    columns : all that a table says of the photos, as text: a row for each of `found`.
    grouped_by : the column of photos that belong together, however few such groups there are; "" for none.
    """

    root: Path
    found: pd.DataFrame
    left_out: pd.DataFrame
    notes: list[str]
    kind: str = ""
    columns: pd.DataFrame = field(default_factory=pd.DataFrame)
    grouped_by: str = ""

    @property
    def recognised(self) -> str:
        """The notes in one line."""
        return shown("; ".join(self.notes))

    def with_left_out(self, rows: Iterable[tuple[str, str, str]]) -> "Layout":
        """The same with more that is left out: path, label, reason."""
        more = pd.DataFrame(rows, columns=["path", "label", "reason"], dtype=str)
        return replace(self, left_out=pd.concat([self.left_out, more], ignore_index=True))


def laid_out(root: Path, found: Iterable[tuple], left_out: Iterable[tuple], notes: list[str], kind: str) -> Layout:
    """A Layout of rows.

    Parameters
    ----------
    root
        The folder that paths are relative to.
    found
        (path, label, split) of each photo; split is "" where none is given.
    left_out
        (path, label, reason) of what is not used.
    notes
        What was recognised, in a few words each.
    kind
        One of LAYOUTS.
    """
    return Layout(
        root,
        pd.DataFrame(found, columns=["path", "label", "split"], dtype=str),
        pd.DataFrame(left_out, columns=["path", "label", "reason"], dtype=str),
        notes,
        kind,
    )


def composed(name: str) -> str:
    """`name` in the one form of Unicode that labels have (NFC): macOS writes é as e with an accent behind it."""
    return unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """`name` without capitals, and in that form."""
    return composed(name).casefold()


def alike(name: str) -> str:
    """The same for names that differ only in capitals, Unicode form, and blanks or underscores round or in them."""
    return " ".join(folded(name).replace("_", " ").split())


def spelt_twice(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """The labels that differ from another one only in their spelling, those of one name together."""
    names: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        names.setdefault(alike(label), []).append(label)
    return [tuple(same) for same in names.values() if len(same) > 1]


def require_classes(layout: Layout, data: str, asked: str) -> None:
    """Raises InputError where there is nothing to train on, or where two labels differ only in their spelling.

    Parameters
    ----------
    layout
        The photos and their labels.
    data
        What the person gave, for the message.
    asked
        One of LAYOUTS where the person has asked for it: then labels are taken as they are spelled.
    """
    labels = layout.found["label"]
    if labels.empty:
        raise InputError(f"{data} has no photos: {USABLE}")
    if labels.nunique() < 2:
        raise InputError(f"{data} has one class only, {labels.iloc[0]!r}: a classifier needs at least two; {USABLE}")
    twice = spelt_twice(labels)
    if twice and asked:
        layout.notes.extend(f"{in_words(same)} are classes of their own" for same in twice)
    elif twice:
        first = [layout.found[labels == label]["path"].iloc[0] for label in twice[0]]
        apart = f", or keep them apart with --layout {layout.kind} (in notebook 00: Layout)" if layout.kind else ""
        raise InputError(
            f"{data} has classes that differ only in their spelling, {'; '.join(map(in_words, twice))} (for example "
            f"{in_words(first)}): give them one name{apart}"
        )


def in_words(names: Iterable[str], most: int = 8) -> str:
    """'a', 'b' and 'c'; of many names the first."""
    quoted = [repr(name) for name in names]
    if len(quoted) > most:
        quoted = [*quoted[:most], f"{len(quoted) - most} more"]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def photos_in_words(count: int) -> str:
    """1 photo, 2,000 photos."""
    return f"{count:,} photo{'' if count == 1 else 's'}"
