"""Starts of fine-tuning, compared: python -m tests.benchmarks.start --data PHOTOS [PHOTOS ...] --work FOLDER.

Every start trains on the same photos with the same minibatches and seeds; the network is measured at the start and
after each epoch. A finished run is a few lines of FOLDER/start.csv and is not trained again: the command can be
killed and goes on. At the end it prints, for each set of photos and start, accuracy at the start, after the first
epoch, in the worst and in the last, and the difference to the first of --starts with a 95% interval over photos (a
photo counts once, by how often it was right).
"""

import argparse
import copy
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from cvtune_nb import metrics
from cvtune_nb.classification.balance import SMOOTHING
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.calibration import temperature
from cvtune_nb.classification.features import FeatureSpec, shown_in
from cvtune_nb.classification.losses import order
from cvtune_nb.classification.model import Classifier, build
from cvtune_nb.classification.svm import Svm
from cvtune_nb.classification.train import Part, part_of, step
from cvtune_nb.models import memory, networks
from cvtune_nb.models.pooling import LAST, STAGES
from cvtune_nb.parameters import Config
from cvtune_nb.runs.fitting import train_mode
from cvtune_nb.runs.optimizer import optimizer_for
from cvtune_nb.runs.weight_average import WeightAverage
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import photo_folder, say

COLUMNS = ["data", "size", "seed", "start", "epoch", "split", "accuracy", "loss", "right"]


@dataclass(frozen=True)
class Start:
    """How fine-tuning begins.

    Attributes
    ----------
    scale
        What the SVM's decision values are multiplied by to be logits; 0: by what makes the validation photos' classes
        likeliest.
    alone
        Steps of L-BFGS by which the last layer is trained alone, on the features that the SVM was fitted on.
    warm_up, most
        Steps over which the learning rate rises, and the part of all steps that these may be at most.
    falls_after
        Whether the fall of the rate along a cosine begins when it has risen, instead of at the first step.
    held
        Epochs over which the rate of the backbone rises to that of the last layer, besides.
    early, late, last
        Factors of the rate: of the stem and the first four stages, of the other stages, of the last layer.
    relative
        Mean absolute weight of a layer below which its rate is smaller in proportion; 0: never.
    beta2
        Of Adam.
    ema
        Decay of an average of the weights, which is measured instead of them; 0: none.
    pooling
        Which features the SVM and the last layer see.
    """

    scale: float = 3.0
    alone: int = 0
    warm_up: int = 20
    most: float = math.inf
    falls_after: bool = False
    held: float = 0.0
    early: float = 1.0
    late: float = 1.0
    last: float = 1.0
    relative: float = 0.0
    beta2: float = 0.999
    ema: float = 0.0
    pooling: str = LAST

    def factor(self, name: str, weights: torch.Tensor) -> float:
        """What the rate of a network's parameter is multiplied by."""
        if name.startswith("last."):
            return self.last
        factor = self.early if name.removeprefix("backbone.network.").startswith(EARLY) else self.late
        return factor * min(1.0, float(weights.detach().abs().mean()) / self.relative) if self.relative else factor


EARLY = ("conv_stem", *(f"blocks.{stage}" for stage in range(4)))
"""Beginnings of the names of EfficientNet-Lite's early layers."""
STARTS = {
    "warm-up 20": Start(),
    "averaged .95": Start(ema=0.95),
    "averaged .95, features of stages": Start(ema=0.95, pooling=STAGES),
    "averaged .9": Start(ema=0.9),
    "averaged .98": Start(ema=0.98),
    "warm-up 100, at most a third": Start(warm_up=100, most=1 / 3),
    "warm-up 100, at most half": Start(warm_up=100, most=1 / 2),
    "warm-up 100, at most half, then the cosine": Start(warm_up=100, most=1 / 2, falls_after=True),
    "warm-up 100": Start(warm_up=100),
    "fitted scale": Start(scale=0),
    "last layer alone first": Start(alone=20),
    "backbone held for 2 epochs": Start(held=2),
    "backbone at .3": Start(early=0.3, late=0.3),
    "early layers at .1": Start(early=0.1),
    "late layers at .1": Start(late=0.1),
    "rates relative to weights": Start(relative=0.15),
    "last layer at 10": Start(last=10),
    "last layer at 30": Start(last=30),
    "last layer at 10, warm-up 60": Start(last=10, warm_up=60),
    "beta2 .99": Start(beta2=0.99),
}


def main() -> None:
    """Read the command line, train what is not in the table yet, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labelled photos")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces and start.csv")
    parser.add_argument("--starts", nargs="+", default=list(STARTS), help="the first is what others are compared with")
    parser.add_argument("--photos", type=int, default=1_000, help="of each set, train, validation and test (0: all)")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--stop", type=int, help="the last epoch that is trained, of a run that is as long as before")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--only-sum", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    starts = arguments.starts
    table = arguments.work / ("start.csv" if arguments.stop is None else f"start-{arguments.stop}.csv")
    if not arguments.only_sum:
        with memory.retain_freed_memory():
            for seed in range(arguments.seeds):  # all sets and starts with one seed, then the next
                for data in arguments.data:
                    train_missing(table, data, starts, seed, arguments)
    known = read(table)
    known = known[known["start"].isin(starts) & (known["size"] == arguments.image_size)]
    names = [data.name for data in arguments.data]
    sum_up(known[known["data"].isin(names)], starts)


def read(table: Path) -> pd.DataFrame:
    """What has been measured so far."""
    return pd.read_csv(table, dtype={"right": str}) if table.exists() else pd.DataFrame(columns=COLUMNS)


def train_missing(table: Path, data: Path, starts: list[str], seed: int, arguments: argparse.Namespace) -> None:
    """Train with each start that the table does not have for this set and seed."""
    done = read(table)
    done = done[(done["data"] == data.name) & (done["size"] == arguments.image_size) & (done["seed"] == seed)]
    missing = [name for name in starts if name not in set(done["start"])]
    if not missing:
        return
    from cvtune_nb.data import open_workspace

    workspace = open_workspace(photo_folder(data, arguments.work, arguments.photos), arguments.work / f"ws-{data.name}")
    config = Config(arguments.backbone, image_size=arguments.image_size, epochs=arguments.epochs, seed=seed)
    beginning = Beginning(workspace, config, arguments.stop or config.epochs)
    for name in missing:
        rows = [
            {"data": data.name, "size": config.image_size, "seed": seed, "start": name, **row}
            for row in beginning.train(STARTS[name])
        ]
        # one write, so that a killed command leaves whole runs
        lines = pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, header=not table.exists())
        with table.open("a") as file:
            file.write(lines)
        shown = [row for row in rows if row["split"] == "validation"]
        say(data=data.name, start=name, seed=seed, validation=[round(row["accuracy"], 3) for row in shown])


class Beginning:
    """One set of photos and one seed, from which every start begins."""

    def __init__(self, workspace: Workspace, config: Config, last: int):
        photos = workspace.photos()
        self.config, self.last, self.classes = config, last, sorted(photos["label"].unique())
        self.parts = {
            split: part_of(photos, split, workspace, shown_in(config), lambda *_: None)
            for split in ("train", "validation", "test")
        }
        self.workspace = workspace
        self.known: dict[str, tuple[SvmExplorer, Svm, Classifier]] = {}

    def of(self, pooling: str) -> tuple[SvmExplorer, Svm, Classifier]:
        """The features, the SVM on them, and the network before it has the SVM's weights."""
        if pooling not in self.known:
            config = replace(self.config, pooling=pooling)
            explorer = SvmExplorer(self.workspace, FeatureSpec.of(config))
            self.known[pooling] = explorer, explorer.svm(explorer.best_C()), build(config, self.classes)
        return self.known[pooling]

    def scale(self, pooling: str) -> float:
        """What makes the validation photos' classes likeliest."""
        explorer, svm, _ = self.of(pooling)
        matrix, _ = explorer.part("validation")
        return 1 / temperature(svm.scores(matrix), self.parts["validation"].labels.numpy())

    def train(self, start: Start) -> Iterator[dict]:
        """The rows of one run."""
        self.explorer, self.svm, built = self.of(start.pooling)
        network, config, train = copy.deepcopy(built), self.config, self.parts["train"]
        begin(network, self.svm, start.scale or self.scale(start.pooling))
        if start.alone:
            self.train_last(network, start.alone)
        optimizer = optimizer_for(network, config)
        split_groups(optimizer, network, start)
        average = WeightAverage(network, start.ema)
        yield from self.measured(network, 0)
        steps = math.ceil(len(train.labels) / config.batch_size)
        warm_up = min(start.warm_up, start.most * steps * config.epochs)
        for epoch in range(1, self.last + 1):
            torch.manual_seed(config.seed * 1_000 + epoch)
            train_mode(network)
            for number, rows in enumerate(order(train.labels, config.loss).split(config.batch_size)):
                done = epoch - 1 + number / steps
                risen = min(1.0, (round(done * steps) + 1) / warm_up)
                before = warm_up / steps if start.falls_after else 0.0
                rate = risen * config.rate(max(0.0, done - before) / (config.epochs - before) * config.epochs)
                for group in optimizer.param_groups:
                    held = min(1.0, done / start.held) if start.held and not group["last"] else 1.0
                    group["lr"] = rate * held * group["factor"]
                step(network, optimizer, *train.batch(rows), config)
                average.update()
            with average.in_place():
                yield from self.measured(network, epoch)

    def train_last(self, network: Classifier, epochs: int) -> None:
        """The last layer alone, on features, with the loss of training."""
        matrix, _ = self.explorer.part("train")
        features, labels = torch.from_numpy(matrix), self.parts["train"].labels
        optimizer = torch.optim.LBFGS(network.last.parameters(), max_iter=epochs, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            found = cross_entropy(network.classify(features), labels, label_smoothing=SMOOTHING)
            found.backward()
            return found

        optimizer.step(loss)

    def measured(self, network: Classifier, epoch: int) -> list[dict]:
        """Accuracy on validation photos; at the start, after the first and the last epoch on test photos, too."""
        network.eval()
        splits = ("validation", "test") if epoch in (0, 1, self.last) else ("validation",)
        return [self.measured_on(network, self.parts[split], split, epoch) for split in splits]

    def measured_on(self, network: Classifier, part: Part, split: str, epoch: int) -> dict:
        """Accuracy on one part."""
        logits = torch.cat(
            [
                torch.from_numpy(networks.forward(network, part.squares.centre(rows.tolist())))
                for rows in torch.arange(len(part.labels)).split(32)
            ]
        )
        right = (logits.argmax(1) == part.labels).int().tolist()
        loss = float(cross_entropy(logits, part.labels))
        words = "".join(map(str, right))
        return {"epoch": epoch, "split": split, "accuracy": np.mean(right), "loss": loss, "right": words}


def begin(network: Classifier, svm: Svm, scale: float) -> None:
    """The SVM as the last layer."""
    weight, bias = (torch.from_numpy(np.asarray(each * scale, np.float32)) for each in svm.weights())
    with torch.no_grad():
        network.last.weight.copy_(weight)
        network.last.bias.copy_(bias)


def split_groups(optimizer: torch.optim.Optimizer, network: Classifier, start: Start) -> None:
    """A group of the optimizer for each parameter, with the factor of its rate."""
    names, groups = {id(parameter): name for name, parameter in network.named_parameters()}, []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            own = {"params": [parameter], "betas": (group["betas"][0], start.beta2)}
            groups.append({**group, **own, "last": name.startswith("last."), "factor": start.factor(name, parameter)})
    optimizer.param_groups = groups


def sum_up(known: pd.DataFrame, starts: list[str]) -> None:
    """Means over the seeds that all starts have, and differences to the first start."""
    if known.empty:
        return
    for data, part in known.groupby("data"):
        common = set.intersection(*(set(part.loc[part["start"] == name, "seed"]) for name in starts))
        if not common:
            continue
        part = part[part["seed"].isin(common)]
        last = part["epoch"].max()
        for split in ("validation", "test"):
            rows = part[part["split"] == split]
            reference = by_photo(rows, starts[0], last)
            for name in starts:
                curve = rows[rows["start"] == name].groupby("epoch")["accuracy"].mean()
                difference = by_photo(rows, name, last) - reference
                half = metrics.Z95 * difference.std() / np.sqrt(len(difference))
                say(
                    data=data,
                    split=split,
                    start=name,
                    seeds=len(common),
                    photos=len(difference),
                    svm=curve[0],
                    first=curve[1],
                    worst=curve[1:].min(),
                    last=curve[last],
                    best=curve[1:].max(),
                    difference=difference.mean(),
                    low=difference.mean() - half,
                    high=difference.mean() + half,
                )


def by_photo(rows: pd.DataFrame, start: str, epoch: int) -> np.ndarray:
    """How often each photo was right, over the seeds."""
    chosen = rows[(rows["start"] == start) & (rows["epoch"] == epoch)]
    return np.mean([np.array(list(words), int) for words in chosen["right"]], axis=0)


if __name__ == "__main__":
    main()
