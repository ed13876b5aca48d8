"""What an audit finds: rows of one table, whatever the kind of issue.

Two scales, both from 0 to 1: an issue's `score` says how bad (1 is worst), a photo's `label_quality` says how
well its label fits (1 is best).
"""

from collections.abc import Iterable
from itertools import zip_longest

import pandas as pd

OTHERS = ["other", "other_2", "other_3"]
"""The photos to show beside this one: its copy, or the nearest photos that surely show what this one looks like; else
empty."""

COLUMNS = ["path", "issue", "score", "detail", "suggestion", *OTHERS]
"""Columns of issues.csv. `path` is empty when the issue is about the whole set."""

KINDS = {
    "mislabelled": "the photo looks like another class than its label says",
    "ambiguous": "to the model the photo looks as much like another class as like its own",
    "outlier": "to the model the photo looks like none of the classes",
    "two-classes": "the same photo carries two different labels",
    "leak": "the same photo is in two splits, so accuracy is measured on photos that were learned by heart",
    "duplicate": "the same photo is there more than once",
    "corrupt": "the file can't be read as a photo, and is left out",
    "dark": "hardly anything in the photo is bright",
    "over-exposed": "a large part of the photo is burnt out",
    "low-contrast": "all of the photo has nearly the same brightness",
    "blurry": "the photo has no sharp edges",
    "small": "the photo has fewer pixels than the network looks at",
    "odd-size": "the photo is far larger or smaller than the others",
    "odd-aspect": "the photo is so long that most of it lies outside the square the network sees",
    "shortcut": "a property of the file or the light gives a class away",
    "split-drift": "the photos of one split differ from those of the others",
    "few-images": "a class has too few training photos",
    "small-objects": "what the photos show is too small for a classifier that looks at whole photos",
    "imbalance": "one class has far more training photos than another",
    "slow-storage": "photos are read more slowly than the network takes them",
}
"""Every kind of issue and what it means, the ones that matter most first."""

ABOUT_COPIES = ("two-classes", "leak", "duplicate")
"""Issues whose `other` is a copy."""


def issue(path: str, kind: str, score: float, detail: str, suggestion: str, *others: str) -> dict:
    """One row of the table. score: 0..1, 1 is worst; others: at most three paths."""
    return {
        "path": path,
        "issue": kind,
        "score": round(min(max(float(score), 0.0), 1.0), 4),
        "detail": detail,
        "suggestion": suggestion,
        **dict(zip_longest(OTHERS, others, fillvalue="")),
    }


def table(rows: Iterable[dict]) -> pd.DataFrame:
    """The rows as a DataFrame with COLUMNS, in the order of KINDS, worst first within a kind."""
    frame = pd.DataFrame(list(rows), columns=COLUMNS)
    order = frame["issue"].map({kind: place for place, kind in enumerate(KINDS)})
    return (
        frame.assign(order=order)
        .sort_values(["order", "score", "path"], ascending=[True, False, True], kind="stable")
        .drop(columns="order")
        .reset_index(drop=True)
    )


def quoted(names: Iterable[str]) -> str:
    """Names for a sentence: "a", "b" and "c"."""
    names = [f'"{name}"' for name in names]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
