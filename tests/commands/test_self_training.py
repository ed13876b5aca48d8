"""`cvtune self-train`: what it refuses, and what it says of a folder."""

import json
import shutil

import pytest

from cvtune_nb import cli
from tests.photos import make_photos

NETWORK = ["--backbone", "efficientnet_lite0", "--image-size", "64", "--networks", "test_efficientnet:random"]


def test_what_it_refuses(workspace, tmp_path, capsys):
    place = ["--workspace", str(workspace)]
    assert cli.main(["self-train", *place, "--unlabelled", str(tmp_path / "none")]) == 2
    assert "is no folder: give the folder of the photos without labels" in capsys.readouterr().err
    assert cli.main(["self-train", *place, "--unlabelled", str(tmp_path), "--rounds", "4"]) == 2
    assert "rounds is 4: choose a whole number from 1 to 3" in capsys.readouterr().err
    assert cli.main(["self-train", *place, "--unlabelled", str(tmp_path), "--most", "20"]) == 2
    assert "most is 20: choose a value from 0.5 to 10" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["self-train", *place])


def test_a_folder_is_labelled_and_listed(folder, tmp_path, capsys):
    workspace = shutil.copytree(folder, tmp_path / "workspace")
    others = make_photos(tmp_path / "unlabelled", per_class=4, seed=5)
    place = ["--workspace", str(workspace), "--unlabelled", str(others), *NETWORK]
    assert cli.main(["self-train", *place, "--svm-only", "--rounds", "1", "--least", "0", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["pool"] == 12 and found["labelled"] == found["rounds"][0]["photos"] > 0 and found["state"] == "done"
    assert "self-training: about" in err
    assert (workspace / "self_training" / "labels.csv").read_text().startswith("path,sha256,width,height,label")
