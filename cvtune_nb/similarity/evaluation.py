"""How good is a ranking? By photos that the network never learned from, each looked up among the training photos."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.classification import load_run
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.metrics import Accuracy
from cvtune_nb.runs.provenance import Unseen, groups_of, of_photos
from cvtune_nb.similarity.embeddings import Embedder, projection, vectors
from cvtune_nb.similarity.index import Gallery
from cvtune_nb.similarity.reranking import Reranker
from cvtune_nb.workspace import Workspace

RANKS = (1, 5, 10)
"""k of recall@k."""
MOST_QUERIES = 2_000
"""Photos that are looked up, drawn from more by a fixed seed: recall is good to about 2 points then."""
CELLS = 20_000_000
"""Places in rankings that are in memory at a time: 160 MB."""
DRAWS = 1_000
"""Bootstrap samples of the queries, for the interval of the mean average precision."""


@dataclass(frozen=True)
class Interval:
    """A figure with its 95% interval low..high."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Measured:
    """How well photos of `split` find photos of their class among the training photos.

    recall: k -> share of queries with a photo of their class among the k nearest; mean_precision: mean average
    precision of the whole ranking, over queries; median_rank: rank of the first photo of the query's class, median
    (beside recall@1, for a median of 1 hides nearly half of the queries). queries: path,label,rank (of the first photo
    of its class),precision (its average precision),nearest (path),found (the nearest one's label). by_class:
    label,photos,recall_1,low,high,mean_precision,taken_for (the class most often found instead, "" for none).
    left_out: test photos that are not counted; note: why, in a sentence, "" for none.
    """

    embedder: Embedder
    split: str
    distance: str
    reranked: bool
    components: str
    recall: dict[int, Accuracy]
    mean_precision: Interval
    median_rank: float
    queries: pd.DataFrame
    by_class: pd.DataFrame
    confusion: pd.DataFrame
    left_out: int = 0
    note: str = ""

    @property
    def words(self) -> str:
        """For example "recall@1 88.0% (84.2% to 91.0%, 341 photos), @5 95.0%, @10 97.1%, mAP .812 (.793 to .829)"."""
        others = "".join(f", @{k} {self.recall[k].value:.1%}" for k in RANKS[1:])
        return f"recall@1 {self.recall[1]}{others}, mAP {self.mean_precision}, median rank {self.median_rank:g}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "embedder": self.embedder.name,
            "split": self.split,
            "distance": self.distance,
            "reranked": self.reranked,
            "components": self.components,
            "queries": len(self.queries),
            **{f"recall_{k}": found.value for k, found in self.recall.items()},
            "interval_1": self.recall[1].interval,
            "mean_average_precision": self.mean_precision.value,
            "mean_average_precision_interval": [self.mean_precision.low, self.mean_precision.high],
            "median_rank": self.median_rank,
            "by_class": self.by_class.to_dict("records"),
            "left_out": self.left_out,
            "note": self.note,
        }


def measure(
    workspace: Workspace,
    of: Embedder,
    split: str = "validation",
    distance: str = "cosine",
    rerank: bool = False,
    components: str = "pca",
    progress: Progress = silent,
    by: str = "similarity",
    fair_to: Embedder | None = None,
) -> Measured:
    """The photos of `split` as queries (MOST_QUERIES of them at most), the training photos as gallery; what a run has
    trained on, or copies of it, is no query, on test nothing that it has seen; fair_to: the run for which that is so,
    where two are to be compared on the same queries. split "test" opens the test set, which is written down with what
    it was for (`by`). Raises InputError where there are no queries or no gallery."""
    photos = workspace.photos()
    gallery, fair = photos[photos["split"] == "train"], fairly(workspace, fair_to or of, split)
    queries = fair.photos
    if gallery.empty or queries.empty:
        why = f" ({fair.words})" if fair.words else ""
        counts = f"{len(gallery)} training photos and {len(queries)} {split} photos"
        raise InputError(f"there are {counts} to measure on{why}: both are needed")
    if len(queries) > MOST_QUERIES:
        drawn = np.random.default_rng(0).permutation(len(queries))[:MOST_QUERIES]
        queries = queries.iloc[np.sort(drawn)]
    if split == "test":
        workspace.open_test(f"{by} {of.name} {distance}{' reranked' if rerank else ''}")
    rows = vectors(workspace, gallery, of, progress)
    asked = vectors(workspace, queries, of, progress)
    project = projection(rows, components)
    rows, asked = project(rows), project(asked)
    searched = Gallery(rows, distance, approximate=False)
    ranker = Reranker(searched) if rerank else searched
    step, parts = max(1, CELLS // len(rows)), []
    for start in range(0, len(asked), step):
        progress(start / len(asked), f"ranking: {start} of {len(asked)} photos")
        places = ranker.search(asked[start : start + step], len(rows)).places
        parts.append(judged(queries.iloc[start : start + step], gallery, places))
    found = measured(pd.concat(parts, ignore_index=True), of, split, distance, rerank, components)
    return replace(found, left_out=fair.left_out, note=fair.words)


def fairly(workspace: Workspace, of: Embedder, split: str) -> Unseen:
    """The photos of a split by which an embedder may be measured."""
    photos = workspace.photos()
    rows = photos[photos["split"] == split]
    if not of.run or split == "train":
        return Unseen(rows, 0, "")
    own, now, groups = load_run(workspace, of.run).provenance, of_photos(photos), groups_of(workspace)
    return own.unseen(rows, now, groups) if split == "test" else Unseen(own.unlearned(rows, now, groups), 0, "")


def judged(queries: pd.DataFrame, gallery: pd.DataFrame, places: np.ndarray) -> pd.DataFrame:
    """What whole rankings are worth: Measured.queries. queries, gallery: path,label; places: (queries, gallery) int,
    the nearest first."""
    labels, asked = gallery["label"].to_numpy(dtype=object), queries["label"].to_numpy(dtype=object)
    right = labels[places] == asked[:, None]
    first = np.where(right.any(1), right.argmax(1) + 1, len(gallery) + 1)
    found_so_far = right.cumsum(1) / np.arange(1, len(gallery) + 1)
    precision = (found_so_far * right).sum(1) / np.maximum(right.sum(1), 1)
    return pd.DataFrame(
        {
            "path": queries["path"].to_numpy(),
            "label": asked,
            "rank": first,
            "precision": precision,
            "nearest": gallery["path"].to_numpy()[places[:, 0]],
            "found": labels[places[:, 0]],
        }
    )


def measured(
    queries: pd.DataFrame,
    of: Embedder,
    split: str = "validation",
    distance: str = "cosine",
    rerank: bool = False,
    components: str = "pca",
) -> Measured:
    """The figures of judged queries."""
    first, precision = queries["rank"].to_numpy(), queries["precision"].to_numpy()
    recall = {k: metrics.share(int((first <= k).sum()), len(first)) for k in RANKS}
    mean, median = mean_interval(precision), float(np.median(first))
    classes = sorted({*queries["label"], *queries["found"]})
    return Measured(
        of,
        split,
        distance,
        rerank,
        components,
        recall,
        mean,
        median,
        queries,
        _by_class(queries),
        metrics.confusion(queries["label"], queries["found"], classes),
    )


def mean_interval(values: np.ndarray, seed: int = 0) -> Interval:
    """Mean of n values with its percentile bootstrap interval (Efron 1979)."""
    random = np.random.default_rng(seed)
    means = [values[random.integers(len(values), size=len(values))].mean() for _ in range(DRAWS)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def _by_class(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for label, mine in table.groupby("label"):
        found = metrics.share(int((mine["rank"] == 1).sum()), len(mine))
        others = mine.loc[mine["found"] != label, "found"].value_counts()
        rows.append(
            (
                label,
                len(mine),
                found.value,
                found.low,
                found.high,
                float(mine["precision"].mean()),
                "" if others.empty else others.index[0],
            )
        )
    columns = ["label", "photos", "recall_1", "low", "high", "mean_precision", "taken_for"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class Compared:
    """Two embedders on the same queries: recall@1 of the second minus that of the first (metrics.paired), and the same
    of the mean average precision."""

    recall: metrics.Paired
    mean_precision: Interval

    @property
    def words(self) -> str:
        """Both, in words."""
        gain = self.mean_precision
        sure = "" if gain.low > 0 or gain.high < 0 else ", no reliable difference"
        return f"recall@1: {self.recall.words}; mAP {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}{sure})"


def compare(first: Measured, second: Measured) -> Compared:
    """What the second brings, query by query. Raises InputError for other queries."""
    if list(first.queries["path"]) != list(second.queries["path"]):
        raise InputError("the two were measured on other photos: measure both again")
    ranks = (first.queries["rank"] == 1, second.queries["rank"] == 1)
    gain = (second.queries["precision"] - first.queries["precision"]).to_numpy()
    return Compared(metrics.paired(*ranks), mean_interval(gain))
