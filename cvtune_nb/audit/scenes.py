"""Frames of one scene on both sides of the split.

They are no copies, but what a model has seen of a scene in training it knows again in another frame, and the accuracy
is too high. Names and times say which photos may be frames of a scene, features whether they look like it, and an SVM
on frozen features, cross-validated with scenes divided and with scenes kept together, by how much it is too high.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from cvtune_nb import metrics
from cvtune_nb.audit.check import Issue, issue
from cvtune_nb.audit.forecast import FORECAST_C
from cvtune_nb.classification.cross_validation import FEW_PHOTOS
from cvtune_nb.classification.cross_validation import FOLDS as FOLDS_TO_USE
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data.groups import TIME, joined
from cvtune_nb.data.path_groups import by_path
from cvtune_nb.data.rows import Rows
from cvtune_nb.data.time_groups import by_time
from cvtune_nb.files import Progress, silent

if TYPE_CHECKING:
    from cvtune_nb.audit.context import Context

PATHS = (
    r"^(.*)/[^/]*$",
    r"^(.*\D)\d+\.\w+$",
    r"^(.*\D)\d+\D+\d+\.\w+$",
    r"^(.*/\D*\d+)\D[^/]*$",
    r"^(.*\d)\d\.\w+$",
    r"^(.*\d)\d\d\.\w+$",
)
"""How names say which photos are of one scene: a folder for each; all before the last number (scene-12_3.jpg), or the
last two (video-1-shot-2-3.jpg); all to the first number (12_a.jpg, 12_b.jpg); tens and hundreds of frames in order
(frame_0123.jpg)."""

TIMES = (2.0, 10.0, 60.0, 600.0)
"""Seconds between the photos of a scene, at most."""

ASKED, COLUMNS = 1_000, 2_048
"""Photos whose nearest neighbours are looked for (fixed seed), and photos that they are compared with at a time."""

MATES, FEWEST = 0.10, 20
"""Photos that share a group with others of their class, as a fraction and a number: fewer are not worth a word."""

NEAREST, LIFT, NEARER = 0.5, 4.0, 0.65
"""A rule finds scenes where the nearest photo of the class, copies left out, is of the same group for half of the
photos, and so many times more often than for groups drawn at random, and where it is then so many times as far as the
nearest one of another group: kinds of things within a class do not come to that (docs/measurements.md, "Frames of one
scene")."""

ENOUGH = 3_000
"""Photos, in whole groups, that it is measured on, so that it stays a matter of seconds."""

FOLDS = 4
"""Parts of the cross-validation."""

FLATTERS = 0.01
"""A smaller effect is not worth other groups."""


@dataclass(frozen=True)
class Scenes:
    """What was found out about scenes.

    Attributes
    ----------
    rule
        What `--group-by` takes.
    groups, photos
        How many groups of several photos there are, and how many photos are in them.
    divided
        How many of the groups are on both sides of the split.
    nearest, chance
        How often the nearest photo of the class is of the same group, and how often it were by chance.
    example
        Two photos of one group, in different splits.
    apart, together
        Cross-validated accuracy with groups divided, and with groups kept together.
    flatters, low, high
        The first minus the second, with its 95% interval.
    """

    rule: str
    groups: int
    photos: int
    divided: int
    nearest: float
    chance: float
    example: tuple[str, str]
    apart: float
    together: float
    flatters: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self) | {"example": list(self.example)}

    @property
    def words(self) -> str:
        """What was found, in a sentence without a full stop."""
        low, high = (f"{100 * end:.1f}" for end in (self.low, self.high))
        return (
            f"{self.photos:,} photos are grouped by {self.rule} into {self.groups:,} scenes, {self.divided:,} of which "
            f"are on both sides of the split, such as {self.example[0]} and {self.example[1]}: for {self.nearest:.0%} "
            f"of them the nearest photo of their class is of the same scene ({self.chance:.0%} by chance), and the "
            f"accuracy of a small model is overstated by {self.flatters * 100:.1f} points ({low} to {high}): "
            f"{self.apart:.1%} where scenes are divided, {self.together:.1%} on scenes that it has not seen"
        )

    @property
    def remedy(self) -> str:
        """What to do about it."""
        folds = f", and judge by --folds {FOLDS_TO_USE}, over all {self.groups:,} scenes: those of validation are few"
        return (
            f"keep scenes together: --group-by '{self.rule}' --redraw-split, or Apply in notebook 01"
            f"{folds if self.groups < FEW_PHOTOS else ''}; runs made before are of earlier data then"
        )


def scenes(context: Context) -> list[Issue]:
    """Scenes that the split divides, about the whole set."""
    found = context.scenes
    if not found:
        return []
    own = context.workspace.group_by
    kept = f"your rule {own} is kept, for this one would replace it: look whether a rule of both can be written"
    return [issue("", 0.5 + found.flatters, found.words, kept if own else found.remedy)]


def look(
    photos: pd.DataFrame,
    features: Rows | np.ndarray,
    copies: np.ndarray,
    when: pd.DataFrame | None = None,
    progress: Progress = silent,
) -> Scenes | None:
    """Scenes that the split divides, by the rule that finds them best; None where there are none that matter.

    Parameters
    ----------
    photos
        path, label, split, group (n rows).
    features
        features[rows] is float (len(rows), width).
    copies
        int (n,), equal for photos that are known to belong together.
    when
        What data.groups.taken gives, None to leave times out.
    progress
        Called while it looks.
    """
    if len(photos) < FEWEST:
        return None
    labels = photos["label"].to_numpy(dtype=object)
    near = neighbours(labels, features, copies, progress)
    best: tuple[float, str, np.ndarray, float] | None = None
    for rule, names in candidates(photos, when):
        groups = pd.factorize(pd.Series(joined(map(str, copies), names)))[0]
        rate, chance = recognised(labels, groups, copies, near)
        if rate < NEAREST or rate < LIFT * chance or (best is not None and rate <= best[0] + 0.02):
            continue
        if nearer(groups, near, neighbours(labels, features, groups, progress)) <= NEARER:
            best = rate, rule, groups, chance
    if best is None:
        return None
    rate, rule, groups, chance = best
    return _measured(photos, features, copies, groups, (rule, rate, chance))


def candidates(photos: pd.DataFrame, when: pd.DataFrame | None) -> Iterator[tuple[str, list[str]]]:
    """(rule, name of each photo's group), the finer ones first; those that group a whole class are left out.

    Parameters
    ----------
    photos
        path, label, sha256 where there are times.
    when
        As `look` takes it.
    """
    rules = [(rule, by_path(rule, photos["path"])) for rule in PATHS]
    if when is not None:
        rules += [(f"{TIME}{seconds:g}", by_time(photos, when, seconds)) for seconds in TIMES]
    for rule, names in rules:
        named = pd.DataFrame({"label": photos["label"].to_numpy(), "name": names})
        several = named[named["name"] != ""].duplicated(["label", "name"], keep=False)
        if several.sum() >= max(FEWEST, MATES * len(photos)) and named.groupby("label")["name"].nunique().min() > 1:
            yield rule, names


@dataclass(frozen=True)
class Neighbours:
    """The nearest photos of some, all arrays (a,).

    Attributes
    ----------
    asked
        Rows of the photos that were asked.
    nearest
        The row of the photo of their class that is nearest to each and not of its group; -1 where there is none.
    distance
        How far that is, 0 to 2.
    """

    asked: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray


def neighbours(
    labels: np.ndarray, features: Rows | np.ndarray, groups: np.ndarray, progress: Progress = silent
) -> Neighbours:
    """The nearest photos, by the cosine of features about their mean.

    Parameters
    ----------
    labels, groups
        Of each photo (n,).
    features
        features[rows] is float (len(rows), width).
    progress
        Called while photos are compared.
    """
    asked = np.sort(np.random.default_rng(0).permutation(len(labels))[:ASKED])
    queries = np.asarray(features[asked], dtype=np.float32)
    mean = queries.mean(axis=0)
    queries -= mean
    queries /= np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-12)
    best, nearest = np.full(len(asked), -np.inf, np.float32), np.full(len(asked), -1)
    for start in range(0, len(labels), COLUMNS):
        progress(start / len(labels), "looking for scenes")
        rows = np.arange(start, min(start + COLUMNS, len(labels)))
        others = np.asarray(features[rows], dtype=np.float32) - mean
        others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-12)
        alike = queries @ others.T
        alike[(labels[asked, None] != labels[rows]) | (groups[asked, None] == groups[rows])] = -np.inf
        place = alike.argmax(axis=1)
        value = alike[np.arange(len(asked)), place]
        better = value > best
        best[better], nearest[better] = value[better], rows[place[better]]
    return Neighbours(asked, nearest, 1 - best)


def recognised(labels: np.ndarray, groups: np.ndarray, copies: np.ndarray, near: Neighbours) -> tuple[float, float]:
    """How often the nearest photo is of the same group, of photos that share one with others, and how often by chance.

    Parameters
    ----------
    labels, groups, copies
        Of each photo (n,).
    near
        The nearest that are no copies.
    """
    asked, nearest = near.asked, near.nearest
    table = pd.DataFrame({"label": labels, "group": groups, "copies": copies, "one": 1})
    size = table.groupby("label")["one"].transform("size").to_numpy()
    own = table.groupby(["label", "copies"])["one"].transform("size").to_numpy()
    together = table.groupby(["label", "group"])["one"].transform("size").to_numpy()
    mates = (together - own)[asked]
    with_mates = (mates > 0) & (nearest >= 0)
    if with_mates.sum() < FEWEST:
        return 0.0, 1.0
    hits = groups[asked[with_mates]] == groups[nearest[with_mates]]
    chance = mates[with_mates] / (size - own)[asked[with_mates]]
    return float(hits.mean()), float(chance.mean())


def nearer(groups: np.ndarray, near: Neighbours, others: Neighbours) -> float:
    """How far the nearest photo is where it is of the same group, as a multiple of the nearest of another group.

    Parameters
    ----------
    groups
        Of each photo (n,).
    near, others
        The nearest photos, and the nearest of other groups, of the same photos.

    Returns
    -------
    float
        The median.
    """
    same = (near.nearest >= 0) & (others.nearest >= 0) & (groups[near.asked] == groups[near.nearest])
    return float(np.median(near.distance[same] / np.maximum(others.distance[same], 1e-6))) if same.any() else np.inf


def _measured(
    photos: pd.DataFrame,
    features: Rows | np.ndarray,
    copies: np.ndarray,
    groups: np.ndarray,
    found: tuple[str, float, float],
) -> Scenes | None:
    """How much dividing these groups flatters; None where the split does not divide them, or it does not matter.

    Parameters
    ----------
    photos, features, copies
        As `look` takes them.
    groups
        int (n,), of copies and scenes.
    found
        The rule, how often the nearest photo is of the same group, and how often by chance.
    """
    table = photos[["path", "split"]].assign(group=groups, copies=copies)
    per_group = table.groupby("group").agg(splits=("split", "nunique"), photos=("path", "size"))
    divided = per_group.index[per_group["splits"] > 1]
    if not len(divided):
        return None
    several = per_group["photos"][per_group["photos"] > 1]
    example = table[table["group"] == divided[0]].drop_duplicates("split").sort_values("path")["path"].to_list()
    labels = photos["label"].to_numpy(dtype=object)
    rows = _subsample(groups)
    x = np.asarray(features[rows])
    together, apart = (_cross_validated(x, labels[rows], kept[rows]) for kept in (groups, copies))
    if not len(together) or not len(apart):
        return None
    flatters, low, high = metrics.paired_groups(together, apart, groups[rows])
    if flatters < FLATTERS or low <= 0:
        return None
    rule, rate, chance = found
    counts = len(several), int(several.sum()), len(divided)
    means = float(apart.mean()), float(together.mean())
    return Scenes(rule, *counts, rate, chance, (example[0], example[1]), *means, flatters, low, high)


def _subsample(groups: np.ndarray) -> np.ndarray:
    """Rows of whole groups, about ENOUGH at most (fixed seed)."""
    if len(groups) <= ENOUGH:
        return np.arange(len(groups))
    kept = np.random.default_rng(0).permutation(groups.max() + 1)
    kept = kept[np.cumsum(np.bincount(groups)[kept]) <= ENOUGH]
    return np.flatnonzero(np.isin(groups, kept))


def _cross_validated(x: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Which photos an SVM gets right that was trained on other groups, bool (n,); empty where there are too few."""
    right = np.zeros(len(labels), bool)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class")
            folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(x, labels, groups))
    except ValueError:  # fewer groups, or photos of every class, than folds
        return right[:0]
    for fit, judged in folds:
        if len(judged) and len(np.unique(labels[fit])) > 1:
            right[judged] = Svm(FORECAST_C).fit(x[fit], labels[fit]).predict(x[judged]) == labels[judged]
    return right
