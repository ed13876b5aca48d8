"""Folders of empty files, and what is read from them: reading a layout opens no photo."""

import re
from pathlib import Path

from cvtune_nb.data.read import read_layout


def lay(root: Path, *names: str) -> Path:
    """Empty files with these names, # standing for 0 to 3, except before a letter; a name that ends in / is a folder.
    Returns `root`."""
    for pattern in names:
        for name in dict.fromkeys(re.sub(r"#(?![a-z])", str(number), pattern) for number in range(4)):
            if name.endswith("/"):
                (root / name).mkdir(parents=True, exist_ok=True)
            else:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).touch()
    return root


def found(data: Path, layout: str = "") -> set[tuple[str, str, str]]:
    """(path, label, split) of every photo."""
    return set(read_layout(data, layout).found.itertuples(index=False, name=None))


def counts(data: Path, layout: str = "") -> dict[tuple[str, str], int]:
    """How many photos each (label, split) has."""
    return read_layout(data, layout).found.groupby(["label", "split"]).size().to_dict()


def left_out(data: Path, layout: str = "") -> dict[str, str]:
    """The reason for every path that is left out."""
    return {row.path: row.reason for row in read_layout(data, layout).left_out.itertuples()}


def one_sentence(error, *parts: object) -> None:
    """The error is one line that holds all `parts`."""
    words = str(error.value)
    assert "\n" not in words
    for part in parts:
        assert str(part) in words
