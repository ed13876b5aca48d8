"""Predicted gains against the truth, simulated: python -m tests.benchmarks.gains --data PHOTOS --work FOLDER.

    photos  learn from a random half of the training photos, predict what twice as many bring, then learn from all
    labels  give a tenth of the labels (train and validation) to a random other class, audit, predict what deciding
            about the listed photos brings; the truth: all labels put right, and, beside it, only those that are listed

The model is the SVM on frozen features (linear, C = 1), so that it can be done ten times; the truth is told on test and
validation photos with their right labels, which the predictions have not seen as such. One JSON line each time, and a
summary: mean and mean absolute error in points, and how often the interval held the truth.
"""

import argparse
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from tests.benchmarks.common import say


def main() -> None:
    """Read the command line and simulate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="labelled photos, in any layout")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--only", default="photos,labels")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    os.environ["CVTUNE_HOME"] = str(work / "home")
    from cvtune_nb.audit import audit
    from cvtune_nb.data import open_workspace
    from cvtune_nb.files import write_json
    from cvtune_nb.workspace import Workspace

    whole = open_workspace(arguments.data, work / "whole")
    spec = FeatureSpec(arguments.backbone, Preprocessing(arguments.image_size))
    audit(whole, spec)  # pixels, features, groups of copies
    write_json(
        whole.folder / "baseline.json",
        {"backbone": arguments.backbone, "image_size": arguments.image_size, "validation_accuracy": 0.0},
    )
    manifest, found = whole.manifest(), {"photos": [], "labels": []}

    def changed(name: str, number: int, photos: pd.DataFrame) -> Workspace:
        folder = work / f"{name}-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole.folder, folder, ignore=shutil.ignore_patterns("cache", "audit"))
        (folder / "cache").mkdir()
        for kept in whole.cache.glob("*"):
            if kept.name.startswith(("features-", "pixels-")):
                (folder / "cache" / kept.name).symlink_to(kept)
        made = Workspace(folder)
        made.save_manifest(photos, made.skipped())
        return made

    for number in range(arguments.times):
        random = np.random.default_rng(number)
        if "photos" in arguments.only:
            train = manifest[manifest["split"] == "train"]
            groups = random.permutation(train["group"].unique())
            left_out = train[train["group"].isin(groups[: len(groups) // 2])].index
            found["photos"].append(doubled(changed("photos", number, manifest.drop(left_out)), manifest, arguments))
            say(simulated="photos", time=number, **found["photos"][-1])
        if "labels" in arguments.only:
            wrong = manifest.copy()
            known, classes = wrong.index[wrong["split"] != "test"], sorted(wrong["label"].unique())
            for place in random.permutation(known)[: len(known) // 10]:
                wrong.loc[place, "label"] = random.choice([c for c in classes if c != wrong.loc[place, "label"]])
            found["labels"].append(cleaned(changed("labels", number, wrong), manifest, arguments))
            say(simulated="labels", time=number, **found["labels"][-1])
    for name, rows in found.items():
        if rows:
            summed(name, pd.DataFrame(rows))


def doubled(half, manifest: pd.DataFrame, arguments: argparse.Namespace) -> dict[str, float]:
    """Predicted and real gain of the photos that were left out of `half`."""
    from cvtune_nb.advice.gains import what_helps

    (gain,) = (gain for gain in what_helps(half)[0] if gain.action == "photos")
    photos = half.manifest()
    before, after = (right(half, some, manifest, arguments) for some in (photos, manifest))
    return row(gain, before, after)


def cleaned(noisy, manifest: pd.DataFrame, arguments: argparse.Namespace) -> dict[str, float]:
    """Predicted and real gain of right labels, and the real one of right labels for the listed photos alone."""
    from cvtune_nb.advice.gains import what_helps
    from cvtune_nb.audit import audit

    issues = audit(noisy, FeatureSpec(arguments.backbone, Preprocessing(arguments.image_size))).issues
    (gain,) = (gain for gain in what_helps(noisy)[0] if gain.action == "labels")
    listed = set(issues.loc[issues["issue"] == "mislabelled", "path"])
    photos = noisy.manifest()
    decided = photos.assign(label=photos["label"].where(~photos["path"].isin(listed), manifest["label"]))
    before, some, after = (right(noisy, table, manifest, arguments) for table in (photos, decided, manifest))
    return {**row(gain, before, some), "real_all": float(after.mean() - before.mean()), "listed": len(listed)}


def right(workspace, learned: pd.DataFrame, manifest: pd.DataFrame, arguments: argparse.Namespace) -> np.ndarray:
    """Which validation and test photos the SVM gets right after learning from the training photos of `learned`."""
    from cvtune_nb.classification.features import features
    from cvtune_nb.classification.svm import Svm

    matrix = features(workspace, manifest, FeatureSpec(arguments.backbone, Preprocessing(arguments.image_size))).matrix
    places = dict(zip(manifest["path"], range(len(manifest)), strict=True))
    train, asked = learned[learned["split"] == "train"], manifest[manifest["split"] != "train"]
    known = matrix[[places[path] for path in train["path"]]]
    svm = Svm(1.0).fit(known, train["label"].to_numpy(dtype=object))
    said = svm.predict(matrix[[places[path] for path in asked["path"]]])
    return said == asked["label"].to_numpy(dtype=object)


def row(gain, before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """In shares of 1."""
    return {
        "predicted": gain.gain,
        "low": gain.low,
        "high": gain.high,
        "real": float(after.mean() - before.mean()),
        "before": float(before.mean()),
        "photos": len(before),
    }


def summed(name: str, table: pd.DataFrame) -> None:
    """Errors in points and coverage."""
    error = (table["predicted"] - table["real"]) * 100
    inside = (table["low"] <= table["real"]) & (table["real"] <= table["high"])
    say(
        simulated=name,
        times=len(table),
        predicted_points=table["predicted"].mean() * 100,
        real_points=table["real"].mean() * 100,
        error_mean=error.mean(),
        error_absolute=error.abs().mean(),
        error_largest=error.abs().max(),
        interval_held=float(inside.mean()),
    )


if __name__ == "__main__":
    main()
