"""Presets are data: each a list of steps that the workbook has."""

import json

from cvtune_nb import cli
from cvtune_nb.classification.combining.chooser import MOST_NETWORKS
from cvtune_nb.files import silent
from cvtune_nb.models.recipes import recommended
from cvtune_nb.pipeline import PRESETS, USUAL, Workbook
from cvtune_nb.pipeline.planner import EXPORT_SECONDS
from cvtune_nb.pipeline.presets import TRAINING


def test_their_steps_are_those_of_the_workbook_in_its_order():
    for preset in (USUAL, *PRESETS.values()):
        assert list(preset.steps) == [step for step in TRAINING if step in preset.steps]
        assert all(hasattr(Workbook, TRAINING[step]) for step in preset.steps)
    assert list(PRESETS) == ["quick", "good", "best"]


def noted(step, done):
    def do(self, *_):
        done.append(step)
        self.found["audit"] = {"state": "done"}

    return do


def test_a_preset_on_the_command_line(workspace, monkeypatch, capsys):
    done = []
    monkeypatch.setattr(Workbook, "announce", lambda _: done.append("announce"))
    for step in ("audit", "baseline", *TRAINING.values(), "export"):
        monkeypatch.setattr(Workbook, step, noted(step, done))
    place = ["--workspace", str(workspace.folder), "--json"]
    for preset, steps in (("quick", []), ("good", ["train"]), ("best", ["train", "climb", "search", "combine"])):
        done.clear()
        assert cli.main(["run", "--preset", preset, *place]) == 0
        assert done == ["announce", "audit", "baseline", *steps, "export"]
        assert json.loads(capsys.readouterr().out)["budget_seconds"] == PRESETS[preset].budget
    done.clear()
    assert cli.main(["run", *place]) == 0
    assert done == ["audit", "baseline", "train", "climb", "export"]
    assert json.loads(capsys.readouterr().out)["budget_seconds"] == USUAL.budget
    assert cli.main(["run", "--preset", "best", "--budget", "90s", *place]) == 0
    assert json.loads(capsys.readouterr().out)["budget_seconds"] == 90


def test_a_dry_run_trains_nothing(workspace, monkeypatch, capsys):
    monkeypatch.setattr(Workbook, "run", None)
    place = ["--workspace", str(workspace.folder), "--image-size", "64", "--epochs", "1"]
    assert cli.main(["run", "--dry-run", "--preset", "good", *place]) == 0
    said = capsys.readouterr().out
    assert "good: one network, fine-tuned" in said and "nothing was trained" in said
    assert not (workspace.folder / "runs").exists()


def test_the_export_of_a_combination_has_the_time_of_several(workspace, monkeypatch):
    monkeypatch.setattr(Workbook, "cost", lambda *_: (1.0, 2.0))
    config, kept = recommended("efficientnet_lite0"), {}
    for preset in ("good", "best"):
        book = Workbook(lambda _: config, 0.0, 600.0, silent, preset=PRESETS[preset])
        book.workspace = workspace
        kept[preset] = book.reserve(config)
    assert kept["good"] > EXPORT_SECONDS
    assert kept["best"] == MOST_NETWORKS * kept["good"]
