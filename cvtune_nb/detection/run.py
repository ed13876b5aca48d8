"""A training run of a detector on disk: detection/runs/<id>/ with config.json, history.csv, result.json, the detections
on validation and two checkpoints."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import safe_open

from cvtune_nb.detection.anchors import Anchors
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.detection.scores import DETECTION_COLUMNS
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_csv, read_json, write_csv, write_json
from cvtune_nb.training.run import UNFINISHED, numbered_folder
from cvtune_nb.workspace import now

HISTORY_COLUMNS = ["epoch", "learning_rate", "loss", "validation_ap", "validation_ap50", "seconds"]


@dataclass(frozen=True)
class DetectorRun:
    """One run. history has one row an epoch: loss is the mean of its training steps, the average precisions are on
    validation. state: done, stopped, diverged or interrupted. data: Dataset.id; most: detections a photo; changes:
    what had to be changed on the way (memory), in words. start: the run whose best epoch it began with, "" for none;
    hard: sha256 of training photos that are shown once more in every epoch (detection.hard); levels: what
    photos of more than 8 bits were shown with (Workspace.levels)."""

    id: str
    folder: Path
    config: DetectorConfig
    classes: list[str]
    anchors: Anchors
    most: int
    data: str
    history: pd.DataFrame
    state: str = "interrupted"
    predicted_seconds: float = 0.0
    changes: list[str] = field(default_factory=list)
    start: str = ""
    hard: list[str] = field(default_factory=list)
    levels: tuple[float, float] = (0, 0)

    @property
    def best_epoch(self) -> int:
        """The epoch with the highest average precision on validation; -1 before any."""
        if self.history.empty:
            return -1
        order = self.history.sort_values(["validation_ap", "validation_ap50", "epoch"], ascending=[False, False, True])
        return int(order["epoch"].iloc[0])

    def best(self, column: str) -> float:
        """That column of the history in the best epoch; 0 before any."""
        if self.history.empty:
            return 0.0
        return float(self.history.set_index("epoch").at[self.best_epoch, column])

    @property
    def seconds(self) -> float:
        """Time spent on it: preparing, training and measuring."""
        return float(self.history["seconds"].sum())

    @property
    def checkpoint(self) -> Path:
        """The state after the last whole epoch: network and optimizer."""
        return self.folder / "checkpoint.safetensors"

    def to_dict(self) -> dict[str, Any]:
        """Plain values: result.json, and the JSON of `cvtune detect`."""
        return {
            "run": self.id, "state": self.state, "config": self.config.to_dict(), "classes": self.classes,
            "anchors": {"sizes": list(self.anchors.sizes), "ratios": list(self.anchors.ratios),
                        "covered": self.anchors.covered},
            "best_epoch": self.best_epoch, "validation_ap": self.best("validation_ap"),
            "validation_ap50": self.best("validation_ap50"), "seconds": self.seconds,
            "predicted_seconds": self.predicted_seconds, "changes": self.changes, "start": self.start,
            "history": self.history.to_dict("records"),
        }  # fmt: skip

    def save(self) -> None:
        """Write config.json and, once there is something to tell, history.csv and result.json."""
        anchors = {"sizes": list(self.anchors.sizes), "ratios": list(self.anchors.ratios)}
        write_json(
            self.folder / "config.json",
            {"config": self.config.to_dict(), "classes": self.classes, "anchors": anchors, "most": self.most,
             "covered": self.anchors.covered, "data": self.data, "predicted_seconds": self.predicted_seconds,
             "changes": self.changes, "start": self.start, "hard": self.hard, "saved": now()},
        )  # fmt: skip
        if len(self.history):
            write_csv(self.folder / "history.csv", self.history)
        if self.state != "interrupted":
            write_json(self.folder / "result.json", self.to_dict())

    def detections(self) -> pd.DataFrame:
        """What the best epoch finds in the validation photos: DETECTION_COLUMNS. Empty before any."""
        file = self.folder / "detections.csv"
        return read_csv(file, path=str, label=str) if file.exists() else pd.DataFrame(columns=DETECTION_COLUMNS)


def new_run(
    dataset: Dataset, config: DetectorConfig, anchors: Anchors, most: int, predicted: float, **others: Any
) -> DetectorRun:
    """Make the folder of a new run; ids count up: 001-efficientnet_lite0_fpn-480. others: fields of DetectorRun."""
    folder = numbered_folder(dataset.folder / "runs", f"{config.detector}-{config.image_size}")
    empty = pd.DataFrame(columns=HISTORY_COLUMNS)
    run = DetectorRun(folder.name, folder, config, dataset.labels, anchors, most, dataset.id, empty,
                      predicted_seconds=predicted, levels=dataset.workspace.levels, **others)  # fmt: skip
    run.save()
    return run


def load_run(dataset: Dataset, name: str) -> DetectorRun:
    """The run with this id, or the "best" by average precision on validation, or the "last". Raises InputError."""
    if name in ("best", "last"):
        table = runs(dataset)
        table = table[table["best_epoch"] > 0] if name == "best" else table
        if table.empty:
            raise InputError(f"{dataset.folder} has no trained detector yet: train one (notebook 06, or cvtune detect)")
        name = table.loc[table["validation_ap"].idxmax() if name == "best" else table.index[-1], "run"]
    folder = dataset.folder / "runs" / name
    try:
        known = read_json(folder / "config.json")
    except FileNotFoundError:
        there = ", ".join(sorted(path.name for path in folder.parent.glob("*/"))[-5:]) or "none yet"
        raise InputError(f"{dataset.folder} has no run {name!r}: choose one of those there are ({there})") from None
    history = pd.DataFrame(columns=HISTORY_COLUMNS)
    if (folder / "checkpoint.safetensors").exists():  # its own history is the truth, see training.run
        with safe_open(folder / "checkpoint.safetensors", "pt") as file:
            history = pd.DataFrame(json.loads(file.metadata()["history"]), columns=HISTORY_COLUMNS)
    state = read_json(folder / "result.json")["state"] if (folder / "result.json").exists() else "interrupted"
    anchors = Anchors(tuple(known["anchors"]["sizes"]), tuple(known["anchors"]["ratios"]), known["covered"])
    run = DetectorRun(name, folder, DetectorConfig.from_values(**known["config"]), known["classes"], anchors,
                      known["most"], known["data"], history,
                      levels=tuple(known.get("levels", (0, 0))))  # fmt: skip
    told = {name: known[name] for name in ("predicted_seconds", "changes", "start", "hard")}
    return replace(run, state=state, **told)


def earlier_run(dataset: Dataset, config: DetectorConfig) -> DetectorRun | None:
    """A run of this config on exactly these photos and boxes, one that is done first, or None."""
    found = [load_run(dataset, name) for name in reversed(list(runs(dataset)["run"]))]
    found = [run for run in found if run.config == config and run.data == dataset.id and not run.start]
    return next((run for run in found if run.state not in UNFINISHED), found[0] if found else None)


def runs(dataset: Dataset) -> pd.DataFrame:
    """All runs, oldest first: run, state, the parameters, best_epoch, validation_ap, validation_ap50, seconds,
    predicted_seconds and changed (whether minibatch and rate had to be halved on the way)."""
    rows = []
    for file in sorted((dataset.folder / "runs").glob("*/config.json")):
        run = load_run(dataset, file.parent.name)
        rows.append({
            "run": run.id, "state": run.state, **run.config.to_dict(), "best_epoch": run.best_epoch,
            "validation_ap": run.best("validation_ap"), "validation_ap50": run.best("validation_ap50"),
            "seconds": run.seconds, "predicted_seconds": run.predicted_seconds, "changed": bool(run.changes),
        })  # fmt: skip
    columns = ["run", "state", *DetectorConfig.__dataclass_fields__, "best_epoch", "validation_ap", "validation_ap50",
               "seconds", "predicted_seconds", "changed"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
