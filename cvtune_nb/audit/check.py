"""What a check of the audit is, and what it gives: issues, which are rows of one table.

Two scales, both from 0 to 1: an issue's `score` says how bad it is (1 is worst), a photo's `label_quality` how well its
label fits (1 is best).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvtune_nb.audit.context import Context

Issue = dict[str, Any]
"""One row of the table, without the name of the check: what `issue` makes."""

OTHERS = ["other", "other_2", "other_3"]
"""The photos to show beside this one: its copy, or the nearest photos that surely show what it looks like; else
empty."""

COLUMNS = ["path", "issue", "score", "detail", "suggestion", *OTHERS]
"""Columns of issues.csv. `path` is empty when the issue is about the whole set."""

COMMON, AT_LEAST = 0.05, 5
"""A fraction of the photos, and a number of them: what is true of more than both says something about the set."""


@dataclass(frozen=True)
class Check:
    """One check of the audit, registered in audit.checks.

    Attributes
    ----------
    name : str
        The kind of issue, as the table has it.
    meaning : str
        What the issue means: one sentence without a full stop.
    run : callable
        Finds the issues.
    about_copies : bool
        Whether the photo shown beside is a copy.
    note_if_common : bool
        Whether an issue that many photos have becomes a sentence about the set, and no photo is listed.
    """

    name: str
    meaning: str
    run: Callable[[Context], Iterable[Issue]]
    about_copies: bool = False
    note_if_common: bool = False

    def look(self, context: Context) -> tuple[list[Issue], str]:
        """The issues it finds, or a sentence about the set; the other one is empty."""
        found, n = list(self.run(context)), len(context.photos)
        if self.note_if_common and len(found) > max(AT_LEAST, COMMON * n):
            return [], f"{self.name}: true of {len(found)} of {n} photos, so it's how this set is; none is listed"
        return found, ""


def issue(path: str, score: float, detail: str, suggestion: str, *others: str) -> Issue:
    """One issue.

    Parameters
    ----------
    path : str
        The photo, relative to the data's folder; "" for the whole set.
    score : float
        How bad it is, 0 to 1 (worst).
    detail, suggestion : str
        What was found, and what to do about it.
    *others : str
        At most three photos to show beside it.
    """
    return {
        "path": path,
        "score": round(min(max(float(score), 0.0), 1.0), 4),
        "detail": detail,
        "suggestion": suggestion,
        **dict(zip_longest(OTHERS, others, fillvalue="")),
    }


def quoted(names: Iterable[str]) -> str:
    """Names for a sentence: "a", "b" and "c"."""
    names = [f'"{name}"' for name in names]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
