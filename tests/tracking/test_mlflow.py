"""What MLflow itself reads of a run."""

import json
import os
from dataclasses import replace

import pandas as pd
import pytest

from cvtune_nb import tracking
from cvtune_nb.classification import export_run, fit
from cvtune_nb.errors import Stopped


@pytest.fixture
def client(workspace, monkeypatch):
    """Of the database in the workspace."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking.choose(workspace, "mlflow")
    from mlflow.tracking import MlflowClient

    return lambda: MlflowClient(tracking_uri=f"sqlite:///{workspace.folder / 'tracking' / 'mlflow' / 'mlflow.db'}")


def the_run(client, workspace):
    """Of the one experiment."""
    (found,) = client.search_runs([client.get_experiment_by_name(workspace.folder.name).experiment_id])
    return found


def test_mlflow_reads_parameters_epochs_and_the_export(workspace, config, client):
    run = fit(workspace, config)
    made = export_run(workspace, run.id, variants=())
    read = client()
    found = the_run(read, workspace)
    assert found.info.run_name == run.id and found.info.status == "FINISHED"
    assert found.data.params == {name: str(value) for name, value in run.config.to_dict().items()}
    seen = [(one.step, one.value) for one in read.get_metric_history(found.info.run_id, "validation_accuracy")]
    assert seen == [tuple(row) for row in run.history[["epoch", "validation_accuracy"]].to_numpy()]
    best = run.history.set_index("epoch").at[run.best_epoch, "validation_accuracy"]
    assert found.data.metrics["best_validation_accuracy"] == best
    kept = {file.path for file in read.list_artifacts(found.info.run_id, made.folder.name)}
    assert {f"{made.folder.name}/{name}" for name in ("model.onnx", "README.md", "curves.svg", "config.json")} <= kept


def test_a_run_that_is_resumed_goes_on_as_the_same(workspace, config, client):
    def stop(run):
        if len(run.history) == 2:
            raise Stopped

    run = fit(workspace, config, on_epoch=stop)
    assert the_run(client(), workspace).info.status == "KILLED"
    fit(workspace, run=run.id)
    read = client()
    found = the_run(read, workspace)
    assert found.info.status == "FINISHED"
    assert [one.step for one in read.get_metric_history(found.info.run_id, "validation_accuracy")] == [0, 1, 2]


def test_a_run_of_many_epochs_is_written_in_requests_that_a_server_takes(workspace, config, client, monkeypatch):
    run = fit(workspace, replace(config, epochs=1))
    (run.folder / "tracked.json").unlink()
    history = pd.concat([run.history.iloc[[1]]] * 300, ignore_index=True).assign(epoch=range(300))
    from mlflow.tracking import MlflowClient

    write, sizes = MlflowClient.log_batch, []

    def log_batch(self, known, metrics=(), **more):
        sizes.append(len(metrics))
        return write(self, known, metrics=metrics, **more)

    monkeypatch.setattr(MlflowClient, "log_batch", log_batch)
    tracking.following(workspace).write(replace(run, history=history))
    assert max(sizes) == 1000, "what MLflow's server takes at most; a database takes more"
    known = json.loads((run.folder / "tracked.json").read_text())["mlflow"]["run"]
    assert len(client().get_metric_history(known, "seconds")) == 300


def test_a_server_that_does_not_answer_costs_seconds_and_no_run(workspace, config, client, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.warns(UserWarning, match="mlflow could not be written to"):
        run = fit(workspace, config)
    assert run.state == "done"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    tracking.following(workspace).write(run)
    assert the_run(client(), workspace).info.status == "FINISHED"


def test_nothing_is_reported_to_its_maker(workspace, client):
    assert client() and os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
