"""When trackers are written to, and that they never cost a run anything."""

import json

import pytest

from cvtune_nb import tracking
from cvtune_nb.classification import fit, load_run
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.tracking import choice as module
from cvtune_nb.tracking.trackers import TRACKERS, Kind


class Remembers:
    """A tracker that remembers what it was told."""

    told, fails = [], False

    def __init__(self, folder):
        self.folder = folder

    def write(self, run, epochs, note):
        if Remembers.fails:
            raise ConnectionError("no such server")
        Remembers.told.append((run.id, list(epochs["epoch"]), run.state, dict(note)))

    def add_files(self, run, folder, _):
        Remembers.told.append((run.id, folder.name))


@pytest.fixture(autouse=True)
def remembers(monkeypatch):
    """Its row, and nothing told yet."""
    monkeypatch.setitem(TRACKERS, "remembers", Kind("remembers", "a test's", "json", Remembers))
    monkeypatch.setattr(Remembers, "told", [])
    return Remembers


def test_nothing_is_written_unless_it_was_asked_for(workspace, config, remembers):
    assert tracking.chosen(workspace) == "none"
    run = fit(workspace, config)
    assert not remembers.told and not (run.folder / module.NOTES).exists()


def test_every_epoch_once_and_the_end(workspace, config, remembers):
    tracking.choose(workspace, "remembers")
    run = fit(workspace, config)
    assert [(epochs, state) for _, epochs, state, _ in remembers.told] == [
        ([0], "training"),
        ([1], "training"),
        ([2], "training"),
        ([], "done"),
    ]
    assert {told[0] for told in remembers.told} == {run.id}
    assert json.loads((run.folder / module.NOTES).read_text())["remembers"]["epoch"] == 2


def test_what_a_run_learned_before_and_its_exports_follow(workspace, config, remembers):
    run = fit(workspace, config)
    for name, of in (("mine", run.id), ("another", "002-another")):
        (workspace.exports / name).mkdir(parents=True)
        (workspace.exports / name / "config.json").write_text(json.dumps({"run": of}))
    tracking.choose(workspace, "remembers")
    for _ in range(2):
        tracking.following(workspace).write(run)
    assert [told[1] for told in remembers.told] == [[0, 1, 2], "mine", []]


def test_a_run_that_was_stopped_goes_on_in_the_tracker(workspace, config, remembers):
    tracking.choose(workspace, "remembers")

    def stop(run):
        if len(run.history) == 2:
            raise Stopped

    fit(workspace, config, on_epoch=stop)
    fit(workspace, run="001-test_efficientnet-random-64")
    assert [told[1:3] for told in remembers.told] == [
        ([0], "training"),
        ([1], "training"),
        ([], "stopped"),
        ([2], "training"),
        ([], "done"),
    ]


def test_a_tracker_that_fails_is_warned_of_once_and_gets_it_later(workspace, config, remembers, monkeypatch):
    tracking.choose(workspace, "remembers")
    with monkeypatch.context() as patch:
        patch.setattr(Remembers, "fails", True)
        with pytest.warns(UserWarning, match=r"remembers could not be written to \(no such server\)") as warned:
            run = fit(workspace, config)
    assert run.state == "done" and len(run.history) == 3
    assert len([each for each in warned if "remembers" in str(each.message)]) == 1
    tracking.following(workspace).write(load_run(workspace, "last"))
    assert [told[1] for told in remembers.told] == [[0, 1, 2]]


def test_trackers_that_there_are_not(workspace, monkeypatch):
    with pytest.raises(InputError, match=r"there is no tracker 'wandb': give none, .*, or several as "):
        tracking.choose(workspace, "wandb")
    monkeypatch.setitem(TRACKERS, "missing", Kind("missing", "", "a_module_that_is_not_there", Remembers))
    with pytest.raises(InputError, match=r"missing is not installed: pip install 'cvtune-nb\[missing\]'"):
        tracking.choose(workspace, "missing+tensorboard")
    assert tracking.chosen(workspace) == "none"
    (workspace.folder / "tracking.json").write_text('{"trackers": "missing"}')
    with pytest.raises(InputError, match="or track nothing: cvtune track DIR --with none"):
        tracking.following(workspace)


def test_trackers_are_chosen_in_any_order_and_taken_back(workspace):
    tracking.choose(workspace, "tensorboard+mlflow")
    assert tracking.chosen(workspace) == "mlflow+tensorboard"
    tracking.choose(workspace, "none")
    assert tracking.chosen(workspace) == "none" and not tracking.following(workspace).names
