"""The trackers, one row each in TRACKERS."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from cvtune_nb.errors import InputError
from cvtune_nb.runs.store import StoredRun

NONE = "none"
"""In place of trackers: runs are kept in the workspace alone."""
ENDED = ("done", "stopped", "beaten", "diverged")
"""States of a run that nobody trains."""


class Tracker(Protocol):
    """What writes runs into a tracker. `note` is what it wants to find again the next time, kept with the run."""

    def write(self, run: StoredRun, epochs: pd.DataFrame, note: dict[str, Any]) -> None:
        """Write a run's parameters, if it is new, these epochs of its history, and how it has ended, if it has."""
        ...

    def add_files(self, run: StoredRun, folder: Path, note: dict[str, Any]) -> None:
        """Add an export of the run."""
        ...


@dataclass(frozen=True)
class Kind:
    """One tracker that a workspace can choose.

    Attributes
    ----------
    name, meaning
        As in `cvtune track`.
    needs
        The module that it can't do without; `pip install 'cvtune-nb[<name>]'` brings it.
    make
        The tracker of a workspace's folder.
    """

    name: str
    meaning: str
    needs: str
    make: Callable[[Path], Tracker]


def _tensorboard(folder: Path) -> Tracker:
    from cvtune_nb.tracking.tensorboard import TensorBoard

    return TensorBoard(folder)


def _mlflow(folder: Path) -> Tracker:
    from cvtune_nb.tracking.mlflow import MLflow

    return MLflow(folder)


TRACKERS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("tensorboard", "event files in the workspace", "tensorboard", _tensorboard),
        Kind("mlflow", "the server in $MLFLOW_TRACKING_URI, or a database in the workspace", "mlflow", _mlflow),
    )
}
"""By name."""


def trackers_of(text: str) -> list[str]:
    """The names in "mlflow" or "tensorboard+mlflow"; none for "none".

    Raises InputError for a name that is not in TRACKERS, and where its package is missing.
    """
    names = [] if text == NONE else sorted(set(text.split("+")))
    for name in names:
        if name not in TRACKERS:
            raise InputError(
                f"there is no tracker {name!r}: give {NONE}, {', '.join(TRACKERS)}, or several as {'+'.join(TRACKERS)}"
            )
        if importlib.util.find_spec(TRACKERS[name].needs) is None:
            raise InputError(f"{name} is not installed: pip install 'cvtune-nb[{name}]'")
    return names


def measures(row: pd.Series) -> dict[str, float]:
    """The numbers of an epoch by name, without those that it lacks."""
    numbers = pd.to_numeric(row.drop("epoch"), errors="coerce").dropna()
    return {str(name): float(value) for name, value in numbers.items()}


def best_of(run: StoredRun) -> dict[str, float]:
    """The measures of a run's best epoch."""
    return {f"best_{name}": value for name, value in run.measures().items() if pd.notna(value)}


def has_ended(run: StoredRun, note: dict[str, Any]) -> bool:
    """Whether the run has ended since the note was written; it may be resumed."""
    return run.state in ENDED and run.state != note.get("state")
