"""The command line as a person or a program meets it: exit status, one JSON object, tables, being interrupted."""

import functools
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cvtune_nb import classification, cli, commands, escalation, pipeline
from cvtune_nb.console import Meter, plain, table
from cvtune_nb.data import open_workspace
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.parameters import PARAMETERS, Config
from tests.boxes import make_scenes

SMALL = ["--backbone", "test_resnet:random", "--image-size", "64"]
"""A network that trains in a blink."""


def called(capsys, *arguments) -> tuple[int, dict, str]:
    """Exit status, the JSON object on stdout and stderr of one command."""
    status = cli.main([*map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return status, json.loads(out), err


@pytest.fixture(scope="module")
def folder(photo_folder, tmp_path_factory):
    """A workspace with one baseline, shared by the tests that only add to it."""
    made = tmp_path_factory.mktemp("cli") / "workspace"
    assert cli.main(["baseline", "--data", str(photo_folder), "--workspace", str(made), *SMALL]) == 0
    return made


# -- arguments ----------------------------------------------------------------------------------------------


def test_every_parameter_is_a_flag_with_its_meaning_and_range(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "--help"])
    assert ended.value.code == 0
    words = "".join(capsys.readouterr().out.split())  # argparse breaks lines anywhere
    for name, parameter in PARAMETERS.items():
        assert f"--{name.replace('_', '-')}X" in words
        assert "".join(parameter.meaning.split()) in words
        assert "".join(parameter.range_in_words.split()) in words


@pytest.mark.parametrize(
    "arguments", [[], ["dance"], ["train", "--learnin-rate", "1"], ["train", "--epochs"], ["export", "--data", "x"]]
)
def test_a_wrong_call_is_one_line_and_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert out == ""
    assert err.startswith("cvtune")
    assert err.count("\n") == 1


def test_the_installed_command_and_the_module_are_this_program():
    for program in ([str(Path(sys.executable).with_name("cvtune"))], [sys.executable, "-m", "cvtune_nb"]):
        done = subprocess.run([*program, "--version"], capture_output=True, text=True)
        assert done.returncode == 0
        assert done.stdout.startswith("cvtune 0.")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), ("1h30m", 5400), (" 2M ", 120)]
)
def test_budget(text, seconds):
    assert commands.budget_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "20", "m", "20 minutes", "-5m", "0s", "1e3s", "nan", "99999h"])
def test_a_budget_that_is_no_time(text):
    with pytest.raises(InputError, match="such as 90s, 20m or"):
        commands.budget_seconds(text)


# -- what is printed ----------------------------------------------------------------------------------------


def test_plain_values_are_json_without_nan():
    values = {
        "nan": float("nan"),
        "numpy": np.float32(0.5),
        "infinite": np.inf,
        "array": np.arange(2),
        "path": Path("a"),
        "frame": pd.DataFrame({"x": [1.0, float("nan")], "y": ["a", None]}),
        "missing": pd.NaT,
        3: (True, None),
    }
    assert json.loads(json.dumps(plain(values), allow_nan=False)) == {
        "nan": None,
        "numpy": 0.5,
        "infinite": None,
        "array": [0, 1],
        "path": "a",
        "frame": [{"x": 1.0, "y": "a"}, {"x": None, "y": None}],
        "missing": None,
        "3": [True, None],
    }


def test_a_table_never_steers_the_terminal():
    shown = table([{"name": "a\x1b[31m\nb", "share": 0.5}, {"name": "c", "share": float("nan")}], ["name", "share"])
    assert shown.splitlines() == ["name      share", "a [31m b    0.5", "c"]


def test_progress_is_one_line_on_a_terminal_and_rare_elsewhere(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, lines in ((Terminal(), 0), (io.StringIO(), 3)):
        monkeypatch.setattr(sys, "stderr", stream)
        clock = iter(range(0, 1000, 12))
        monkeypatch.setattr(time, "monotonic", lambda clock=clock: next(clock))
        meter = Meter()
        for share in (0.1, 0.2, 0.3):
            meter(share, "reading")
        assert stream.getvalue().count("\n") == lines
        assert " 30%  reading" in stream.getvalue()
        before = stream.getvalue()
        meter(float("nan"), "")
        assert stream.getvalue() == before


def test_what_a_library_prints_stays_out_of_the_json(folder, capsys, monkeypatch):
    original = classification.predict_cost
    monkeypatch.setattr(classification, "predict_cost", lambda *rest: print("chatter") or original(*rest))
    status, found, err = called(capsys, "train", "--workspace", folder, *SMALL, "--epochs", 1)
    assert status == 0
    assert found["state"] == "done"
    assert "chatter" in err


# -- the steps ----------------------------------------------------------------------------------------------


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


def test_tables_for_people(folder, capsys):
    assert cli.main(["baseline", "--workspace", str(folder), *SMALL]) == 0
    out = capsys.readouterr().out
    assert "test_resnet:random at 64 pixels, frozen" in out
    assert "circle" in out
    assert not out.startswith("{")


def test_escalate(folder, capsys, monkeypatch):
    rungs = [Config("test_resnet:random", image_size=size, epochs=2, batch_size=16) for size in (64, 96, 128)]
    monkeypatch.setattr(escalation, "ladder", lambda _: rungs)
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


def test_detect_trains_judges_and_goes_on(tmp_path, capsys):
    photos = make_scenes(tmp_path / "photos", 16)
    asked = [
        "--data",
        photos,
        "--workspace",
        tmp_path / "workspace",
        "--detector",
        "efficientnet_lite0_fpn",
        "--image-size",
        "128",
        "--epochs",
        "2",
        "--proposals",
        "40",
    ]
    status, found, said = called(capsys, "detect", *asked, "--open-test")
    assert status == 0
    assert found["state"] == "done" and found["classes"] == ["dot", "tile"]
    assert found["splits"] == {"train": 11, "validation": 2, "test": 3}
    assert [row["epoch"] for row in found["history"]] == [1, 2]
    for split in ("validation", "test"):
        assert 0 <= found[split]["ap"] <= found[split]["ap50"] <= 1
        assert found[split]["photos"] == found["splits"][split]
    assert {"few-boxes"} <= {finding["code"] for finding in found["findings"]}
    assert "GB of memory" in said and "test set opened 1 time(s)" in said
    status, again, said = called(capsys, "detect", *asked)
    assert (status, again["run"]) == (0, found["run"])
    assert "has these parameters" in said and "test" not in again
    assert cli.main(["detect", *map(str, asked)]) == 0
    assert "validation: AP" in capsys.readouterr().out
    status, made, _ = called(capsys, "export", *asked[:4], "--detector", "--run", "best")
    assert status == 0 and made["run"] == found["run"] and made["parity"] < 1e-3
    assert made["test_openings"] == 2
    status, answer, _ = called(capsys, "predict", made["folder"], photos / "001.jpg")
    assert status == 0 and "boxes" in answer["predictions"][0]
    assert cli.main(["predict", made["folder"], str(photos / "001.jpg")]) == 0
    assert "found  " in capsys.readouterr().out


def test_what_detect_refuses(tmp_path, photo_folder, capsys):
    for arguments, says in (
        (["--data", photo_folder, "--workspace", tmp_path / "a"], "draw boxes on more photos"),
        (["--data", photo_folder, "--workspace", tmp_path / "a", "--boxes", "voc"], "has no VOC files"),
        (["--data", tmp_path / "none", "--workspace", tmp_path / "b"], "none"),
        (["--image-size", "100"], "image_size"),
    ):
        assert cli.main(["detect", *map(str, arguments)]) == 2
        assert says in capsys.readouterr().err


def test_lab_is_told_where_to_listen(monkeypatch):
    told = {}
    monkeypatch.setattr("cvtune_nb.jupyter.launch.lab", lambda **named: told.update(named) or 0)
    assert cli.main(["lab", "--port", "8899", "--no-browser"]) == 0
    assert told == {"port": 8899, "open_browser": False}


# -- the whole workbook -------------------------------------------------------------------------------------


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


ABSENT = ["torch", "torchvision", "timm", "pandas", "sklearn", "scipy", "safetensors", "matplotlib"]


def without_packages(*arguments) -> subprocess.CompletedProcess:
    """The command in a process where importing ABSENT fails, as where they are not installed."""
    call = [str(argument) for argument in arguments]
    absent = f"import sys; sys.modules.update(dict.fromkeys({ABSENT}))"
    code = f"{absent}; from cvtune_nb import cli; sys.exit(cli.main({call}))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


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


# -- being interrupted --------------------------------------------------------------------------------------


def test_ctrl_c_keeps_the_run_and_the_same_command_goes_on(photo_folder, tmp_path, capsys):
    folder = tmp_path / "w"
    call = ["train", "--data", str(photo_folder), "--workspace", str(folder), *SMALL, "--epochs", "12", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cvtune_nb", *call], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not list(folder.glob("runs/*/history.csv")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 3, err
    found = json.loads(out)
    assert found["state"] == "stopped"
    assert 1 <= len(found["history"]) < 13
    assert "Traceback" not in err
    status, whole, _ = called(capsys, *call[:-1])
    assert status == 0
    assert whole["run"] == found["run"]
    assert whole["state"] == "done"
    assert len(whole["history"]) == 13
    assert whole["history"][: len(found["history"])] == found["history"]


def test_sigterm_during_escalate_prints_the_rungs_there_are(folder, capsys, monkeypatch):
    rungs = [Config("test_resnet:random", image_size=64, epochs=epochs, seed=5) for epochs in (1, 200)]
    monkeypatch.setattr(escalation, "ladder", lambda _: rungs)
    known = set(folder.glob("runs/*"))

    def end_the_second():
        while not any(
            (run / "history.csv").exists() and "\n2," in (run / "history.csv").read_text()
            for run in set(folder.glob("runs/*")) - known
        ):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end_the_second, daemon=True).start()
    status, found, _ = called(capsys, "escalate", "--workspace", folder, "--budget", "10m")
    assert status == 3
    assert [row["state"] for row in found["rungs"]] == ["done", "stopped"]
    assert found["best"]


def test_ctrl_c_during_run_shows_what_there_is(folder, capsys, monkeypatch):
    def interrupt(_):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(pipeline.Workbook, "audit", lambda self, _: self.found.update(audit={"state": "done"}))
    monkeypatch.setattr(classification, "fit", functools.partial(classification.fit, on_epoch=interrupt))
    call = ["run", "--workspace", folder, *SMALL, "--epochs", 20, "--seed", 9]
    status, found, err = called(capsys, *call)
    assert status == 3
    assert found["state"] == found["train"]["state"] == "stopped"
    assert len(found["train"]["history"]) == 1
    assert "export" not in found
    assert "Traceback" not in err
    assert cli.main([str(word) for word in call]) == 3
    assert "not begun" in capsys.readouterr().out, "the table says so, too"


@pytest.mark.parametrize("error", [Stopped(), KeyboardInterrupt()])
def test_any_other_command_that_is_interrupted_ends_with_3(folder, capsys, monkeypatch, error):
    def interrupted(*_, **__):
        raise error

    monkeypatch.setattr("cvtune_nb.audit.audit", interrupted)
    status, found, err = called(capsys, "audit", "--workspace", folder)
    assert status == 3
    assert found == {"state": "stopped"}
    assert "the same command goes on from there" in err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
