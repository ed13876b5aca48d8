"""Whether targets of single classes are met: python -m tests.benchmarks.thresholds --data PHOTOS [PHOTOS ...] --work W.

A frozen network and SVM are trained on the training photos of each set. Of all its other photos, half are drawn to
choose the threshold of a class on, and the other half to judge it, --draws times for each class in turn. Printed, for
each set: the share of draws in which the 95% interval of the recall that was found reaches the target, and in which the
interval that was given beforehand holds the recall that was found; with the means of recall and accuracy.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from scipy.special import softmax

from cvtune_nb import metrics
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.calibration import temperature
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.thresholds import RECALL, Target, expected, thresholds_for
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import decided
from tests.benchmarks.common import photo_folder, say


def main() -> None:
    """Read the command line, and measure each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labelled photos")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces")
    parser.add_argument("--recall", type=float, default=0.9, help="the target")
    parser.add_argument("--draws", type=int, default=200, help="for each set, its classes in turn")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    arguments = parser.parse_args()
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    for data in arguments.data:
        workspace = open_workspace(photo_folder(data, arguments.work, 0), arguments.work / f"ws-{data.name}")
        explorer = SvmExplorer(workspace, FeatureSpec(arguments.backbone, Preprocessing(arguments.image_size)))
        measure(data.name, explorer, arguments.recall, arguments.draws)


def measure(name: str, explorer: SvmExplorer, recall: float, draws: int) -> None:
    """Print the figures of one set."""
    svm, classes = explorer.svm(explorer.best_C()), explorer.classes
    parts = [explorer.part(split) for split in ("validation", "test")]
    scores = np.concatenate([svm.scores(matrix) for matrix, _ in parts])
    truth = np.array([classes.index(label) for _, labels in parts for label in labels])
    random, rows = np.random.default_rng(0), []
    for draw in range(draws):
        target, order = Target(classes[draw % len(classes)], RECALL, recall), random.permutation(len(truth))
        chosen_on, judged_on = np.array_split(order, 2)
        probabilities = softmax(scores / temperature(scores[chosen_on], truth[chosen_on]), axis=1)
        try:
            limits = thresholds_for(truth[chosen_on], probabilities[chosen_on], classes, [target])
        except InputError:
            continue
        said = expected(truth[chosen_on], probabilities[chosen_on], classes, [target]).iloc[0]
        answers, judged = decided(probabilities[judged_on], limits), truth[judged_on]
        of_class = judged == classes.index(target.label)
        found = metrics.share(int((answers == judged)[of_class].sum()), int(of_class.sum()))
        rows.append(
            {
                "met": found.high >= recall,
                "held": said["low"] <= found.value <= said["high"] or found.low <= said["expected"] <= found.high,
                "recall": found.value,
                "accuracy": (answers == judged).mean(),
                "likeliest": (probabilities[judged_on].argmax(1) == judged).mean(),
            }
        )
    means = {key: np.mean([row[key] for row in rows]) for key in rows[0]} if rows else {}
    say(data=name, photos=len(truth), draws=len(rows), too_few=draws - len(rows), **means)


if __name__ == "__main__":
    main()
