"""A training run on disk: runs/<id>/ with config.json, history.csv, result.json and two checkpoints."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import safe_open

from cvtune_nb import metrics
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_csv, read_json, write_csv, write_json
from cvtune_nb.metrics import Accuracy
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace, now, photos_id

HISTORY_COLUMNS = ["epoch", "learning_rate", "train_accuracy", "train_loss", "validation_accuracy", "validation_loss",
                   "seconds"]  # fmt: skip
MEASURED_TRAIN_PHOTOS = 1_000
"""Train accuracy is measured on at most so many photos, drawn once by the seed: good to about 2 points."""
UNFINISHED = ("stopped", "interrupted")
"""States of runs that are offered to be resumed: stopped by a person, or ended by a crash."""
RESUMABLE = (*UNFINISHED, "beaten")
"""States in which `fit` goes on with a run that is named."""


@dataclass(frozen=True)
class Run:
    """One run. history has one row an epoch (epoch 0: the start from the SVM, before any training); accuracies are
    those of the best epoch by validation. state: done, stopped, beaten (stopped because it could not become the best
    any more), diverged or interrupted. counts: photos that train and validation accuracy are measured on; train_photos:
    those it learns from. changes: what had to be changed on the way (memory), in words. levels: what photos of more
    than 8 bits were shown with (Workspace.levels)."""

    id: str
    folder: Path
    config: Config
    classes: list[str]
    photos: str
    history: pd.DataFrame
    counts: tuple[int, int]
    state: str = "interrupted"
    predicted_seconds: float = 0.0
    changes: list[str] = field(default_factory=list)
    train_photos: int = 0
    levels: tuple[float, float] = (0, 0)

    @property
    def best_epoch(self) -> int:
        """The epoch with the highest validation accuracy; of equals the one with the lower loss. -1 before any."""
        if self.history.empty:
            return -1
        order = self.history.sort_values(["validation_accuracy", "validation_loss"], ascending=[False, True])
        return int(order["epoch"].iloc[0])

    def _best(self, column: str, count: int) -> Accuracy:
        if self.history.empty:
            return metrics.share(0, 0)
        value = self.history.set_index("epoch").at[self.best_epoch, column]
        return metrics.share(round(value * count), count)

    @property
    def train(self) -> Accuracy:
        """Train accuracy in eval mode without augmentation, at the best epoch."""
        return self._best("train_accuracy", self.counts[0])

    @property
    def validation(self) -> Accuracy:
        """Validation accuracy at the best epoch."""
        return self._best("validation_accuracy", self.counts[1])

    @property
    def seconds(self) -> float:
        """Time spent on it: preparing, training and measuring."""
        return float(self.history["seconds"].sum())

    def to_dict(self) -> dict[str, Any]:
        """Plain values: result.json, and the JSON of `cvtune train`."""
        return {
            "run": self.id, "state": self.state, "config": self.config.to_dict(), "best_epoch": self.best_epoch,
            "train_accuracy": self.train.value, "validation_accuracy": self.validation.value,
            "interval": self.validation.interval, "validation_photos": self.validation.n, "seconds": self.seconds,
            "predicted_seconds": self.predicted_seconds, "changes": self.changes,
            "history": self.history.to_dict("records"),
        }  # fmt: skip

    def save(self) -> None:
        """Write config.json and, once there is something to tell, history.csv and result.json."""
        write_json(
            self.folder / "config.json",
            {"config": self.config.to_dict(), "classes": self.classes, "photos": self.photos, "counts": self.counts,
             "train_photos": self.train_photos, "levels": self.levels,
             "predicted_seconds": self.predicted_seconds, "changes": self.changes, "saved": now()},
        )  # fmt: skip
        if len(self.history):
            write_csv(self.folder / "history.csv", self.history)
        if self.state != "interrupted":
            write_json(self.folder / "result.json", self.to_dict())

    def predictions(self) -> pd.DataFrame:
        """The validation photos as the best epoch saw them: path,label,predicted,probability. Empty before any."""
        file = self.folder / "predictions.csv"
        if not file.exists():
            return pd.DataFrame(columns=["path", "label", "predicted", "probability"])
        return read_csv(file, path=str, label=str, predicted=str)

    @property
    def checkpoint(self) -> Path:
        """The state after the last whole epoch: network and optimizer."""
        return self.folder / "checkpoint.safetensors"


def new_run(
    workspace: Workspace, config: Config, photos: pd.DataFrame, counts: tuple[int, int], predicted_seconds: float
) -> Run:
    """Make the folder of a new run; ids count up: 001-resnet18-224. counts: photos that train and validation
    accuracy are measured on."""
    named = f"{config.backbone.replace('/', '-').replace(':', '-')}-{config.image_size}"
    folder = numbered_folder(workspace.runs, named)
    empty = pd.DataFrame(columns=HISTORY_COLUMNS)
    run = Run(folder.name, folder, config, sorted(photos["label"].unique()), photos_id(photos), empty, counts,
              predicted_seconds=predicted_seconds, train_photos=int((photos["split"] == "train").sum()),
              levels=workspace.levels)  # fmt: skip
    run.save()
    return run


def numbered_folder(runs: Path, name: str) -> Path:
    """A new folder in `runs`, called 001-<name> or with the next free number; of several processes that ask at once,
    each gets one of its own."""
    runs.mkdir(parents=True, exist_ok=True)
    number = max((int(folder.name[:3]) for folder in runs.iterdir() if folder.name[:3].isdigit()), default=0) + 1
    while True:
        try:
            (runs / f"{number:03d}-{name}").mkdir()
            return runs / f"{number:03d}-{name}"
        except FileExistsError:
            number += 1


def load_run(workspace: Workspace, run: str) -> Run:
    """The run with this id, or the "best" by validation, or the "last". Raises InputError when there is none."""
    if run in ("best", "last"):
        table = runs(workspace)
        table = table[table["validation_accuracy"].notna()] if run == "best" else table
        if table.empty:
            raise InputError(f"{workspace.folder} has no training run yet: train first (notebook 03, or cvtune train)")
        run = table.loc[table["validation_accuracy"].idxmax() if run == "best" else table.index[-1], "run"]
    folder = workspace.runs / run
    try:
        known = read_json(folder / "config.json")
    except FileNotFoundError:
        names = ", ".join(sorted(path.name for path in workspace.runs.glob("*/"))[-5:]) or "none yet"
        raise InputError(f"{workspace.folder} has no run {run!r}: choose one of those there are ({names})") from None
    history = pd.DataFrame(columns=HISTORY_COLUMNS)
    if (folder / "checkpoint.safetensors").exists():
        # the checkpoint's own history is the truth: a crash can have come between it and history.csv
        with safe_open(folder / "checkpoint.safetensors", "pt") as file:
            history = pd.DataFrame(json.loads(file.metadata()["history"]), columns=HISTORY_COLUMNS)
    state = read_json(folder / "result.json")["state"] if (folder / "result.json").exists() else "interrupted"
    loaded = Run(run, folder, Config.from_values(**known["config"]), known["classes"], known["photos"], history,
                 tuple(known["counts"]), train_photos=known.get("train_photos", known["counts"][0]),
                 levels=tuple(known.get("levels", (0, 0))))  # fmt: skip
    return replace(loaded, state=state, predicted_seconds=known["predicted_seconds"], changes=known["changes"])


def earlier_run(workspace: Workspace, config: Config, at_least: bool = False) -> Run | None:
    """A run of this config on exactly the photos and labels there are now, or None: the same seed would only repeat
    it. One that is done comes before one that `fit` would go on with, the newest of either first. With `at_least`,
    more epochs than the config's will do, too."""
    photos, found = photos_id(workspace.photos()), []
    for name in reversed(list(runs(workspace)["run"])):
        run = load_run(workspace, name)
        same = replace(run.config, epochs=config.epochs) == config and run.photos == photos
        more = run.config.epochs - config.epochs
        if same and (more == 0 or (at_least and more > 0)):
            found.append(run)
    return next((run for run in found if run.state not in UNFINISHED), found[0] if found else None)


def runs(workspace: Workspace) -> pd.DataFrame:
    """All runs, oldest first: run,state, the parameters, best_epoch, train_accuracy, validation_accuracy, low, high
    (interval of the validation accuracy), seconds, predicted_seconds and changed (whether minibatch and rate had to be
    halved on the way). Accuracies are NaN before the first epoch."""
    rows = []
    for folder in sorted(workspace.runs.glob("*/config.json")):
        run = load_run(workspace, folder.parent.name)
        none = run.history.empty
        rows.append({
            "run": run.id, "state": run.state, **run.config.to_dict(), "best_epoch": run.best_epoch,
            "train_accuracy": float("nan") if none else run.train.value,
            "validation_accuracy": float("nan") if none else run.validation.value,
            "low": run.validation.low, "high": run.validation.high, "seconds": run.seconds,
            "predicted_seconds": run.predicted_seconds, "changed": bool(run.changes),
        })  # fmt: skip
    columns = ["run", "state", *Config.__dataclass_fields__, "best_epoch", "train_accuracy", "validation_accuracy",
               "low", "high", "seconds", "predicted_seconds", "changed"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
