"""A training run of a detector on disk: detection/runs/<id>/ with config.json, photos.csv, history.csv, result.json,
the detections on validation and two checkpoints."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import safe_open

from cvtune_nb.classification.run import TRAINING, ended_first, live_state, no_present_run, numbered_folder, state_in
from cvtune_nb.detection.anchors import Anchors
from cvtune_nb.detection.average_precision import DETECTION_COLUMNS
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_csv, read_json, write_csv, write_json
from cvtune_nb.runs.provenance import BEFORE, PHOTOS, UNLISTED, Provenance, keep
from cvtune_nb.workspace import now

HISTORY_COLUMNS = ["epoch", "learning_rate", "loss", "validation_ap", "validation_ap50", "seconds"]


@dataclass(frozen=True)
class DetectorRun:
    """One run. history has one row an epoch: loss is the mean of its training steps, the average precisions are on
    validation. state: done, stopped, diverged, training (a process is at it) or interrupted. data: Dataset.id; most:
    detections a photo; changes: what had to be changed on the way (memory), in words. start: the run whose best epoch
    it began with, "" for none; hard: sha256 of training photos that are shown once more in every epoch
    (detection.hard_negatives); measured_on: provenance.yardstick of its photos, "" for runs of earlier versions;
    levels: what photos of more than 8 bits were shown with (Workspace.levels)."""

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
    measured_on: str = ""
    levels: tuple[float, float] = (0, 0)

    @property
    def provenance(self) -> Provenance:
        """The photos it has learned from and was measured on; those of the runs it goes on from are in it."""
        return Provenance(self.classes, self.data, self.measured_on, self.folder / PHOTOS)

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
            "run": self.id,
            "state": self.state,
            "config": self.config.to_dict(),
            "classes": self.classes,
            "anchors": {
                "sizes": list(self.anchors.sizes),
                "ratios": list(self.anchors.ratios),
                "covered": self.anchors.covered,
            },
            "best_epoch": self.best_epoch,
            "validation_ap": self.best("validation_ap"),
            "validation_ap50": self.best("validation_ap50"),
            "seconds": self.seconds,
            "predicted_seconds": self.predicted_seconds,
            "changes": self.changes,
            "start": self.start,
            "history": self.history.to_dict("records"),
        }

    def save(self) -> None:
        """Write config.json and, once there is something to tell, history.csv and result.json."""
        anchors = {"sizes": list(self.anchors.sizes), "ratios": list(self.anchors.ratios)}
        write_json(
            self.folder / "config.json",
            {
                "config": self.config.to_dict(),
                "classes": self.classes,
                "anchors": anchors,
                "most": self.most,
                "covered": self.anchors.covered,
                "data": self.data,
                "predicted_seconds": self.predicted_seconds,
                "changes": self.changes,
                "start": self.start,
                "hard": self.hard,
                "measured_on": self.measured_on,
                "saved": now(),
            },
        )
        if len(self.history):
            write_csv(self.folder / "history.csv", self.history)
        if self.state not in ("interrupted", TRAINING):
            write_json(self.folder / "result.json", self.to_dict())

    def detections(self) -> pd.DataFrame:
        """What the best epoch finds in the validation photos: DETECTION_COLUMNS. Empty before any."""
        file = self.folder / "detections.csv"
        return read_csv(file, path=str, label=str) if file.exists() else pd.DataFrame(columns=DETECTION_COLUMNS)


def new_folder(dataset: Dataset, config: DetectorConfig) -> Path:
    """The folder of a new run; ids count up: 001-efficientnet_lite0_fpn-480. A run is there once `new_run` has written
    it."""
    return numbered_folder(dataset.folder / "runs", f"{config.detector}-{config.image_size}")


def new_run(
    dataset: Dataset,
    config: DetectorConfig,
    anchors: Anchors,
    most: int,
    predicted: float,
    folder: Path | None = None,
    **others: Any,
) -> DetectorRun:
    """Write a new run into `folder` (default: a new one). others: fields of DetectorRun. Raises InputError where it
    begins with a run of which it is not known what it has seen."""
    start = others.get("start")
    before = _seen_before(dataset, load_run(dataset, start)) if start else None
    folder = folder or new_folder(dataset, config)
    own, empty = dataset.provenance, pd.DataFrame(columns=HISTORY_COLUMNS)
    run = DetectorRun(
        folder.name,
        folder,
        config,
        dataset.labels,
        anchors,
        most,
        own.id,
        empty,
        predicted_seconds=predicted,
        measured_on=own.measured_on,
        levels=dataset.workspace.levels,
        **others,
    )
    keep(folder, own.photos if before is None else pd.concat([own.photos, before], ignore_index=True))
    run.save()
    return run


def _seen_before(dataset: Dataset, start: DetectorRun) -> pd.DataFrame:
    """The photos (provenance.COLUMNS) that a run which begins with `start` has seen through it alone."""
    present = dataset.provenance
    own = start.provenance.seen_among(present)
    if own is None:
        raise InputError(f"run {start.id} can't be gone on from ({UNLISTED}): train a new detector first")
    now = present.photos.set_index("sha256")["split"].to_dict()
    then = own.assign(now=own["sha256"].map(now))
    learned = own[then["split"].isin(["train", BEFORE]) & (then["now"] != "train")]
    judged_by = own[(then["split"] == "validation") & ~then["now"].isin(["train", "validation"])]
    return pd.concat([learned, judged_by], ignore_index=True).assign(split=BEFORE)


def load_run(dataset: Dataset, name: str) -> DetectorRun:
    """The run with this id, the "best" by average precision on validation of those that may be compared on the photos
    and boxes there are now (provenance), or the "last". Raises InputError."""
    if name in ("best", "last"):
        table = runs(dataset)
        trained = table[table["best_epoch"] > 0] if name == "best" else table
        if trained.empty:
            raise InputError(f"{dataset.folder} has no trained detector yet: train one (notebook 06, or cvtune detect)")
        best = ranked(table)
        if name == "best" and best.empty:
            last = load_run(dataset, trained["run"].iloc[-1])
            raise no_present_run(last.id, last.provenance.change(dataset.provenance))
        name = best["run"].iloc[0] if name == "best" else table["run"].iloc[-1]
    loaded = on_disk(dataset, name)
    return replace(loaded, state=live_state(loaded))


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Of `runs`, those with a finished epoch that may be compared, the best on validation first."""
    table = table[(table["best_epoch"] > 0) & (table["data"] == "")]
    return table.sort_values("validation_ap", ascending=False, kind="stable")


def on_disk(dataset: Dataset, name: str) -> DetectorRun:
    """The run with this id as its files say; whether a process is training it is not looked at. Raises InputError."""
    folder = dataset.folder / "runs" / name
    try:
        known = read_json(folder / "config.json")
    except FileNotFoundError:
        there = ", ".join(sorted(path.name for path in folder.parent.glob("*/"))[-5:]) or "none yet"
        raise InputError(f"{dataset.folder} has no run {name!r}: choose one of those there are ({there})") from None
    history = pd.DataFrame(columns=HISTORY_COLUMNS)
    if (folder / "checkpoint.safetensors").exists():  # its own history is the truth, see classification.run
        with safe_open(folder / "checkpoint.safetensors", "pt") as file:
            history = pd.DataFrame(json.loads(file.metadata()["history"]), columns=HISTORY_COLUMNS)
    anchors = Anchors(tuple(known["anchors"]["sizes"]), tuple(known["anchors"]["ratios"]), known["covered"])
    run = DetectorRun(
        name,
        folder,
        DetectorConfig.from_values(**known["config"]),
        known["classes"],
        anchors,
        known["most"],
        known["data"],
        history,
        measured_on=known.get("measured_on", ""),
        levels=tuple(known.get("levels", (0, 0))),
    )
    told = {name: known[name] for name in ("predicted_seconds", "changes", "start", "hard")}
    return replace(run, state=state_in(folder), **told)


def earlier_run(dataset: Dataset, config: DetectorConfig) -> DetectorRun | None:
    """A run of this config on exactly these photos and boxes, one that has ended first, or None."""
    found = [load_run(dataset, name) for name in reversed(list(runs(dataset)["run"]))]
    return ended_first([run for run in found if run.config == config and run.data == dataset.id and not run.start])


def runs(dataset: Dataset) -> pd.DataFrame:
    """All runs, oldest first: run, state, data ("earlier data" where its precision may not be compared, see
    provenance), the parameters, best_epoch, validation_ap, validation_ap50, seconds, predicted_seconds and changed
    (whether minibatch and rate had to be halved on the way)."""
    rows = []
    for file in sorted((dataset.folder / "runs").glob("*/config.json")):
        run = load_run(dataset, file.parent.name)
        rows.append(
            {
                "run": run.id,
                "state": run.state,
                "data": run.provenance.standing(dataset.provenance),
                **run.config.to_dict(),
                "best_epoch": run.best_epoch,
                "validation_ap": run.best("validation_ap"),
                "validation_ap50": run.best("validation_ap50"),
                "seconds": run.seconds,
                "predicted_seconds": run.predicted_seconds,
                "changed": bool(run.changes),
            }
        )
    columns = [
        "run",
        "state",
        "data",
        *DetectorConfig.__dataclass_fields__,
        "best_epoch",
        "validation_ap",
        "validation_ap50",
        "seconds",
        "predicted_seconds",
        "changed",
    ]
    return pd.DataFrame(rows, columns=columns)
