"""`cvtune combine`: one combination of what there is, listed, exported, distilled, deleted."""

import re
import shutil

import pytest

from cvtune_nb import cli
from tests.calling import called

NETWORK = ["--backbone", "test_efficientnet:random", "--image-size", "64", "--batch-size", "16", "--epochs", "1"]


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """A workspace with two runs of one network, which begin with random last layers. Shared: copy it."""
    made = tmp_path_factory.mktemp("combining") / "workspace"
    shutil.copytree(folder, made)
    for seed in ("0", "1"):
        assert cli.main(["train", "--workspace", str(made), *NETWORK, "--head", "random", "--seed", seed]) == 0
    return made


@pytest.fixture
def own(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "own")


def test_combine_export_distil_and_delete(own, tmp_path, capsys):
    runs = sorted(path.name for path in (own / "runs").iterdir())
    call = ["combine", "--workspace", own]
    assert len(runs) == 2
    status, found, said = called(capsys, *call, "--runs", f"{runs[0]},last", "--use", "soup")
    assert status == 0 and found["id"] == "combination-1" and found["kind"] == "soup"
    assert "at most" in said and {row["kind"] for row in found["kinds"]} >= {"single", "soup"}
    status, listed, _ = called(capsys, *call, "--list")
    assert [each["id"] for each in listed["combinations"]] == ["combination-1"]
    out = tmp_path / "out"
    status, made, _ = called(
        capsys, "export", "--workspace", own, "--run", "combination", "--out", out, "--variants", "none"
    )
    assert status == 0 and made["run"] == "combination-1" and made["parity"] <= 1e-4
    status, found, _ = called(capsys, *call, "--distil", "combination-1")
    assert status == 0 and found["distilled"]["teacher"] == "combination-1" and found["distilled"]["state"] == "done"
    status, found, _ = called(capsys, *call, "--delete", "combination")
    assert (status, found["deleted"]) == (0, "combination-1") and out.exists()
    assert called(capsys, *call, "--list")[1]["combinations"] == []


def test_its_tables_are_in_words(own, capsys):
    assert cli.main(["combine", "--workspace", str(own), "--runs", "best,last", "--use", "mean"]) == 0
    out = capsys.readouterr().out
    assert "points from the best alone (95%)" in out and "a photo takes" in out and "pixels" in out
    assert re.search(r"^mean +\d+\.\d% \(.*\) +[+-]\d+\.\d \(", out, re.MULTILINE), "a share in percent, then points"
    assert "image_size" not in out and "milliseconds" not in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--runs", "007"], "007 is no classifier of this workspace: choose among"),
        (["--delete", "combination"], "no combination"),
        (["--distil", "combination-7"], "no combination 'combination-7'"),
        (["--list", "--runs", "x"], "--runs has no meaning with --list"),
        (["--budget", "soon"], "--budget is 'soon'"),
    ],
)
def test_what_combine_refuses(trained, capsys, arguments, says):
    assert cli.main(["combine", "--workspace", str(trained), *arguments]) == 2
    assert says in capsys.readouterr().err
