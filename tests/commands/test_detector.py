"""`cvtune detect` and what it refuses; that every refused command says why in JSON."""

import json

import pytest

from cvtune_nb import cli
from tests.boxes import make_scenes


def called(capsys, *arguments):
    """Exit status, the JSON on stdout, and stderr."""
    status = cli.main([*map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return status, json.loads(out), err


def test_boxes_of_a_kind_are_trained_on_exported_and_remembered(tmp_path, capsys):
    folder, space = make_scenes(tmp_path / "photos", 16), tmp_path / "workspace"
    for file in folder.glob("*.jpg"):
        file.with_suffix(".txt").write_text("0 0.5 0.5 0.9 0.9\n")
    asked = ["--data", folder, "--workspace", space]
    quick = ["--detector", "efficientnet_lite0_fpn", "--image-size", "128", "--epochs", "1", "--proposals", "40"]
    status, found, said = called(capsys, "detect", *asked, *quick)
    assert status == 2 and found["error"] in said and "with --boxes coco" in found["error"]
    status, found, _ = called(capsys, "detect", *asked, *quick, "--boxes", "coco")
    assert (status, found["classes"]) == (0, ["dot", "tile"])
    status, made, _ = called(capsys, "export", *asked, "--detector", "--run", found["run"])
    assert status == 0 and made["run"] == found["run"]
    status, _, said = called(capsys, "export", *asked, "--detector", "--run", "best", "--boxes", "voc")
    assert status == 2 and "has no VOC files" in said
    status, _, said = called(capsys, "export", *asked, "--run", "best", "--boxes", "coco")
    assert status == 2 and "--detector" in said


def test_what_is_wrong_with_boxes_is_told_of_a_refused_command_too(tmp_path, capsys):
    scenes = make_scenes(tmp_path / "scenes", 4)
    content = json.loads((scenes / "boxes.json").read_text())
    content["annotations"] += [{"image_id": 99, "category_id": 1, "bbox": [1, 2, 3, 4]}] * 3
    (scenes / "boxes.json").write_text(json.dumps(content))
    status, found, said = called(capsys, "detect", "--data", scenes, "--workspace", tmp_path / "a")
    assert status == 2 and found["error"] in said and "3 boxes are left out (all of them: --json)" in said
    assert [row["boxes"] for row in found["problems"]] == [1, 1, 1] and found["left_out"] == []


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


def test_a_wrong_call_says_why_in_json(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "--epoch", "3", "--json"])
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and json.loads(out) == {"error": err.strip()}


def test_annotations_of_other_tools_are_named_by_detect(tmp_path, capsys):
    scenes = make_scenes(tmp_path / "scenes", 4)
    (scenes / "boxes.json").write_text(json.dumps([{"data": {}, "annotations": [{"result": [{"from_name": "box"}]}]}]))
    status, found, _ = called(capsys, "detect", "--data", scenes, "--workspace", tmp_path / "a")
    assert status == 2 and "boxes.json is Label Studio's: export it as COCO, VOC or YOLO" in found["error"]
    assert [row["kind"] for row in found["problems"]] == ["other format"]
