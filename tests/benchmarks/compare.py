"""Does the comparison of networks find the one that is best on the test photos, and what does it save?

    python -m tests.benchmarks.compare clothing=FOLDER sample=FOLDER digits=FOLDER

For each data set, in a workspace of its own: the comparison, then beside it all features of all candidates, and the
accuracy of an SVM trained on all training photos (C chosen on validation) on the test photos.
"""

import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from cvtune_nb.classification import candidates
from cvtune_nb.classification.compare import compare
from cvtune_nb.classification.features import features
from cvtune_nb.classification.svm import SvmExplorer
from cvtune_nb.console import table
from cvtune_nb.data import open_workspace

NETWORKS, SIZES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"), (128, 224)
BUDGET = 1800.0
"""Seconds: more than is needed, so that only what can't win any more is left out."""


def measured(photos: Path, folder: Path) -> tuple[pd.DataFrame, str]:
    """Each candidate's state in the comparison and its test accuracy; and the sentences about it."""
    there = candidates.listed(raced := open_workspace(photos, folder / "compared"), NETWORKS, SIZES)
    begun = time.perf_counter()
    found = compare(raced, there, budget_seconds=BUDGET)
    took = time.perf_counter() - begun
    whole, everything, tested = open_workspace(photos, folder / "whole"), 0.0, {}
    for spec in (one.spec for one in there):
        begun = time.perf_counter()
        features(whole, whole.photos(), spec)
        everything += time.perf_counter() - begun
        result = SvmExplorer(whole, spec).fit(open_test=True)
        tested[spec] = result.test.value if result.test else float("nan")
    rows = found.table.assign(test=[tested[spec] for spec in found.specs]).drop(columns="why")
    short = {use: max(tested.values()) - tested[one.spec] for use, one in found.recommended.items()}
    words = [*found.sentences, f"compared in {took:.0f} s; all features of all photos: {everything:.0f} s"]
    words += [f"recommended for {use}: {value * 100:.1f} points below the best on test" for use, value in short.items()]
    return rows, "\n".join(words)


def main() -> None:
    """Print both for each data set that is named."""
    for name, _, photos in (argument.partition("=") for argument in sys.argv[1:]):
        with tempfile.TemporaryDirectory() as folder:
            rows, words = measured(Path(photos), Path(folder))
        print(f"\n## {name}\n{table(rows.to_dict('records'), list(rows))}\n{words}", flush=True)


if __name__ == "__main__":
    main()
