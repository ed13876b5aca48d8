"""Runs for MLflow: in the server that $MLFLOW_TRACKING_URI names, else in a database in the workspace."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from cvtune_nb import __version__
from cvtune_nb.quiet import quiet
from cvtune_nb.runs.store import TRAINING, StoredRun
from cvtune_nb.tracking.trackers import best_of, has_ended, measures

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would report to its maker what it is used for
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # 7 would hold up every epoch for minutes
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")  # seconds

STATUS = {"done": "FINISHED", "stopped": "KILLED", "beaten": "KILLED", "diverged": "FAILED"}
"""What MLflow calls the end of a run."""
AT_ONCE = 1000
"""Metrics that MLflow takes in one request."""

unheard = quiet("mlflow", "alembic")


class MLflow:
    """An experiment with the workspace's name, in it a run for each of ours."""

    @unheard
    def __init__(self, workspace: Path):
        from mlflow.tracking import MlflowClient

        self.workspace, own = workspace, workspace / "tracking" / "mlflow"
        address = os.environ.get("MLFLOW_TRACKING_URI", "")
        self.place = None if address else (own / "artifacts").as_uri()
        if not address:
            own.mkdir(parents=True, exist_ok=True)
            address = f"sqlite:///{own / 'mlflow.db'}"
        self.client = MlflowClient(tracking_uri=address)

    @unheard
    def write(self, run: StoredRun, epochs: pd.DataFrame, note: dict[str, Any]) -> None:
        """As in Tracker."""
        from mlflow.entities import Metric, Param

        known, milliseconds = note.get("run"), int(1000 * run.folder.stat().st_mtime)
        if known is None:
            tags = {"cvtune": __version__, "data": run.data_id, "folder": str(run.folder)}
            known = self.client.create_run(self._experiment(), run_name=run.id, tags=tags).info.run_id
            note["run"] = known
        if "state" not in note:
            parameters = [Param(name, str(value)) for name, value in run.config.to_dict().items()]
            self.client.log_batch(known, params=parameters)
        values = [
            Metric(name, value, milliseconds, int(row["epoch"]))
            for _, row in epochs.iterrows()
            for name, value in measures(row).items()
        ]
        ends = has_ended(run, note)
        if ends:
            values += [Metric(name, value, milliseconds, run.best_epoch) for name, value in best_of(run).items()]
        for start in range(0, len(values), AT_ONCE):
            self.client.log_batch(known, metrics=values[start : start + AT_ONCE])
        if ends:
            self.client.set_terminated(known, STATUS[run.state])
        elif run.state == TRAINING and note.get("state") in STATUS:  # it was resumed
            self.client.update_run(known, status="RUNNING")

    @unheard
    def add_files(self, run: StoredRun, folder: Path, note: dict[str, Any]) -> None:  # noqa: ARG002 - Tracker's
        """The whole export, with the model card and its pictures, as an artifact."""
        self.client.log_artifacts(note["run"], str(folder), folder.name)

    def _experiment(self) -> str:
        name = self.workspace.name
        known = self.client.get_experiment_by_name(name)
        return known.experiment_id if known else self.client.create_experiment(name, self.place)
