"""Training runs on disk, whatever they train, a folder each.

It holds config.json, photos.csv, history.csv, result.json, the best epoch's predictions for the validation photos, and
two checkpoints.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import pandas as pd
from safetensors import safe_open

from cvtune_nb.errors import InputError
from cvtune_nb.files import read_csv, read_json, write_csv, write_json
from cvtune_nb.parameters import TrainingConfig
from cvtune_nb.runs import lock
from cvtune_nb.runs.provenance import PHOTOS, Provenance, save_photos
from cvtune_nb.workspace import now

INTERRUPTED, TRAINING = "interrupted", "training"
"""States of a run that a crash has ended, and of one that a process is training now."""
UNFINISHED = ("stopped", INTERRUPTED)
"""States of runs that are offered to be resumed: stopped by a person, or ended by a crash."""
RESUMABLE = (*UNFINISHED, "beaten")
"""States in which a run that is named is resumed."""
LOCK = "run.lock"
"""The file in a run's folder that the process which trains it has locked."""
WAY_OUT = "wait for it to end (--wait on the command line), or start another run (--seed)"


C = TypeVar("C", bound=TrainingConfig)


@dataclass(frozen=True)
class StoredRun(Generic[C]):
    """One run, whatever it trains; a subclass says what is its own.

    Attributes
    ----------
    data_id
        A short name for exactly the photos, labels and splits (a detector's: boxes, too) that it is trained on.
    history
        HISTORY columns, one row an epoch; epoch 0, where there is one, is the start before any training.
    state
        done, stopped, beaten (stopped because it could not become the best any more), diverged, training (a process is
        at it) or interrupted.
    changes
        What had to be changed on the way for lack of memory, in words.
    measured_on
        provenance.yardstick of its photos, "" for runs of earlier versions.
    levels
        What photos of more than 8 bits were shown with (Workspace.levels).
    """

    id: str
    folder: Path
    config: C
    classes: list[str]
    data_id: str
    history: pd.DataFrame
    state: str = INTERRUPTED
    predicted_seconds: float = 0.0
    changes: list[str] = field(default_factory=list)
    measured_on: str = ""
    levels: tuple[float, ...] = (0, 0)

    CONFIG: ClassVar[type[TrainingConfig]]
    """The class of its config."""
    HISTORY: ClassVar[list[str]]
    """Columns of its history."""
    BEST_BY: ClassVar[dict[str, bool]]
    """Columns of the history by which the best epoch is found, and whether lower is better."""
    RANKED_BY: ClassVar[str]
    """The column of the table of runs that ranks them: higher is better."""
    MEASURES: ClassVar[tuple[str, ...]]
    """Columns of its own in the table of runs."""
    OUTPUTS: ClassVar[str]
    """The file with the best epoch's predictions for the validation photos."""

    # -- what a subclass says -----------------------------------------------------------------------------------

    @classmethod
    def from_settings(cls, settings: dict[str, Any], **shared: Any) -> Self:
        """A run from what its config.json holds, and the fields of every run."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """What config.json holds."""
        raise NotImplementedError

    def measures(self) -> dict[str, float]:
        """Its MEASURES."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Plain values: result.json, and the JSON of the command that trains it."""
        raise NotImplementedError

    # -- what all have in common --------------------------------------------------------------------------------

    @property
    def provenance(self) -> Provenance:
        """The photos it was trained and measured on."""
        return Provenance(self.classes, self.data_id, self.measured_on, self.folder / PHOTOS)

    @property
    def checkpoint(self) -> Path:
        """The state after the last whole epoch: network and optimizer."""
        return self.folder / "checkpoint.safetensors"

    def best_weights(self) -> Path:
        """The file with the network's weights after the best epoch. Raises InputError before any."""
        file = self.folder / "best.safetensors"
        if not file.exists():
            raise InputError(f"run {self.id} has no finished epoch yet: resume it, or choose another run")
        return file

    @property
    def best_epoch(self) -> int:
        """The best epoch on validation; ties: the first. -1 before any."""
        if self.history.empty:
            return -1
        columns = self.best_by
        rows = self.history.sort_values([*columns, "epoch"], ascending=[*columns.values(), True])
        return int(rows["epoch"].iloc[0])

    @property
    def best_by(self) -> dict[str, bool]:
        """BEST_BY, or where that differs from run to run, this one's."""
        return self.BEST_BY

    def best(self, column: str) -> float:
        """That column of the history in the best epoch; 0 before any."""
        return 0.0 if self.history.empty else float(self.history.set_index("epoch").at[self.best_epoch, column])

    @property
    def seconds(self) -> float:
        """Time spent on it: preparing, training and measuring."""
        return float(self.history["seconds"].sum())

    def same_training(self, config: C, at_least: bool = False) -> bool:
        """Whether training with `config` on its photos would only repeat it; with `at_least`, a part of it."""
        more = self.config.epochs - config.epochs
        return replace(self.config, epochs=config.epochs) == config and (more == 0 or (at_least and more > 0))

    @classmethod
    def ranked(cls, table: pd.DataFrame) -> pd.DataFrame:
        """The comparable runs of a table that have a finished epoch, the best on validation first; ties: the first."""
        return cls.best_first(cls.finished(table))

    @classmethod
    def best_first(cls, table: pd.DataFrame) -> pd.DataFrame:
        """A table of runs, the best on validation first; ties: the first."""
        return table.sort_values(cls.RANKED_BY, ascending=False, kind="stable")

    @staticmethod
    def finished(table: pd.DataFrame) -> pd.DataFrame:
        """The comparable runs of a table that have a finished epoch."""
        return table[(table["best_epoch"] >= 0) & (table["data"] == "")]

    @staticmethod
    def unfinished(table: pd.DataFrame, states: Sequence[str] = UNFINISHED) -> pd.DataFrame:
        """The comparable runs of a table that are in one of these states."""
        return table[table["state"].isin(states) & (table["data"] == "")]

    def save(self) -> None:
        """Write config.json and, as soon as there is something in them, history.csv and result.json."""
        write_json(self.folder / "config.json", {**self.settings(), "saved": now()})
        if len(self.history):
            write_csv(self.folder / "history.csv", self.history)
        if self.state not in (INTERRUPTED, TRAINING):
            write_json(self.folder / "result.json", self.to_dict())

    def keep_outputs(self, outputs: pd.DataFrame) -> None:
        """Write down what the best epoch says of the validation photos."""
        write_csv(self.folder / self.OUTPUTS, outputs)

    def outputs(self, columns: list[str], **types: Any) -> pd.DataFrame:
        """What OUTPUTS holds; these columns without a row before the first epoch."""
        file = self.folder / self.OUTPUTS
        return read_csv(file, **types) if file.exists() else pd.DataFrame(columns=columns)


R = TypeVar("R", bound=StoredRun)


@dataclass(frozen=True)
class RunStore(Generic[C, R]):
    """The runs of one kind in one folder.

    Attributes
    ----------
    kind
        Their class.
    folder
        Where their folders are.
    present
        Gives today's photos: runs are compared only on the same ones.
    none_yet
        The message where there is no run to load: "has no training run yet: train first".
    judge
        Measures of a run that depend on what counts today: by name, a part of MEASURES.
    """

    kind: type[R]
    folder: Path
    present: Callable[[], Provenance]
    none_yet: str
    judge: Callable[[R], dict[str, float]] = lambda _: {}

    # -- new runs -----------------------------------------------------------------------------------------------

    def new_folder(self, config: C) -> Path:
        """The folder of a new run: 001-resnet18-224, or with the next free number; 002-resnet18-320-from-001.

        Of several processes that ask at once, each gets one of its own. The run exists once `new` has written it.
        """
        name = f"{config.network.replace('/', '-').replace(':', '-')}-{config.image_size}{config.descent}"
        self.folder.mkdir(parents=True, exist_ok=True)
        number = max((_number(folder.name) for folder in self.folder.iterdir()), default=0) + 1
        while True:
            folder = self.folder / f"{number:03d}-{name}"
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1

    def new(self, config: C, data: Provenance, photos: pd.DataFrame, folder: Path | None = None, **fields: Any) -> R:
        """Write a new run.

        Parameters
        ----------
        config
            Its parameters.
        data
            What it is trained and measured on.
        photos
            The photos (provenance.COLUMNS) that it will have seen.
        folder
            Where; by default a new one.
        fields
            Other fields of the run.
        """
        folder = folder or self.new_folder(config)
        history = pd.DataFrame(columns=self.kind.HISTORY)
        run = self.kind(
            folder.name, folder, config, list(data.classes), data.id, history, measured_on=data.measured_on, **fields
        )
        save_photos(folder, photos)
        run.save()
        return run

    # -- those there are ----------------------------------------------------------------------------------------

    def ids(self) -> list[str]:
        """The ids of all runs, oldest first."""
        return sorted((file.parent.name for file in self.folder.glob("*/config.json")), key=_in_order)

    def on_disk(self, run: str) -> R:
        """The run with this id as its files say; whether a process trains it is not looked at. Raises InputError."""
        folder = self.folder / run
        try:
            settings = read_json(folder / "config.json")
        except FileNotFoundError:
            names = ", ".join(sorted((path.name for path in self.folder.glob("*/")), key=_in_order)[-5:]) or "none yet"
            raise InputError(
                f"{self.folder.parent} has no run {run!r}: choose one of those there are ({names})"
            ) from None
        history = pd.DataFrame(columns=self.kind.HISTORY)
        if (folder / "checkpoint.safetensors").exists():
            # the checkpoint's own history is the truth: a crash can have come between it and history.csv
            with safe_open(folder / "checkpoint.safetensors", "pt") as file:
                history = pd.DataFrame(json.loads(file.metadata()["history"]), columns=self.kind.HISTORY)
        return self.kind.from_settings(
            settings,
            id=run,
            folder=folder,
            config=self.kind.CONFIG.from_file(settings["config"]),
            classes=settings["classes"],
            history=history,
            state=read_json(folder / "result.json")["state"] if (folder / "result.json").exists() else INTERRUPTED,
            predicted_seconds=settings["predicted_seconds"],
            changes=settings["changes"],
            measured_on=settings.get("measured_on", ""),
            levels=tuple(settings.get("levels", (0, 0))),
        )

    def load(self, run: str) -> R:
        """The run with this id, the "best" of `ranked`, or the "last". Raises InputError when there is none."""
        if run == "best":
            return self._best()
        if run == "last":
            ids = self.ids()
            if not ids:
                raise self._none_yet()
            run = ids[-1]
        loaded = self.on_disk(run)
        if loaded.state in RESUMABLE and lock.holder(loaded.folder / LOCK):
            return replace(loaded, state=TRAINING)
        return loaded

    def best(self) -> R | None:
        """The best of `ranked`, or None."""
        table = self.kind.ranked(self.table())
        return None if table.empty else self.load(table["run"].iloc[0])

    def _best(self) -> R:
        best = self.best()
        if best is not None:
            return best
        trained = [run for run in map(self.on_disk, self.ids()) if len(run.history)]
        if not trained:
            raise self._none_yet()
        change = trained[-1].provenance.change(self.present())
        raise InputError(
            f"there are only runs of earlier data, the newest of them {trained[-1].id} ({change}): train again, or "
            "name a run by its id, to export one with --earlier-data"
        )

    def _none_yet(self) -> InputError:
        return InputError(f"{self.folder.parent} {self.none_yet}")

    def earlier(self, config: C, at_least: bool = False) -> R | None:
        """A run of this config on exactly today's photos and labels, or None.

        The same seed would only repeat it. One that has ended comes before one that would be resumed, the newest of
        either first.

        Parameters
        ----------
        config
            The parameters.
        at_least
            A run of more epochs will do, too.
        """
        data_id = self.present().id
        newest_first = (self.load(name) for name in reversed(self.ids()))
        found = [run for run in newest_first if run.data_id == data_id and run.same_training(config, at_least)]
        ended = (run for run in found if run.state not in (*UNFINISHED, TRAINING))
        return next(ended, found[0] if found else None)

    def table(self) -> pd.DataFrame:
        """All runs, oldest first.

        Columns: run, state, data ("earlier data" where they may not be compared, see provenance), the parameters,
        best_epoch, MEASURES, seconds, predicted_seconds and changed (whether minibatch and learning rate had to be
        halved on the way).
        """
        parameters = self.kind.CONFIG.__dataclass_fields__
        columns = ["run", "state", "data", *parameters, "best_epoch", *self.kind.MEASURES]
        columns += ["seconds", "predicted_seconds", "changed"]
        ids = self.ids()
        if not ids:
            return pd.DataFrame(columns=columns)
        present, rows = self.present(), []
        for run in map(self.load, ids):
            rows.append(
                {
                    "run": run.id,
                    "state": run.state,
                    "data": run.provenance.standing(present),
                    **run.config.to_dict(),
                    "best_epoch": run.best_epoch,
                    **run.measures(),
                    **self.judge(run),
                    "seconds": run.seconds,
                    "predicted_seconds": run.predicted_seconds,
                    "changed": bool(run.changes),
                }
            )
        return pd.DataFrame(rows, columns=columns)


def locked(folder: Path, patience: float = lock.PATIENCE) -> AbstractContextManager[None]:
    """Holds the lock of the run in `folder`: this process trains it. Raises lock.Held."""
    return lock.holding(folder / LOCK, f"training run {folder.name}", WAY_OUT, patience)


def require_idle(run: StoredRun) -> None:
    """Raises lock.Held while a process trains this run."""
    if run.state == TRAINING:
        raise lock.Held(run.folder / LOCK, f"training run {run.id}", WAY_OUT)


def _number(run: str) -> int:
    """Of a run: 1 of 001-resnet18-224; 0 of a folder that is called otherwise."""
    first = run.split("-")[0]
    return int(first) if first.isdecimal() else 0


def _in_order(run: str) -> tuple[int, str]:
    """Sorts runs by number, 1000 after 999."""
    return _number(run), run
