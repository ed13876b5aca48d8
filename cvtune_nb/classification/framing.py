"""How photos should fit what a network sees: cropped, whole or squashed to a square, or cropped to their own shape.

A linear SVM on frozen features is cross-validated on the same photos in each framing, and each is compared in pairs
with the crop, which stays unless another one is reliably better: docs/measurements.md, "Framing of long photos".
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cvtune_nb import metrics
from cvtune_nb.classification.candidates import Candidate, predicted_seconds
from cvtune_nb.classification.choice import framed_as
from cvtune_nb.classification.compare import cross_validated, sample
from cvtune_nb.classification.comparison import training_photos_id
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.data.groups import dependent
from cvtune_nb.data.preprocessing import SQUARE
from cvtune_nb.data.summary import common_aspect, cut_off
from cvtune_nb.files import Progress, read_csv, read_json, silent, write_csv, write_json
from cvtune_nb.models import sizes
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
        framing (choice.in_words); photos, accuracy, low, high (95% interval); difference, difference_low,
        difference_high, p: against the crop, on the same photos; pixels: of one photo as it is shown.
    recommended, why
        A framing of the table, and the reason in a sentence.
    measured_on
        Stands for the training photos and labels there were (training_photos_id).
    """

    spec: FeatureSpec
    table: pd.DataFrame
    recommended: str
    why: str
    measured_on: str

    @property
    def sentences(self) -> list[str]:
        """What was found, for people."""
        square = self.table["pixels"].iloc[0]
        words = [f"{row.framing} {row.accuracy:.1%}{_apart(row, square)}" for row in self.table.itertuples()]
        beside = f"{self.network}, on {self.table['photos'].iloc[0]:,} training photos, cross-validated"
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
        }

    def save(self, workspace: Workspace) -> None:
        """Keep it: framings.csv has the table, framings.json the rest."""
        write_csv(workspace.folder / "framings.csv", self.table)
        about = {"recommended": self.recommended, "why": self.why, "measured_on": self.measured_on}
        write_json(workspace.folder / "framings.json", {**self.spec.to_dict(), **about})


def last_framings(workspace: Workspace) -> FramingComparison | None:
    """What was compared last in this workspace; None before that."""
    try:
        known = read_json(workspace.folder / "framings.json")
        table = read_csv(workspace.folder / "framings.csv", framing=str, **dict.fromkeys(NUMBERS[1:], float))
    except FileNotFoundError:
        return None
    about, spec = (str(known[name]) for name in ("recommended", "why", "measured_on")), FeatureSpec.from_dict(known)
    if "pixels" not in table:  # of an earlier version, which had squares only
        table = table.assign(pixels=spec.image_size**2)
    return FramingComparison(spec, table, *about)


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
    right, tried = {}, specs(workspace, spec)
    for number, (framing, one) in enumerate(tried.items()):
        report = functools.partial(_report, progress, framing, number / len(tried), 1 / len(tried))
        right[framing] = cross_validated(features(workspace, drawn, one, report).matrix, labels, groups, report)
    found = concluded(spec, right, training_photos_id(workspace), dependent(drawn))
    found.save(workspace)
    return found


def concluded(
    spec: FeatureSpec, right: dict[str, np.ndarray], measured_on: str, groups: ArrayLike | None = None
) -> FramingComparison:
    """What follows from which photos were right.

    Another framing than the crop is recommended where it is reliably better. Of several the first: the whole photo,
    which is not distorted, then the squashed one, which costs no more, then another aspect ratio; unless a later one is
    reliably better than that, too.

    Parameters
    ----------
    spec
        The network and image size.
    right
        For each framing bool (n,), the crop first, the photos in the same order.
    measured_on
        As FramingComparison has it.
    groups
        The group of each photo where some belong together.
    """
    rows, best = [], FRAMINGS[0]
    for framing, hits in right.items():
        found, apart = metrics.rate(hits, groups), metrics.paired(right[FRAMINGS[0]], hits, groups)
        numbers = (len(hits), found.value, found.low, found.high, apart.difference, apart.low, apart.high, apart.p)
        pixels = math.prod(framed_as(spec, framing).preprocessing.shape)
        rows.append({"framing": framing, **dict(zip(NUMBERS, (*numbers, pixels), strict=True))})
        gains = [metrics.paired(right[than], hits, groups) for than in {FRAMINGS[0], best}]
        if all(_reliably_better(gain, len(right) - 1) for gain in gains):
            best = framing
    table = pd.DataFrame(rows)
    return FramingComparison(spec, table, best, _why(table.set_index("framing"), best), measured_on)


def _reliably_better(apart: metrics.Paired, tried: int) -> bool:
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


def _apart(row: Any, square: float) -> str:
    if row.framing == FRAMINGS[0]:
        return ""
    low, high = row.difference_low * 100, row.difference_high * 100
    words = f"{row.difference * 100:+.1f} points from crop, 95% interval {low:+.1f} to {high:+.1f}"
    return f" ({words}{'' if row.pixels == square else f'; {row.pixels / square:.2f} times the pixels'})"


def _why(rows: pd.DataFrame, best: str) -> str:
    if best == FRAMINGS[0]:
        return "No other framing is reliably better than the crop."
    words = f"It gets {rows['difference'][best] * 100:.1f} points more right than the crop (p = {rows['p'][best]:.2g})"
    others = [f"{name} {rows['difference'][name] * 100:+.1f}" for name in rows.index if name not in (FRAMINGS[0], best)]
    times = rows["pixels"][best] / rows["pixels"][FRAMINGS[0]]
    cost = "" if times == 1 else f", for {times:.2f} times the pixels, and about as much more time"
    return f"{words}{cost}; {', '.join(others)}."
