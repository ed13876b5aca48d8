"""Training on a Ray cluster of two nodes, both on this machine."""

import os
import shutil
import signal
import sys
import time
from dataclasses import replace
from unittest import mock

import pytest
import torch

from cvtune_nb.classification import fit, load_run, runs
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.escalation import ray_cluster
from cvtune_nb.escalation.ray_cluster import Trial, train_over_workers, train_trials
from cvtune_nb.files import append_json_lines, read_json_lines, silent
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace

CONFIG = Config("test_efficientnet:random", image_size=64, epochs=3, batch_size=16, learning_rate=0.01)
OTHER = replace(CONFIG, learning_rate=0.02)
TOO_LARGE = replace(CONFIG, image_size=992)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")  # of its own settings


@pytest.fixture(scope="module")
def nodes():
    """Two nodes of one core each, found as a person's would be: by RAY_ADDRESS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
        made = Cluster(initialize_head=True, head_node_args=node)
        made.add_node(**node)
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def threads():
    """Sums are rounded as they are added up: one thread here, as a trial has on a node of one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def unbroken(opened, threads, tmp_path_factory):
    """The histories of CONFIG and OTHER, trained here without interruption."""
    workspace = copied(opened, tmp_path_factory)
    return [learned(fit(workspace, config)) for config in (CONFIG, OTHER)]


def copied(opened, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster") / "workspace"
    shutil.copytree(opened.folder, folder)
    return Workspace(folder)


def learned(run):
    return run.history.drop(columns="seconds").to_dict("records")


def watched(function, folder):
    """A worker's function: each epoch it keeps is written down in the journal of `folder`, and it is killed once, in
    the middle of the second epoch, where `folder` has a file called after its learning rate. It takes its time."""

    def work(job):
        from cvtune_nb.classification import train
        from cvtune_nb.runs import checkpoint

        save, step, steps = checkpoint.save, train.step, []

        def write_down(run, *rest):
            save(run, *rest)
            row = {"run": run.id, "epoch": int(run.history["epoch"].iloc[-1]), "pid": os.getpid()}
            append_json_lines(folder / "journal.jsonl", row)

        def slowly(network, optimizer, squares, labels, config, *rest):
            time.sleep(0.25)
            steps.append(config)
            if len(steps) == 6 and (folder / str(config.learning_rate)).exists():
                (folder / str(config.learning_rate)).unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            return step(network, optimizer, squares, labels, config, *rest)

        with mock.patch.object(checkpoint, "save", write_down), mock.patch.object(train, "step", slowly):
            getattr(ray_cluster, function)(job)

    return work


@pytest.fixture(scope="module")
def done(nodes, opened, tmp_path_factory):
    """(workspace, trials, journal, what was told): three configs, one of them twice and one impossible, trained on
    the cluster; the first one's worker was killed."""
    workspace, folder, told = copied(opened, tmp_path_factory), tmp_path_factory.mktemp("journal"), []
    (folder / str(CONFIG.learning_rate)).touch()
    with mock.patch.object(ray_cluster, "run_trial", watched("run_trial", folder)):
        trials = train_trials(
            workspace,
            [CONFIG, OTHER, TOO_LARGE, CONFIG],
            on_epoch=lambda run: told.append((run.id, len(run.history))),
            progress=lambda share, words: told.append((share, words)),
        )
    assert not (folder / str(CONFIG.learning_rate)).exists(), "nothing was killed"
    return workspace, trials, read_json_lines(folder / "journal.jsonl"), told


def test_a_trial_learns_what_a_run_here_learns_even_when_its_worker_is_killed(done, unbroken):
    _, trials, _, _ = done
    assert [trial.run.state for trial in trials[:2]] == ["done", "done"]
    assert [learned(trial.run) for trial in trials[:2]] == unbroken


def test_a_killed_worker_costs_no_epoch_but_the_one_it_was_in(done):
    _, trials, journal, _ = done
    for trial, workers in zip(trials[:2], (2, 1), strict=True):
        own = [row for row in journal if row["run"] == trial.run.id]
        assert [row["epoch"] for row in own] == [0, 1, 2, 3]
        assert len({row["pid"] for row in own}) == workers


def test_bad_input_ends_only_the_trial_that_has_it(done):
    _, trials, _, _ = done
    assert trials[2].run is None
    assert trials[2].note.startswith("image_size 992 is beyond the photos")


def test_equal_configs_are_one_trial_and_none_is_run_twice(done):
    workspace, trials, _, _ = done
    assert trials[3].run.id == trials[0].run.id
    assert len(runs(workspace)) == 2
    again = train_trials(workspace, [CONFIG, OTHER], on_epoch=pytest.fail)
    assert [trial.run.id for trial in again] == [trial.run.id for trial in trials[:2]]
    assert train_over_workers(workspace, OTHER, 2).id == trials[1].run.id


def test_what_is_told_on_the_way(done):
    workspace, trials, _, told = done
    assert {(trial.run.id, 4) for trial in trials[:2]} <= set(told)
    shares = [share for share, _ in told if isinstance(share, float)]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert told[-1] == (1.0, "3 of 3 trials, 6 epochs")
    assert not list((workspace.cache / "ray").iterdir()), "Ray's own files are gone"


def test_stopped_trials_keep_their_epochs_and_go_on(nodes, workspace, threads, unbroken, tmp_path):
    def press_ctrl_c(share, words):
        if share > 0:
            raise KeyboardInterrupt

    with mock.patch.object(ray_cluster, "run_trial", watched("run_trial", tmp_path)), pytest.raises(Stopped):
        train_trials(workspace, [CONFIG, OTHER], progress=press_ctrl_c)
    known = runs(workspace)
    assert set(known["state"]) == {"stopped"}
    kept = [learned(load_run(workspace, run)) for run in known["run"]]
    assert 1 < max(len(history) for history in kept) < 4
    assert learned(fit(workspace, run=known["run"][0])) in unbroken


def test_a_run_over_two_workers_survives_that_one_is_killed_and_stops(nodes, workspace, tmp_path):
    def stop(share, words):
        if share > 0.5:
            raise Stopped

    (tmp_path / str(CONFIG.learning_rate)).touch()
    told = []
    with mock.patch.object(ray_cluster, "run_member", watched("run_member", tmp_path)):
        run = train_over_workers(workspace, CONFIG, 2, stop, on_epoch=lambda run: told.append(len(run.history)))
    assert not (tmp_path / str(CONFIG.learning_rate)).exists(), "nothing was killed"
    assert (run.state, run.history["epoch"].tolist()) == ("stopped", [0, 1, 2])
    assert told == sorted(set(told)) and told[-1] == 3
    journal = read_json_lines(tmp_path / "journal.jsonl")
    assert [row["epoch"] for row in journal] == [0, 1, 2]
    assert len({row["pid"] for row in journal}) == 2
    assert fit(workspace, run=run.id).history["epoch"].tolist() == [0, 1, 2, 3]
    assert len(runs(workspace)) == 1


def test_what_can_not_be_asked_for(nodes, workspace, monkeypatch):
    with pytest.raises(InputError, match=r"2 cpus a trial are more than a node .* choose at most 1"):
        train_trials(workspace, [CONFIG], cpus=2)
    with pytest.raises(InputError, match="room for 1 to 2 workers, not 3"):
        train_over_workers(workspace, CONFIG, 3)
    with monkeypatch.context() as patch, pytest.raises(InputError, match="image_size 992 is beyond the photos"):
        patch.setattr(ray_cluster, "connected", lambda: pytest.fail("workers would be started first"))
        train_over_workers(workspace, TOO_LARGE, 2)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="needs Ray: pip install"):
        train_trials(workspace, [CONFIG])


@pytest.fixture
def follow(workspace):
    """cluster.follow_workers, with work that goes on until it is told to end."""
    with ray_cluster.channel(workspace) as folder:

        def work():
            while (folder / "go").exists():
                time.sleep(0.01)
            return "ended"

        def call(progress=silent, deadline=float("inf")):
            return ray_cluster.follow_workers(work, workspace, folder, [Trial(CONFIG, None)], None, progress, deadline)

        yield call


def test_the_deadline_ends_the_work_without_an_error(follow):
    assert follow(deadline=time.monotonic() + 0.5) == "ended"


def test_stop_ends_the_work_before_it_is_raised(follow):
    def stop(share, words):
        raise Stopped

    with pytest.raises(Stopped):
        follow(stop)
    assert follow() == "ended"
