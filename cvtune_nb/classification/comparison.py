"""What comparing networks gave: how each did, what is recommended, and why."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.judge import Judge, Said
from cvtune_nb.data.groups import groups_id
from cvtune_nb.files import path_and_digest, read_csv, read_json, write_csv, write_json
from cvtune_nb.metrics import Accuracy, Paired
from cvtune_nb.objectives import ACCURACY, USUAL, Counted, Objective, Score
from cvtune_nb.workspace import Workspace, photos_id

TIE = 0.005
"""A network that is faster is recommended where it is at most so much worse, and not reliably; in points of accuracy
(Judge.margin)."""
FASTER = 1.2
"""Times as fast from which a network counts as faster: other work on the machine changes speeds by less."""
MARGIN = 0.02
"""How much worse the network recommended for speed may be than the best one; in points of accuracy (Judge.margin)."""

WAITING, FINISHED, DROPPED = "waiting", "finished", "dropped"
OUT_OF_BUDGET, STOPPED, OUT_OF_REACH = "not within budget", "stopped", "out of reach"
"""States of a candidate. OUT_OF_BUDGET and STOPPED ones go on when the same comparison is run again."""
NUMBERS = ("image_size", "photos", "accuracy", "low", "high", "images_per_second", "seconds")
"""Columns of a comparison's table that hold numbers."""
ADDED = {"weights": "", "framing": "crop", "aspect": "1:1", "pooling": "last"}
"""Columns that earlier versions did not write, with what all candidates had then."""
USES = ("accuracy", "speed")
"""What a network can be recommended for; "accuracy" stands for what counts in the workspace, whatever that is."""
COUNTS = ("objective_value", "objective_low", "objective_high")
"""Further columns, after those of accuracy, where another objective counts: its value with the 95% interval."""


@dataclass
class Entry:
    """A candidate in the race.

    said: for each round's number of photos, what its SVM said of them; judge: what counts.
    """

    spec: FeatureSpec
    state: str = WAITING
    why: str = ""
    seconds: float = 0.0
    said: dict[int, Said] = field(default_factory=dict)
    judge: Judge = field(default_factory=Judge)
    _scores: dict[int, Score] = field(default_factory=dict, init=False, repr=False)
    _apart: dict[tuple[FeatureSpec, int], Paired] = field(default_factory=dict, init=False, repr=False)

    @property
    def published(self) -> bool:
        """Whether it has published weights, none of the person's own."""
        return not self.spec.weights

    @property
    def photos(self) -> int:
        """How many it was measured on."""
        return max(self.said, default=0)

    @property
    def accuracy(self) -> Accuracy:
        """On all of these."""
        return self.judge.accuracy(self.said.get(self.photos, NOTHING))

    @property
    def score(self) -> Score:
        """What counts, on all of these."""
        return self.on(self.photos)

    def on(self, photos: int) -> Score:
        """What counts, on the first `photos`; kept, for intervals of the bootstrap take a while."""
        if photos not in self._scores:
            found = self.judge.score(self.said.get(photos, NOTHING))
            if photos not in self.said:
                return found
            self._scores[photos] = found
        return self._scores[photos]

    def merit(self, photos: int | None = None) -> float:
        """What counts, so that larger is better, on the first `photos`, or on all that it was measured on.

        Of one that was not measured on them less than of any other, and 0 where accuracy counts.
        """
        value = self.judge.objective.merit(self.on(self.photos if photos is None else photos).value)
        return -math.inf if math.isnan(value) else value

    def minus(self, other: "Entry") -> Paired:
        """How much better it is than the other, on the photos of the last round that both were in."""
        common = max(self.said.keys() & other.said.keys())
        key = other.spec, common
        if key not in self._apart:
            self._apart[key] = self.judge.compare(other.said[common], self.said[common])
        return self._apart[key]


NOTHING = Said(np.zeros(0, bool), np.zeros((0, 0)))
"""What a candidate has said that was not measured."""


def ranked(entries: Sequence[Entry], photos: int) -> list[Entry]:
    """The best on the first `photos` first."""
    return sorted(entries, key=lambda entry: -entry.merit(photos))


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
        A row for each, the best first: the fields of its FeatureSpec; photos (that its accuracy was found on, 0 for
        none), accuracy, low, high (95% interval), COUNTS where another objective counts, images_per_second (of the
        network), seconds (spent on it), state and why.
    recommended
        What is recommended for each of USES; empty as long as candidates wait, and where nothing was measured.
    imagenet
        A sentence about the network that leads on ImageNet, where it is not recommended for accuracy; else "".
    measured_on
        Stands for the training photos and labels there were (training_photos_id).
    counted
        What counted.
    """

    table: pd.DataFrame
    recommended: dict[str, Recommendation]
    imagenet: str = ""
    measured_on: str = ""
    counted: Counted = ACCURACY

    def use_in_words(self, use: str) -> str:
        """What a network is recommended for: one of USES, with the name of what counts."""
        return self.counted.label if use == USES[0] else use

    def value_in_words(self, row: Any) -> str:
        """What counts of a row (as itertuples has it), for example "83.1%"."""
        return self.counted.in_words(row.accuracy if self.counted.by_accuracy else row.objective_value)

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
        found = [
            f"Recommended for {self.use_in_words(use)}: {one.spec}, {one.why}." for use, one in self.recommended.items()
        ]
        return found + ([self.imagenet] if self.imagenet else [])

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the JSON of `cvtune compare`."""
        recommended = {use: {**one.spec.to_dict(), "why": one.why} for use, one in self.recommended.items()}
        return {
            "candidates": self.table.to_dict("records"),
            "recommended": recommended,
            "imagenet": self.imagenet,
            **self.counted.to_dict(),
        }

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
    words = [name for name in table if name not in (*NUMBERS, *COUNTS)]
    table[words] = table[words].astype(object).fillna("")  # a column without a word was read as one of numbers
    return Comparison(table, recommended, rest["imagenet"], rest["measured_on"], Counted.from_dict(rest))


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
    judge: Judge | None = None,
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
    judge
        What counts; None: accuracy.
    """
    judge = judge or Judge()
    counted = Counted.of(judge.objective)
    rows = [
        {
            **entry.spec.to_dict(),
            "photos": entry.photos,
            **_figures(entry),
            "images_per_second": measured_speed(entry.spec),
            "seconds": round(entry.seconds, 2),
            "state": entry.state,
            "why": entry.why,
        }
        for entry in sorted(entries, key=lambda entry: (-entry.photos, -entry.merit()))
    ]
    measured = [entry for entry in entries if entry.said]
    if not measured or any(entry.state == WAITING for entry in entries):
        return Comparison(pd.DataFrame(rows), {}, "", measured_on, counted)
    best, fast = recommend(measured, speed)
    words, networks = "", {entry.spec.backbone for entry in measured if entry.published}
    if imagenet in networks and (best.spec.backbone != imagenet or best.spec.weights):
        words = f"{imagenet} leads on ImageNet: fine-tuning may get more out of it than the frozen network shows."
    recommended: dict[str, Recommendation] = dict(zip(USES, (best, fast), strict=True))
    return Comparison(pd.DataFrame(rows), recommended, words, measured_on, counted)


def recommend(
    measured: Sequence[Entry], speed: Callable[[FeatureSpec], float]
) -> tuple[Recommendation, Recommendation]:
    """What is recommended for what counts, and for speed.

    For what counts: the best of those measured on the most photos, or one that was left out on the way and was ahead of
    it on the photos that both saw; or else a faster one (FASTER) that is at most TIE below it and not reliably so. For
    speed: the fastest of all that are at most MARGIN below the best, each on the photos that both were measured on.

    Parameters
    ----------
    measured
        At least one candidate that was measured; all by the same judge.
    speed
        Photos a second.
    """
    most = max(entry.photos for entry in measured)
    final = ranked([entry for entry in measured if entry.photos == most], most)
    best, judge = final[0], final[0].judge
    objective, tie = judge.objective, judge.margin(TIE, best.score.value)
    for entry in sorted(measured, key=lambda entry: -entry.photos):
        if entry.minus(best).difference > tie:
            best = entry
    ties = [
        entry
        for entry in (final if best in final else [best])
        if (apart := entry.minus(best)).high >= 0 and apart.difference >= -tie
    ]
    first = _faster(ties, best, speed)
    words = _value_in_words(first)
    if first is not best:
        value = objective.in_words(best.score.value)
        words += f": {times(first, best, speed)}, with no reliable difference from its {value}"
    elif len(measured) > 1:
        words += f": the {_best(judge)} of {len(measured)}"
    margin = judge.margin(MARGIN, best.score.value)
    near = [entry for entry in measured if entry.minus(best).difference >= -margin]
    fast = _faster(near, first, speed)
    if fast is first:
        within = (
            objective.gain_in_words(margin).removeprefix("+") if not objective.SHARE else f"{MARGIN * 100:g} points"
        )
        quick = f"too: nothing much faster comes within {within} of the {_best(judge)}"
    else:
        quick = f"{times(fast, first, speed)}, at {below(fast.minus(first), objective)}"
    return Recommendation(first.spec, words), Recommendation(fast.spec, quick)


def _best(judge: Judge) -> str:
    return "most accurate" if judge.by_accuracy else f"best by {judge.objective.label}"


def _value_in_words(entry: Entry) -> str:
    """What counts, with its interval, and on how many photos it was measured."""
    photos = f"{entry.photos:,} training photos"
    if entry.judge.by_accuracy:
        return f"{_percent(entry.accuracy)} of {photos} right, cross-validated"
    value, low, high = (entry.judge.objective.in_words(each) for each in (entry.score.value, *entry.score.interval))
    return f"{entry.judge.objective.label} {value} ({low} to {high}) on {photos}, cross-validated"


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


def below(apart: Paired, objective: Objective) -> str:
    """A difference in words, for example "2.1 points less (0.5 to 3.7)" or "log loss 0.031 higher (0.012 to 0.051)".

    Parameters
    ----------
    apart
        Above 0: better.
    objective
        What counts.
    """
    difference, low, high = apart.difference, apart.low, apart.high
    if not objective.SHARE and difference == 0:
        return f"the same {objective.label} ({low:+.3f} to {high:+.3f})"
    if difference == 0:
        return f"the same {objective.label} ({low * 100:+.1f} to {high * 100:+.1f} points)"
    if difference < 0:
        difference, low, high = -difference, -high, -low
    worse = apart.difference < 0
    if not objective.SHARE:
        way = "higher" if worse != objective.HIGHER_IS_BETTER else "lower"
        return f"{objective.label} {difference:.3f} {way} ({low:.3f} to {high:.3f})"
    what = "" if objective.text == USUAL else f" of {objective.label}"
    way = "less" if worse else "more"
    return f"{difference * 100:.1f} points{what} {way} ({low * 100:.1f} to {high * 100:.1f})"


def _figures(entry: Entry) -> dict[str, float]:
    """Accuracy and what counts, with their intervals; NaN before it was measured."""
    found = entry.accuracy
    values: dict[str, float] = dict(zip(("accuracy", "low", "high"), (found.value, found.low, found.high), strict=True))
    if not entry.judge.by_accuracy:
        values |= dict(zip(COUNTS, (entry.score.value, *entry.score.interval), strict=True))
    return values if entry.photos else dict.fromkeys(values, math.nan)


def _percent(found: Accuracy) -> str:
    return f"{found.value:.1%} ({found.low * 100:.1f} to {found.high * 100:.1f}%)"
