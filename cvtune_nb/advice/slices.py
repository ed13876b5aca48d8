"""Where a classifier fails: slices of the validation photos of which it gets reliably fewer right than of the others.

A slice is what photos have in common: little light, few pixels, a shape, a camera, a time of day, a group, or that they
look alike to the frozen network (k-means on its features). Each is compared with all other photos by Fisher's exact
test (Fisher 1922), one-sided, corrected for the number of slices that were tried (Holm 1979): where nothing is wrong, a
slice is called worse in at most 5 of 100 sets (docs/measurements.md, "Slices that are worse"). Photos that belong
together count as so many as are independent of each other (Rao and Scott 1992).
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import fisher_exact
from sklearn.cluster import KMeans

from cvtune_nb import metrics
from cvtune_nb.audit import quality
from cvtune_nb.classification import load_run
from cvtune_nb.classification.baseline import baseline_predictions, last_baseline
from cvtune_nb.classification.combining.combination import is_combination, load_combination
from cvtune_nb.classification.exportable import SVM
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.svm import normalised
from cvtune_nb.data import photo
from cvtune_nb.data.groups import dependent
from cvtune_nb.data.pixels import pixels
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_csv, read_json, silent, write_csv, write_json
from cvtune_nb.runs.finding import Finding
from cvtune_nb.workspace import Workspace

SOURCE = "Fisher's exact test (Fisher 1922), corrected for all slices (Holm 1979)"
FEWEST = 10
"""Photos of a slice, at least: of fewer hardly any difference is reliable."""
RELIABLE = 0.05
"""The corrected p value below which a slice is called worse."""
EDGE = 0.2
"""Fraction of the photos at each end of a measure that is a slice."""
A_CLUSTER, CLUSTERS = 25, 12
"""Photos of a cluster, on average, and clusters at most."""
EXAMPLES = 6
"""Photos that are shown of a slice: the mistakes in it first."""
NUMBERS = ("photos", "accuracy", "low", "high", "rest", "expected", "p", "corrected")
ENDS: Mapping[str, tuple[str, str]] = {
    "brightness": ("the darkest photos", "the brightest photos"),
    "contrast": ("the photos of least contrast", "the photos of most contrast"),
    "sharpness": ("the least sharp photos", "the sharpest photos"),
    "pixels": ("the photos of fewest pixels", "the photos of most pixels"),
    "shape": ("the tallest photos, by their shape", "the widest photos, by their shape"),
}
"""What is measured of every photo, and what its lower and upper end is called."""
HOURS = {"at night": (22, 6), "in the morning": (6, 12), "in the afternoon": (12, 18), "in the evening": (18, 22)}
"""Times of day: from one hour to before another."""


@dataclass(frozen=True)
class Slices:
    """The slices of a classifier's validation photos.

    Attributes
    ----------
    table
        A row for each, those that are reliably worse first: slice (in words), kind, photos, accuracy, low, high (95%
        interval), rest (accuracy of all others), expected (accuracy of photos of the same classes), p, corrected (Holm)
        and worse, whether that is reliable; examples, paths joined by newlines.
    model
        Whose predictions they are: a run's id or "svm".
    photos, accuracy
        How many photos there were, and the share that was right.
    """

    table: pd.DataFrame
    model: str
    photos: int
    accuracy: float

    @property
    def worse(self) -> pd.DataFrame:
        """Those that are reliably worse."""
        return self.table[self.table["worse"]]

    @property
    def examples(self) -> dict[str, list[str]]:
        """Paths of some photos of each of those, the mistakes first."""
        return {row["slice"]: row["examples"].split("\n") for row in self.worse.to_dict("records")}

    @property
    def sentences(self) -> list[str]:
        """What was found, for people."""
        tried = f"{len(self.table)} slices of {self.photos:,} validation photos were tried, each of {FEWEST} or more"
        test = "than the other photos (Fisher's exact test, Holm's correction)"
        if self.worse.empty:
            return [f"{tried}: none is reliably worse {test}."]
        listed = [f"{in_words(row)}." for row in self.worse.to_dict("records")]
        return [f"{tried}; reliably worse {test}: {len(self.worse)}.", *listed]

    def finding(self) -> Finding | None:
        """Which photos to add; None where no slice is reliably worse."""
        if self.worse.empty:
            return None
        worst = self.worse.to_dict("records")
        more = f" and {len(worst) - 1} more" if len(worst) > 1 else ""
        return Finding(
            "slices",
            f"It fails on {worst[0]['slice']}{more}: add such photos, or look at their labels",
            "; ".join(in_words(row) for row in worst[:3]),
            SOURCE,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        rows = self.table.astype(object).to_dict("records")
        for row in rows:
            row["examples"] = row["examples"].split("\n")
        return {"model": self.model, "photos": self.photos, "accuracy": self.accuracy, "slices": rows}

    def save(self, workspace: Workspace) -> None:
        """Keep it: slices.csv has the table, slices.json the rest."""
        write_csv(workspace.folder / "slices.csv", self.table)
        about = {"model": self.model, "photos": self.photos, "accuracy": self.accuracy}
        write_json(workspace.folder / "slices.json", about)


def in_words(row: Mapping[Any, Any]) -> str:
    """One slice as a sentence without a full stop."""
    found = metrics.Accuracy(row["accuracy"], row["low"], row["high"], int(row["photos"]))
    beside = f"the others {row['rest']:.1%} (corrected p = {row['corrected']:.2g})"
    return f"{row['slice']}: {found}, {beside}; by their classes {row['expected']:.1%} would be expected"


def last_slices(workspace: Workspace) -> Slices | None:
    """What was found last in this workspace; None before that."""
    try:
        known = read_json(workspace.folder / "slices.json")
        text = dict.fromkeys(("slice", "kind", "examples"), str)
        table = read_csv(workspace.folder / "slices.csv", **text, **dict.fromkeys(NUMBERS, float))
    except FileNotFoundError:
        return None
    about = {name: known[name] for name in ("model", "photos", "accuracy")}
    return Slices(table.assign(worse=table["corrected"] < RELIABLE), **about)


def find_slices(workspace: Workspace, model: str = "best", progress: Progress = silent) -> Slices:
    """Where a run or the baseline fails on validation photos; the result is kept.

    Parameters
    ----------
    workspace
        Where they are.
    model
        A run's id, "best" or "last", "svm" for the baseline, or a combination's id.
    progress
        Called with the progress; may raise Stopped: what was measured is kept.

    Raises
    ------
    InputError
        There is no such model, or none of its validation photos is there any more.
    """
    said, spec, name = _predictions(workspace, model)
    photos = workspace.manifest()
    photos = photos.merge(said.rename(columns={"label": "true"}), on="path")
    if photos.empty:
        raise InputError(f"none of the validation photos of {name} is there any more: train again")
    right = (photos["true"] == photos["predicted"]).to_numpy()
    kinds = properties(workspace, photos, spec, progress)
    made = sliced(photos[["path", "true"]].rename(columns={"true": "label"}), right, kinds, dependent(photos))
    found = Slices(made, name, len(photos), float(right.mean()))
    found.save(workspace)
    return found


def properties(
    workspace: Workspace, photos: pd.DataFrame, spec: FeatureSpec, progress: Progress = silent
) -> dict[str, pd.Series]:
    """What photos have in common, by kind: a name for each of n photos, "" where it is in no slice of that kind.

    Parameters
    ----------
    workspace, photos
        Rows of the manifest.
    spec
        The frozen network by which photos look alike.
    progress
        Called with the progress.
    """
    squares = pixels(
        workspace,
        photos,
        replace(spec.preprocessing, framing="crop"),
        lambda share, words: progress(0.3 * share, words),
    )
    light = quality.measured(workspace, photos, squares, lambda share, words: progress(0.3 + 0.1 * share, words))
    measured = {
        "brightness": light["mean"],
        "contrast": light["contrast"],
        "sharpness": light["sharpness"],
        "pixels": photos["width"] * photos["height"],
        "shape": photos["width"] / photos["height"],
    }
    found = {name: ends(values.to_numpy(float), *ENDS[name]) for name, values in measured.items()}
    progress(0.45, "reading cameras and times")
    with ThreadPoolExecutor() as pool:
        taken = list(pool.map(lambda path: photo.taken(workspace.path_of(path)), photos["path"]))
    found["camera"] = pd.Series([f"photos of the camera {camera}" if camera else "" for camera, _ in taken])
    found["time"] = pd.Series([time_of_day(time) for _, time in taken])
    found["group"] = pd.Series([f"group {name}" if name else "" for name in photos["group"].fillna("")])
    matrix = features(workspace, photos, spec, lambda share, words: progress(0.5 + 0.4 * share, words)).matrix
    progress(0.9, "looking for photos that look alike")
    found["look"] = clusters(matrix, photos["true"].to_numpy(dtype=object))
    return found


def ends(values: np.ndarray, lowest: str, highest: str) -> pd.Series:
    """The names of the lower and the upper EDGE of n values, "" between; all "" where they are much the same.

    Parameters
    ----------
    values
        Of each photo.
    lowest, highest
        What the ends are called.
    """
    low, high = np.quantile(values, (EDGE, 1 - EDGE))
    names = np.where(values <= low, lowest, np.where(values >= high, highest, ""))
    for name in (lowest, highest):
        if (names == name).mean() > 2 * EDGE:  # most photos have the same value
            names[names == name] = ""
    return pd.Series(names)


def time_of_day(time: str) -> str:
    """The slice of a time in EXIF's form (YYYY:MM:DD HH:MM:SS), "" for none."""
    hour = time[11:13]
    if not hour.isdigit():
        return ""
    for name, (begin, end) in HOURS.items():
        if begin <= int(hour) < end or (begin > end and (int(hour) >= begin or int(hour) < end)):
            return f"photos taken {name}"
    return ""


def clusters(matrix: np.ndarray, labels: np.ndarray, seed: int = 0) -> pd.Series:
    """The name of the cluster of each photo: its number and the class that most of its photos are of.

    Parameters
    ----------
    matrix
        Features (n, width).
    labels
        Of each photo.
    seed
        Of k-means.
    """
    count = min(CLUSTERS, len(matrix) // A_CLUSTER)
    if count < 2:
        return pd.Series([""] * len(matrix))
    ids = KMeans(count, n_init=4, random_state=seed).fit_predict(normalised(matrix))
    names = {}
    for number in range(count):
        own = pd.Series(labels[ids == number]).value_counts()
        most = f"{own.iloc[0] / own.sum():.0%} {own.index[0]}" if len(own) else ""
        names[number] = f"photos that look alike, cluster {number + 1} ({most})"
    return pd.Series([names[number] for number in ids])


def sliced(
    photos: pd.DataFrame, right: np.ndarray, kinds: Mapping[str, pd.Series], groups: ArrayLike | None = None
) -> pd.DataFrame:
    """The table of Slices.

    Parameters
    ----------
    photos
        path and label of n photos.
    right
        Which of them were right.
    kinds
        What `properties` gives.
    groups
        The group of each photo where some belong together.
    """
    together = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    of_class = pd.Series(right).groupby(photos["label"].to_numpy()).transform("mean").to_numpy()
    rows = []
    for kind, names in kinds.items():
        for name in sorted(set(names) - {""}):
            inside = (names == name).to_numpy()
            n = int(inside.sum())
            if n < FEWEST or len(inside) - n < FEWEST:
                continue
            own = None if kind == "group" else together  # a slice of one group speaks of that group alone
            found, rest = (metrics.rate(right[part], None if own is None else own[part]) for part in (inside, ~inside))
            numbers = (n, found.value, found.low, found.high, rest.value, of_class[inside].mean(), _p(found, rest))
            rows.append({"slice": name, "kind": kind, **dict(zip(NUMBERS[:-1], map(float, numbers), strict=True))})
            rows[-1]["examples"] = "\n".join(_examples(photos["path"].to_numpy(), right, inside))
    table = pd.DataFrame(rows, columns=["slice", "kind", *NUMBERS[:-1], "examples"])
    table.insert(table.columns.get_loc("p") + 1, "corrected", holm(table["p"]))
    table["worse"] = table["corrected"] < RELIABLE
    return table.sort_values(["p", "slice"], ignore_index=True)


def _p(found: metrics.Accuracy, rest: metrics.Accuracy) -> float:
    """How likely it is that a slice is by chance so much worse than the rest: Fisher's exact test, one-sided.

    Of photos that belong together as many are counted as are independent of each other.
    """
    table = []
    for part in (found, rest):
        count = round(metrics.effective(part))
        right = round(part.value * count)
        table.append([right, count - right])
    return float(fisher_exact(table, "less").pvalue)


def holm(p: Iterable[float]) -> np.ndarray:
    """P values corrected for their number (Holm 1979), in the same order."""
    values = np.asarray(list(p), float)
    order = np.argsort(values)
    steps = np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values))))
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1.0, steps)
    return corrected


def _examples(paths: np.ndarray, right: np.ndarray, inside: np.ndarray) -> list[str]:
    """Photos of a slice, its mistakes first."""
    own = np.flatnonzero(inside)
    return paths[own[np.argsort(right[own], kind="stable")]][:EXAMPLES].tolist()


def _predictions(workspace: Workspace, model: str) -> tuple[pd.DataFrame, FeatureSpec, str]:
    """What a model says of validation photos (path, label, predicted), its network and its name."""
    if model == SVM:
        said, known = baseline_predictions(workspace), last_baseline(workspace)
        if said is None or known is None:
            raise InputError("there is no baseline of today's photos in this workspace: make one in notebook 02")
        return said[["path", "label", "predicted"]], FeatureSpec.from_dict(known), SVM
    if is_combination(model):
        stored = load_combination(workspace, model)
        return stored.predictions()[["path", "label", "predicted"]], FeatureSpec.from_dict(stored.network), stored.id
    run = load_run(workspace, model)
    if run.history.empty:
        raise InputError(f"run {run.id} has no finished epoch yet: train it on, or name another run")
    return run.predictions()[["path", "label", "predicted"]], FeatureSpec.of(run.config), run.id
