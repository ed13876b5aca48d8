"""How often intervals of cross-validation hold: python -m tests.benchmarks.folds --data PHOTOS [PHOTOS ...] --work W.

--draws times, --photos photos of a set are drawn, an SVM on frozen features is cross-validated on them, and another one
is trained on all of them and judged on --held-out other photos. Printed, for each set: how often the interval holds
what was found there, its mean width, both accuracies, how often an interval of as many independent photos would hold,
and the width with one split into 85% and 15% of the photos.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.cross_validation import FOLDS, folds_of, out_of_fold
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from tests.benchmarks.common import photo_folder, say

C_TRIED = (0.1, 1.0, 10.0)


def main() -> None:
    """Read the command line, and measure each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labelled photos")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces")
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--held-out", type=int, default=1_000)
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    arguments = parser.parse_args()
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    for data in arguments.data:
        workspace = open_workspace(photo_folder(data, arguments.work, 0), arguments.work / f"ws-{data.name}")
        explorer = SvmExplorer(workspace, FeatureSpec(arguments.backbone, Preprocessing(arguments.image_size)))
        rows = [measured(explorer, draw, arguments) for draw in range(arguments.draws)]
        say(data=data.name, draws=len(rows), **pd.DataFrame(rows).mean().to_dict())


def measured(explorer: SvmExplorer, draw: int, arguments: argparse.Namespace) -> dict[str, float]:
    """One draw of photos."""
    random = np.random.default_rng([draw, arguments.photos])
    while True:
        order = random.permutation(len(explorer.photos))
        own, others = order[: arguments.photos], order[arguments.photos :][: arguments.held_out]
        photos = explorer.photos.iloc[own].assign(split="train")
        try:
            fold = folds_of(photos, arguments.folds)
            break
        except InputError:  # less photos of a class than folds were drawn
            continue
    matrix, labels = explorer.features.matrix[own], photos["label"].to_numpy(dtype=object)
    right = out_of_fold(matrix, labels, fold, C_values=C_TRIED).eq(labels, axis=0)
    chosen = metrics.best_of(right)
    whole = metrics.cross_validated(right[chosen.run], arguments.folds)
    low, high = (end + chosen.expected - whole.value for end in whole.interval)
    truth = explorer.photos["label"].to_numpy(dtype=object)
    found = np.mean(
        Svm(float(chosen.run)).fit(matrix, labels).predict(explorer.features.matrix[others]) == truth[others]
    )
    few = round(0.85 * len(own))
    once = metrics.accuracy(labels[few:], Svm(1.0).fit(matrix[:few], labels[:few]).predict(matrix[few:]))
    return {
        "held_out": float(len(others)),
        "holds": float(low <= found <= high),
        "width": high - low,
        "expected": chosen.expected,
        "accuracy": float(found),
        "independent_holds": float(abs(found - chosen.expected) <= (chosen.high - chosen.low) / 2),
        "one_split_width": once.high - once.low,
    }


if __name__ == "__main__":
    main()
