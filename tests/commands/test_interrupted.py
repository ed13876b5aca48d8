"""Commands that are stopped: by Ctrl-C, by SIGTERM, in the middle of anything."""

import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from cvtune_nb import classification, cli, escalation, pipeline
from cvtune_nb.errors import Stopped
from cvtune_nb.parameters import Config
from tests.calling import SMALL, called


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
    monkeypatch.setattr(escalation, "ladder_of", lambda *_: rungs)
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
