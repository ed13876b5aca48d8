"""A box as an annotation file states it, before anything is checked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Mark:
    """photo: the name or path that the file gives; where: which line or object of `file` it is; sides: left, top,
    right, bottom in pixels of a photo of `size` (width, height), or where size is None in shares (0..1)."""

    photo: str
    file: str
    where: str
    label: str
    sides: tuple[float, float, float, float]
    size: tuple[float, float] | None


@dataclass(frozen=True)
class Problem:
    """What is wrong in an annotation file. kind: a short name for all problems of the kind; words say what is wrong and
    what was done about it; photo: "" where it is about the file."""

    file: str
    where: str
    photo: str
    kind: str
    words: str


@dataclass
class Found:
    """What a reader makes of annotation files. photos: every photo that they speak of, those without boxes too."""

    marks: list[Mark] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    photos: set[str] = field(default_factory=set)

    def wrong(self, file: str, where: str, photo: str, kind: str, words: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(file, where, photo, kind, words))


Reader = Callable[[Path, list[str]], Found]
"""Reads annotation files, by their paths relative to the folder."""


def number(words: object) -> float:
    """A number in an annotation file. Raises ValueError for anything else, also for truth values and infinity."""
    value = float("nan") if isinstance(words, bool) or words is None else float(words)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{words!r} is no number")
    return value
