"""A box as an annotation file states it, before anything is checked."""

import codecs
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvtune_nb.detection.pairing import Claim, Photos


@dataclass(frozen=True)
class Mark:
    """A box as an annotation file states it.

    Attributes
    ----------
    claim
        The photo it is on.
    where
        Its line or object in the claim's file.
    sides
        left, top, right, bottom in pixels of a photo of `size`, or as fractions (0..1) where size is None.
    size
        Width and height of the photo in pixels.
    """

    claim: Claim
    where: str
    label: str
    sides: tuple[float, float, float, float]
    size: tuple[float, float] | None


@dataclass(frozen=True)
class Problem:
    """What is wrong in an annotation file.

    Attributes
    ----------
    kind
        A short name for all problems of the kind.
    words
        What is wrong and what was done about it.
    photo
        Whose it is; "" where it is about the file.
    boxes
        Number of boxes left out because of it.
    """

    file: str
    where: str
    photo: str
    kind: str
    words: str
    boxes: int = 0


@dataclass
class Found:
    """What a reader makes of annotation files.

    Attributes
    ----------
    claims
        Every photo that they are about, including those without boxes.
    lost
        Boxes of a claim that can't be read.
    backgrounds
        Photos without a file, which means that they show nothing.
    """

    marks: list[Mark] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    lost: dict[Claim, int] = field(default_factory=dict)
    backgrounds: set[str] = field(default_factory=set)

    def wrong(self, file: str, where: str, photo: str, kind: str, words: str, boxes: int = 0) -> None:
        """Note a problem.

        Parameters
        ----------
        file, where, photo
            The annotation file, the line or object in it, and the photo it is about ("" for none).
        kind, words
            As in Problem.
        boxes
            Number of boxes left out because of it.
        """
        self.problems.append(Problem(file, where, photo, kind, words, boxes))

    def lose(self, claim: Claim, where: str, kind: str, words: str) -> None:
        """Note a box that can't be used.

        Parameters
        ----------
        claim
            The photo it is on.
        where
            Its line or object in the claim's file.
        kind, words
            As in Problem.
        """
        self.wrong(claim.file, where, claim.name, kind, f"{words}; it is left out", boxes=1)
        self.lost[claim] = self.lost.get(claim, 0) + 1


@dataclass(frozen=True)
class Folder:
    """What a reader works in. files: all below root that are no photos; photos: all that are, or may be."""

    root: Path
    files: list[str]
    photos: Photos


Reader = Callable[[Folder, list[str]], Found]
"""Reads annotation files, by their paths relative to the folder."""


def number(words: Any) -> float:
    """A number in an annotation file. Raises ValueError for anything else, also for truth values and infinity."""
    value = float("nan") if isinstance(words, bool) or words is None else float(words)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{words!r} is no number")
    return value


def encoding_of(content: bytes) -> str:
    """The encoding of a text: UTF-8 or UTF-16, with or without a byte order mark, else Windows-1252.

    In the latter every older European file is legible.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    start = content[:200]
    for zeros, encoding in ((start[1::2], "utf-16-le"), (start[::2], "utf-16-be")):
        if zeros.count(0) > len(zeros) / 2:
            return encoding
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":  # where only the beginning of a file was read
            return "cp1252"
    return "utf-8-sig"


def text_of(content: bytes) -> str:
    """The text in a file, whatever its encoding."""
    return content.decode(encoding_of(content), errors="replace")


def boxes_in_words(count: int) -> str:
    """So many boxes, as the beginning of a sentence about what became of them."""
    return {0: "it has no boxes", 1: "its box is left out"}.get(count, f"its {count:,} boxes are left out")
