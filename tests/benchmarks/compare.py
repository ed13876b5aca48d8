"""Does the comparison of networks find the one that is best on the test photos, and what does it save?

    python -m tests.benchmarks.compare --splits 5 digits=FOLDER sample=FOLDER clothing=FOLDER

For each data set: the comparison in a new workspace, with its time, and beside it the time for all features of all
candidates. Then, for so many splits into train, validation and test (one where the photos come with a split of their
own), what is recommended, and the accuracy of every candidate on the test photos, by an SVM trained on all training
photos (C chosen on validation).
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import pandas as pd

from cvtune_nb.classification import candidates
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.candidates import Candidate
from cvtune_nb.classification.compare import compare
from cvtune_nb.classification.comparison import USES, Comparison
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.console import table
from cvtune_nb.data import open_workspace
from cvtune_nb.workspace import Workspace

NETWORKS, SIZES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"), (128, 224)
BUDGET = 3600.0
"""Seconds: more than is needed, so that only what can't win any more is left out."""


def candidates_of(workspace: Workspace) -> list[Candidate]:
    """The networks at both sizes."""
    return candidates.listed(workspace, NETWORKS, SIZES)


def timed(photos: Path, folder: Path) -> tuple[Comparison, str]:
    """The comparison in a new workspace; and its time beside that of all features, computed in another new one."""
    workspace, whole, begun = open_workspace(photos, folder / "new"), folder / "whole", time.perf_counter()
    found = compare(workspace, candidates_of(workspace), budget_seconds=BUDGET)
    took, everything = time.perf_counter() - begun, open_workspace(photos, whole)
    begun = time.perf_counter()
    for one in candidates_of(everything):
        features(everything, everything.photos(), one.spec)
    return found, f"compared in {took:.0f} s; all features of all photos: {time.perf_counter() - begun:.0f} s"


def split_anew(photos: Path, folder: Path, seed: int) -> Workspace:
    """A workspace with another split, and the features that folder/whole has."""
    known, made = Workspace(folder / "whole"), open_workspace(photos, folder / f"split {seed}", seed)
    for cached in [*known.cache.glob("features-*"), *known.cache.glob("speed-*")]:
        copy = shutil.copytree if cached.is_dir() else shutil.copy
        copy(cached, made.cache / cached.name)
    return made


def tested(workspace: Workspace, spec: FeatureSpec) -> float:
    """Accuracy on the test photos."""
    found = SvmExplorer(workspace, spec).fit(open_test=True).test
    assert found, "the test set was opened"
    return found.value


def measured(photos: Path, folder: Path, splits: int) -> str:
    """All of it, as text."""
    found, words = timed(photos, folder)
    lines, accuracies, recommended = [table(found.table.to_dict("records"), list(found.table)), words], [], []
    for seed in range(splits):
        workspace = split_anew(photos, folder, seed)
        there = candidates_of(workspace)
        found = compare(workspace, there, budget_seconds=BUDGET)
        accuracies.append({str(one.spec): tested(workspace, one.spec) for one in there})
        recommended.append({use: str(one.spec) for use, one in found.recommended.items()})
    rows = pd.DataFrame(accuracies)
    mean = rows.mean()
    lines.append(table([mean.to_dict()], list(mean.index)))
    for use in USES:
        test = [rows.at[seed, one[use]] for seed, one in enumerate(recommended)]
        below = (mean.max() - sum(test) / splits) * 100
        names = ", ".join(one[use] for one in recommended)
        lines.append(f"recommended for {use}: {below:.2f} points below {mean.idxmax()}, the best on average ({names})")
    return "\n".join(lines)


def main() -> None:
    """Print it for each data set that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", metavar="NAME=FOLDER", help="photos")
    parser.add_argument("--splits", type=int, default=1, help="how many (1)")
    arguments = parser.parse_args()
    for name, _, photos in (argument.partition("=") for argument in arguments.data):
        with tempfile.TemporaryDirectory() as folder:
            print(f"\n## {name}\n{measured(Path(photos), Path(folder), arguments.splits)}", flush=True)


if __name__ == "__main__":
    main()
