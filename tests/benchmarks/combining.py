"""Ways to combine classifiers, compared: python -m tests.benchmarks.combining --data PHOTOS ... --work FOLDER.

For each set and seed, networks are fine-tuned that a person would have after some tries (MEMBERS), all ways to combine
them are chosen on validation photos as `cvtune combine` does, and every way is measured on the test photos: the best
single classifier, the soup, the interpolation, the means with each kind of weights, the combination that is kept, and
the one network that is distilled from it. A
finished set and seed is some lines of FOLDER/combining.csv and is not done again. At the end it prints for each set and
way the accuracy on test and the difference from the best single one, with a 95% interval over photos; and the same
pooled over the sets.
"""

import argparse
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.combining import search as combining
from cvtune_nb.classification.combining.chooser import MOST_NETWORKS, Chooser, Part
from cvtune_nb.classification.combining.combination import KINDS, SINGLE, Combination
from cvtune_nb.classification.combining.distillation import distil
from cvtune_nb.classification.combining.ingredients import Ingredients
from cvtune_nb.classification.combining.pool import Pool
from cvtune_nb.classification.combining.selection import TINY, shrunk_weights
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.objective import objective_in
from cvtune_nb.classification.run import earlier_run
from cvtune_nb.classification.train import fit
from cvtune_nb.data import open_workspace
from cvtune_nb.files import silent
from cvtune_nb.models.recipes import recommended
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import photo_folder, say

COLUMNS = ["data", "photos", "seed", "way", "what", "chosen", "validation", "test", "times", "megabytes", "right"]
MEMBERS = (
    {},
    {"seed": 100},
    {"augmentation": "crop-flip+colour:.3"},
    {"image_size": 1.5},
    {"backbone": "efficientnet_lite1"},
)
"""What the runs of a set have otherwise than the first; image_size as a multiple, seed added."""
WEIGHTS = {
    "shrunk": shrunk_weights,
    "equal": lambda likelihoods: np.full(len(likelihoods), 1 / len(likelihoods)),
    "greedy": lambda likelihoods: greedy_weights(likelihoods),
}
"""Ways to weigh the members of a mean."""


def greedy_weights(likelihoods: np.ndarray, steps: int = 20) -> np.ndarray:
    """Weights by forward selection with replacement: again and again what makes the mean's log loss least is added
    (Caruana and others 2004, "Ensemble selection from libraries of models")."""
    counts, total = np.zeros(len(likelihoods)), np.zeros(likelihoods.shape[1])
    for step in range(1, steps + 1):
        best = int((-np.log(np.maximum((total + likelihoods) / step, TINY))).mean(axis=1).argmin())
        counts[best] += 1
        total += likelihoods[best]
    return counts / counts.sum()


def main() -> None:
    """Read the command line, do what is not in the table yet, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labelled photos")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces and combining.csv")
    parser.add_argument("--photos", type=int, default=1_000, help="of each set")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    arguments = parser.parse_args()
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    table = arguments.work / "combining.csv"
    for seed in range(arguments.seeds):
        for data in arguments.data:
            known = read(table)
            done = (known["data"] == data.name) & (known["photos"] == arguments.photos) & (known["seed"] == seed)
            if not done.any():
                rows = pd.DataFrame(measured(data, seed, arguments), columns=COLUMNS)
                with table.open("a") as file:
                    file.write(rows.to_csv(index=False, header=known.empty))
    known = read(table)
    sum_up(known[(known["photos"] == arguments.photos) & known["data"].isin([data.name for data in arguments.data])])


def read(table: Path) -> pd.DataFrame:
    """What has been measured so far."""
    return pd.read_csv(table, dtype={"right": str}) if table.exists() else pd.DataFrame(columns=COLUMNS)


def trained(workspace: Workspace, seed: int, arguments: argparse.Namespace) -> list[str]:
    """Ids of the members: runs that are there already are not trained again."""
    baseline(workspace, FeatureSpec.from_dict({"backbone": arguments.backbone, "image_size": arguments.image_size}))
    first = recommended(
        backbone=arguments.backbone, image_size=arguments.image_size, epochs=arguments.epochs, seed=seed
    )
    names = ["svm"]
    for other in MEMBERS:
        given = dict(other)
        if "image_size" in given:
            given["image_size"] = round(first.image_size * given["image_size"])
        if "seed" in given:
            given["seed"] += seed
        config = replace(first, **given)
        earlier = earlier_run(workspace, config)
        names.append((earlier if earlier and earlier.state == "done" else fit(workspace, config)).id)
    return names


def measured(data: Path, seed: int, arguments: argparse.Namespace) -> list[dict]:
    """The rows of one set and seed."""
    work = arguments.work
    workspace = open_workspace(photo_folder(data, work, arguments.photos), work / f"ws-{data.name}-{arguments.photos}")
    names = trained(workspace, seed, arguments)
    found, objective = combining.combine(workspace, names), objective_in(workspace)
    ingredients = Ingredients(workspace, combining.offered(workspace, names))
    every = workspace.photos()
    asked = {}
    for split in ("validation", "test"):
        photos = every[every["split"] == split].reset_index(drop=True)
        truth = photos["label"].map({label: number for number, label in enumerate(workspace.classes)}).to_numpy()
        pool = Pool(workspace, ingredients, photos, math.inf, silent)
        asked[split] = Chooser(pool, list(ingredients.candidates), truth, objective, MOST_NETWORKS)
    validation, test = asked["validation"], asked["test"]
    rows = np.arange(len(validation.truth))
    ways = dict(validation.choose(rows))
    for name, weigh in WEIGHTS.items():
        for networks in (MOST_NETWORKS, len(names)):
            other = Chooser(validation.pool, list(ingredients.candidates), validation.truth, objective, networks, weigh)
            means = {kind: parts for kind, parts in other.choose(rows).items() if kind.startswith("mean")}
            ways |= {f"{kind}, {name}, {networks}": parts for kind, parts in means.items()}
    ways["combination"] = ways[found.kind]
    [svm] = [blend for blend in test.singles if str(blend) == "svm"]
    ways["svm"] = [Part(svm, test.looks[svm][0], 1.0, 1.0)]
    lines = [line_of(way, parts, asked, found) for way, parts in ways.items()]
    if found.kept:
        run = distil(workspace)
        student = {}
        for split, each in asked.items():
            pool = Pool(workspace, Ingredients(workspace, [run.id]), each.pool.photos, math.inf, silent)
            student[split] = Chooser(pool, [run.id], each.truth, objective, 1)
        lines.append(line_of("distilled", student["validation"].choose(rows)[SINGLE], student, found))
    lines = [{"data": data.name, "photos": arguments.photos, "seed": seed, **line} for line in lines]
    figures = {line["way"]: round(line["test"], 4) for line in lines}
    say(data=data.name, seed=seed, kept=found.kind, expected=found.score.value, test=figures)
    return lines


def line_of(way: str, parts: list[Part], asked: dict[str, Chooser], found: Combination) -> dict:
    """What a way that was chosen says of both splits."""
    right = {
        split: each.chances(parts, np.arange(len(each.truth))).argmax(1) == each.truth for split, each in asked.items()
    }
    own = found.kinds[found.kinds["kind"] == (found.kind if way == "combination" else way)]
    return {
        "way": way,
        "what": "; ".join(f"{part.weight:.2f} {part.blend} {part.look.shown.key}" for part in parts),
        "chosen": way == found.kind,
        "validation": right["validation"].mean(),
        "test": right["test"].mean(),
        "times": own["times"].iloc[0] if len(own) else math.nan,
        "megabytes": own["megabytes"].iloc[0] if len(own) else math.nan,
        "right": "".join(map(str, right["test"].astype(int))),
    }


def sum_up(known: pd.DataFrame) -> None:
    """What each way gains on test against the best single classifier, over the seeds: by set, and pooled."""
    ways = [*dict.fromkeys(known["way"])]
    apart: dict[str, list[np.ndarray]] = {way: [] for way in ways}
    for data, part in known.groupby("data"):
        for way in ways:
            own, single = (part[part["way"] == name].set_index("seed")["right"] for name in (way, SINGLE))
            both = list(single.index)
            right = {
                seed: (np.array(list(own.get(seed, single[seed])), int), np.array(list(single[seed]), int))
                for seed in both
            }
            differences = np.mean([mine - other for mine, other in right.values()], axis=0)
            apart[way].append(differences)
            test = np.mean([mine.mean() for mine, _ in right.values()])
            say(data=str(data), way=way, seeds=len(both), test=test, **interval(differences))
    for way in ways:
        say(data="all", way=way, **interval(np.concatenate(apart[way])))
    say(kinds=", ".join(KINDS))


def interval(differences: np.ndarray) -> dict[str, float]:
    """The mean difference with its 95% interval over photos."""
    half = metrics.Z95 * differences.std() / np.sqrt(len(differences))
    mean = differences.mean()
    return {"difference": mean, "low": mean - half, "high": mean + half}


if __name__ == "__main__":
    main()
