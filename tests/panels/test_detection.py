"""The panels of notebook 06, used as a person would."""

import json
import shutil
import time
from pathlib import Path

import pytest
import torch

from cvtune_nb.detection import box_journal, open_dataset, runs
from cvtune_nb.panels import BoxesPanel, DetectorExportPanel, DetectorPanel
from cvtune_nb.widgets.job import NotReady
from tests.boxes import make_scenes
from tests.photos import ODD, make_photos
from tests.pressing import arrives

QUICK = {"detector": "efficientnet_lite0_fpn", "image_size": 128, "epochs": 2, "proposals": 40}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return make_scenes(tmp_path_factory.mktemp("panel") / "photos", 16)


@pytest.fixture
def dataset(scenes, tmp_path):
    return open_dataset(scenes, tmp_path / "workspace")


def finished(panel):
    assert panel.job.wait(300)
    assert panel.job.state != "failed", panel.job.error
    return panel


def draw(panel, boxes, chosen=-1, photo=""):
    """The person draws on a photo, by default the one that is shown."""
    content = {"photo": photo or panel.drawing.photo, "boxes": boxes, "chosen": chosen}
    arrives(panel.drawing, content)


# -- boxes --------------------------------------------------------------------------------------------------


def test_boxes_of_the_files_are_shown_photo_by_photo(dataset):
    panel = BoxesPanel(dataset)
    assert "Photo 1 of 16" in panel.where.value and panel.pager.back.disabled
    assert panel.drawing.image.startswith(b"\xff\xd8")
    there = dataset.annotations.boxes.query("path == '001.jpg'")
    assert [box[0] for box in panel.drawing.boxes] == there["label"].tolist()
    assert panel.drawing.labels == ["dot", "tile"]
    panel.pager.on.click()
    assert "Photo 2 of 16" in panel.where.value and panel.drawing.name == "Photo 002.jpg"
    assert "16" in panel.where.value and "of the photo" in panel.text.value
    assert panel.job.state == "idle"


def test_boxes_and_files_that_are_left_out_are_counted(scenes, tmp_path):
    folder = shutil.copytree(scenes, tmp_path / "photos")
    content = json.loads((folder / "boxes.json").read_text())
    content["annotations"] += [{"image_id": 99, "category_id": 1, "bbox": [1, 2, 3, 4]}] * 7
    (folder / "boxes.json").write_text(json.dumps(content))
    (folder / "notes.txt").write_text("hello")
    panel = BoxesPanel(open_dataset(folder, tmp_path / "workspace"))
    assert "In the annotation files: 7 boxes are left out" in panel.text.value
    assert "Files that were not used" in panel.text.value and "notes.txt" in panel.text.value


def test_a_drawn_box_is_saved_at_once_and_undone(dataset):
    panel = BoxesPanel(dataset)
    before = [list(box) for box in panel.drawing.boxes]
    draw(panel, [*before, ["star", 0.1, 0.1, 0.2, 0.3]])
    key = dataset.photos["sha256"].iloc[0]
    assert [box[0] for box in box_journal.drawn(dataset.workspace)[key]] == [*(box[0] for box in before), "star"]
    assert "star" in panel.drawing.labels and "star" in panel.label.options
    assert [box[0] for box in BoxesPanel(open_dataset("", dataset.workspace.folder)).drawing.boxes][-1] == "star"
    panel.undo.click()
    assert panel.drawing.boxes == before
    assert box_journal.drawn(dataset.workspace) == {}


def test_a_label_from_the_menu_goes_to_the_selected_box_and_the_next_ones(dataset):
    panel = BoxesPanel(dataset)
    assert panel.drawing.label == "dot"
    draw(panel, [["dot", 0.1, 0.1, 0.2, 0.2], ["tile", 0.5, 0.5, 0.2, 0.2]], 1)
    assert panel.label.value == "tile"
    panel.label.value = "new one"
    assert [box[0] for box in panel.drawing.boxes] == ["dot", "new one"]
    assert panel.drawing.label == "new one"
    panel.pager.on.click()
    assert panel.drawing.chosen == -1
    panel.label.value = "dot"
    assert "new one" not in [box[0] for box in panel.drawing.boxes], "no box is selected on this photo"


def test_what_comes_late_goes_to_the_photo_it_was_drawn_on(dataset):
    panel = BoxesPanel(dataset)
    first, second = panel.drawing.photo, panel.paths[1]
    panel.pager.on.click()
    shown = [list(box) for box in panel.drawing.boxes]
    draw(panel, [["star", 0.1, 0.1, 0.2, 0.2]], 0, photo=first)
    boxes = dataset.redrawn().annotations.boxes
    assert boxes.loc[boxes["path"] == first, "label"].tolist() == ["star"]
    assert panel.drawing.boxes == shown and panel.drawing.photo == second and panel.drawing.chosen == -1


def test_nothing_to_find_is_written_down(tmp_path):
    folder = make_photos(tmp_path / "photos", ("circle", ODD), per_class=4)
    panel = BoxesPanel(open_dataset(folder, tmp_path / "workspace"))
    assert "not looked at yet" in panel.where.value
    panel.nothing.click()
    assert "nothing to find" in panel.where.value
    panel.which.value = "nothing to find"
    assert "Photo 1 of 1" in panel.where.value
    panel.which.value = "with boxes"
    assert "No photo is with boxes" in panel.where.value
    panel.which.value = "not looked at"
    assert "Photo 1 of 7" in panel.where.value


def test_a_box_without_a_label_is_refused_in_the_panel(dataset):
    panel = BoxesPanel(dataset)
    draw(panel, [["", 0.1, 0.1, 0.2, 0.2]])
    assert 'role="alert"' in panel.alert.value and "has no label" in panel.alert.value
    assert box_journal.drawn(dataset.workspace) == {}


def test_all_boxes_go_into_one_coco_file(dataset):
    panel = BoxesPanel(dataset)
    draw(panel, [["star", 0.1, 0.1, 0.2, 0.3]])
    panel.write.click()
    content = json.loads((dataset.folder / "boxes-coco.json").read_text())
    assert {category["name"] for category in content["categories"]} == {"dot", "star", "tile"}
    assert len(content["images"]) == 16


def test_the_picture_of_sizes_follows(dataset, at_rest):
    panel = BoxesPanel(dataset)
    before = panel.picture.alt
    draw(panel, [["star", 0.0, 0.0, 0.9, 0.9]])
    end = time.monotonic() + 20
    while panel.picture.alt == before and time.monotonic() < end:
        time.sleep(0.05)
    assert panel.picture.alt != before


def test_classes_of_the_photos_are_labels_to_begin_with(workspace):
    panel = BoxesPanel(open_dataset("", workspace.folder))
    assert "circle" in panel.label.options and ODD in panel.label.options


def test_what_is_wrong_in_files_is_listed_escaped(tmp_path):
    folder = make_scenes(tmp_path / "photos", 8)
    content = json.loads((folder / "boxes.json").read_text())
    content["annotations"].append({"id": 99, "image_id": 1, "category_id": 1, "bbox": "<b>no</b>"})
    (folder / "boxes.json").write_text(json.dumps(content))
    panel = BoxesPanel(open_dataset(folder, tmp_path / "workspace"))
    assert "no number" in panel.text.value and "&lt;b&gt;no" in panel.text.value


# -- the detector -------------------------------------------------------------------------------------------


def test_train_gives_curves_boxes_findings_and_a_row(dataset):
    panel = DetectorPanel(dataset, **QUICK)
    with pytest.raises(NotReady, match="Press Train the detector"):
        panel.result()
    panel.go.click()
    run = finished(panel).result()
    assert run.state == "done" and run.config.epochs == 2
    assert run.id in panel.picture.alt and run.id in panel.compared.value
    assert "precision against recall" in panel.curves.alt
    assert "missed and wrong" in panel.thresholds.alt
    assert "validation photos" in panel.examples.alt
    assert "predicted were" in panel.cost.value
    assert f"On {len(dataset.part('validation').photos)} validation photos" in panel.text.value
    assert any("few boxes" in card.value for card in panel.findings.children if hasattr(card, "value"))
    assert "efficientnet_lite0_fpn at 128 pixels finds" in panel.lessons().data
    again = DetectorPanel(open_dataset("", dataset.workspace.folder), **QUICK)
    assert "The last detector of this workspace" in again.status.value
    assert again.result().id == run.id


def test_the_price_and_what_is_suggested_are_shown(dataset, at_rest):
    panel = DetectorPanel(dataset)
    assert panel.controls_of["image_size"].value == 320
    end = time.monotonic() + 120
    while not panel.about.value and time.monotonic() < end:
        time.sleep(0.1)
    assert "This will take" in panel.cost_line.value and "GB of memory" in panel.cost_line.value
    assert "nine of ten boxes of every class" in panel.about.value and "cover 100% of yours" in panel.about.value


def test_stop_keeps_whole_epochs_and_resume_goes_on(dataset):
    panel = DetectorPanel(dataset, **QUICK | {"epochs": 30})
    panel.go.click()
    end = time.monotonic() + 120
    while "epoch 2 of 30" not in panel.job.words and time.monotonic() < end:
        time.sleep(0.02)
    panel.end.click()
    run = finished(panel).result()
    assert run.state == "stopped" and 1 <= len(run.history) < 30
    assert not panel.resume.disabled
    panel.resume.click()
    end = time.monotonic() + 120
    while len(runs(dataset)) and f"epoch {len(run.history) + 2} of" not in panel.job.words and time.monotonic() < end:
        time.sleep(0.02)
    panel.end.click()
    assert len(finished(panel).result().history) > len(run.history)
    assert len(runs(dataset)) == 1


def test_a_round_of_hard_negatives_says_whether_it_is_worth_it(dataset, monkeypatch):
    from cvtune_nb.detection import hard_negatives

    panel = DetectorPanel(dataset, **QUICK)
    assert panel.harder.disabled
    panel.start(block=True)
    first = panel.result()
    assert not panel.harder.disabled
    monkeypatch.setattr(hard_negatives, "FEWEST", 99)
    panel.harder.click()
    assert finished(panel).result().id == first.id
    assert "No round: false alarms in" in panel.status.value and "too few" in panel.status.value
    monkeypatch.setattr(hard_negatives, "FEWEST", 0)
    monkeypatch.setattr(hard_negatives, "LEAST_SHARE", 0)
    panel.harder.click()
    after = finished(panel).result()
    assert after.start == first.id and "Hard negatives:" in panel.status.value
    assert len(runs(dataset)) == 2


def test_a_loss_that_is_lost_at_once_offers_a_smaller_rate(dataset, monkeypatch):
    from cvtune_nb.detection import train

    panel = DetectorPanel(dataset, **QUICK)
    monkeypatch.setattr(train, "step", lambda *_: torch.tensor(torch.nan))
    panel.start(block=True)
    assert "the loss diverged" in panel.status.value and "Best epoch" not in panel.status.value
    [card] = panel.findings.children
    card.children[1].click()
    assert panel.controls_of["learning_rate"].value == pytest.approx(0.0001)


def test_running_the_cell_again_brings_what_is_new_in_the_folder(tmp_path):
    folder = make_scenes(tmp_path / "photos", 8)
    panel = BoxesPanel.of(open_dataset(folder, tmp_path / "workspace"))
    panel.pager.on.click()
    make_scenes(folder, 10)
    again = BoxesPanel.of(open_dataset(folder, tmp_path / "workspace"))
    assert again is panel and "Photo 2 of 10" in panel.where.value


def test_apply_moves_the_controls(dataset):
    from cvtune_nb.runs.finding import Finding

    panel = DetectorPanel(dataset, **QUICK)
    panel.findings.show([Finding("x", "Look closer", "because", "us", {"image_size": 192, "batch_size": 2})])
    panel.findings.children[0].children[1].click()
    assert (panel.controls_of["image_size"].value, panel.controls_of["batch_size"].value) == (192, 2)
    assert "press Train the detector" in panel.status.value


def test_too_few_boxes_are_one_sentence_in_the_panel(tmp_path):
    folder = make_photos(tmp_path / "photos", ("circle", "square"), per_class=4)
    panel = DetectorPanel(open_dataset(folder, tmp_path / "workspace"), **QUICK)
    panel.go.click()
    assert panel.job.wait(60)
    assert "draw boxes on more photos" in panel.alert.value
    shutil.rmtree(tmp_path / "workspace")


def test_what_was_drawn_since_is_learned_from(dataset):
    panel = DetectorPanel(dataset, **QUICK | {"epochs": 1})
    row = dataset.part("train").photos.iloc[0]
    box_journal.draw(dataset.workspace, row["path"], row["sha256"], [("star", 0.1, 0.1, 0.2, 0.2)])
    panel.go.click()
    assert finished(panel).result().classes == ["dot", "star", "tile"]


# -- the export ---------------------------------------------------------------------------------------------


def test_a_detector_is_exported_judged_and_tried(dataset):
    panel = DetectorExportPanel(dataset)
    assert panel.go.disabled and "no detector yet" in panel.status.value
    with pytest.raises(NotReady, match="no detector yet"):
        panel.result()
    trained = DetectorPanel(dataset, **QUICK)
    trained.start(block=True)
    panel = DetectorExportPanel(dataset)
    assert "has not been opened yet" in panel.warning.value
    panel.go.click()
    made = finished(panel).result()
    assert made.run == trained.result().id and made.folder.exists()
    assert "AP50 on" in panel.text.value and "agree to" in panel.text.value
    assert "opened once" in panel.warning.value
    assert Path(panel.photo.value).name in panel.picture.alt and Path(panel.photo.value).name in panel.answer.value
    assert "that nothing was chosen on" in panel.lessons().data
    assert "Detector(" in panel.usage().data
    panel.photo.value = "nowhere.jpg"
    panel.look.click()
    assert "nowhere.jpg can&#x27;t be looked at" in panel.alert.value
