"""`cvtune compare` as a person or a program meets it, and that later commands start with what it chose."""

import pytest

from cvtune_nb import cli
from cvtune_nb.classification import framing
from cvtune_nb.classification.choice import BY_HAND, choice, choose_framing
from cvtune_nb.console import Meter
from cvtune_nb.errors import Stopped
from cvtune_nb.workspace import Workspace
from tests.calling import called, refused

TWO = ["--backbones", "test_efficientnet:random, efficientnet_lite0", "--pooling", "last", "--image-sizes", "64"]


@pytest.fixture(scope="module")
def compared(photo_folder, tmp_path_factory):
    """A workspace in which two networks were compared, and nothing else was done."""
    made = tmp_path_factory.mktemp("compared") / "workspace"
    assert cli.main(["compare", "--data", str(photo_folder), "--workspace", str(made), *TWO, "--use", "none"]) == 0
    return made


def test_it_gives_every_candidate_and_what_it_recommends(compared, capsys):
    status, found, err = called(capsys, "compare", "--workspace", compared, *TWO, "--use", "none")
    assert status == 0 and "2 candidates on 48 training photos: about " in err
    assert [one["backbone"] for one in found["candidates"]] == ["efficientnet_lite0", "test_efficientnet:random"]
    assert {one["state"] for one in found["candidates"]} == {"finished"}
    best = found["candidates"][0]
    assert 0 <= best["low"] <= best["accuracy"] <= best["high"] <= 1 and best["images_per_second"] > 0
    assert found["recommended"]["accuracy"]["backbone"] == "efficientnet_lite0"
    assert found["recommended"]["accuracy"]["image_size"] == 64
    assert "the most accurate of 2" in found["recommended"]["accuracy"]["why"]
    assert found["start_with"] is None and choice(Workspace(compared)) is None


def test_a_stop_keeps_the_work_and_chooses_nothing(compared, capsys, monkeypatch):
    calls = []

    def stopping(self, share, words):
        calls.append(words)
        if "96 pixels" in words:
            self.stop.set()
            raise Stopped

    monkeypatch.setattr(Meter, "__call__", stopping)
    status, found, _ = called(capsys, "compare", "--workspace", compared, *TWO[:-1], "64,96")
    assert status == 3
    assert {one["state"] for one in found["candidates"]} == {"finished", "stopped"}
    assert found["start_with"] is None


def test_later_commands_start_with_what_it_chose(compared, capsys):
    assert cli.main(["compare", "--workspace", str(compared), *TWO]) == 0
    shown = capsys.readouterr().out
    assert "Recommended for accuracy: efficientnet_lite0 at 64 pixels" in shown
    assert "later steps start with efficientnet_lite0 at 64 pixels, recommended for accuracy" in shown
    _, found, _ = called(capsys, "baseline", "--workspace", compared)
    assert (found["backbone"], found["image_size"]) == ("efficientnet_lite0", 64)
    _, found, _ = called(capsys, "train", "--workspace", compared, "--epochs", "0")
    assert found["run"].endswith("efficientnet_lite0-64")


def test_framings_are_compared_too_and_what_is_recommended_is_chosen(compared, capsys, monkeypatch):
    one = ["--backbones", "efficientnet_lite0", "--image-sizes", "64"]
    status, found, err = called(capsys, "compare", "--workspace", compared, *one, "--framings")
    assert status == 0 and "comparing framings: about " in err
    assert [row["framing"] for row in found["framing"]["framings"]] == ["crop", "whole", "squash"]
    assert found["start_with"]["framing"] == found["framing"]["framing"] == "crop"
    assert choice(Workspace(compared)).framing_why == "recommended"
    assert cli.main(["compare", "--workspace", str(compared), *one, "--framings", "--use", "none"]) == 0
    assert "Recommended: crop. No other framing is reliably better than the crop." in capsys.readouterr().out
    by_hand = choose_framing(Workspace(compared), "squash", BY_HAND)
    _, found, _ = called(capsys, "compare", "--workspace", compared, *one, "--framings")
    assert found["framing"]["framing"] == "crop" and found["start_with"]["framing"] == "squash"
    assert choice(Workspace(compared)).framing_why == by_hand.framing_why == BY_HAND
    monkeypatch.setattr(framing, "predicted_seconds", lambda *_: 1000.0)
    _, found, err = called(capsys, "compare", "--workspace", compared, *one, "--framings")
    assert found["framing"] is None and "framings are not compared: about 50 min, and the budget has " in err
    _, found, _ = called(capsys, "baseline", "--workspace", compared, "--framing", "whole")
    assert (found["backbone"], found["framing"]) == ("efficientnet_lite0", "whole")


def test_what_can_not_be_used_is_listed(compared, capsys, torch_home, no_network):
    names = ["--backbones", "resnet18,efficientnet_lite0", "--image-sizes", "64", "--use", "none"]
    assert cli.main(["compare", "--workspace", str(compared), *names]) == 0
    out = capsys.readouterr().out
    assert "out of reach: its weights are not on disk" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--image-sizes", "large"], "the image sizes are 'large'"),
        (["--image-sizes", "4"], "image_size is 4"),
        (["--backbones", "resnet19"], "no backbone called 'resnet19'"),
        (["--photos", "3"], "too few to compare"),
        (["--budget", "soon"], "--budget is 'soon'"),
    ],
)
def test_bad_arguments_get_one_sentence(compared, capsys, arguments, words):
    assert words in refused(capsys, "compare", "--workspace", compared, *arguments)
