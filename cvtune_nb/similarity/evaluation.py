"""How good are the answers? Photos that the network was never trained on are looked up among the training photos."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.classification import load_run
from cvtune_nb.data.groups import dependent
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.metrics import Accuracy
from cvtune_nb.objectives import resampling
from cvtune_nb.runs.provenance import Unseen, groups_of, of_photos
from cvtune_nb.similarity.embeddings import embed
from cvtune_nb.similarity.index import VectorIndex
from cvtune_nb.similarity.metric import DEFAULT, Metric
from cvtune_nb.similarity.model import Embedder
from cvtune_nb.similarity.reranking import Reranker
from cvtune_nb.workspace import Workspace

RANKS = (1, 5, 10)
"""k of recall@k."""
MOST_QUERIES = 2_000
"""Queries at most, drawn from more by a fixed seed: recall is good to about 2 points then."""
CELLS = 20_000_000
"""Ranks that are in memory at a time: 160 MB."""
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
class Scores:
    """How well photos of `split` find photos of their class among the training photos.

    Attributes
    ----------
    queries
        path, label, rank (of the first photo of its class), precision (its average precision), nearest (path), found
        (the nearest one's label), and group where photos belong together.
    left_out
        Test photos that are not counted.
    note
        Why, in a sentence; "" for none.
    """

    embedder: Embedder
    queries: pd.DataFrame
    split: str = "validation"
    metric: Metric = DEFAULT
    reranked: bool = False
    left_out: int = 0
    note: str = ""

    @cached_property
    def recall(self) -> dict[int, Accuracy]:
        """Fraction of queries with a photo of their class among the k nearest, by k."""
        ranks = self.queries["rank"]
        return {k: metrics.rate(ranks <= k, self.groups) for k in RANKS}

    @property
    def groups(self) -> np.ndarray | None:
        """The group of each query where some belong together."""
        return self.queries["group"].to_numpy() if "group" in self.queries else None

    @cached_property
    def mean_precision(self) -> Interval:
        """Mean average precision of the whole ranking, over queries."""
        return mean_interval(self.queries["precision"].to_numpy(), groups=self.groups)

    @property
    def median_rank(self) -> float:
        """Of the first photo of the query's class (beside recall@1: a median of 1 hides nearly half of the queries)."""
        return float(self.queries["rank"].median())

    @cached_property
    def by_class(self) -> pd.DataFrame:
        """A row for each class.

        label, photos, recall_1, low, high, mean_precision, taken_for (the class most often found instead, "" for none).
        """
        rows = []
        for label, members in self.queries.groupby("label"):
            recall = metrics.rate(members["rank"] == 1, members.get("group"))
            others = members.loc[members["found"] != label, "found"].value_counts()
            taken_for = "" if others.empty else others.index[0]
            mean = float(members["precision"].mean())
            rows.append((label, len(members), recall.value, recall.low, recall.high, mean, taken_for))
        columns = ["label", "photos", "recall_1", "low", "high", "mean_precision", "taken_for"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def words(self) -> str:
        """The figures in a line.

        For example "recall@1 88.0% (84.2% to 91.0%, 341 photos), @5 95.0%, @10 97.1%, mAP .812 (.793 to .829), median
        rank 1".
        """
        others = "".join(f", @{k} {self.recall[k].value:.1%}" for k in RANKS[1:])
        return f"recall@1 {self.recall[1]}{others}, mAP {self.mean_precision}, median rank {self.median_rank:g}"

    @property
    def hardest(self) -> str:
        """Which class is found worst, in words."""
        worst = self.by_class.sort_values("recall_1").iloc[0]
        instead = f", most often {worst['taken_for']} is found instead" if worst["taken_for"] else ""
        return (
            f"Hardest to find is {worst['label']}: nearest for {worst['recall_1']:.0%} of {worst['photos']}{instead}."
        )

    def in_words(self) -> dict[str, str]:
        """Each figure by its name, with its interval."""
        recall = {f"recall@{k}": str(recall) for k, recall in self.recall.items()}
        return {**recall, "mAP": str(self.mean_precision), "median rank": f"{self.median_rank:g}"}

    def table(self) -> pd.DataFrame:
        """embedder, measure (recall@k and mAP), value, low, high, queries: a row for each figure."""
        figures = {f"recall@{k}": recall for k, recall in self.recall.items()} | {"mAP": self.mean_precision}
        rows = [
            (self.embedder.words, name, figure.value, figure.low, figure.high, len(self.queries))
            for name, figure in figures.items()
        ]
        return pd.DataFrame(rows, columns=["embedder", "measure", "value", "low", "high", "queries"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "embedder": self.embedder.name,
            "split": self.split,
            "distance": self.metric.distance,
            "reranked": self.reranked,
            "components": self.metric.components,
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


@dataclass(frozen=True)
class Gain:
    """Two embedders on the same queries: the figures of the second minus those of the first.

    recall: of recall@1 (metrics.paired); mean_precision: of the mean average precision.
    """

    recall: metrics.Paired
    mean_precision: Interval

    @property
    def words(self) -> str:
        """Both, in words."""
        gain = self.mean_precision
        doubt = "" if gain.low > 0 or gain.high < 0 else ", no reliable difference"
        return f"recall@1: {self.recall.words}; mAP {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}{doubt})"


@dataclass(frozen=True)
class Evaluation:
    """How well an embedder finds photos of the same class.

    frozen, gain: for a run the same network frozen, on the same queries, and what training gained; test: only where
    that was opened (test_openings: how often so far).
    """

    validation: Scores
    frozen: Scores | None = None
    gain: Gain | None = None
    test: Scores | None = None
    test_openings: int = 0

    @property
    def compared(self) -> list[Scores]:
        """The scores on validation: the embedder's, and for a run those of the frozen network."""
        return [scores for scores in (self.validation, self.frozen) if scores]

    def table(self) -> pd.DataFrame:
        """Scores.table of all that are compared."""
        return pd.concat([scores.table() for scores in self.compared], ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values = {
            "measured": self.validation.to_dict(),
            "frozen": self.frozen and self.frozen.to_dict(),
            "compared": self.gain and self.gain.words,
        }
        return values | ({"test": self.test.to_dict(), "test_openings": self.test_openings} if self.test else {})


def evaluate(
    workspace: Workspace,
    embedder: Embedder,
    metric: Metric = DEFAULT,
    rerank: bool = False,
    open_test: bool = False,
    progress: Progress = silent,
) -> Evaluation:
    """How well an embedder finds photos of the same class, and for a run what training brought.

    Parameters
    ----------
    workspace, embedder
        Whose photos, and what turns them into vectors.
    metric, rerank
        How photos are compared, as in search.build_index.
    open_test
        Whether the test photos are queries, too; this is counted.
    progress
        Called with the fraction done (0 to 1) and what is under way.

    Raises
    ------
    InputError
        Where a split has no photos to measure on.
    """
    ways = {"metric": metric, "rerank": rerank, "progress": progress}
    validation, frozen, gain, test = evaluate_split(workspace, embedder, **ways), None, None, None
    if embedder.run:
        frozen = evaluate_split(workspace, embedder.frozen, fair_to=embedder, **ways)
        gain = paired_gain(frozen, validation)
    if open_test:
        test = evaluate_split(workspace, embedder, "test", **ways)
    return Evaluation(validation, frozen, gain, test, workspace.test_openings())


def evaluate_split(
    workspace: Workspace,
    embedder: Embedder,
    split: str = "validation",
    metric: Metric = DEFAULT,
    rerank: bool = False,
    progress: Progress = silent,
    opened_by: str = "similarity",
    fair_to: Embedder | None = None,
) -> Scores:
    """The photos of one split as queries, the training photos as gallery.

    Parameters
    ----------
    workspace, embedder, metric, rerank, progress
        As in `evaluate`.
    split
        "validation" or "test"; "test" opens the test set, which is counted.
    opened_by
        What the test set was opened for, to be written down.
    fair_to
        The run that must not have seen the queries; None for `embedder`. Give it where two embedders are to be
        compared on the same queries.

    Returns
    -------
    Scores
        Of MOST_QUERIES queries at most. On validation, what the run has trained on, or copies of it, are no queries; on
        test, nothing that it has seen.

    Raises
    ------
    InputError
        Where there are no queries or no gallery.
    """
    photos = workspace.photos()
    gallery, fair = photos[photos["split"] == "train"], fair_queries(workspace, fair_to or embedder, split)
    queries = fair.photos
    if gallery.empty or queries.empty:
        why = f" ({fair.words})" if fair.words else ""
        counts = f"{len(gallery)} training photos and {len(queries)} {split} photos"
        raise InputError(f"there are {counts} to measure on{why}: both are needed")
    if len(queries) > MOST_QUERIES:
        drawn = np.random.default_rng(0).permutation(len(queries))[:MOST_QUERIES]
        queries = queries.iloc[np.sort(drawn)]
    if split == "test":
        workspace.open_test(f"{opened_by} {embedder.name} {metric.distance}{' reranked' if rerank else ''}")
    known, asked = (embed(workspace, rows, embedder, progress) for rows in (gallery, queries))
    projection = metric.projection(known)
    known, asked = projection(known), projection(asked)
    index = VectorIndex(known, metric, approximate=False)
    searcher = Reranker(index) if rerank else index
    step, parts = max(1, CELLS // len(known)), []
    for start in range(0, len(asked), step):
        progress(start / len(asked), f"ranking: {start} of {len(asked)} photos")
        indices = searcher.search(asked[start : start + step], len(known)).indices
        parts.append(judge(queries.iloc[start : start + step], gallery, indices))
    judged = pd.concat(parts, ignore_index=True)
    return Scores(embedder, judged, split, metric, rerank, fair.left_out, fair.words)


def fair_queries(workspace: Workspace, embedder: Embedder, split: str) -> Unseen:
    """The photos of a split by which an embedder may be measured.

    Parameters
    ----------
    workspace, embedder
        The photos, and what turns them into vectors.
    split
        "train", "validation" or "test".
    """
    photos = workspace.photos()
    rows = photos[photos["split"] == split]
    if not embedder.run or split == "train":
        return Unseen(rows, 0, "")
    own, present = load_run(workspace, embedder.run).provenance, of_photos(photos)
    groups = groups_of(workspace)
    return own.unseen(rows, present, groups) if split == "test" else Unseen(own.unlearned(rows, present, groups), 0, "")


def judge(queries: pd.DataFrame, gallery: pd.DataFrame, indices: np.ndarray) -> pd.DataFrame:
    """What whole rankings are worth: Scores.queries.

    Parameters
    ----------
    queries, gallery
        Path, label; of queries group and copies, too.
    indices
        (queries, gallery) int, rows of the gallery, the nearest first.
    """
    labels, asked = gallery["label"].to_numpy(dtype=object), queries["label"].to_numpy(dtype=object)
    right = labels[indices] == asked[:, None]
    first = np.where(right.any(1), right.argmax(1) + 1, len(gallery) + 1)
    precision_at = right.cumsum(1) / np.arange(1, len(gallery) + 1)
    precision = (precision_at * right).sum(1) / np.maximum(right.sum(1), 1)
    own = dependent(queries)
    return pd.DataFrame(
        {
            "path": queries["path"].to_numpy(),
            "label": asked,
            "rank": first,
            "precision": precision,
            "nearest": gallery["path"].to_numpy()[indices[:, 0]],
            "found": labels[indices[:, 0]],
            **({} if own is None else {"group": own.to_numpy()}),
        }
    )


def mean_interval(values: np.ndarray, seed: int = 0, groups: np.ndarray | None = None) -> Interval:
    """Mean of n values with its percentile bootstrap interval (Efron 1979); of whole groups by resampling.interval.

    Parameters
    ----------
    values
        Of each photo.
    seed
        Of the random numbers.
    groups
        The group of each photo where some belong together.
    """
    if groups is not None:
        low, high = resampling.interval(lambda times: times @ values / times.sum(1), len(values), groups)
        return Interval(float(values.mean()), low, high)
    random = np.random.default_rng(seed)
    means = [values[random.integers(len(values), size=len(values))].mean() for _ in range(DRAWS)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def paired_gain(first: Scores, second: Scores) -> Gain:
    """What the second brings, query by query. Raises InputError for other queries."""
    if list(first.queries["path"]) != list(second.queries["path"]):
        raise InputError("the two were measured on other photos: measure both again")
    ranks = (first.queries["rank"] == 1, second.queries["rank"] == 1)
    gain = (second.queries["precision"] - first.queries["precision"]).to_numpy()
    return Gain(metrics.paired(*ranks, first.groups), mean_interval(gain, groups=first.groups))
