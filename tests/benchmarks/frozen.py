"""Ways to use frozen features, compared: python -m tests.benchmarks.frozen --data PHOTOS [PHOTOS ...] --work FOLDER.

    pooling     how a network's last map becomes a row: its mean, its maximum, a generalised mean (p = 3), mean and
                maximum, what pooling "stages" gives
    networks    the rows of two or three networks side by side
    rows        raw, of length 1, centred and of length 1, standardised, standardised and of length 1, square roots
    classifier  linear SVM, RBF SVM, logistic regression

Each is measured by five-fold cross-validation on the training photos, with the C that is best there, and on the test
photos with that C. One thing is changed at a time: mean, one network, length 1, linear SVM is what cvtune does. Maps
are kept in FOLDER, a finished line in FOLDER/frozen.csv, so that the command can be killed at any time. At the end it
prints every way minus that of cvtune, in points, with a standard error over the folds of all sets.
"""

import argparse
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC, LinearSVC

from cvtune_nb.data import open_workspace
from cvtune_nb.data.pixels import Pixels, pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.models import networks
from cvtune_nb.models.pooling import STAGES
from tests.benchmarks.common import BATCH, photo_folder, say

NETWORKS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
FOLDS = 5
C_VALUES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
C_OF_REGRESSION = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From the rows to learn from and those to ask about, to both as the classifier sees them."""


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def centred(known: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of length 1 without their mean, of length 1 again."""
    mean = unit(known).mean(0)
    return unit(unit(known) - mean), unit(unit(asked) - mean)


def standardised(known: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of mean 0 and standard deviation 1; divided by the root of their number, so that C means the same."""
    mean, deviation = known.mean(0), known.std(0) + 1e-6
    root = np.sqrt(known.shape[1])
    return (known - mean) / deviation / root, (asked - mean) / deviation / root


def of_length_1(change: Change) -> Change:
    """The rows of another change, of length 1."""

    def changed(known: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        one, other = change(known, asked)
        return unit(one), unit(other)

    return changed


CHANGES: dict[str, Change] = {
    "length 1": of_length_1(lambda known, asked: (known, asked)),
    "raw": lambda known, asked: (known / (size := np.linalg.norm(known, axis=1).mean()), asked / size),
    "centred, length 1": centred,
    "standardised": standardised,
    "standardised, length 1": of_length_1(standardised),
    "square roots, length 1": of_length_1(lambda known, asked: (np.sqrt(np.abs(known)), np.sqrt(np.abs(asked)))),
}
CLASSIFIERS = {
    "linear SVM": (C_VALUES, lambda C, _: LinearSVC(C=C, tol=1e-3, random_state=0)),
    "RBF SVM": (C_VALUES, lambda C, rows: SVC(C=C, gamma=1 / max(1 - np.square(rows.mean(0)).sum(), 1e-6))),
    "logistic regression": (C_OF_REGRESSION, lambda C, _: LogisticRegression(C=C, max_iter=200, tol=1e-3)),
}
POOLED = ("mean", "max", "generalised mean", "mean and max", STAGES)
USUAL = ("mean", "efficientnet_lite0", "length 1", "linear SVM")


def ways() -> Iterator[tuple[str, str, str, str]]:
    """Pooling, networks, rows and classifier of each way, the usual one first."""
    yield USUAL
    for network in NETWORKS[1:]:
        yield ("mean", network, *USUAL[2:])
    for pooling in POOLED[1:]:
        yield (pooling, *USUAL[1:])
    for together in ("efficientnet_lite0+efficientnet_lite2", "+".join(NETWORKS)):
        yield ("mean", together, *USUAL[2:])
    for network in (NETWORKS[0], NETWORKS[2]):
        for change in CHANGES:
            if (change, network) != (USUAL[2], USUAL[1]) and (change != USUAL[2]):
                yield ("mean", network, change, "linear SVM")
        for classifier in ("RBF SVM", "logistic regression"):
            yield ("mean", network, "length 1", classifier)
        yield ("mean", network, "centred, length 1", "logistic regression")
    for together in (NETWORKS[1], NETWORKS[2], "+".join((NETWORKS[0], NETWORKS[2])), "+".join(NETWORKS)):
        yield (STAGES, together, *USUAL[2:])


def main() -> None:
    """Read the command line, measure what is not in the table yet, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labelled photos")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces, maps and frozen.csv")
    parser.add_argument("--photos", type=int, default=1_000, help="of each set, train, validation and test (0: all)")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--ways", default="", help="only those with this in their name, and the usual one")
    arguments = parser.parse_args()
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    table = arguments.work / "frozen.csv"
    for data in arguments.data:
        measure(table, data, arguments)
    known = pd.read_csv(table)
    sum_up(known[known["data"].isin([data.name for data in arguments.data]) & (known["size"] == arguments.image_size)])


def measure(table: Path, data: Path, arguments: argparse.Namespace) -> None:
    """Add the missing lines of one set."""
    workspace = open_workspace(photo_folder(data, arguments.work, arguments.photos), arguments.work / f"ws-{data.name}")
    photos = workspace.photos()
    pooled: dict[tuple[str, str], np.ndarray] = {}
    done = pd.read_csv(table) if table.exists() else pd.DataFrame(columns=["data", "size", "way"])
    done = set(done.loc[(done["data"] == data.name) & (done["size"] == arguments.image_size), "way"])
    for pooling, together, change, classifier in ways():
        way = " / ".join((pooling, together, change, classifier))
        if way in done or not (arguments.ways in way or way == " / ".join(USUAL)):
            continue
        for network in together.split("+"):
            if (pooling, network) not in pooled:
                file = arguments.work / f"pooled-{data.name}-{arguments.image_size}-{network}.npz"
                if not file.exists():
                    squares = pixels(workspace, photos, Preprocessing(arguments.image_size))
                    np.savez(file, **of_each_pooling(network, squares, arguments.image_size))
                pooled |= {(name, network): rows for name, rows in np.load(file).items()}
        matrix = np.hstack([unit(pooled[pooling, network]) for network in together.split("+")])
        if "+" not in together and change != USUAL[2]:
            matrix = pooled[pooling, together]
        folds, test = measured(matrix, photos, CHANGES[change], classifier)
        row = {"data": data.name, "size": arguments.image_size, "way": way, "test": test}
        row |= {f"fold {number}": value for number, value in enumerate(folds)}
        pd.DataFrame([row]).to_csv(table, mode="a", index=False, header=not table.exists())
        say(**row)


def of_each_pooling(name: str, squares: Pixels, image_size: int) -> dict[str, Any]:
    """Rows of all photos by each pooling."""
    network = networks.load(name, image_size=image_size).eval()
    maps: list[torch.Tensor] = []
    plain = network.network.get_submodule("global_pool")
    hook = plain.register_forward_pre_hook(lambda _, given: maps.append(given[0]))
    deep = networks.load(name, image_size=image_size, pooling=STAGES).eval()
    found: dict[str, list[np.ndarray]] = {pooling: [] for pooling in POOLED}
    for batch in torch.arange(len(squares)).split(BATCH):
        maps.clear()
        with torch.inference_mode(), networks.mixed_precision(networks.device()):
            images = torch.from_numpy(squares.centre(batch.tolist()))
            mean, stages = (each(images).float().numpy() for each in (network, deep))
        last = maps[0].float()
        largest = last.amax((2, 3)).numpy()
        found["mean"].append(mean)
        found["max"].append(largest)
        found["generalised mean"].append(last.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3).numpy())
        found["mean and max"].append(np.hstack([unit(mean), unit(largest)]))
        found[STAGES].append(stages)
    hook.remove()
    return {pooling: np.concatenate(rows) for pooling, rows in found.items()}


def measured(matrix: np.ndarray, photos: pd.DataFrame, change: Change, classifier: str) -> tuple[list[float], float]:
    """Accuracy on each fold with the C that is best over all of them, and with it on the test photos."""
    train, test = ((photos["split"] == split).to_numpy() for split in ("train", "test"))
    labels = photos["label"].to_numpy(dtype=object)
    values, make = CLASSIFIERS[classifier]
    rows, known = matrix[train], labels[train]
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(rows, known))
    accuracies = np.zeros((len(values), FOLDS))
    for fold, (learned, asked) in enumerate(folds):
        one, other = change(rows[learned], rows[asked])
        for number, C in enumerate(values):
            accuracies[number, fold] = right(make(C, one), one, known[learned], other, known[asked])
    best = int(accuracies.mean(1).argmax())
    one, other = change(rows, matrix[test])
    return list(accuracies[best]), right(make(values[best], one), one, known, other, labels[test])


def right(model: Any, rows: np.ndarray, labels: np.ndarray, asked: np.ndarray, truth: np.ndarray) -> float:
    """Accuracy of a classifier on other rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float((model.fit(rows, labels).predict(asked) == truth).mean())


def sum_up(known: pd.DataFrame) -> None:
    """Every way minus the usual one, in points: by set, and over all."""
    folds = [f"fold {number}" for number in range(FOLDS)]
    accuracy = known.set_index(["way", "data"])[[*folds, "test"]]
    usual = accuracy.loc[" / ".join(USUAL)]
    for way in known["way"].unique():
        gains = 100 * (accuracy.loc[way] - usual)
        each = gains[folds].to_numpy().ravel()
        say(
            way=way,
            mean=each.mean(),
            standard_error=each.std(ddof=1) / np.sqrt(len(each)) if each.std() else 0.0,
            test=gains["test"].mean(),
            sets={data: [round(row[folds].mean(), 1), round(row["test"], 1)] for data, row in gains.iterrows()},
            accuracy=accuracy.loc[way][folds].to_numpy().mean(),
        )


if __name__ == "__main__":
    main()
