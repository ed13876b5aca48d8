"""The command line as a whole: wrong calls, exit status, what is said in JSON."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cvtune_nb import cli
from tests.calling import called


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


def test_a_wrong_call_says_why_in_json(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "--epoch", "3", "--json"])
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and json.loads(out) == {"error": err.strip()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", "--data", "none"],
        ["baseline", "--image-size", "1"],
        ["run", "--budget", "x"],
        ["similar", "none"],
        ["train", "--resume", "x", "--epochs", "2"],
        ["predict", "none", "none"],
        ["escalate", "--budget", "x"],
        ["export", "--run", "x", "--boxes", "voc"],
        ["detect", "--data", "none"],
        ["sample", "."],
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_refused_command_says_why_in_json(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    status, found, said = called(capsys, *arguments)
    assert status == 2 and list(found) == ["error", *(["problems", "left_out"] if arguments[0] == "detect" else [])]
    assert said.splitlines()[-1] == f"cvtune {arguments[0]}: {found['error']}"
    assert cli.main(list(arguments)) == 2
    assert capsys.readouterr().out == "", "without --json there is nothing on stdout"
