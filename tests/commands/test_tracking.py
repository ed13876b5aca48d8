"""`cvtune track`."""

import json

from cvtune_nb import cli
from cvtune_nb.tracking import TRACKERS
from cvtune_nb.tracking.trackers import Kind
from tests.calling import SMALL, refused


def test_runs_so_far_and_those_to_come(photos, workspace, capsys):
    train = ["train", "--data", str(photos), "--workspace", str(workspace), *SMALL]
    assert cli.main([*train, "--epochs", "1"]) == 0
    capsys.readouterr()
    assert cli.main(["track", str(workspace), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trackers"] == "none"
    assert cli.main(["track", str(workspace), "--with", "tensorboard", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["trackers"], told["runs"], told["failed"]) == ("tensorboard", 1, {})
    assert cli.main([*train, "--epochs", "2"]) == 0
    events = workspace / "tracking" / "tensorboard" / "runs"
    assert len([folder for folder in events.iterdir() if any(folder.glob("events*"))]) == 2


def test_a_tracker_that_can_not_be_written_to(photos, workspace, capsys, monkeypatch):
    train = ["train", "--data", str(photos), "--workspace", str(workspace), *SMALL, "--epochs", "0"]
    assert cli.main(train) == 0

    def make(folder):
        raise ConnectionError("no such server")

    monkeypatch.setitem(TRACKERS, "broken", Kind("broken", "a test's", "json", make))
    capsys.readouterr()
    assert cli.main(["track", str(workspace), "--with", "broken"]) == 2
    assert "broken could not be written to: no such server" in capsys.readouterr().out


def test_bad_input(photos, workspace, capsys):
    assert "is not a workspace yet" in refused(capsys, "track", workspace)
    assert cli.main(["train", "--data", str(photos), "--workspace", str(workspace), *SMALL, "--epochs", "0"]) == 0
    capsys.readouterr()
    assert "there is no tracker 'wandb'" in refused(capsys, "track", workspace, "--with", "wandb")
