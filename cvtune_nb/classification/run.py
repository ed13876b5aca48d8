"""A classifier's training runs, in runs/ of the workspace."""

from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.classification import objective as judged
from cvtune_nb.classification.extra_photos import BESIDE, ExtraPhotos
from cvtune_nb.classification.features import shown_in
from cvtune_nb.classification.objective import Answers
from cvtune_nb.data.mean_colour import padding_for
from cvtune_nb.data.photo import BLACK, Colour
from cvtune_nb.errors import InputError
from cvtune_nb.metrics import Accuracy
from cvtune_nb.objectives import USUAL, Objective, Score, objective_of
from cvtune_nb.parameters import Config
from cvtune_nb.runs.provenance import BEFORE, COLUMNS, of_photos, present
from cvtune_nb.runs.store import RunStore, StoredRun
from cvtune_nb.workspace import Workspace

HISTORY_COLUMNS = [
    "epoch",
    "learning_rate",
    "train_accuracy",
    "train_loss",
    "validation_accuracy",
    "validation_loss",
    "objective",
    "seconds",
]
PREDICTION_COLUMNS = ["path", "label", "predicted", "probability"]
PROBABILITIES = "probabilities.npy"
"""The file beside a run's predictions with all probabilities (n, classes) in float32; earlier versions kept none."""
MEASURED_TRAIN_PHOTOS = 1_000
"""Train accuracy is measured on at most so many photos, drawn once by the seed: good to about 2 points."""


@dataclass(frozen=True)
class Run(StoredRun[Config]):
    """One run of a classifier. Its accuracies are those of the best epoch on validation, by its own objective.

    Attributes
    ----------
    counts
        Photos that train and validation accuracy are measured on.
    train_photos
        Photos that it is trained on.
    origin
        Exactly which weights its backbone started from (networks.origin); "" for random ones, and for runs of earlier
        versions.
    padding
        The colour around photos that are not cropped (data.mean_colour).
    beside
        What it was trained with beside its config and its labelled photos, by what it is: "teacher" for one that was
        distilled (combining.distillation), "machine_labels" for one that learned from photos labelled by machine
        (extra_photos). Empty for a usual run.
    """

    counts: tuple[int, int] = field(kw_only=True)
    train_photos: int = 0
    origin: str = ""
    padding: Colour = BLACK
    beside: dict[str, Any] = field(default_factory=dict)

    CONFIG = Config
    HISTORY = HISTORY_COLUMNS
    BEST_BY: ClassVar = {"objective": False, "validation_loss": True}
    RANKED_BY = "merit"
    MEASURES = (
        "train_accuracy",
        "validation_accuracy",
        "low",
        "high",
        "objective_value",
        "objective_low",
        "objective_high",
        "merit",
    )
    OUTPUTS = "predictions.csv"

    @classmethod
    def from_settings(cls, settings: dict[str, Any], **shared: Any) -> Self:
        """The run that config.json describes."""
        counts = tuple(settings["counts"])
        train_photos = settings.get("train_photos", counts[0])
        about = {"counts": counts, "train_photos": train_photos, "origin": settings.get("origin", "")}
        about |= {"padding": tuple(settings.get("padding", BLACK)), "beside": settings.get("beside", {})}
        history = shared["history"]
        if shared["config"].objective == USUAL and history["objective"].isna().any():  # before there were objectives
            shared["history"] = history.assign(objective=history["validation_accuracy"])
        return cls(**shared, data_id=settings["photos"], **about)

    def settings(self) -> dict[str, Any]:
        """What config.json holds."""
        return {
            "config": self.config.to_dict(),
            "classes": self.classes,
            "photos": self.data_id,
            "counts": self.counts,
            "train_photos": self.train_photos,
            "origin": self.origin,
            "measured_on": self.measured_on,
            "levels": self.levels,
            "padding": self.padding,
            "beside": self.beside,
            "predicted_seconds": self.predicted_seconds,
            "changes": self.changes,
        }

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
            **self._own_objective(),
            "validation_photos": self.validation.n,
            "seconds": self.seconds,
            "predicted_seconds": self.predicted_seconds,
            "changes": self.changes,
            "history": self.history.to_dict("records"),
        }

    def same_training(self, config: Config, at_least: bool = False) -> bool:
        """As StoredRun has it; never for a run that learned from more than its config says."""
        return not self.beside and super().same_training(config, at_least)

    def measures(self) -> dict[str, float]:
        """Both accuracies, NaN before the first epoch, and the interval of the one on validation."""
        none = self.history.empty
        return {
            "train_accuracy": float("nan") if none else self.train.value,
            "validation_accuracy": float("nan") if none else self.validation.value,
            "low": self.validation.low,
            "high": self.validation.high,
        }

    @classmethod
    def best_first(cls, table: pd.DataFrame) -> pd.DataFrame:
        """By what counts today; where none of them has that (objective.NOT_KEPT) by accuracy; ties: the first."""
        by = "validation_accuracy" if table[cls.RANKED_BY].isna().all() else cls.RANKED_BY
        return table.sort_values(by, ascending=False, kind="stable")

    @property
    def best_by(self) -> dict[str, bool]:
        """Its own objective, and the loss."""
        return {"objective": not self.objective.HIGHER_IS_BETTER, "validation_loss": True}

    @property
    def objective(self) -> Objective:
        """Its own, by which its best epoch was chosen."""
        return objective_of(self.config.objective, self.classes)

    def score(self, objective: Objective) -> Score | None:
        """An objective on the validation photos, with its interval; None before an epoch, or where it can't be told."""
        if self.history.empty:
            return None
        if objective.text == USUAL:
            found = self.validation
            return Score(found.value, found.low, found.high, found.n, objective.label, objective.SHARE)
        file = self.folder / self.OUTPUTS
        if self.classes != list(objective.classes) or not file.exists():
            return None
        return _score(self.folder, objective, file.stat().st_mtime_ns)

    def answers(self, objective: Objective) -> Answers | None:
        """What it says of the validation photos; None where the objective needs probabilities that were not kept."""
        chances = judged.kept_chances(self.folder / PROBABILITIES)
        return judged.answers_of(objective, self.predictions(), chances, self.classes)

    def _own_objective(self) -> dict[str, Any]:
        score = self.score(self.objective)
        known = score or Score(0.0, 0.0, 1.0, 0, self.objective.label, self.objective.SHARE)
        return {
            "objective": self.config.objective,
            "objective_value": known.value,
            "objective_interval": known.interval,
        }

    @property
    def train(self) -> Accuracy:
        """Train accuracy in eval mode without augmentation, at the best epoch.

        Which training photos were right is not kept: they are taken to depend on each other as validation photos do.
        """
        return metrics.alike(self._accuracy("train_accuracy", self.counts[0]), self.validation)

    @property
    def validation(self) -> Accuracy:
        """Validation accuracy at the best epoch."""
        groups = self._groups()
        if groups is None:
            return self._accuracy("validation_accuracy", self.counts[1])
        return metrics.accuracy(groups["label"], groups["predicted"], groups["group"])

    @property
    def independent(self) -> tuple[float, float]:
        """The photos of `counts`; where some belong together as many as are independent of each other."""
        found = self.validation
        fewer = metrics.effective(found) / found.n if found.n else 1.0
        return self.counts[0] * fewer, self.counts[1] * fewer

    def _accuracy(self, column: str, photos: int) -> Accuracy:
        photos = 0 if self.history.empty else photos
        return metrics.share(round(self.best(column) * photos), photos)

    def predictions(self) -> pd.DataFrame:
        """The validation photos as the best epoch saw them: PREDICTION_COLUMNS. Empty before any."""
        return self.outputs(PREDICTION_COLUMNS, path=str, label=str, predicted=str, group=str)

    def _groups(self) -> pd.DataFrame | None:
        """The predictions where photos belong together, with the column group; else None, and no table is read."""
        file = self.folder / self.OUTPUTS
        if self.history.empty or not file.exists():
            return None
        with file.open(encoding="utf-8") as lines:
            return self.predictions() if "group" in lines.readline().strip().split(",") else None

    def keep_outputs(self, outputs: pd.DataFrame) -> None:
        """Write the columns with names (PREDICTION_COLUMNS, group), and apart those with class ids: probabilities."""
        own = [column for column in outputs if isinstance(column, str)]
        judged.keep_chances(self.folder / PROBABILITIES, outputs.drop(columns=own).to_numpy())
        super().keep_outputs(outputs[own])


@lru_cache(maxsize=1_000)
def _score(folder: Path, objective: Objective, written: int) -> Score | None:  # noqa: ARG001 - a run goes on
    predictions = pd.read_csv(folder / Run.OUTPUTS, dtype=str, keep_default_na=False)
    chances = judged.kept_chances(folder / PROBABILITIES)
    answers = judged.answers_of(objective, predictions, chances, objective.classes)
    return judged.measure(objective, answers) if answers else None


def run_store(workspace: Workspace) -> RunStore[Config, Run]:
    """The classifier's runs of a workspace."""
    none_yet = "has no training run yet: train first (notebook 03, or cvtune train)"
    return RunStore(Run, workspace.runs, lambda: present(workspace), none_yet, partial(_judge, workspace))


def _judge(workspace: Workspace, run: Run) -> dict[str, float]:
    """A run by what counts in the workspace today: NaN where that can't be told."""
    try:
        objective = objective_of(judged.chosen(workspace), run.classes)
    except InputError:  # a run of other classes: it is not compared
        return dict.fromkeys(("objective_value", "objective_low", "objective_high", "merit"), np.nan)
    score = run.score(objective)
    value, low, high = (score.value, score.low, score.high) if score else (np.nan,) * 3
    return {
        "objective_value": value,
        "objective_low": low,
        "objective_high": high,
        "merit": objective.merit(value),
    }


def new_run(
    workspace: Workspace,
    config: Config,
    photos: pd.DataFrame,
    counts: tuple[int, int],
    predicted_seconds: float,
    folder: Path | None = None,
    origin: str = "",
    beside: dict[str, Any] | None = None,
    extra: ExtraPhotos | None = None,
    seen: pd.DataFrame | None = None,
) -> Run:
    """Write a new run.

    Parameters
    ----------
    workspace, config
        Where, and with which parameters.
    photos
        Those it is trained and measured on (Workspace.photos).
    counts
        How many of them train and validation accuracy are measured on.
    predicted_seconds
        What it is expected to take.
    folder
        Its folder; by default a new one.
    origin
        Exactly which weights its backbone starts from.
    beside
        Run.beside.
    extra
        Photos that it is trained on besides.
    seen
        What others, whose weights or answers it learns from, have seen (runs.provenance.COLUMNS).
    """
    store = run_store(workspace)
    folder = folder or store.new_folder(config)
    if extra:
        extra.save(folder)
    listed = pd.concat([photos[COLUMNS], extra.as_trained()]) if extra else photos[COLUMNS]
    if seen is not None:
        more = seen.loc[~seen["sha256"].isin(listed["sha256"]), COLUMNS].drop_duplicates("sha256")
        listed = pd.concat([listed, more.assign(split=BEFORE)])
    return store.new(
        config,
        of_photos(photos),
        listed,
        folder,
        beside=(beside or {}) | ({BESIDE: extra.facts()} if extra else {}),
        counts=counts,
        predicted_seconds=predicted_seconds,
        train_photos=int((photos["split"] == "train").sum()),
        origin=origin,
        levels=workspace.levels,
        padding=padding_for(workspace, shown_in(config)),
    )


def load_run(workspace: Workspace, run: str) -> Run:
    """The run with this id, the "best" on validation, or the "last".

    The best is chosen among the runs that are comparable on today's photos (provenance). Raises InputError when there
    is none.
    """
    return run_store(workspace).load(run)


def best_run(workspace: Workspace) -> Run | None:
    """The best run on validation of those comparable on today's photos, or None; ties: the first."""
    return run_store(workspace).best()


def earlier_run(workspace: Workspace, config: Config, at_least: bool = False) -> Run | None:
    """A run of this config on today's photos and labels, or None (RunStore.earlier).

    Parameters
    ----------
    workspace, config
        Where to look, and the parameters.
    at_least
        A run of more epochs will do, too.
    """
    return run_store(workspace).earlier(config, at_least)


def run_with(workspace: Workspace, config: Config, extra: ExtraPhotos) -> Run | None:
    """A run of this config on today's photos and just these extra ones, the newest, or None.

    Parameters
    ----------
    workspace, config
        Where to look, and the parameters.
    extra
        What it is trained on besides.
    """
    data_id = present(workspace).id
    for run in map(partial(load_run, workspace), reversed(run_store(workspace).ids())):
        same = run.data_id == data_id and run.config == config
        if same and run.beside.get(BESIDE, {}).get("key") == extra.key:
            return run
    return None


def runs(workspace: Workspace) -> pd.DataFrame:
    """All runs, oldest first (RunStore.table), with their accuracies.

    Adds train_accuracy, validation_accuracy, and low and high, the interval of the latter; and by what counts in the
    workspace today objective_value, objective_low and objective_high, and merit, the value so that larger is better.
    All are NaN before the first epoch, and the latter of runs of earlier versions where they need probabilities.
    """
    return run_store(workspace).table()


ranked = Run.ranked


def untold(table: pd.DataFrame) -> str:
    """How many runs of `runs` can't be judged by what counts, in words; "" where all can."""
    known = Run.finished(table)
    missing = int(known["merit"].isna().sum())
    if not missing:
        return ""
    ranked = ", and so are ranked by accuracy" if missing == len(known) else ", and so are below all others"
    return f"{missing} {'run' if missing == 1 else 'runs'} {judged.NOT_KEPT}{ranked}"
