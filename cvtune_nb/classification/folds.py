"""Fine-tuned runs in cross-validation: one for each fold, each measured on the fold that it was not trained on."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.classification import cost
from cvtune_nb.classification.cross_validation import FOLDS, folds_of
from cvtune_nb.classification.run import Run, earlier_run
from cvtune_nb.classification.train import fit
from cvtune_nb.data.groups import dependent, grouped_id
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent, write_json
from cvtune_nb.metrics import Accuracy
from cvtune_nb.objectives import USUAL, Objective
from cvtune_nb.parameters import Config
from cvtune_nb.runs.fitting import OnEpoch
from cvtune_nb.workspace import Workspace


@dataclass(frozen=True)
class FoldRuns:
    """The runs of all folds.

    Attributes
    ----------
    runs
        One a fold, in their order; the last may be unfinished.
    folds
        How many there should be.
    epoch
        The epoch that is best over all folds: the one to train a final network for. -1 before all have ended.
    accuracy
        Over all training and validation photos after that epoch, with its interval; None before all folds have ended.
    objective, value
        What the runs were trained for, by which `epoch` was chosen, and its mean over the folds' photos after that
        epoch; NaN before.
    """

    runs: Sequence[Run]
    folds: int
    epoch: int = -1
    accuracy: Accuracy | None = None
    objective: Objective | None = None
    value: float = math.nan

    @property
    def by_fold(self) -> pd.DataFrame:
        """fold,run,state,photos,accuracy,best_epoch: of each fold, at `epoch`, or at its own best epoch before."""
        rows = [
            (number, run.id, run.state, run.counts[1], _at(run, self.epoch), run.best_epoch)
            for number, run in enumerate(self.runs)
        ]
        return pd.DataFrame(rows, columns=["fold", "run", "state", "photos", "accuracy", "best_epoch"])

    @property
    def words(self) -> str:
        """What was learned."""
        if self.runs and self.runs[-1].state == "diverged":
            return (
                f"fold {len(self.runs)} of {self.folds} diverged: its loss is no number any more, so that no figure "
                "over all folds is told; choose a lower learning rate"
            )
        if self.accuracy is None:
            return f"{len(self.runs)} of {self.folds} folds begun: the same command again goes on"
        spread = self.by_fold["accuracy"]
        return (
            f"{self.folds} folds: {self.accuracy} after epoch {self.epoch}; single folds {spread.min():.1%} to "
            f"{spread.max():.1%}{self._by_objective}"
        )

    @property
    def _by_objective(self) -> str:
        if self.objective is None or self.objective.text == USUAL:
            return ""
        return f"; the epoch is the best by {self.objective.label}, {self.objective.in_words(self.value)}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON of `cvtune train --folds`."""
        found = self.accuracy
        return {
            "folds": self.folds,
            "epoch": self.epoch,
            "accuracy": found and found.value,
            "interval": found and found.interval,
            "photos": found.n if found else 0,
            "objective": self.objective.text if self.objective else None,
            "objective_value": None if math.isnan(self.value) else self.value,
            "by_fold": self.by_fold.to_dict("records"),
        }


def fold_views(workspace: Workspace, folds: int = FOLDS) -> list[Workspace]:
    """The workspace as each fold sees it: its photos are those of validation, all others but test those of training.

    Parameters
    ----------
    workspace
        Whose photos they are. Test photos stay what they are.
    folds
        How many.

    Raises
    ------
    InputError
        A class has too few photos for so many folds.
    """
    photos = workspace.photos()
    fold = folds_of(photos, folds, workspace.seed)
    views = []
    for number in range(folds):
        split = np.where(fold < 0, "test", np.where(fold == number, "validation", "train"))
        own = workspace.folder / "folds" / f"{number + 1}-of-{folds}"
        views.append(workspace.divided(dict(zip(photos["path"], split, strict=True)), own))
    return views


def expected_seconds(workspace: Workspace, config: Config, folds: int = FOLDS) -> float:
    """What `fit_folds` will still take.

    Parameters
    ----------
    workspace, config, folds
        As for `fit_folds`.
    """
    done = [earlier_run(view, config) for view in fold_views(workspace, folds)]
    left = sum(run is None or run.state != "done" for run in done)
    photos = workspace.photos()
    used = int((photos["split"] != "test").sum())
    share = used * (1 - 1 / folds) / max(1, int((photos["split"] == "train").sum()))
    return left * share * cost.predict_cost(workspace, config).seconds


def fit_folds(
    workspace: Workspace,
    config: Config,
    folds: int = FOLDS,
    on_epoch: OnEpoch[Run] | None = None,
    progress: Progress = silent,
) -> FoldRuns:
    """Train a run for each fold, or go on with those there are.

    Runs are kept in folds/ of the workspace, beside its other runs, which they are not compared with: their validation
    photos are others.

    Parameters
    ----------
    workspace, config
        The photos, and the parameters of each run.
    folds
        How many.
    on_epoch
        Called with the run after every epoch.
    progress
        Called with the progress over all folds. Stopped, raised in it, ends the run of a fold, and what follows.

    Raises
    ------
    InputError
        As `fold_views` and train.fit.
    """
    if config.parent:
        raise InputError(
            "this run goes on from another one, which has seen the photos of all folds: cross-validate that one, or "
            "leave out --parent"
        )
    runs: list[Run] = []
    for number, view in enumerate(fold_views(workspace, folds)):
        known = earlier_run(view, config)
        run = fit(view, config, known and known.id, on_epoch, _part(progress, number, folds))
        runs.append(run)
        if run.state != "done":
            return FoldRuns(runs, folds)
    found = together(workspace, runs, folds)
    plain = {"config": config.to_dict(), **found.to_dict(), "photos_id": grouped_id(workspace.photos())}
    key = sha256(json.dumps(config.to_dict(), sort_keys=True).encode()).hexdigest()[:12]
    write_json(workspace.folder / "folds" / f"{folds}-folds-{key}.json", plain)
    return found


def together(workspace: Workspace, runs: list[Run], folds: int) -> FoldRuns:
    """The epoch that is best over all folds by what the runs were trained for, and that and the accuracy then.

    Each fold's own best epoch would be chosen on the photos that it is judged by; one epoch for all hardly is.
    """
    counts = np.array([run.counts[1] for run in runs])
    epochs = sorted(set.intersection(*(set(run.history["epoch"]) for run in runs)))
    objective = runs[0].objective
    values = {epoch: np.average([_at(run, epoch, "objective") for run in runs], weights=counts) for epoch in epochs}
    best = max(epochs, key=lambda epoch: (objective.merit(values[epoch]), -epoch))
    said = pd.concat([run.predictions() for run in runs]).set_index("path")
    photos = workspace.photos().set_index("path").loc[said.index]
    groups = dependent(photos)
    judged = metrics.cross_validated(said["label"] == said["predicted"], folds, groups)
    value = float(np.average([_at(run, best) for run in runs], weights=counts))
    low, high = (min(1.0, max(0.0, end + value - judged.value)) for end in judged.interval)
    accuracy = Accuracy(value, low, high, judged.n, judged.groups)
    return FoldRuns(runs, folds, int(best), accuracy, objective, float(values[best]))


def _at(run: Run, epoch: int, column: str = "validation_accuracy") -> float:
    """A column of its history after an epoch; where there is none, after the best."""
    rows = run.history.set_index("epoch")[column]
    return float(rows[epoch]) if epoch in rows else run.best(column)


def _part(progress: Progress, number: int, folds: int) -> Callable[[float, str], None]:
    return partial(_report, progress, number, folds)


def _report(progress: Progress, number: int, folds: int, share: float, words: str) -> None:
    progress((number + share) / folds, f"fold {number + 1} of {folds}, {words}")
