"""One program at a time climbs the ladder of a workspace, or sweeps round a config."""

from dataclasses import replace

import pytest

from cvtune_nb import cli
from cvtune_nb.classification import fit
from cvtune_nb.classification.baseline import last_baseline
from cvtune_nb.escalation import climb, escalate, parameter_sweep, ray_cluster, so_far, sweep
from cvtune_nb.escalation.ray_cluster import train_over_workers
from cvtune_nb.runs import lock
from cvtune_nb.runs.cost import Cost
from cvtune_nb.runs.store import locked
from tests.made_runs import CONFIG, made_run

RUNGS = [replace(CONFIG, head="random", epochs=1), replace(CONFIG, head="random", epochs=1, seed=1)]
BUSY = {"doing": "busy with it", "way_out": "wait"}


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """Everything fits the budget."""
    for module in (climb, parameter_sweep):
        monkeypatch.setattr(module, "predict_cost", lambda *_, **__: Cost(1.0, 1.0))


def test_a_second_climb_in_a_workspace_is_refused(workspace, capsys):
    with lock.holding(workspace.folder / climb.LOCK, **BUSY):
        with pytest.raises(lock.Held, match=rf"is climbing the ladder in {workspace.folder}: wait for it to end"):
            escalate(workspace, RUNGS, 100)
        assert cli.main(["escalate", "--workspace", str(workspace.folder), "--rungs", "1"]) == 2
        assert "is climbing the ladder in" in capsys.readouterr().err.splitlines()[-1]
        assert so_far(workspace, dict(enumerate(RUNGS, 1))).best == "", "to look is free"


def test_a_climb_holds_its_lock_until_it_has_ended(workspace, monkeypatch):
    held = []

    def train(*arguments, **named):
        held.append(lock.holder(workspace.folder / climb.LOCK))
        return fit(*arguments, **named)

    monkeypatch.setattr(climb, "fit", train)
    found = escalate(workspace, RUNGS[:1], 100)
    assert found.rungs["state"].tolist() == ["done"]
    assert held[0] is not None
    assert lock.holder(workspace.folder / climb.LOCK) is None


def test_a_rung_that_another_program_trains_is_skipped_with_the_reason(workspace):
    busy = made_run(workspace, 0.5, state="stopped", head="random", epochs=1)
    busy.checkpoint.unlink()  # its first epoch is not over
    with locked(busy.folder):
        found = escalate(workspace, RUNGS, 100)
    assert found.rungs["state"].tolist() == ["skipped", "done"]
    assert f"is training run {busy.id}: wait" in found.rungs["note"].iloc[0]
    assert escalate(workspace, RUNGS[:1], 100).rungs["run"].tolist() == [busy.id], "later it is gone on with"


def test_a_second_sweep_round_the_same_config_is_refused_and_another_is_not(workspace, monkeypatch):
    journal = parameter_sweep.journal_of(workspace, RUNGS[0])
    with lock.holding(journal.with_suffix(".lock"), **BUSY):
        with pytest.raises(lock.Held, match=r"is sweeping round test_efficientnet:random at 64 pixels in .*: wait"):
            sweep(workspace, RUNGS[0], trials=1)
        assert sweep(workspace, RUNGS[1], trials=1).best


def test_a_trial_whose_run_another_program_trains_ends_the_sweep_and_is_asked_for_again(workspace):
    first = parameter_sweep.centre(RUNGS[0])
    busy = made_run(workspace, 0.5, state="stopped", head="random", epochs=1, **first)
    busy.checkpoint.unlink()  # its first epoch is not over
    with locked(busy.folder), pytest.raises(lock.Held, match=f"is training run {busy.id}"):
        sweep(workspace, RUNGS[0], trials=1)
    assert sweep(workspace, RUNGS[0], trials=1).best == busy.id


def test_a_run_that_is_being_trained_is_no_finished_trial(workspace):
    busy = made_run(workspace, 0.5, state="stopped")
    assert not ray_cluster.is_over(busy)
    with locked(busy.folder):
        live = ray_cluster.load_run(workspace, busy.id)
        assert live.state == "training" and not ray_cluster.is_over(live)
        with pytest.raises(lock.Held, match=f"is training run {busy.id}"):
            train_over_workers(workspace, busy.config, 2)


def test_a_baseline_of_earlier_data_is_no_measure_for_rungs(workspace):
    assert last_baseline(workspace)["validation_accuracy"] > 0.5
    busy = climb.Climb(workspace, [], [], 0.0, lambda _: None, lambda *_: None)
    assert busy.best() > 0.5
    photos = workspace.photos()
    workspace.decide(photos.loc[photos["split"] == "validation", "path"].iloc[0], "exclude")
    assert busy.best() == 0.0
