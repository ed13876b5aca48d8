"""Remedies for imbalance, compared: python -m tests.benchmarks.imbalance --data PHOTOS [PHOTOS ...] --work FOLDER.

The training photos of each set are thinned geometrically from --largest to --smallest a class; which class is how large
is drawn anew by each seed. All photos that are not drawn are tested on, but for those of which a copy was drawn. With
each remedy an SVM is fitted on a frozen network, its C chosen by balanced accuracy on validation, and with --epochs a
network is fine-tuned as `cvtune train` does; "after the fact" is the network without a remedy, its logits adjusted. A
finished run is a line of FOLDER/imbalance.csv and is not made again: the command can be killed and goes on. At the end
it prints accuracy and balanced accuracy on test photos and the differences to the first of --remedies, with 95%
intervals over photos (balanced: stratified by class; the seeds' photos overlap, so that they make no interval smaller).
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cvtune_nb import metrics
from cvtune_nb.classification.baseline import C_VALUES, SvmExplorer
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.model import load_best
from cvtune_nb.classification.train import fit, part_of
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.files import silent
from cvtune_nb.imbalance import LOGITS, NONE, counted, log_shares
from cvtune_nb.models import memory, networks
from cvtune_nb.objectives import objective_of
from cvtune_nb.parameters import Config
from cvtune_nb.runs.provenance import groups_of
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import say

FROZEN, TUNED, AFTER = "frozen", "fine-tuned", "after the fact"
REMEDIES = (NONE, "square-root", "balanced", "sampling", LOGITS)
TAUS = (0.5, 1.0, 1.5)
KEY = ["data", "largest", "smallest", "size", "epochs", "seed", "kind", "remedy"]
COLUMNS = [*KEY, "accuracy", "balanced", "right"]


def main() -> None:
    """Read the command line, measure what is not in the table yet, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labelled photos")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces and imbalance.csv")
    parser.add_argument("--remedies", nargs="+", default=list(REMEDIES), help="compared with the first")
    parser.add_argument("--largest", type=int, default=130, help="training photos of the largest class")
    parser.add_argument("--smallest", type=int, default=10)
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=8, help="0: nothing is fine-tuned")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--only-sum", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    if not arguments.only_sum:
        with memory.retain_freed_memory():
            for seed in range(arguments.seeds):
                for data in arguments.data:
                    measure_missing(data, seed, arguments)
    sum_up(read(arguments.work / "imbalance.csv"), arguments)


def read(table: Path) -> pd.DataFrame:
    """What has been measured so far."""
    return pd.read_csv(table, dtype={"right": str}) if table.exists() else pd.DataFrame(columns=COLUMNS)


def measure_missing(data: Path, seed: int, arguments: argparse.Namespace) -> None:
    """Measure each remedy that the table does not have for this set and seed."""
    table = arguments.work / "imbalance.csv"
    shared = (data.name, arguments.largest, arguments.smallest, arguments.image_size, arguments.epochs, seed)
    done = set(read(table)[KEY].itertuples(index=False, name=None))
    missing = [
        (kind, remedy)
        for kind in ((FROZEN, TUNED) if arguments.epochs else (FROZEN,))
        for remedy in arguments.remedies
        if (*shared, kind, remedy) not in done
    ]
    if not missing:
        return
    folder = thinned(data, arguments.work, seed, arguments.largest, arguments.smallest)
    workspace = open_workspace(folder, arguments.work / f"ws-{folder.name}")
    for kind, remedy in missing:
        config = Config(
            arguments.backbone,
            image_size=arguments.image_size,
            epochs=arguments.epochs,
            seed=seed,
            imbalance=remedy,
        )
        rows = []
        for known_as, name, right, truth in (frozen if kind == FROZEN else tuned)(workspace, config):
            found = figures(right, truth)
            words = "".join(str(int(one)) for one in right)
            rows.append((*shared, known_as, name, found[0], found[1], words))
            say(data=data.name, seed=seed, kind=known_as, remedy=name, accuracy=found[0], balanced=found[1])
        # one write, so that a killed command leaves whole runs
        lines = pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, header=not table.exists())
        with table.open("a") as file:
            file.write(lines)
        np.savetxt(truth_of(arguments.work, data.name, seed, arguments), truth, "%d")


Found = Iterator[tuple[str, str, np.ndarray, np.ndarray]]
"""Kind, remedy, which test photos were right, and their class ids."""


def frozen(workspace: Workspace, config: Config) -> Found:
    """The SVM on the frozen network."""
    explorer = SvmExplorer(workspace, FeatureSpec.of(config), imbalance=config.imbalance)
    objective, ids = objective_of("balanced-accuracy", explorer.classes), {c: i for i, c in enumerate(explorer.classes)}
    (asked, labels), (matrix, names) = explorer.part("validation"), explorer.part("test")
    given, truth = (np.array([ids[label] for label in each]) for each in (labels, names))
    C = max(C_VALUES, key=lambda C: (objective.value(given, explorer.svm(C).scores(asked)), -abs(np.log(C))))
    yield FROZEN, config.imbalance, explorer.svm(C).scores(matrix).argmax(1) == truth, truth


def tuned(workspace: Workspace, config: Config) -> Found:
    """The fine-tuned network, and the one without a remedy adjusted after the fact, too."""
    run = fit(workspace, config)
    photos = workspace.photos()
    part = part_of(photos, "test", workspace, Preprocessing.of(config), silent)
    network, truth = load_best(run), part.labels.numpy()
    logits = np.concatenate(
        [
            networks.forward(network, part.squares.centre(rows.tolist()))
            for rows in torch.arange(len(part.labels)).split(32)
        ]
    )
    shutil.rmtree(run.folder)
    yield TUNED, config.imbalance, logits.argmax(1) == truth, truth
    if config.imbalance == NONE:
        prior = log_shares(counted(photos.loc[photos["split"] == "train", "label"], run.classes))
        for tau in TAUS:
            yield AFTER, f"{LOGITS}:{tau:g}", (logits - tau * prior).argmax(1) == truth, truth


def thinned(data: Path, work: Path, seed: int, largest: int, smallest: int) -> Path:
    """Links to the photos of `data` in split/class/photo, the training photos thinned; the others are for the test."""
    folder = work / f"photos-{data.name}-{largest}-{smallest}-{seed}"
    if folder.exists():
        return folder
    workspace = open_workspace(data, work / f"manifest-{data.name}")
    photos, groups = workspace.photos(), groups_of(workspace)
    photos = photos.assign(group=[groups.get(key, key) for key in photos["sha256"]])
    classes, random = sorted(photos["label"].unique()), np.random.default_rng(seed)
    wanted = np.round(np.geomspace(largest, smallest, len(classes))).astype(int)
    counts = dict(zip(random.permutation(classes), wanted, strict=True))
    train = photos[photos["split"] == "train"].sample(frac=1, random_state=seed)
    train = pd.concat([rows.head(counts[str(label)]) for label, rows in train.groupby("label")])
    validation = photos[(photos["split"] == "validation") & ~photos["group"].isin(train["group"])]
    rest = photos[~photos["group"].isin([*train["group"], *validation["group"]])]
    begun = folder.with_name(f"{folder.name}.begun")
    shutil.rmtree(begun, ignore_errors=True)
    for split, rows in (("train", train), ("validation", validation), ("test", rest)):
        for number, (path, label) in enumerate(rows[["path", "label"]].itertuples(index=False)):
            link = begun / split / label / f"{number:06d}{Path(path).suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(workspace.path_of(path).resolve())
    begun.rename(folder)
    return folder


def figures(right: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Accuracy and balanced accuracy."""
    return float(right.mean()), float(np.mean([right[truth == label].mean() for label in np.unique(truth)]))


def truth_of(work: Path, data: str, seed: int, arguments: argparse.Namespace) -> Path:
    """The file with the class ids of the test photos."""
    return work / f"truth-{data}-{arguments.largest}-{arguments.smallest}-{seed}.txt"


def sum_up(known: pd.DataFrame, arguments: argparse.Namespace) -> None:
    """Means over the seeds, and differences to the first remedy, each seed on the same photos."""
    chosen = known[KEY[1:5]].eq([getattr(arguments, name) for name in ("largest", "smallest", "image_size", "epochs")])
    known = known[chosen.all(axis=1)]
    first = arguments.remedies[0]
    for data in [data.name for data in arguments.data]:
        part = known[known["data"] == data]
        for (kind, remedy), rows in part.groupby(["kind", "remedy"], sort=False):
            beside = part[(part["kind"] == (TUNED if kind == AFTER else kind)) & (part["remedy"] == first)]
            both = rows.merge(beside, on="seed", suffixes=("", "_first"))
            if both.empty:
                continue
            differences = {"accuracy": [], "balanced": []}
            for row in both.itertuples():
                truth = np.loadtxt(truth_of(arguments.work, data, int(row.seed), arguments), dtype=int)
                own, other = (np.array(list(words), float) for words in (row.right, row.right_first))
                for name, found in paired(own - other, truth).items():
                    differences[name].append(found)
            figures = {}
            for name, found in differences.items():
                mean, variance = np.mean(found, axis=0)
                # the seeds' test photos overlap, so that their errors count as one
                half = metrics.Z95 * np.sqrt(variance)
                figures |= {f"{name}_gain": mean, f"{name}_low": mean - half, f"{name}_high": mean + half}
            shown = {name: both[name].mean() for name in ("accuracy", "balanced")}
            say(data=data, kind=str(kind), remedy=str(remedy), seeds=len(both), **shown, **figures)


def paired(difference: np.ndarray, truth: np.ndarray) -> dict[str, tuple[float, float]]:
    """Mean difference of accuracy and of balanced accuracy, each with its variance; the latter stratified by class."""
    classes = [difference[truth == label] for label in np.unique(truth)]
    balanced = float(np.mean([each.mean() for each in classes]))
    spread = sum(each.var(ddof=1) / len(each) for each in classes) / len(classes) ** 2
    plain = float(difference.mean()), float(difference.var(ddof=1) / len(difference))
    return {"accuracy": plain, "balanced": (balanced, float(spread))}


if __name__ == "__main__":
    main()
