"""How photos should fit what a network sees: cropped, whole or squashed to a square, or cropped to their own shape.

A linear SVM on frozen features is cross-validated on the same photos in each framing, and each is compared in pairs
with the crop, which stays unless another one is reliably better by what counts in the workspace: docs/measurements.md,
"Framing of long photos".
"""

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from cvtune_nb.classification.candidates import Candidate, predicted_seconds
from cvtune_nb.classification.choice import framed_as
from cvtune_nb.classification.compare import cross_validated, judge_of, sample
from cvtune_nb.classification.comparison import COUNTS, training_photos_id
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.judge import Judge, Said
from cvtune_nb.data.preprocessing import SQUARE
from cvtune_nb.data.summary import common_aspect, cut_off
from cvtune_nb.files import Progress, read_csv, read_json, silent, write_csv, write_json
from cvtune_nb.metrics import Paired
from cvtune_nb.models import sizes
from cvtune_nb.objectives import ACCURACY, Counted
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.workspace import Workspace

PHOTOS = 1_000
"""Training photos to compare on, at most: enough to tell framings 3 points apart."""
FRAMINGS = PARAMETERS["framing"].choices
UNSURE = 0.05
"""A difference is reliable where its p value is below this, divided by how many are tried beside the crop: of two, one
is ahead by chance twice as often."""
NUMBERS = ("photos", "accuracy", "low", "high", "difference", "difference_low", "difference_high", "p", "pixels")


@dataclass(frozen=True)
class FramingComparison:
    """How well a frozen network and an SVM do in each framing.

    Attributes
    ----------
    spec
        The network, and what it is shown; its framing and aspect ratio say nothing.
    table
        framing (choice.in_words); photos, accuracy, low, high (95% interval); COUNTS where another objective counts;
        difference, difference_low, difference_high, p: by what counts, so that above 0 is better, against the crop, on
        the same photos; pixels: of one photo as it is shown.
    recommended, why
        A framing of the table, and the reason in a sentence.
    measured_on
        Stands for the training photos and labels there were (training_photos_id).
    counted
        What counted.
    """

    spec: FeatureSpec
    table: pd.DataFrame
    recommended: str
    why: str
    measured_on: str
    counted: Counted = ACCURACY

    def value_in_words(self, row: Any) -> str:
        """What counts of a row (as itertuples has it), for example "83.1%"."""
        return self.counted.in_words(row.accuracy if self.counted.by_accuracy else row.objective_value)

    @property
    def sentences(self) -> list[str]:
        """What was found, for people."""
        square = self.table["pixels"].iloc[0]
        words = [
            f"{row.framing} {self.value_in_words(row)}{self._apart(row, square)}" for row in self.table.itertuples()
        ]
        beside = f"{self.network}, on {self.table['photos'].iloc[0]:,} training photos, cross-validated"
        beside += "" if self.counted.by_accuracy else f", by {self.counted.label}"
        return [f"{beside}: {'; '.join(words)}.", f"Recommended: {self.recommended}. {self.why}"]

    @property
    def network(self) -> str:
        """Which network it was, in words."""
        return f"{self.spec.backbone} at {self.spec.image_size} pixels"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            **framed_as(self.spec, self.recommended).to_dict(),
            "recommended": self.recommended,
            "why": self.why,
            "framings": self.table.astype(object).to_dict("records"),
            **self.counted.to_dict(),
        }

    def _apart(self, row: Any, square: float) -> str:
        if row.framing == FRAMINGS[0]:
            return ""
        low, high = (self.counted.change(end, "") for end in (row.difference_low, row.difference_high))
        words = f"{self.counted.change(row.difference)} from crop, 95% interval {low} to {high}"
        return f" ({words}{'' if row.pixels == square else f'; {row.pixels / square:.2f} times the pixels'})"

    def save(self, workspace: Workspace) -> None:
        """Keep it: framings.csv has the table, framings.json the rest."""
        write_csv(workspace.folder / "framings.csv", self.table)
        about = {
            "recommended": self.recommended,
            "why": self.why,
            "measured_on": self.measured_on,
            **self.counted.to_dict(),
        }
        write_json(workspace.folder / "framings.json", {**self.spec.to_dict(), **about})


def last_framings(workspace: Workspace) -> FramingComparison | None:
    """What was compared last in this workspace; None before that."""
    try:
        known = read_json(workspace.folder / "framings.json")
        table = read_csv(workspace.folder / "framings.csv", framing=str, **dict.fromkeys(NUMBERS[1:], float))
    except FileNotFoundError:
        return None
    (recommended, why, measured_on), spec = (
        [str(known[name]) for name in ("recommended", "why", "measured_on")],
        FeatureSpec.from_dict(known),
    )
    if "pixels" not in table:  # of an earlier version, which had squares only
        table = table.assign(pixels=spec.image_size**2)
    return FramingComparison(spec, table, recommended, why, measured_on, Counted.from_dict(known))


def specs(workspace: Workspace, spec: FeatureSpec) -> dict[str, FeatureSpec]:
    """The network in each framing that is tried, by its words (choice.in_words), the crop to a square first.

    Where the photos have another shape in common, the crop to that is the last, if the network takes it.
    """
    photos, names = workspace.photos(), list(FRAMINGS)
    aspect = common_aspect(photos[photos["split"] == "train"])
    cropped = f"{FRAMINGS[0]} at {aspect}"
    if aspect != SQUARE and sizes.takes(spec.backbone, framed_as(spec, cropped).size):
        names.append(cropped)
    return {name: framed_as(spec, name) for name in names}


def expected_seconds(workspace: Workspace, spec: FeatureSpec, photos: int = PHOTOS) -> float:
    """What the comparison will take.

    Parameters
    ----------
    workspace, spec
        Whose photos, and which network.
    photos
        On how many, at most.

    Raises
    ------
    InputError
        There are too few training photos.
    """
    drawn = sample(workspace.photos(), photos)
    return sum(predicted_seconds(workspace, [Candidate(one)], drawn) for one in specs(workspace, spec).values())


def compare_framings(
    workspace: Workspace, spec: FeatureSpec, photos: int = PHOTOS, progress: Progress = silent
) -> FramingComparison:
    """Compare the framings of `specs` on training photos; the result is kept.

    Parameters
    ----------
    workspace
        Whose training photos they are.
    spec
        The network and image size.
    photos
        How many, at most.
    progress
        Called with the progress; may raise Stopped: what was computed is kept.

    Raises
    ------
    InputError
        There are too few training photos, or the network can't be used with them.
    """
    drawn = sample(workspace.photos(), photos)
    labels, groups = (drawn[name].to_numpy(dtype=object) for name in ("label", "group"))
    said, tried, judge = {}, specs(workspace, spec), judge_of(workspace, drawn)
    for number, (framing, one) in enumerate(tried.items()):
        report = functools.partial(_report, progress, framing, number / len(tried), 1 / len(tried))
        matrix = features(workspace, drawn, one, report).matrix
        said[framing] = cross_validated(matrix, labels, groups, report, judge.columns)
    found = concluded(spec, said, training_photos_id(workspace), judge)
    found.save(workspace)
    return found


def concluded(
    spec: FeatureSpec, said: dict[str, Said], measured_on: str, judge: Judge | None = None
) -> FramingComparison:
    """What follows from what was said of the photos.

    Another framing than the crop is recommended where it is reliably better. Of several the first: the whole photo,
    which is not distorted, then the squashed one, which costs no more, then another aspect ratio; unless a later one is
    reliably better than that, too.

    Parameters
    ----------
    spec
        The network and image size.
    said
        For each framing, the crop first, the photos in the same order.
    measured_on
        As FramingComparison has it.
    judge
        What counts; None: accuracy.
    """
    judge = judge or Judge()
    rows, best, crop = [], FRAMINGS[0], said[FRAMINGS[0]]
    for framing, one in said.items():
        found, apart = judge.accuracy(one), judge.compare(crop, one)
        counted = judge.score(one)
        pixels = math.prod(framed_as(spec, framing).preprocessing.shape)
        values = {"photos": len(one), "accuracy": found.value, "low": found.low, "high": found.high}
        if not judge.by_accuracy:
            values |= dict(zip(COUNTS, (counted.value, *counted.interval), strict=True))
        values |= {"difference": apart.difference, "difference_low": apart.low, "difference_high": apart.high}
        rows.append({"framing": framing, **values, "p": apart.p, "pixels": pixels})
        if all(_reliably_better(judge.compare(said[than], one), len(said) - 1) for than in {FRAMINGS[0], best}):
            best = framing
    made = FramingComparison(spec, pd.DataFrame(rows), best, "", measured_on, Counted.of(judge.objective))
    return replace(made, why=_why(made))


def _reliably_better(apart: Paired, tried: int) -> bool:
    return apart.difference > 0 and apart.p < UNSURE / tried


def most_cut_off(workspace: Workspace, most: int = 8) -> pd.DataFrame:
    """Training photos of which the crop leaves out most: rows of the manifest and cut_off (0 to 1), the worst first.

    One of each class before the second of any, so that they are no series of one motif.
    """
    photos = workspace.photos()
    train = photos[photos["split"] == "train"].assign(cut_off=cut_off)
    train = train.sort_values(["cut_off", "path"], ascending=[False, True])
    return train.assign(turn=train.groupby("label").cumcount()).sort_values("turn", kind="stable").head(most)


def _report(progress: Progress, framing: str, begun: float, whole: float, share: float, words: str) -> None:
    done = 0.0 if math.isnan(share) else share
    progress(begun + done * whole, f"{framing}: {words or 'cross-validating'}")


def _why(found: FramingComparison) -> str:
    best, rows, counted = found.recommended, found.table.set_index("framing"), found.counted
    if best == FRAMINGS[0]:
        usual = "No other framing is reliably better than the crop"
        return f"{usual}." if counted.by_accuracy else f"{usual} by {counted.label}."
    words, p = f"{rows['difference'][best] * 100:.1f} points more right than the crop", f"(p = {rows['p'][best]:.2g})"
    words = f"It gets {words} {p}"
    if not counted.by_accuracy:
        words = f"It is better than the crop by {counted.change(rows['difference'][best])} of {counted.label} {p}"
    shown = {name: counted.change(rows["difference"][name], "") for name in rows.index}
    others = [f"{name} {value}" for name, value in shown.items() if name not in (FRAMINGS[0], best)]
    times = rows["pixels"][best] / rows["pixels"][FRAMINGS[0]]
    cost = "" if times == 1 else f", for {times:.2f} times the pixels, and about as much more time"
    return f"{words}{cost}; {', '.join(others)}."
