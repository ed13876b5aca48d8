"""`--objective` of compare, tta and export: what counts from then on, in figures and words."""

import pytest

from cvtune_nb.classification.objective import chosen
from cvtune_nb.workspace import Workspace
from tests.calling import called, refused

LITE = ["--backbone", "efficientnet_lite0", "--image-size", "64"]
ONE = ["--backbones", "efficientnet_lite0,test_efficientnet:random", "--image-sizes", "64", "--pooling", "last"]


@pytest.fixture(scope="module")
def there(photo_folder, tmp_path_factory):
    """Where the photos are, and a workspace for all of these."""
    return ["--data", photo_folder, "--workspace", tmp_path_factory.mktemp("counted") / "workspace"]


def test_compare(there, capsys):
    _, found, _ = called(capsys, "compare", *there, *ONE, "--framings", "--objective", "balanced-accuracy")
    assert (found["objective"], found["label"]) == ("balanced-accuracy", "balanced accuracy")
    values = [row["objective_value"] for row in found["candidates"]]
    assert values == sorted(values, reverse=True)
    assert found["recommended"]["accuracy"]["why"].startswith("balanced accuracy ")
    assert found["start_with"]["why"] == "recommended for balanced accuracy"
    assert found["framing"]["objective"] == "balanced-accuracy"
    assert chosen(Workspace(there[3])) == "balanced-accuracy"
    assert "objective is 'best'" in refused(capsys, "compare", *there, "--objective", "best")


def test_test_time_and_export(there, capsys, tmp_path):
    called(capsys, "baseline", *there, *LITE)
    _, found, _ = called(capsys, "tta", *there, "--run", "svm", "--objective", "macro-f1")
    assert found["objective"] == "macro-f1" and {"objective_value", "difference"} <= set(found["tried"][0])
    assert "macro-F1" in found["words"]
    place = [*there, "--run", "svm", "--out", tmp_path / "export", "--variants", "fp16"]
    _, found, _ = called(capsys, "export", *place, "--objective", "log-loss")
    assert found["objective"] == "log-loss" and found["objective_value"] > 0
    assert [row["variant"] for row in found["variants"]] == ["fp32", "fp16"]
    assert all(
        row["objective_value"] == pytest.approx(found["variants"][0]["objective_value"], abs=0.01)
        for row in found["variants"]
    )
    assert found["variants"][1]["verdict"].startswith("log loss: ")
    assert chosen(Workspace(there[3])) == "log-loss"
    detector = ["--run", "last", "--detector", "--objective", "accuracy"]
    assert "--objective has no meaning with --detector" in refused(capsys, "export", *there, *detector)
