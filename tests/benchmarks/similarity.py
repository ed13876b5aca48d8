"""How well networks rank look-alikes, how long a search takes, and how many labels a good choice of photos saves.

    python -m tests.benchmarks.similarity --data PHOTOS --work FOLDER [--only ranking|search|choice] [--seeds 3]
                                          [--losses supervised-contrastive] [--image-size 224] [--split test]

ranking: photos of --split are looked up among the training photos with frozen EfficientNet-Lite0 and Lite2, and with
networks fine-tuned with each of --losses, each with and without re-ranking, as they are and projected. search: vectors
of 128 numbers (what principal components leave) and of 1,280, in clusters. choice: photos are labelled 20 at a time
until an SVM on frozen features has 95% of the accuracy on --split that all training labels give; by select and by
chance. Every figure is one JSON line.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

from cvtune_nb import classification, similarity
from cvtune_nb.classification.svm import Svm, normalised
from cvtune_nb.data import open_workspace
from cvtune_nb.parameters import Config
from cvtune_nb.similarity.index import VectorIndex
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import say

CENTRES, WIDTHS, QUERIES = 1_000, (128, 1_280), 200
A_ROUND, GOAL = 20, 0.95


def ranking(workspace: Workspace, seeds: int, losses: list[str], image_size: int, split: str) -> None:
    """Recall and mean average precision of every network."""
    frozen = [f"efficientnet_lite0@{image_size}", f"efficientnet_lite2@{image_size}"]
    named = [(name, "frozen", 0) for name in frozen]
    for loss in losses:
        for seed in range(seeds):
            config = Config("efficientnet_lite0", image_size=image_size, loss=loss, seed=seed)
            known = classification.earlier_run(workspace, config)
            run = classification.fit(workspace, config, run=known and known.id)
            say(row="run", loss=loss, seed=seed, run=run.id, seconds=run.seconds, validation=run.validation.value)
            named.append((run.id, loss, seed))
    for name, loss, seed in named:
        for rerank in (False, True):
            for components in similarity.COMPONENTS:
                embedder, metric = similarity.find_embedder(workspace, name), similarity.Metric(components)
                found = similarity.evaluate_split(workspace, embedder, split, metric, rerank)
                values = {key: value for key, value in found.to_dict().items() if key != "by_class"}
                say(row="ranking", loss=loss, seed=seed, **values)


def search(width: int, sizes: tuple[int, ...] = (2_000, 20_000, 200_000)) -> None:
    """Milliseconds a query, exactly and approximately, and how many of the ten nearest are missed."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((CENTRES, width), dtype=np.float32)

    def drawn(count: int) -> np.ndarray:
        spread = random.standard_normal((count, width), dtype=np.float32)
        return normalised(centres[random.integers(CENTRES, size=count)] + spread)

    queries = drawn(QUERIES)
    for size in sizes:
        rows = drawn(size)
        exact = VectorIndex(rows, approximate=False)
        approximate = VectorIndex(rows, approximate=True)
        start = time.perf_counter()
        approximate.graph  # noqa: B018 - made when first asked for
        made = time.perf_counter() - start
        found, took = {}, {}
        for name, index in (("exact", exact), ("approximate", approximate)):
            index.search(queries[:8], 10)
            start = time.perf_counter()
            found[name] = [index.search(query[None], 10).indices[0] for query in queries]
            took[name] = (time.perf_counter() - start) / QUERIES * 1000
        same = [
            len(set(one) & set(other)) / 10 for one, other in zip(found["exact"], found["approximate"], strict=True)
        ]
        say(
            row="search",
            width=width,
            vectors=size,
            exact_ms=took["exact"],
            approximate_ms=took["approximate"],
            index_s=made,
            recall_at_10=float(np.mean(same)),
        )


def choice(workspace: Workspace, seeds: int, image_size: int, split: str) -> None:
    """Labels needed for GOAL of what all labels reach."""
    photos, embedder = workspace.photos(), similarity.find_embedder(workspace, f"efficientnet_lite0@{image_size}")
    rows, labels = similarity.embed(workspace, photos, embedder), photos["label"].to_numpy(dtype=object)
    pool, held = ((photos["split"] == name).to_numpy() for name in ("train", split))
    whole = (Svm(1.0).fit(rows[pool], labels[pool]).predict(rows[held]) == labels[held]).mean()
    say(row="all labels", photos=int(pool.sum()), accuracy=float(whole))
    for seed in range(seeds):
        for way in ("useful", "chance"):
            needed, curve = labels_needed(rows[pool], labels[pool], rows[held], labels[held], way, seed, GOAL * whole)
            say(row="choice", way=way, seed=seed, labels=needed, curve=curve)


def labels_needed(
    pool: np.ndarray, labels: np.ndarray, held: np.ndarray, truth: np.ndarray, way: str, seed: int, goal: float
) -> tuple[int, list[float]]:
    """How many labels until the goal is reached, and the accuracy after every round."""
    random, known, curve = np.random.default_rng(seed), np.zeros(len(pool), bool), []
    while not known.all():
        left = np.flatnonzero(~known)
        if way == "chance":
            chosen = random.permutation(left)[:A_ROUND]
        else:
            chosen = left[similarity.select(pool[left], pool[known], labels[known], A_ROUND, seed).indices]
        known[chosen] = True
        if len(set(labels[known])) > 1:
            curve.append(float((Svm(1.0).fit(pool[known], labels[known]).predict(held) == truth).mean()))
        if curve and curve[-1] >= goal:
            break
    return int(known.sum()), curve


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", choices=("ranking", "search", "choice"), default="")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--losses", default="cross-entropy,supervised-contrastive")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    arguments = parser.parse_args()
    os.environ["CVTUNE_HOME"] = str(arguments.work / "home")
    workspace = open_workspace(arguments.data, arguments.work / "workspace")
    if arguments.only in ("", "ranking"):
        ranking(workspace, arguments.seeds, arguments.losses.split(","), arguments.image_size, arguments.split)
    if arguments.only in ("", "search"):
        for width in WIDTHS:
            search(width)
    if arguments.only in ("", "choice"):
        choice(workspace, arguments.seeds, arguments.image_size, arguments.split)


if __name__ == "__main__":
    main()
