"""What each rung of a ladder gains: python -m tests.benchmarks.ladder --data PHOTOS [PHOTOS ...] --work FOLDER.

Each set of photos and seed is a workspace of its own: --per-class photos of a class to train on, drawn by the seed, and
VALIDATION of each that the best epoch is chosen on. Tested is on up to TEST of a class that no seed trains on. All come
from the training and validation photos of the set's own split: the test photos that others report on are not seen.
The rungs of RUNGS are trained one after the other as the product trains them; what accuracy to expect of a rung is told
before it, from the runs before it in the workspace. A finished run is a line of FOLDER/ladder.csv and is not trained
again: the command can be killed and goes on. At the end it prints, for each rung, seconds of CPU time, accuracy, the
difference to the first of --rungs in points with a 95% interval over photos of all sets (a photo counts once, by how
often it was right), and how often the accuracy was within the interval that was expected.
"""

import argparse
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cvtune_nb import metrics
from cvtune_nb.classification import Run, earlier_run, fit
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import FeatureSpec, shown_in
from cvtune_nb.classification.model import load_best
from cvtune_nb.classification.parent import named_parent
from cvtune_nb.classification.train import part_of
from cvtune_nb.data import open_workspace
from cvtune_nb.escalation import expected_accuracies
from cvtune_nb.models import memory, networks
from cvtune_nb.models.inference import quick
from cvtune_nb.models.recipes import recommended
from cvtune_nb.parameters import Config
from cvtune_nb.runs.provenance import groups_of
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import say

KEY = ["data", "per_class", "size", "seed", "rung"]
FOUND = ["svm", "validation", "test", "expected", "low", "high", "cpu", "seconds", "epoch", "photos", "right"]
TEST, VALIDATION = 40, 10
"""Photos of a class that are tested on, at most, and that the best epoch is chosen on."""

CONTRAST = {"loss": "supervised-contrastive"}
HEAD = {**CONTRAST, "loss_weight": 0.5, "projection": 128}
LARGER = {"times": 2**0.5}
PROGRESSIVE = {**LARGER, "progressive": 0.6}
LITE2 = {"backbone": "efficientnet_lite2"}
RUNGS: dict[str, dict[str, Any]] = {
    "good": {},
    "contrast": CONTRAST,
    "contrast, head": HEAD,
    "long": {"epochs": 20},
    "long, contrast": {"epochs": 20, **CONTRAST},
    "larger": LARGER,
    "larger, progressive": PROGRESSIVE,
    "larger, contrast": {**LARGER, **CONTRAST},
    "larger, progressive, contrast": {**PROGRESSIVE, **CONTRAST},
    "larger, from good": {**LARGER, "parent": "good", "epochs": 4, "learning_rate": 0.00015},
    "larger, minibatch halved": {**LARGER, "batch_size": 16, "learning_rate": 0.00015},
    "lite2": LITE2,
    "lite2 native, contrast": {**LITE2, **CONTRAST, "times": 260 / 224},
    "lite2 larger": {**LITE2, **LARGER},
    "lite2 larger, contrast, head": {**LITE2, **LARGER, **HEAD},
    "lite2 larger, progressive, contrast": {**LITE2, **PROGRESSIVE, **CONTRAST},
    "lite2 twice, progressive, contrast": {**LITE2, **PROGRESSIVE, **CONTRAST, "times": 2.0},
}
"""Parameters that are not as recommended; times: the image size over --image-size; parent: another of these rungs."""


def main() -> None:
    """Read the command line, train what is not in the table yet, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="folders of labelled photos")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces and ladder.csv")
    parser.add_argument("--rungs", nargs="+", default=list(RUNGS), help="the first is what others are compared with")
    parser.add_argument("--per-class", type=int, nargs="+", default=[20, 60], help="training photos of a class")
    parser.add_argument("--image-size", type=int, default=96, help="of the first rung")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only-sum", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    if not arguments.only_sum:
        with memory.retain_freed_memory():
            for per_class in arguments.per_class:
                for seed in arguments.seeds:
                    for data in arguments.data:
                        train_missing(data, per_class, seed, arguments)
    sum_up(read(arguments.work / "ladder.csv"), arguments)


def read(table: Path) -> pd.DataFrame:
    """What has been measured so far."""
    return pd.read_csv(table, dtype={"right": str}) if table.exists() else pd.DataFrame(columns=[*KEY, *FOUND])


def train_missing(data: Path, per_class: int, seed: int, arguments: argparse.Namespace) -> None:
    """Train the rungs that the table does not have for this set, size and seed."""
    table = arguments.work / "ladder.csv"
    done = set(read(table)[KEY].itertuples(index=False, name=None))
    size = arguments.image_size
    keys = [(data.name, per_class, size, seed, rung) for rung in arguments.rungs]
    missing = [key for key in keys if key not in done]
    if not missing:
        return
    folder = drawn(data, arguments.work, per_class, seed)
    workspace = open_workspace(folder, arguments.work / f"ws-{folder.name}")
    for key in missing:
        row = {**dict(zip(KEY, key, strict=True)), **measured(workspace, config_of(workspace, key[-1], size, seed))}
        # one write, so that a killed command leaves whole runs
        lines = pd.DataFrame([row], columns=[*KEY, *FOUND]).to_csv(index=False, header=not table.exists())
        with table.open("a") as file:
            file.write(lines)
        say(**{name: value for name, value in row.items() if name != "right"})


def config_of(workspace: Workspace, rung: str, size: int, seed: int) -> Config:
    """The parameters of a rung; the rung that it goes on from is trained."""
    own = dict(RUNGS[rung])
    side = round(size * own.pop("times", 1.0) / 16) * 16
    if "parent" in own:
        parent = earlier_run(workspace, config_of(workspace, own["parent"], size, seed))
        own["parent"] = parent.id if parent else ""
    given = {"backbone": "efficientnet_lite0", "image_size": side, "seed": seed, **own}
    return named_parent(workspace, recommended(**given))


def drawn(data: Path, work: Path, per_class: int, seed: int) -> Path:
    """Photos in split/class/photo, links to those of `data`."""
    folder = work / f"photos-{data.name}-{per_class}-{seed}"
    if folder.exists():
        return folder
    begun = folder.with_name(f"{folder.name}.begun")
    shutil.rmtree(begun, ignore_errors=True)
    source = open_workspace(data, work / f"manifest-{data.name}")
    photos, groups = source.photos(), groups_of(source)
    photos = photos[photos["split"] != "test"]
    photos = photos.assign(group=[groups.get(key, key) for key in photos["sha256"]])
    test = photos.sample(frac=1, random_state=1_000).groupby("label").head(TEST)
    others = photos[~photos["group"].isin(test["group"])].sample(frac=1, random_state=seed)
    validation = others.groupby("label").head(VALIDATION)
    train = others[~others["group"].isin(validation["group"])].groupby("label").head(per_class)
    for split, rows in (("train", train), ("validation", validation), ("test", test)):
        for number, row in enumerate(rows.sort_values("path").itertuples()):
            original = source.path_of(row.path)
            link = begun / split / row.label / f"{number:06d}{original.suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(original.resolve())
    begun.rename(folder)
    return folder


def measured(workspace: Workspace, config: Config) -> dict[str, Any]:
    """What was expected of a rung, and what became of it."""
    expected = expected_accuracies(workspace, [config], compute=True)[0]
    explorer = SvmExplorer(workspace, FeatureSpec.of(config))
    before = earlier_run(workspace, config)
    cpu = time.process_time()
    run = fit(workspace, config, before and before.id)
    right = right_on_test(workspace, run)
    return {
        "svm": explorer.accuracy(explorer.best_C(), "linear", "test").value,
        "validation": run.validation.value,
        "test": right.mean(),
        "expected": expected.accuracy,
        "low": expected.low,
        "high": expected.high,
        "cpu": time.process_time() - cpu,
        "seconds": run.seconds,
        "epoch": run.best_epoch,
        "photos": run.train_photos,
        "right": "".join(map(str, right)),
    }


def right_on_test(workspace: Workspace, run: Run) -> np.ndarray:
    """Which test photos the run's best epoch calls what they are: 0 or 1 (n)."""
    part = part_of(workspace.photos(), "test", workspace, shown_in(run.config), lambda *_: None)
    network = quick(load_best(run), part.squares.centre([0]), len(part.labels))
    said = [
        networks.forward(network, part.squares.centre(rows.tolist())).argmax(1)
        for rows in torch.arange(len(part.labels)).split(32)
    ]
    return (np.concatenate(said) == part.labels.numpy()).astype(int)


def sum_up(known: pd.DataFrame, arguments: argparse.Namespace) -> None:
    """Means over what a rung has in common with the first, and the difference to it."""
    known = known[known["data"].isin([data.name for data in arguments.data])]
    known = known[known["size"] == arguments.image_size]
    for per_class in arguments.per_class:
        part = known[known["per_class"] == per_class].drop_duplicates(KEY, keep="last")
        for rung in arguments.rungs:
            cells = ["data", "seed"]
            own, first = (part[part["rung"] == name].set_index(cells) for name in (rung, arguments.rungs[0]))
            both = own.index.intersection(first.index)
            if both.empty:
                continue
            own, first = own.loc[both], first.loc[both]
            difference = by_photo(own) - by_photo(first)
            half = metrics.Z95 * difference.std() / np.sqrt(len(difference))
            each = (own["test"] - first["test"]).groupby("data").mean() * 100
            within = (own["low"] <= own["test"]) & (own["test"] <= own["high"])
            within_validation = (own["low"] <= own["validation"]) & (own["validation"] <= own["high"])
            say(
                per_class=per_class,
                rung=rung,
                cells=len(both),
                svm=own["svm"].mean(),
                validation=own["validation"].mean(),
                test=own["test"].mean(),
                points=difference.mean() * 100,
                low=(difference.mean() - half) * 100,
                high=(difference.mean() + half) * 100,
                cpu=own["cpu"].mean(),
                times=own["cpu"].sum() / first["cpu"].sum(),
                expected=own["expected"].mean(),
                test_within=within.mean(),
                validation_within=within_validation.mean(),
                each={str(name): round(value, 1) for name, value in each.items()},
            )


def by_photo(rows: pd.DataFrame) -> np.ndarray:
    """How often each photo of each set was right, over the seeds."""
    found = []
    for _, part in rows.groupby("data"):
        found.append(np.mean([np.array(list(words), int) for words in part["right"]], axis=0))
    return np.concatenate(found)


if __name__ == "__main__":
    main()
