"""How photos should fit the square that a network sees: cropped, whole or squashed, compared on training photos.

A linear SVM on frozen features is cross-validated on the same photos in each framing, and each is compared in pairs
with the crop, which stays unless another one is reliably better: docs/measurements.md, "Framing of long photos".
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.classification.candidates import Candidate, predicted_seconds
from cvtune_nb.classification.compare import cross_validated, sample
from cvtune_nb.classification.comparison import training_photos_id
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.data.summary import cut_off
from cvtune_nb.files import Progress, read_csv, read_json, silent, write_csv, write_json
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.workspace import Workspace

PHOTOS = 1_000
"""Training photos to compare on, at most: enough to tell framings 3 points apart."""
FRAMINGS = PARAMETERS["framing"].choices
CERTAIN = 0.05 / (len(FRAMINGS) - 1)
"""The p value below which a difference from the crop is reliable: with two framings that are tried, one is ahead by
chance twice as often."""
NUMBERS = ("photos", "accuracy", "low", "high", "difference", "difference_low", "difference_high", "p")


@dataclass(frozen=True)
class FramingComparison:
    """How well a frozen network and an SVM do in each framing.

    Attributes
    ----------
    spec
        The network, and what it is shown; its framing says nothing.
    table
        framing; photos, accuracy, low, high (95% interval); difference, difference_low, difference_high, p: against
        the crop, on the same photos.
    recommended, why
        A framing, and the reason in a sentence.
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
        words = [f"{row.framing} {row.accuracy:.1%}{_apart(row)}" for row in self.table.itertuples()]
        beside = f"{self.network}, on {self.table['photos'].iloc[0]:,} training photos, cross-validated"
        return [f"{beside}: {'; '.join(words)}.", f"Recommended: {self.recommended}. {self.why}"]

    @property
    def network(self) -> str:
        """Which network it was, in words."""
        return f"{self.spec.backbone} at {self.spec.image_size} pixels"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            **self.spec.to_dict(),
            "framing": self.recommended,
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
    about = (str(known[name]) for name in ("recommended", "why", "measured_on"))
    return FramingComparison(FeatureSpec.from_dict(known), table, *about)


def specs(spec: FeatureSpec) -> dict[str, FeatureSpec]:
    """The network in each framing."""
    return {one: replace(spec, preprocessing=replace(spec.preprocessing, framing=one)) for one in FRAMINGS}


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
    return sum(predicted_seconds(workspace, [Candidate(one)], drawn) for one in specs(spec).values())


def compare_framings(
    workspace: Workspace, spec: FeatureSpec, photos: int = PHOTOS, progress: Progress = silent
) -> FramingComparison:
    """Compare crop, whole and squash on training photos; the result is kept.

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
    right = {}
    for number, (framing, one) in enumerate(specs(spec).items()):
        report = functools.partial(_report, progress, framing, number / len(FRAMINGS))
        right[framing] = cross_validated(features(workspace, drawn, one, report).matrix, labels, groups, report)
    found = concluded(spec, right, training_photos_id(workspace))
    found.save(workspace)
    return found


def concluded(spec: FeatureSpec, right: dict[str, np.ndarray], measured_on: str) -> FramingComparison:
    """What follows from which photos were right.

    Another framing than the crop is recommended where it is reliably better; of two such ones the whole photo, which is
    not distorted, unless the squashed one is reliably better than that, too.

    Parameters
    ----------
    spec
        The network and image size.
    right
        For each framing bool (n,), the photos in the same order.
    measured_on
        As FramingComparison has it.
    """
    rows, better = [], []
    for framing, hits in right.items():
        found, apart = metrics.share(int(hits.sum()), len(hits)), metrics.paired(right["crop"], hits)
        numbers = (len(hits), found.value, found.low, found.high, apart.difference, apart.low, apart.high, apart.p)
        rows.append({"framing": framing, **dict(zip(NUMBERS, numbers, strict=True))})
        if apart.difference > 0 and apart.p < CERTAIN:
            better.append(framing)
    best = better[0] if better else "crop"
    if len(better) > 1:
        ahead = metrics.paired(right["whole"], right["squash"])
        best = "squash" if ahead.difference > 0 and ahead.p < CERTAIN else "whole"
    table = pd.DataFrame(rows)
    return FramingComparison(spec, table, best, _why(table.set_index("framing"), best), measured_on)


def most_cut_off(workspace: Workspace, most: int = 8) -> pd.DataFrame:
    """Training photos of which the crop leaves out most: rows of the manifest and cut_off (0 to 1), the worst first.

    One of each class before the second of any, so that they are no series of one motif.
    """
    photos = workspace.photos()
    train = photos[photos["split"] == "train"].assign(cut_off=cut_off)
    train = train.sort_values(["cut_off", "path"], ascending=[False, True])
    return train.assign(turn=train.groupby("label").cumcount()).sort_values("turn", kind="stable").head(most)


def _report(progress: Progress, framing: str, begun: float, share: float, words: str) -> None:
    done = 0.0 if math.isnan(share) else share
    progress(begun + done / len(FRAMINGS), f"{framing}: {words or 'cross-validating'}")


def _apart(row: Any) -> str:
    if row.framing == "crop":
        return ""
    low, high = row.difference_low * 100, row.difference_high * 100
    return f" ({row.difference * 100:+.1f} points from crop, 95% interval {low:+.1f} to {high:+.1f})"


def _why(rows: pd.DataFrame, best: str) -> str:
    if best == "crop":
        return "No other framing is reliably better than the crop."
    words = f"It gets {rows['difference'][best] * 100:.1f} points more right than the crop"
    others: Sequence[str] = [name for name in rows.index if name not in ("crop", best)]
    return f"{words} (p = {rows['p'][best]:.2g}); {' and '.join(others)} {rows['difference'][others[0]] * 100:+.1f}."
