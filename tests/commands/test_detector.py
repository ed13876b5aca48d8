"""`cvtune detect` and what it refuses."""

import json

from cvtune_nb import cli
from tests.boxes import make_scenes
from tests.calling import called


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


def test_annotations_of_other_tools_are_named_by_detect(tmp_path, capsys):
    scenes = make_scenes(tmp_path / "scenes", 4)
    (scenes / "boxes.json").write_text(json.dumps([{"data": {}, "annotations": [{"result": [{"from_name": "box"}]}]}]))
    status, found, _ = called(capsys, "detect", "--data", scenes, "--workspace", tmp_path / "a")
    assert status == 2 and "boxes.json is Label Studio's: export it as COCO, VOC or YOLO" in found["error"]
    assert [row["kind"] for row in found["problems"]] == ["other format"]
