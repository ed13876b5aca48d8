"""What comparing networks gave: how each did, what is recommended, and why."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.groups import groups_id
from cvtune_nb.files import path_and_digest, read_csv, read_json, write_csv, write_json
from cvtune_nb.workspace import Workspace, photos_id

TIE = 0.005
"""A network that is faster is recommended for accuracy where it is at most so much less accurate, and not reliably."""
FASTER = 1.2
"""Times as fast from which a network counts as faster: other work on the machine changes speeds by less."""
MARGIN = 0.02
"""How much less accurate the network recommended for speed may be than the most accurate one."""

WAITING, FINISHED, DROPPED = "waiting", "finished", "dropped"
OUT_OF_BUDGET, STOPPED, OUT_OF_REACH = "not within budget", "stopped", "out of reach"
"""States of a candidate. OUT_OF_BUDGET and STOPPED ones go on when the same comparison is run again."""
NUMBERS = ("image_size", "photos", "accuracy", "low", "high", "images_per_second", "seconds")
"""Columns of a comparison's table that hold numbers."""
ADDED = {"weights": "", "framing": "crop", "aspect": "1:1", "pooling": "last"}
"""Columns that earlier versions did not write, with what all candidates had then."""
USES = ("accuracy", "speed")
"""What a network can be recommended for."""


@dataclass
class Entry:
    """A candidate in the race: `right` has for each round's number of photos which of them it got right.

    groups: of all photos, where some belong together.
    """

    spec: FeatureSpec
    state: str = WAITING
    why: str = ""
    seconds: float = 0.0
    right: dict[int, np.ndarray] = field(default_factory=dict)
    groups: np.ndarray | None = None

    @property
    def published(self) -> bool:
        """Whether it has published weights, none of the person's own."""
        return not self.spec.weights

    @property
    def photos(self) -> int:
        """How many it was measured on."""
        return max(self.right, default=0)

    @property
    def accuracy(self) -> metrics.Accuracy:
        """On all of these."""
        return self.on(self.photos)

    def on(self, photos: int) -> metrics.Accuracy:
        """On the first `photos`."""
        right = self.right.get(photos, np.zeros(0, bool))
        return metrics.rate(right, self._groups(len(right)))

    def minus(self, other: "Entry") -> metrics.Paired:
        """Its accuracy minus the other's, on the photos of the last round that both were in."""
        common = max(self.right.keys() & other.right.keys())
        return metrics.paired(other.right[common], self.right[common], self._groups(common))

    def _groups(self, photos: int) -> np.ndarray | None:
        return None if self.groups is None else self.groups[:photos]


def ranked(entries: Sequence[Entry], photos: int) -> list[Entry]:
    """The most accurate on the first `photos` first."""
    return sorted(entries, key=lambda entry: -entry.on(photos).value)


@dataclass(frozen=True)
class Recommendation:
    """A network and image size, and why it is recommended, in a sentence."""

    spec: FeatureSpec
    why: str


@dataclass(frozen=True)
class Comparison:
    """How the candidates did.

    Attributes
    ----------
    table
        A row for each, the most accurate first: the fields of its FeatureSpec; photos (that its accuracy was found on,
        0 for none), accuracy, low, high (95% interval), images_per_second (of the network), seconds (spent on it),
        state and why.
    recommended
        What is recommended for each of USES; empty as long as candidates wait, and where nothing was measured.
    imagenet
        A sentence about the network that leads on ImageNet, where it is not recommended for accuracy; else "".
    measured_on
        Stands for the training photos and labels there were (training_photos_id).
    """

    table: pd.DataFrame
    recommended: dict[str, Recommendation]
    imagenet: str = ""
    measured_on: str = ""

    @property
    def measured(self) -> pd.DataFrame:
        """The candidates that have an accuracy."""
        return self.table[self.table["photos"] > 0]

    @property
    def points(self) -> pd.DataFrame:
        """`measured` with two more columns: name, and finished, whether it stayed to the end."""
        names = [str(spec) for spec in self.specs]
        return self.measured.assign(name=names, finished=self.measured["state"] == FINISHED)

    @property
    def specs(self) -> list[FeatureSpec]:
        """That of each row of `measured`."""
        return [FeatureSpec.from_dict(row) for row in self.measured.to_dict("records")]

    @property
    def files(self) -> list[str]:
        """The name of the file of own weights of each row of the table; "" where they are published ones."""
        return [path_and_digest(one)[0].name if one else "" for one in self.table["weights"]]

    @property
    def notes(self) -> list[str]:
        """How each row of the table ended, and why, in words."""
        return [
            f"{row.state}{' ' if row.why.startswith('after') else ': '}{row.why}" if row.why else row.state
            for row in self.table.itertuples()
        ]

    @property
    def seconds(self) -> float:
        """Spent on all candidates together."""
        return float(self.table["seconds"].sum())

    @property
    def sentences(self) -> list[str]:
        """What was found, for people."""
        found = [f"Recommended for {use}: {one.spec}, {one.why}." for use, one in self.recommended.items()]
        return found + ([self.imagenet] if self.imagenet else [])

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the JSON of `cvtune compare`."""
        recommended = {use: {**one.spec.to_dict(), "why": one.why} for use, one in self.recommended.items()}
        return {"candidates": self.table.to_dict("records"), "recommended": recommended, "imagenet": self.imagenet}

    def save(self, workspace: Workspace) -> None:
        """Keep it: comparison.csv has the table, comparison.json the rest."""
        write_csv(workspace.folder / "comparison.csv", self.table)
        rest = {name: value for name, value in self.to_dict().items() if name != "candidates"}
        write_json(workspace.folder / "comparison.json", {**rest, "measured_on": self.measured_on})


def last_comparison(workspace: Workspace) -> Comparison | None:
    """The last comparison of this workspace; None before there is one."""
    try:
        rest, table = read_json(workspace.folder / "comparison.json"), read_csv(workspace.folder / "comparison.csv")
    except FileNotFoundError:
        return None
    recommended = {
        use: Recommendation(FeatureSpec.from_dict(one), one["why"]) for use, one in rest["recommended"].items()
    }
    table = table.assign(**{name: value for name, value in ADDED.items() if name not in table})
    words = [name for name in table if name not in NUMBERS]
    table[words] = table[words].astype(object).fillna("")  # a column without a word was read as one of numbers
    return Comparison(table, recommended, rest["imagenet"], rest["measured_on"])


def training_photos_id(workspace: Workspace) -> str:
    """Stands for today's training photos and labels."""
    photos = workspace.photos()
    train = photos[photos["split"] == "train"]
    return photos_id(train) + groups_id(train)


def nothing_yet() -> Comparison:
    """Before anything was compared."""
    return Comparison(pd.DataFrame(columns=["backbone", *ADDED, *NUMBERS, "state", "why"]), {})


def concluded(
    entries: Sequence[Entry],
    speed: Callable[[FeatureSpec], float],
    measured_speed: Callable[[FeatureSpec], float],
    imagenet: str,
    measured_on: str,
) -> Comparison:
    """How the candidates stand, and what follows from it.

    Parameters
    ----------
    entries
        The candidates.
    speed, measured_speed
        Photos a second; guessed, or nan, where that was not measured.
    imagenet
        The name of the network that leads on ImageNet, or "".
    measured_on
        As in Comparison.
    """
    rows = [
        {
            **entry.spec.to_dict(),
            "photos": entry.photos,
            **_accuracy(entry),
            "images_per_second": measured_speed(entry.spec),
            "seconds": round(entry.seconds, 2),
            "state": entry.state,
            "why": entry.why,
        }
        for entry in sorted(entries, key=lambda entry: (-entry.photos, -entry.accuracy.value))
    ]
    measured = [entry for entry in entries if entry.right]
    if not measured or any(entry.state == WAITING for entry in entries):
        return Comparison(pd.DataFrame(rows), {}, "", measured_on)
    accurate, fast = recommend(measured, speed)
    words, networks = "", {entry.spec.backbone for entry in measured if entry.published}
    if imagenet in networks and (accurate.spec.backbone != imagenet or accurate.spec.weights):
        words = f"{imagenet} leads on ImageNet: fine-tuning may get more out of it than the frozen network shows."
    return Comparison(pd.DataFrame(rows), dict(zip(USES, (accurate, fast), strict=True)), words, measured_on)


def recommend(
    measured: Sequence[Entry], speed: Callable[[FeatureSpec], float]
) -> tuple[Recommendation, Recommendation]:
    """What is recommended for accuracy, and for speed.

    For accuracy: the most accurate of those measured on the most photos, or one that was left out on the way and was
    ahead of it on the photos that both saw; or else a faster one (FASTER) that is at most TIE below it and not reliably
    so. For speed: the fastest of all that are at most MARGIN below the most accurate, each on the photos that both were
    measured on.

    Parameters
    ----------
    measured
        At least one candidate that has an accuracy.
    speed
        Photos a second.
    """
    most = max(entry.photos for entry in measured)
    final = ranked([entry for entry in measured if entry.photos == most], most)
    best = final[0]
    for entry in sorted(measured, key=lambda entry: -entry.photos):
        if entry.minus(best).difference > TIE:
            best = entry
    ties = [
        entry
        for entry in (final if best in final else [best])
        if (apart := entry.minus(best)).high >= 0 and apart.difference >= -TIE
    ]
    first = _faster(ties, best, speed)
    words = f"{_percent(first.accuracy)} of {first.photos:,} training photos right, cross-validated"
    if first is not best:
        words += f": {times(first, best, speed)}, with no reliable difference from its {best.accuracy.value:.1%}"
    elif len(measured) > 1:
        words += f": the most accurate of {len(measured)}"
    near = [entry for entry in measured if entry.minus(best).difference >= -MARGIN]
    fast = _faster(near, first, speed)
    if fast is first:
        quick = f"too: nothing much faster comes within {MARGIN * 100:g} points of the most accurate"
    else:
        quick = f"{times(fast, first, speed)}, at {below(fast.minus(first))}"
    return Recommendation(first.spec, words), Recommendation(fast.spec, quick)


def _faster(entries: Sequence[Entry], than: Entry, speed: Callable[[FeatureSpec], float]) -> Entry:
    """The fastest of `entries` if it is really faster than `than`, else that one."""
    fastest = max(entries, key=lambda entry: speed(entry.spec))
    return fastest if speed(fastest.spec) >= FASTER * speed(than.spec) else than


def times(entry: Entry, other: Entry, speed: Callable[[FeatureSpec], float]) -> str:
    """How much faster it is, in words.

    Parameters
    ----------
    entry, other
        The faster one, and the one it is compared with.
    speed
        Photos a second.
    """
    return f"{speed(entry.spec) / speed(other.spec):.1f} times as fast as {other.spec}"


def below(apart: metrics.Paired) -> str:
    """A difference in words, for example "2.1 points less (0.5 to 3.7)"."""
    if apart.difference == 0:
        return f"the same accuracy ({apart.low * 100:+.1f} to {apart.high * 100:+.1f} points)"
    if apart.difference > 0:
        return f"{apart.difference * 100:.1f} points more ({apart.low * 100:.1f} to {apart.high * 100:.1f})"
    return f"{-apart.difference * 100:.1f} points less ({-apart.high * 100:.1f} to {-apart.low * 100:.1f})"


def _accuracy(entry: Entry) -> dict[str, float]:
    found = entry.accuracy
    values = (found.value, found.low, found.high) if entry.photos else (math.nan,) * 3
    return dict(zip(("accuracy", "low", "high"), values, strict=True))


def _percent(found: metrics.Accuracy) -> str:
    return f"{found.value:.1%} ({found.low * 100:.1f} to {found.high * 100:.1f}%)"
