"""How good after how long: our default run beside fastai's fine_tune and beside our SVM, on the same photos."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from tests.benchmarks.common import alone, say

BACKBONE = "efficientnet_lite0"
COLUMNS = {"ours, equal time": "predicted", "ours, whole run": "whole", "fastai": "predicted_fastai", "our SVM": "svm"}
PAIRS = [(ours, name) for ours in ("ours, equal time", "ours, whole run") for name in ("fastai", "our SVM")]
TEXT = {"path": str, "label": str, "predicted": str, "whole": str, "svm": str, "split": str}


def measure_accuracy(folder: Path, work: Path, size: int, peers: str, seeds: int, epochs: int) -> None:
    """fine_tune(epochs) at its default rate with each seed, then ours; sides that are in `work` already are not run
    again. Both clocks start at the photos on disk and leave out imports."""
    all_of_them = []
    for seed in range(seeds):
        common = {"photos": str(folder), "backbone": BACKBONE, "image_size": size, "seed": seed}
        name = f"{folder.name}-{size}-{seed}"
        theirs = side("peers_fastai", work / f"{name}-fastai-{epochs}", **common, peers=peers, fine_tune=epochs)
        reached, took = theirs[0][["validation_accuracy", "seconds"]].iloc[-1]
        ours = side("ours", work / f"{name}-ours-{took:.0f}", **common, within=float(took))
        say_time(seed, ours[0], reached, took)
        both = ours[1].merge(theirs[1][["path", "predicted"]], on="path", suffixes=("", "_fastai"), validate="1:1")
        say_accuracy(seed, both)
        all_of_them.append(both)
    if seeds > 1:
        say_mean(all_of_them)


def side(script: str, out: Path, **settings: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """History and predictions of one side, run now or before."""
    if not (out / "predictions.csv").exists():
        alone(script, out=str(out), **settings)
    predictions = pd.read_csv(out / "predictions.csv", dtype=TEXT, keep_default_na=False)
    return pd.read_csv(out / "history.csv"), predictions


def say_time(seed: int, history: pd.DataFrame, reached: float, took: float) -> None:
    """When ours was first as good on validation as fastai at its end; -1: never."""
    there = history.loc[history["validation_accuracy"] >= reached - 1e-9, "elapsed"]
    ours = there.iloc[0] if len(there) else -1.0
    within = history[(history["elapsed"] <= took) | (history.index == 0)]
    say(
        row="accuracy",
        seed=seed,
        what="time to fastai's last validation accuracy",
        validation=reached,
        fastai_s=took,
        ours_s=ours,
        times_faster=took / ours if len(there) else 0.0,
        ours_epoch=history.loc[there.index[0], "epoch"] if len(there) else -1,
        ours_epochs_in_equal_time=within["epoch"].iloc[-1],
        ours_whole_run_s=history["elapsed"].max(),
        ours_best_validation=history["validation_accuracy"].max(),
    )


def rights(both: pd.DataFrame, split: str) -> dict[str, np.ndarray]:
    """Whether each side was right about each photo of a split."""
    part = both[both["split"] == split].sort_values("path")
    return {name: (part[column] == part["label"]).to_numpy() for name, column in COLUMNS.items()}


def say_accuracy(seed: int, both: pd.DataFrame) -> None:
    """Accuracies with Wilson intervals, and ours against each other one on the same photos."""
    for split in ("validation", "test"):
        right = rights(both, split)
        for name, correct in right.items():
            found = metrics.share(int(correct.sum()), len(correct))
            say(
                row="accuracy",
                seed=seed,
                split=split,
                side=name,
                accuracy=found.value,
                low=found.low,
                high=found.high,
                photos=found.n,
            )
        for ours, name in PAIRS:
            compared = metrics.paired(right[name], right[ours])
            say(
                row="accuracy",
                seed=seed,
                split=split,
                compared=f"{ours}, minus {name}",
                difference=compared.difference,
                low=compared.low,
                high=compared.high,
                p=compared.p,
                words=compared.words,
            )


def say_mean(seeds: list[pd.DataFrame]) -> None:
    """Accuracies as means over the seeds, and differences with 95% intervals over the photos: a photo counts once, by
    how often it was right, for it says nothing new when it comes again with another seed. With one seed the interval is
    that of metrics.paired."""
    for split in ("validation", "test"):
        every = [rights(both, split) for both in seeds]
        mean = {name: np.mean([right[name] for right in every], axis=0) for name in COLUMNS}
        say(row="accuracy", seeds=len(seeds), split=split, **{name: right.mean() for name, right in mean.items()})
        for ours, name in PAIRS:
            by_photo = mean[ours] - mean[name]
            wider = np.append(by_photo, [0.5**0.5, -(0.5**0.5)])  # half a photo in each cell (Agresti and Min 2005)
            half = metrics.Z95 * wider.std() / np.sqrt(len(wider))
            say(
                row="accuracy",
                seeds=len(seeds),
                split=split,
                compared=f"{ours}, minus {name}",
                difference=by_photo.mean(),
                low=wider.mean() - half,
                high=wider.mean() + half,
                photos=len(by_photo),
            )
