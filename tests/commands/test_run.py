"""`cvtune run`, and `cvtune predict` with what it exported."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from cvtune_nb import cli, pipeline
from cvtune_nb.data import open_workspace
from cvtune_nb.parameters import Config
from tests.calling import SMALL, called, without_packages


@pytest.fixture(scope="module")
def whole(photo_folder, tmp_path_factory):
    """`cvtune run` once: its workspace and what it printed."""
    made = tmp_path_factory.mktemp("whole") / "workspace"
    higher = [Config("test_resnet:random", image_size=96, epochs=3, batch_size=16)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.Workbook, "higher_rungs", lambda _: higher)
        patch.setattr(sys, "stdout", io.StringIO())
        status = cli.main(
            [
                "run",
                "--data",
                str(photo_folder),
                "--workspace",
                str(made),
                *SMALL,
                "--epochs",
                "1",
                "--budget",
                "10m",
                "--json",
            ]
        )
        found = json.loads(sys.stdout.getvalue())
    assert status == 0
    return made, found


def test_run_does_every_step_and_exports_the_best(whole):
    folder, found = whole
    assert [found[step]["state"] for step in ("audit", "baseline", "train", "escalate", "export")] == ["done"] * 5
    assert [row["image_size"] for row in found["escalate"]["rungs"]] == [64, 96]
    assert found["train"]["run"] == found["escalate"]["rungs"][0]["run"], "training was rung 1: not done twice"
    best = max(found["escalate"]["rungs"], key=lambda row: row["validation_accuracy"])["validation_accuracy"]
    assert found["export"]["validation_accuracy"] == best
    assert found["seconds"] < found["budget_seconds"]
    assert Path(found["export"]["folder"]).parent == folder / "exports"


def test_predict_reproduces_the_reported_test_accuracy(whole, capsys):
    folder, found = whole
    space = open_workspace("", folder)
    rows = space.photos().query("split == 'test'")
    paths = [space.path_of(path) for path in rows["path"]]
    status, answers, _ = called(capsys, "predict", found["export"]["folder"], *paths)
    assert status == 0
    right = [row["label"] == label for row, label in zip(answers["predictions"], rows["label"], strict=True)]
    assert np.mean(right) == found["export"]["test_accuracy"]


def test_predict_needs_neither_torch_nor_pandas(whole, photo_folder):
    photo = photo_folder / "circle" / "circle-000.jpg"
    done = without_packages("predict", whole[1]["export"]["folder"], photo, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predictions"][0]["label"] in ("circle", "square", "stripes")


def test_other_commands_say_what_to_install():
    done = without_packages("baseline")
    assert done.returncode == 2
    assert "`pip install cvtune-nb`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_predict_takes_folders_and_goes_on_after_a_broken_photo(whole, photo_folder, capsys, tmp_path):
    _, found = whole
    photo = photo_folder / "circle" / "circle-000.jpg"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "good.jpg").write_bytes(photo.read_bytes())
    (tmp_path / "broken.png").write_text("<html>")
    (tmp_path / "notes.txt").write_text("no photo, not asked about")
    status, answers, _ = called(capsys, "predict", found["export"]["folder"], tmp_path)
    assert status == 0
    broken, good = answers["predictions"]
    assert broken["error"] == "not a photo: a web page"
    assert good["label"] in ("circle", "square", "stripes")
    assert cli.main(["predict", found["export"]["folder"], str(tmp_path)]) == 0
    assert f"{good['probability']:.1%}" in capsys.readouterr().out


def test_a_second_run_uses_what_is_there(whole, capsys, monkeypatch):
    folder, found = whole
    monkeypatch.setattr(pipeline.Workbook, "higher_rungs", lambda _: [])
    status, again, _ = called(capsys, "run", "--workspace", folder, *SMALL, "--epochs", 1, "--budget", "10m")
    assert status == 0
    assert again["baseline"]["cached"] is True
    assert again["train"]["run"] == found["train"]["run"]
    assert again["train"]["history"] == found["train"]["history"]
    assert again["export"]["folder"] != found["export"]["folder"]
    assert again["export"]["test_openings"] == found["export"]["test_openings"] + 1


def test_epochs_are_cut_to_the_budget_and_it_says_so(photo_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pipeline.Workbook, "cost", lambda *_: (0.0, 120.0))  # seconds to start, seconds an epoch
    monkeypatch.setattr(pipeline.Workbook, "higher_rungs", lambda _: [])
    for step in ("audit", "export"):
        done = {step: {"state": "done"}}
        monkeypatch.setattr(pipeline.Workbook, step, lambda self, *_, done=done: self.found.update(done))
    status, found, _ = called(
        capsys, "run", "--data", photo_folder, "--workspace", tmp_path / "w", *SMALL, "--epochs", 5, "--budget", "10m"
    )
    assert status == 0
    # 10 minutes less a minute for the export and half of a quarter epoch for the test photos; 85% of that is planned
    assert found["train"]["config"]["epochs"] == int((600 - 60 - 120 / 2 * 12 / 48) * 0.85 / 120) == 3
    assert any("3 of 5 epochs" in note for note in found["notes"])


def test_a_budget_that_is_far_too_small_ends_with_3_and_keeps_the_work(photo_folder, tmp_path, capsys):
    call = ["run", "--data", photo_folder, "--workspace", tmp_path / "w", *SMALL, "--budget"]
    status, found, err = called(capsys, *call, "0.001s")
    assert status == 3
    assert found["state"] == "stopped"
    assert found["notes"]
    assert "Traceback" not in err


@pytest.mark.parametrize("epochs", [0, 1, 2, 3, 7])
def test_a_shortened_schedule_keeps_its_shape(epochs):
    config = Config("resnet18", schedule="[0.05]*7 + [0.005]*7 + [0.0005]")
    shorter = pipeline.shortened(config, epochs)
    assert shorter.epochs == epochs
    assert all(rate in config.rates for rate in shorter.rates)
    assert shorter.rates == sorted(shorter.rates, reverse=True)
