"""A training run on disk: runs/<id>/ with config.json, photos.csv, history.csv, result.json and two checkpoints."""

import json
from contextlib import AbstractContextManager
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
from cvtune_nb.runs import lock
from cvtune_nb.runs.provenance import PHOTOS, Provenance, keep, of_photos, present
from cvtune_nb.workspace import Workspace, now, photos_id

HISTORY_COLUMNS = [
    "epoch",
    "learning_rate",
    "train_accuracy",
    "train_loss",
    "validation_accuracy",
    "validation_loss",
    "seconds",
]
MEASURED_TRAIN_PHOTOS = 1_000
"""Train accuracy is measured on at most so many photos, drawn once by the seed: good to about 2 points."""
UNFINISHED = ("stopped", "interrupted")
"""States of runs that are offered to be resumed: stopped by a person, or ended by a crash."""
RESUMABLE = (*UNFINISHED, "beaten")
"""States in which `fit` goes on with a run that is named."""
TRAINING = "training"
"""The state of a run that a process is training now."""
LOCK = "run.lock"
"""The file in a run's folder that the process which trains it has locked."""


@dataclass(frozen=True)
class Run:
    """One run. history has one row an epoch (epoch 0: the start from the SVM, before any training); accuracies are
    those of the best epoch by validation. state: done, stopped, beaten (stopped because it could not become the best
    any more), diverged, training (a process is at it) or interrupted. counts: photos that train and validation accuracy
    are measured on; train_photos: those it learns from. changes: what had to be changed on the way (memory), in words.
    measured_on: provenance.yardstick of its photos, "" for runs of earlier versions; levels: what photos of more than 8
    bits were shown with (Workspace.levels)."""

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
    measured_on: str = ""
    levels: tuple[float, float] = (0, 0)

    @property
    def provenance(self) -> Provenance:
        """The photos it has learned from and was measured on."""
        return Provenance(self.classes, self.photos, self.measured_on, self.folder / PHOTOS)

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
            "run": self.id,
            "state": self.state,
            "config": self.config.to_dict(),
            "best_epoch": self.best_epoch,
            "train_accuracy": self.train.value,
            "validation_accuracy": self.validation.value,
            "interval": self.validation.interval,
            "validation_photos": self.validation.n,
            "seconds": self.seconds,
            "predicted_seconds": self.predicted_seconds,
            "changes": self.changes,
            "history": self.history.to_dict("records"),
        }

    def save(self) -> None:
        """Write config.json and, once there is something to tell, history.csv and result.json."""
        write_json(
            self.folder / "config.json",
            {
                "config": self.config.to_dict(),
                "classes": self.classes,
                "photos": self.photos,
                "counts": self.counts,
                "train_photos": self.train_photos,
                "measured_on": self.measured_on,
                "levels": self.levels,
                "predicted_seconds": self.predicted_seconds,
                "changes": self.changes,
                "saved": now(),
            },
        )
        if len(self.history):
            write_csv(self.folder / "history.csv", self.history)
        if self.state not in ("interrupted", TRAINING):
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


def new_folder(workspace: Workspace, config: Config) -> Path:
    """The folder of a new run; ids count up: 001-resnet18-224. A run is there once `new_run` has written it."""
    named = f"{config.backbone.replace('/', '-').replace(':', '-')}-{config.image_size}"
    return numbered_folder(workspace.runs, named)


def new_run(
    workspace: Workspace,
    config: Config,
    photos: pd.DataFrame,
    counts: tuple[int, int],
    predicted_seconds: float,
    folder: Path | None = None,
) -> Run:
    """Write a new run into `folder` (default: a new one). counts: photos that train and validation accuracy are
    measured on."""
    folder = folder or new_folder(workspace, config)
    own, empty = of_photos(photos), pd.DataFrame(columns=HISTORY_COLUMNS)
    run = Run(
        folder.name,
        folder,
        config,
        list(own.classes),
        own.id,
        empty,
        counts,
        predicted_seconds=predicted_seconds,
        train_photos=int((photos["split"] == "train").sum()),
        measured_on=own.measured_on,
        levels=workspace.levels,
    )
    keep(folder, photos)
    run.save()
    return run


WAY_OUT = "wait for it to end (--wait on the command line), or start another run (--seed)"


def training_it(folder: Path, patience: float = lock.PATIENCE) -> AbstractContextManager[None]:
    """Holds the lock of the run in `folder`: this process trains it. Raises lock.Held."""
    return lock.holding(folder / LOCK, f"training run {folder.name}", WAY_OUT, patience)


def require_idle(run: Any) -> None:
    """Raises lock.Held while a process trains this run (or a detector's)."""
    if run.state == TRAINING:
        raise lock.Held(run.folder / LOCK, f"training run {run.id}", WAY_OUT)


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
    """The run with this id, the "best" by validation of those that may be compared on the photos there are now
    (provenance), or the "last". Raises InputError when there is none."""
    if run == "best":
        return _best_of(workspace)
    if run == "last":
        table = runs(workspace)
        if table.empty:
            raise _none_yet(workspace)
        run = table["run"].iloc[-1]
    loaded = on_disk(workspace, run)
    return replace(loaded, state=live_state(loaded))


def best_run(workspace: Workspace) -> Run | None:
    """The run with the highest validation accuracy of those that may be compared on the photos there are now, or None.
    Of equals the first."""
    table = ranked(runs(workspace))
    return None if table.empty else load_run(workspace, table["run"].iloc[0])


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Of `runs`, those with a finished epoch that may be compared, the best on validation first."""
    table = table[table["validation_accuracy"].notna() & (table["data"] == "")]
    return table.sort_values("validation_accuracy", ascending=False, kind="stable")


def _best_of(workspace: Workspace) -> Run:
    best, table = best_run(workspace), runs(workspace)
    if best is not None:
        return best
    earlier = table[table["validation_accuracy"].notna()]
    if earlier.empty:
        raise _none_yet(workspace)
    last = load_run(workspace, earlier["run"].iloc[-1])
    raise no_present_run(last.id, last.provenance.change(present(workspace)))


def no_present_run(last: str, change: str) -> InputError:
    """Says that all runs are of earlier data, the newest of them `last`. change: what is different now."""
    return InputError(
        f"there are only runs of earlier data, the newest of them {last} ({change}): train again, or name a run by its "
        "id, to export one with --earlier-data"
    )


def _none_yet(workspace: Workspace) -> InputError:
    return InputError(f"{workspace.folder} has no training run yet: train first (notebook 03, or cvtune train)")


def on_disk(workspace: Workspace, run: str) -> Run:
    """The run with this id as its files say; whether a process is training it is not looked at. Raises InputError."""
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
    loaded = Run(
        run,
        folder,
        Config.from_values(**known["config"]),
        known["classes"],
        known["photos"],
        history,
        tuple(known["counts"]),
        train_photos=known.get("train_photos", known["counts"][0]),
        measured_on=known.get("measured_on", ""),
        levels=tuple(known.get("levels", (0, 0))),
    )
    return replace(
        loaded, state=state_in(folder), predicted_seconds=known["predicted_seconds"], changes=known["changes"]
    )


def state_in(folder: Path) -> str:
    """The state in which the run in `folder` was left."""
    return read_json(folder / "result.json")["state"] if (folder / "result.json").exists() else "interrupted"


def live_state(run: Any) -> str:
    """The state of a run (or a detector's): TRAINING while a process is at it, else as it was left."""
    return TRAINING if run.state in RESUMABLE and lock.holder(run.folder / LOCK) else run.state


def earlier_run(workspace: Workspace, config: Config, at_least: bool = False) -> Run | None:
    """A run of this config on exactly the photos and labels there are now, or None: the same seed would only repeat
    it. One that has ended comes before one that `fit` would go on with, the newest of either first. With `at_least`,
    more epochs than the config's will do, too."""
    photos, found = photos_id(workspace.photos()), []
    for name in reversed(list(runs(workspace)["run"])):
        run = load_run(workspace, name)
        same = replace(run.config, epochs=config.epochs) == config and run.photos == photos
        more = run.config.epochs - config.epochs
        if same and (more == 0 or (at_least and more > 0)):
            found.append(run)
    return ended_first(found)


def ended_first(found: list[Any]) -> Any:
    """Of runs the first that has ended, else the first; None of none."""
    return next((run for run in found if run.state not in (*UNFINISHED, TRAINING)), found[0] if found else None)


def runs(workspace: Workspace) -> pd.DataFrame:
    """All runs, oldest first: run,state, data ("earlier data" where its accuracy may not be compared, see provenance),
    the parameters, best_epoch, train_accuracy, validation_accuracy, low, high (interval of the validation accuracy),
    seconds, predicted_seconds and changed (whether minibatch and rate had to be halved on the way). Accuracies are NaN
    before the first epoch."""
    files, rows = sorted(workspace.runs.glob("*/config.json")), []
    now_there = present(workspace) if files else None
    for file in files:
        run = load_run(workspace, file.parent.name)
        none = run.history.empty
        rows.append(
            {
                "run": run.id,
                "state": run.state,
                "data": run.provenance.standing(now_there),
                **run.config.to_dict(),
                "best_epoch": run.best_epoch,
                "train_accuracy": float("nan") if none else run.train.value,
                "validation_accuracy": float("nan") if none else run.validation.value,
                "low": run.validation.low,
                "high": run.validation.high,
                "seconds": run.seconds,
                "predicted_seconds": run.predicted_seconds,
                "changed": bool(run.changes),
            }
        )
    columns = [
        "run",
        "state",
        "data",
        *Config.__dataclass_fields__,
        "best_epoch",
        "train_accuracy",
        "validation_accuracy",
        "low",
        "high",
        "seconds",
        "predicted_seconds",
        "changed",
    ]
    return pd.DataFrame(rows, columns=columns)
