"""`cvtune remedies`, and what later commands make of the remedy that was chosen."""

from cvtune_nb.classification.remedies import chosen_remedy
from cvtune_nb.workspace import Workspace
from tests.calling import called, refused

LITE = ["--backbone", "efficientnet_lite0", "--image-size", "64"]


def test_it_compares_and_later_commands_follow(photo_folder, workspace, capsys):
    place = ["--data", photo_folder, "--workspace", workspace, *LITE]
    status, found, _ = called(capsys, "remedies", *place, "--own", "weights:circle=2", "--use", "balanced")
    assert status == 0 and found["chosen"] == "balanced" and found["objective"] == "balanced-accuracy"
    assert [row["remedy"] for row in found["remedies"]][-1] == "weights:circle=2"
    assert found["recommended"] in [row["remedy"] for row in found["remedies"]]
    _, baseline, _ = called(capsys, "baseline", *place)
    assert baseline["imbalance"] == "balanced"
    _, run, _ = called(capsys, "train", *place, "--epochs", "0")
    assert run["config"]["imbalance"] == "balanced"
    _, baseline, _ = called(capsys, "baseline", *place, "--imbalance", "none")
    assert baseline["imbalance"] == "none"
    called(capsys, "remedies", *place, "--use", "recommended")
    assert chosen_remedy(Workspace(workspace)) == found["recommended"]


def test_bad_values_are_refused_in_one_sentence(photo_folder, workspace, capsys):
    place = ["--data", photo_folder, "--workspace", workspace]
    assert "imbalance is 'half': choose none" in refused(capsys, "remedies", *place, "--use", "half")
    assert "there is no class 'lime'" in refused(capsys, "remedies", *place, "--use", "weights:lime=2")
    assert "--photos is 0" in refused(capsys, "remedies", *place, "--photos", "0")
    assert "objective is 'best'" in refused(capsys, "remedies", *place, *LITE, "--objective", "best")
    assert "imbalance is 'x'" in refused(capsys, "train", *place, "--imbalance", "x")


def test_a_finished_classifier_is_adjusted(photo_folder, workspace, capsys):
    place = ["--data", photo_folder, "--workspace", workspace]
    called(capsys, "baseline", *place, *LITE)
    status, found, _ = called(capsys, "adjust", *place, "--run", "svm", "--use", "0.5")
    assert status == 0 and found["chosen"] == 0.5 and found["run"] == "svm"
    _, found, _ = called(capsys, "adjust", *place, "--run", "svm", "--use", "recommended")
    assert found["chosen"] == 0 if found["recommended"] == "none" else found["chosen"] > 0
    assert "--use is 'much'" in refused(capsys, "adjust", *place, "--run", "svm", "--use", "much")


def test_where_it_fails(photo_folder, workspace, capsys):
    place = ["--data", photo_folder, "--workspace", workspace]
    called(capsys, "baseline", *place, *LITE)
    status, found, _ = called(capsys, "slices", *place, "--run", "svm")
    assert status == 0 and found["model"] == "svm" and found["photos"] > 0
    assert isinstance(found["slices"], list) and "finding" in found
