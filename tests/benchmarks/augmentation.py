"""Policies of augmentation, compared: python -m tests.benchmarks.augmentation --data PHOTOS [PHOTOS ...] --work FOLDER.

Every policy trains on the same photos with the same minibatches and seeds, for each number of --epochs. A folder with
boxes (annotation files) gives square cut-outs round the boxes, each in its photo's split. A finished run is a few lines
of FOLDER/augmentation.csv and is not trained again: the command can be killed and goes on. At the end it prints, for
each set, number of epochs and policy, accuracy on test photos and the difference to the first of --policies with a 95%
interval over photos (a photo counts once, by how often it was right). --cost prints what each policy adds to a step of
training instead, in CPU time of one thread, which holds on a busy machine, too.
"""

import argparse
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from cvtune_nb import metrics
from cvtune_nb.augmentation.minibatch import augmented
from cvtune_nb.augmentation.mixing import mixed
from cvtune_nb.augmentation.policies import OF_CLASSIFIERS, in_words, policies_in
from cvtune_nb.classification.model import Classifier, build
from cvtune_nb.classification.train import step
from cvtune_nb.data import open_workspace
from cvtune_nb.detection import open_dataset
from cvtune_nb.models import memory
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.runs.fitting import train_mode
from cvtune_nb.runs.optimizer import optimizer_for
from cvtune_nb.runs.provenance import groups_of
from tests.benchmarks.common import BATCH, say
from tests.benchmarks.start import Beginning, Start

USUAL = PARAMETERS["augmentation"].default
KEY = ["data", "per_class", "size", "epochs", "seed", "policy"]
COLUMNS = [*KEY, "svm", "accuracy", "loss", "right"]
TEST, VALIDATION = 300, 10
"""Photos of a class, at most, that are tested on, and that C is chosen on, where training is on --per-class."""
MARGIN = 1.2
"""Side of a cut-out by the longer side of its box."""


def with_usual(name: str) -> str:
    """The usual list and one policy more; resized-crop takes the place of crop."""
    usual = dict(policies_in(USUAL))
    if name == "resized-crop":
        del usual["crop"]
    return in_words({**policies_in(name), **usual})


EACH = list(dict.fromkeys([USUAL, *map(with_usual, OF_CLASSIFIERS), "crop", "none", "crop-flip+colour+cutmix"]))
"""Every policy beside the usual list, and what is without it."""


def main() -> None:
    """Read the command line, train what is not in the table yet, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="folders of labelled photos, or with boxes")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces and augmentation.csv")
    parser.add_argument("--policies", nargs="+", default=EACH, help="the first is what others are compared with")
    parser.add_argument("--per-class", type=int, default=0, help="training photos of a class (0: all)")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, nargs="+", default=[8, 24])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--only-sum", action="store_true", help="train nothing")
    parser.add_argument("--cost", action="store_true", help="measure the cost of each policy, and train nothing")
    arguments = parser.parse_args()
    arguments.policies = [in_words(policies_in(text, OF_CLASSIFIERS)) for text in arguments.policies]
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    if arguments.cost:
        costs(arguments)
        return
    if not arguments.only_sum:
        with memory.retain_freed_memory():
            for seed in range(arguments.seeds):  # all sets and policies with one seed, then the next
                for data in arguments.data:
                    train_missing(data, seed, arguments)
    sum_up(read(arguments.work / "augmentation.csv"), arguments)


def read(table: Path) -> pd.DataFrame:
    """What has been measured so far."""
    return pd.read_csv(table, dtype={"right": str}) if table.exists() else pd.DataFrame(columns=COLUMNS)


def train_missing(data: Path, seed: int, arguments: argparse.Namespace) -> None:
    """Train with each policy and number of epochs that the table does not have for this set and seed."""
    table, size = arguments.work / "augmentation.csv", arguments.image_size
    done = set(read(table)[KEY].itertuples(index=False, name=None))
    keys = [
        (data.name, arguments.per_class, size, epochs, seed, policy)
        for epochs in arguments.epochs
        for policy in arguments.policies
    ]
    missing = [key for key in keys if key not in done]
    if not missing:
        return
    folder = photo_folder(data, arguments.work, arguments.per_class)
    workspace = open_workspace(folder, arguments.work / f"ws-{folder.name}")
    for key in missing:
        *_, epochs, _, policy = key
        config = Config(arguments.backbone, image_size=size, epochs=epochs, seed=seed, augmentation=policy)
        (row,) = Tested(workspace, config, epochs).train(Start(ema=config.ema))
        row = {**dict(zip(KEY, key, strict=True)), **row}
        # one write, so that a killed command leaves whole runs
        lines = pd.DataFrame([row], columns=COLUMNS).to_csv(index=False, header=not table.exists())
        with table.open("a") as file:
            file.write(lines)
        say(data=data.name, policy=policy, epochs=epochs, seed=seed, svm=row["svm"], test=row["accuracy"])


class Tested(Beginning):
    """Measured on test photos alone, and only at the end."""

    def measured(self, network: Classifier, epoch: int) -> list[dict]:
        """Accuracy on test photos, and the SVM's."""
        if epoch < self.last:
            return []
        row = self.measured_on(network, self.parts["test"], "test", epoch)
        return [{**row, "svm": self.explorer.accuracy(self.svm.C, "linear", "test").value}]


def photo_folder(data: Path, work: Path, per_class: int) -> Path:
    """Photos in split/class/photo: links to those of `data`, or cut-outs of its boxes.

    With `per_class`, so many of each class to train on, VALIDATION to choose C on and up to TEST to test on.
    """
    folder = work / f"photos-{data.name}-{per_class or 'all'}"
    if folder.exists():
        return folder
    begun = folder.with_name(f"{folder.name}.begun")
    shutil.rmtree(begun, ignore_errors=True)
    rows, make = boxed(data, work) if any(data.rglob("*.xml")) else labelled(data, work)
    for (split, label), part in (few(rows, per_class) if per_class else rows).groupby(["split", "label"]):
        for number, row in enumerate(part.itertuples()):
            target = begun / str(split) / str(label) / f"{number:06d}"
            target.parent.mkdir(parents=True, exist_ok=True)
            make(row, target)
    begun.rename(folder)
    return folder


def few(rows: pd.DataFrame, per_class: int) -> pd.DataFrame:
    """So many of each class to train on, some to choose C on, and of all others those that are in no group of these."""
    parts = []
    for split, most in (("train", per_class), ("validation", VALIDATION), ("test", TEST)):
        taken = {group for part in parts for group in part["group"]}
        free = rows[~rows["group"].isin(taken)] if split == "test" else rows[rows["split"] == split]
        drawn = free.sample(frac=1, random_state=0).groupby("label").head(most)
        parts.append(drawn.assign(split=split))
    return pd.concat(parts)


Make = Callable[..., None]
"""Makes the file of a row of photos at a path that lacks its suffix."""


def labelled(data: Path, work: Path) -> tuple[pd.DataFrame, Make]:
    """The photos of a labelled folder, and how a link to one is made."""
    workspace = open_workspace(data, work / f"manifest-{data.name}")

    def link(row: pd.Series, target: Path) -> None:
        source = workspace.path_of(row.path)
        target.with_suffix(source.suffix).symlink_to(source.resolve())

    photos, groups = workspace.photos(), groups_of(workspace)
    return photos.assign(group=[groups.get(key, key) for key in photos["sha256"]]), link


def boxed(data: Path, work: Path) -> tuple[pd.DataFrame, Make]:
    """The boxes of a folder, and how one is cut out: a square, with what is round the box."""
    dataset = open_dataset(data, work / f"boxes-{data.name}")
    rows = dataset.annotations.boxes.merge(dataset.photos[["path", "split"]], on="path")
    rows = rows.assign(group=rows["path"])

    def cut(row: pd.Series, target: Path) -> None:
        with Image.open(dataset.workspace.path_of(row.path)) as photo:
            width, height = photo.size
            side = MARGIN * max(row.width * width, row.height * height) / 2
            x, y = (row.left + row.width / 2) * width, (row.top + row.height / 2) * height
            box = (round(x - side), round(y - side), round(x + side), round(y + side))
            # beyond the photo its border goes on, so that no black edge gives a class away
            whole = np.asarray(photo.convert("RGB"))
        across = np.clip(np.arange(box[0], box[2]), 0, width - 1)
        down = np.clip(np.arange(box[1], box[3]), 0, height - 1)
        Image.fromarray(whole[down][:, across]).save(target.with_suffix(".png"))

    return rows, cut


def sum_up(known: pd.DataFrame, arguments: argparse.Namespace) -> None:
    """Means over the seeds that a policy has in common with the first, and differences to it."""
    chosen = (known["size"] == arguments.image_size) & (known["per_class"] == arguments.per_class)
    known = known[chosen & known["data"].isin([data.name for data in arguments.data])]
    for (data, epochs), part in known.groupby(["data", "epochs"]):
        for policy in arguments.policies:
            both = [set(part.loc[part["policy"] == name, "seed"]) for name in (arguments.policies[0], policy)]
            seeds = sorted(both[0] & both[1])
            if not seeds:
                continue
            first, own = (by_photo(part, name, seeds) for name in (arguments.policies[0], policy))
            difference = own - first
            half = metrics.Z95 * difference.std() / np.sqrt(len(difference))
            say(
                data=str(data),
                epochs=int(epochs),
                policy=policy,
                seeds=len(seeds),
                photos=len(difference),
                svm=part["svm"].mean(),
                test=own.mean(),
                difference=difference.mean(),
                low=difference.mean() - half,
                high=difference.mean() + half,
            )


def by_photo(rows: pd.DataFrame, policy: str, seeds: list[int]) -> np.ndarray:
    """How often each photo was right, over the seeds."""
    chosen = rows[(rows["policy"] == policy) & rows["seed"].isin(seeds)]
    return np.mean([np.array(list(words), int) for words in chosen["right"]], axis=0)


def costs(arguments: argparse.Namespace, times: int = 8) -> None:
    """Milliseconds a minibatch of each policy, and by how much an epoch takes longer than with the first."""
    torch.set_num_threads(1)
    config = Config(arguments.backbone, image_size=arguments.image_size, augmentation="none")
    network = build(config, [f"class {number}" for number in range(10)], pretrained=False)
    train_mode(network)
    optimizer, side = optimizer_for(network, config), round(arguments.image_size * 256 / 224)
    squares = torch.randint(256, (BATCH, side, side, 3), dtype=torch.uint8)
    labels = torch.arange(BATCH) % 10

    def vary(policy: str) -> None:
        chosen = policies_in(policy)
        mixed(augmented(squares, config.image_size, chosen), chosen)

    whole = milliseconds(lambda: step(network, optimizer, squares, labels, config), times)
    taken = {policy: milliseconds(lambda policy=policy: vary(policy), times) for policy in arguments.policies}
    first = taken[arguments.policies[0]]
    for policy, each in taken.items():
        say(policy=policy, milliseconds=each, step=whole, longer=(each - first) / (whole + first))


def milliseconds(work: Callable[[], object], times: int) -> float:
    """CPU time of one of some calls, the median."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append((time.process_time() - start) * 1000)
    return float(np.median(found))


if __name__ == "__main__":
    main()
