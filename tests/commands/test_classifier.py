"""`cvtune sample, audit, baseline, train, escalate` as a person or a program meets them."""

import pandas as pd
import pytest

from cvtune_nb import classification, cli, escalation
from cvtune_nb.commands.classifier import budget_seconds
from cvtune_nb.errors import InputError
from cvtune_nb.models.recipes import recommended
from cvtune_nb.parameters import Config
from tests.calling import SMALL, called


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), ("1h30m", 5400), (" 2M ", 120)]
)
def test_budget(text, seconds):
    assert budget_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "20", "m", "20 minutes", "-5m", "0s", "1e3s", "nan", "99999h"])
def test_a_budget_that_is_no_time(text):
    with pytest.raises(InputError, match="such as 90s, 20m or"):
        budget_seconds(text)


def test_what_a_library_prints_stays_out_of_the_json(folder, capsys, monkeypatch):
    original = classification.predict_cost
    monkeypatch.setattr(classification, "predict_cost", lambda *rest: print("chatter") or original(*rest))
    status, found, err = called(capsys, "train", "--workspace", folder, *SMALL, "--epochs", 1)
    assert status == 0
    assert found["state"] == "done"
    assert "chatter" in err


def test_sample(tmp_path, capsys):
    status, found, _ = called(capsys, "sample", tmp_path / "digits", "--kind", "digits")
    assert status == 0
    assert found["images"] == len([*(tmp_path / "digits").glob("*/*")]) == 1797
    assert len(found["classes"]) == 10
    assert "planted" in found


def test_baseline_is_cached_and_its_test_set_locked(folder, capsys):
    status, found, _ = called(capsys, "baseline", "--workspace", folder, *SMALL)
    assert status == 0
    assert found["cached"] is True
    assert "test_accuracy" not in found
    low, high = found["interval"]
    assert 0 <= low <= found["validation_accuracy"] <= high <= 1
    assert found["images_per_second"] > 0
    openings = folder / "test_openings.jsonl"
    before = openings.read_text() if openings.exists() else ""
    _, found, _ = called(capsys, "baseline", "--workspace", folder, *SMALL, "--open-test", "--C", 1)
    assert 0 <= found["test_accuracy"] <= 1
    assert len(openings.read_text().splitlines()) == len(before.splitlines()) + 1


def test_baseline_in_folds_judges_all_photos_but_those_of_test(folder, capsys):
    status, found, _ = called(capsys, "baseline", "--workspace", folder, *SMALL, "--folds", 3, "--C", 1)
    assert status == 0
    crossed = found["cross_validated"]
    counts = pd.read_csv(folder / "manifest.csv")["split"].value_counts()
    assert crossed["photos"] == counts["train"] + counts["validation"]
    assert [row["fold"] for row in crossed["by_fold"]] == [0, 1, 2]
    low, high = crossed["interval"]
    assert low <= crossed["accuracy"] <= high
    assert (folder / "folds.json").exists()
    status, _, err = called(capsys, "baseline", "--workspace", folder, *SMALL, "--folds", 1)
    assert status == 2
    assert "choose a whole number from 2 to 20" in err


def test_train_in_folds(folder, capsys):
    call = ["train", "--workspace", folder, *SMALL, "--epochs", 1, "--folds", 2]
    status, found, err = called(capsys, *call)
    assert status == 0
    assert "2 folds: about" in err, "the cost is said before"
    crossed = found["cross_validated"]
    assert [row["state"] for row in crossed["by_fold"]] == ["done", "done"]
    assert crossed["interval"][0] <= crossed["accuracy"] <= crossed["interval"][1]
    _, again, _ = called(capsys, *call)
    assert again["cross_validated"] == crossed


def test_train_goes_on_from_another_run(folder, capsys):
    call = ["train", "--workspace", folder, *SMALL, "--epochs", 1]
    _, first, _ = called(capsys, *call)
    call = ["train", "--workspace", folder, *SMALL, "--epochs", 1, "--learning-rate", 1e-5, "--parent", first["run"]]
    status, found, _ = called(capsys, *call)
    assert status == 0
    assert found["run"].endswith(f"-from-{first['run'][:3]}")
    assert found["config"]["parent"].startswith(f"{first['run']}@sha256:")
    assert found["history"][0]["validation_accuracy"] == first["validation_accuracy"]
    _, again, err = called(capsys, *call)
    assert again["run"] == found["run"] and found["run"] in err, "the same command again is the same run"


def test_audit(folder, capsys):
    status, found, _ = called(capsys, "audit", "--workspace", folder, *SMALL)
    assert status == 0
    assert {"path", "issue", "score", "suggestion"} <= set(found["issues"][0])
    assert found["seconds"] > 0
    assert len(found["summary"]) > 0
    scores = pd.read_csv(folder / "audit" / "scores.csv")
    assert len(scores) == 72
    assert scores["label_quality"].between(0, 1).all()


def test_train_twice_is_one_run(folder, capsys):
    call = ["train", "--workspace", folder, *SMALL, "--epochs", 2, "--learning-rate", 0.001]
    status, found, err = called(capsys, *call)
    assert status == 0
    assert found["config"]["learning_rate"] == 0.001
    assert [row["epoch"] for row in found["history"]] == [0, 1, 2]
    assert found["predicted_seconds"] >= 0
    assert found["seconds"] > 0
    assert "GB of memory" in err, "the cost is said before training starts"
    assert {"code", "title", "evidence", "source", "change"} <= set(found["findings"][0])
    _, again, err = called(capsys, *call)
    assert again["run"] == found["run"]
    assert again["history"] == found["history"]
    assert found["run"] in err
    _, other, _ = called(capsys, *call, "--seed", 1)
    assert other["run"] != found["run"]


def test_what_is_not_given_is_recommended_for_the_network_and_written_down_with_the_run(folder, capsys):
    status, found, err = called(
        capsys, "train", "--workspace", folder, "--backbone", "test_vit:random", "--image-size", 64, "--epochs", 0
    )
    advised = recommended("test_vit:random", image_size=64, epochs=0)
    assert status == 0 and found["config"] == advised.to_dict()
    assert (advised.layer_decay, advised.ema) == (0.8, 0.998)
    assert "learning rate 5e-05, epochs 0, drop path 0.1" in err


def test_help_says_which_defaults_depend_on_the_network(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "default 1.0, or as recommended for the backbone" in shown
    assert "default 32; 2018: mb_size" in shown


def test_tables_for_people(folder, capsys):
    assert cli.main(["baseline", "--workspace", str(folder), *SMALL]) == 0
    out = capsys.readouterr().out
    assert "test_resnet:random at 64 pixels, frozen" in out
    assert "circle" in out
    assert not out.startswith("{")


def test_escalate(folder, capsys, monkeypatch):
    rungs = [Config("test_resnet:random", image_size=size, epochs=2, batch_size=16) for size in (64, 96, 128)]
    monkeypatch.setattr(escalation, "ladder_of", lambda *_: rungs)
    call = ["escalate", "--workspace", folder, "--budget", "10m", "--rungs", "1,2"]
    status, found, _ = called(capsys, *call)
    assert status == 0
    assert [row["image_size"] for row in found["rungs"]] == [64, 96]
    assert [row["state"] for row in found["rungs"]] == ["done", "done"]
    assert found["best"] in [row["run"] for row in found["rungs"]]
    assert found["why"]
    assert {gain["action"] for gain in found["gains"]} >= {"photos"}
    _, again, _ = called(capsys, *call)
    assert [row["run"] for row in again["rungs"]] == [row["run"] for row in found["rungs"]]


def test_the_least_gain_of_a_ladder_is_a_flag(folder, capsys):
    status, _, err = called(capsys, "escalate", "--workspace", folder, "--least-gain", "2000")
    assert status == 2 and "least_gain is 2000: choose a value from 0 to 1000" in err


def test_escalate_takes_a_table_of_rungs_and_sweeps_round_the_best(folder, tmp_path, capsys):
    table = tmp_path / "mine.csv"
    table.write_text("backbone,image_size,epochs,batch_size\ntest_resnet:random,64,1,16\n")
    call = ["escalate", "--workspace", folder, "--budget", "10m", "--rungs", str(table), "--sweep", "2", "--seed", "3"]
    status, found, _ = called(capsys, *call)
    assert status == 0
    assert [(row["rung"], row["state"]) for row in found["rungs"]] == [(1, "done")]
    assert [trial["state"] for trial in found["sweep"]["trials"]] == ["complete", "complete"]
    assert found["sweep"]["trials"][0]["run"] == found["best"]
    assert found["sweep"]["why"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--sweep", "0"), "--sweep is 0: give the number of trials"),
        (("--rungs", "9"), "choose from 1 to 5"),
        (("--rungs", "no.csv"), "no.csv can't be read as a table of rungs"),
    ],
)
def test_what_escalate_refuses(folder, capsys, arguments, says):
    status = cli.main(["escalate", "--workspace", str(folder), "--backbone", "efficientnet_lite0", *arguments])
    assert status == 2
    assert says in capsys.readouterr().err
