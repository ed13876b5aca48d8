"""What photos without labels bring: python -m tests.benchmarks.self_training --data PHOTOS ... --work FOLDER.

Of each set and seed a third becomes test photos, a few of each class keep their labels (a quarter of them for
validation), and all others go into a folder without labels. Accuracy on the test photos of the SVM and, with --train,
of a fine-tuned network (also one trained for as many steps on the labelled photos alone), before and after
self-training; how many photos were labelled, how many of these labels are
right, and whether every file of the folder is as it was. What is in FOLDER/self-training.csv is not measured again. At
the end it prints the mean gains, with a 95% interval over photos of all seeds.
"""

import argparse
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.exportable import candidate
from cvtune_nb.classification.extra_photos import in_folder
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.run import earlier_run
from cvtune_nb.classification.train import fit
from cvtune_nb.data import open_workspace
from cvtune_nb.data.pixels import pixels
from cvtune_nb.files import sha256_of
from cvtune_nb.models import networks
from cvtune_nb.models.recipes import recommended
from cvtune_nb.self_training import self_train
from cvtune_nb.self_training.result import folder_of
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import BATCH, say

COLUMNS = [
    "data",
    "labels",
    "size",
    "seed",
    "what",
    "labelled",
    "right",
    "rounds",
    "unchanged",
    "seconds",
    "before",
    "after",
]
TEST = 1 / 3


def main() -> None:
    """Read the command line, measure what is not in the table yet, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of photos, one folder a class")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces and self-training.csv")
    parser.add_argument("--labels", type=int, default=20, help="labelled photos a class")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train", action="store_true", help="fine-tune too")
    arguments = parser.parse_args()
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    table = arguments.work / "self-training.csv"
    for seed in range(arguments.seeds):
        for data in arguments.data:
            known, what = read(table), "run" if arguments.train else "SVM"
            own = known[
                (known["data"] == data.name) & (known["size"] == arguments.image_size) & (known["seed"] == seed)
            ]
            if not ((own["labels"] == arguments.labels) & (own["what"] == what)).any():
                rows = pd.DataFrame(measured(data, seed, arguments), columns=COLUMNS)
                with table.open("a") as file:
                    file.write(rows.to_csv(index=False, header=known.empty))
    sum_up(read(table))


def read(table: Path) -> pd.DataFrame:
    """What has been measured so far."""
    types = {"before": str, "after": str}
    return pd.read_csv(table, dtype=types) if table.exists() else pd.DataFrame(columns=COLUMNS)


def divided(data: Path, folder: Path, labels: int, seed: int) -> None:
    """Copies of the photos: photos/split/class, and unlabelled."""
    if folder.exists():
        return
    random = np.random.default_rng(seed)
    for label in sorted({file.parent.name for file in data.rglob("*") if file.is_file() and file.parent != data}):
        files = sorted(file for file in data.rglob(f"{label}/*") if file.is_file())
        files = [files[place] for place in random.permutation(len(files))]
        test = round(len(files) * TEST)
        ends = {"test": test, "train": test + labels * 3 // 4, "validation": test + labels, "": len(files)}
        for number, file in enumerate(files):
            split = next(name for name, end in ends.items() if number < end)
            into = folder / "photos" / split / label if split else folder / "unlabelled"
            into.mkdir(parents=True, exist_ok=True)
            parts = file.relative_to(data).parts
            shutil.copy(file, into / (file.name if split else f"{label}--{'-'.join(parts)}"))


def measured(data: Path, seed: int, arguments: argparse.Namespace) -> list[dict]:
    """The rows of one set and seed."""
    folder = arguments.work / f"{data.name}-{arguments.labels}-{seed}"
    divided(data, folder, arguments.labels, seed)
    cache = arguments.work / f"cache-{data.name}"  # by content: the same for all seeds
    space = folder / f"workspace-{arguments.image_size}-{'run' if arguments.train else 'svm'}"
    cache.mkdir(exist_ok=True)
    space.mkdir(exist_ok=True)
    if not (space / "cache").exists():
        (space / "cache").symlink_to(cache.resolve())
    workspace = open_workspace(folder / "photos", space)
    config = recommended("efficientnet_lite0", image_size=arguments.image_size, epochs=arguments.epochs, seed=seed)
    files = sorted((folder / "unlabelled").iterdir())
    hashes = [sha256_of(file) for file in files]
    found = self_train(workspace, folder / "unlabelled", config, train=arguments.train)
    facts = {
        "data": data.name,
        "labels": arguments.labels,
        "size": arguments.image_size,
        "seed": seed,
        "labelled": len(found.labels),
        "right": float(np.mean([Path(row.path).name.split("--")[0] == row.label for row in found.labels.itertuples()])),
        "rounds": len(found.rounds),
        "unchanged": [sha256_of(file) for file in sorted((folder / "unlabelled").iterdir())] == hashes,
        "seconds": found.seconds,
    }
    spec = FeatureSpec.of(config)
    plain = SvmExplorer(workspace, spec)
    kept = [one for one in found.rounds if "svm" in one.kept]
    lists = sorted(folder_of(workspace).glob("*/extra_photos.csv"), key=lambda file: file.stat().st_mtime_ns)
    extra = in_folder(lists[-1].parent) if kept else None
    svms = [right_of_svm(each, plain.best_C()) for each in (plain, SvmExplorer(workspace, spec, extra=extra))]
    rows = [{**facts, "what": "SVM with run" if arguments.train else "SVM", "before": svms[0], "after": svms[1]}]
    if arguments.train:
        runs = [earlier_run(workspace, config).id, found.run]
        before, after = (right_of_run(workspace, run) for run in runs)
        rows.append({**facts, "what": "run", "before": before, "after": after})
        # more photos are more steps, too: the labelled ones alone, seen as often
        train = int((workspace.photos()["split"] == "train").sum())
        epochs = round(config.epochs * (train + len(found.labels)) / train)
        longer = fit(workspace, replace(config, epochs=epochs)).id
        rows.append({**facts, "what": "run, as many steps", "before": right_of_run(workspace, longer), "after": after})
    for row in rows:
        say(**{name: value for name, value in row.items() if name not in ("before", "after", "unchanged")})
    return rows


def right_of_svm(explorer: SvmExplorer, C: float) -> str:
    """Which test photos an SVM gets right, a digit each."""
    matrix, labels = explorer.part("test")
    return digits(explorer.svm(C).predict(matrix) == labels)


def right_of_run(workspace: Workspace, run: str) -> str:
    """Which test photos a run gets right."""
    chosen, photos = candidate(workspace, run), workspace.photos()
    photos = photos[photos["split"] == "test"]
    squares = pixels(workspace, photos, chosen.spec.preprocessing)
    network = chosen.network.to(networks.device())
    blocks = [range(first, min(first + BATCH, len(photos))) for first in range(0, len(photos), BATCH)]
    said = np.concatenate([networks.forward(network, squares.centre(block)).argmax(1) for block in blocks])
    return digits(np.array(chosen.classes, dtype=object)[said] == photos["label"].to_numpy(dtype=object))


def digits(right: np.ndarray) -> str:
    """As text that a table keeps."""
    return "".join("1" if each else "0" for each in right)


def sum_up(known: pd.DataFrame) -> None:
    """Print the gain of each set, over the photos of all seeds."""
    for (data, labels, size, what), rows in known.groupby(["data", "labels", "size", "what"], sort=False):
        before, after = (np.array(list("".join(rows[name])), int) for name in ("before", "after"))
        apart = after - before
        half = 1.96 * apart.std() / len(apart) ** 0.5
        say(
            data=data,
            labels=labels,
            size=size,
            what=what,
            seeds=len(rows),
            labelled=rows["labelled"].mean(),
            right=rows["right"].mean(),
            unchanged=str(bool(rows["unchanged"].all())),
            before=before.mean(),
            after=after.mean(),
            gain=100 * apart.mean(),
            low=100 * (apart.mean() - half),
            high=100 * (apart.mean() + half),
        )


if __name__ == "__main__":
    main()
