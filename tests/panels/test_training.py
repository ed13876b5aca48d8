"""Notebook 03's panel: train, stop, resume, apply."""

import pytest

from cvtune_nb import classification
from cvtune_nb.files import read_json_lines
from cvtune_nb.models.recipes import recommended
from cvtune_nb.panels import (
    TrainingPanel,
)
from cvtune_nb.parameters import RECIPE_2018, Config
from cvtune_nb.runs.finding import Finding
from cvtune_nb.widgets.job import NotReady
from tests.pressing import SMALL, finished, press

QUICK = {**SMALL, "epochs": 2, "batch_size": 16}


def test_train_gives_curves_findings_and_a_row_to_compare(workspace):
    panel = TrainingPanel.of(workspace, **QUICK)
    panel.predict()
    assert "This will take" in panel.cost_line.value and "the first estimate here" in panel.cost_line.value
    press(panel)
    run = panel.result()
    assert run.history["epoch"].max() == 2
    assert f"{run.validation.value:.1%}" in panel.status.value
    assert run.id in panel.picture.alt
    assert "predicted" in panel.cost.value
    assert panel.findings.children
    assert run.id in panel.compared.value
    again = TrainingPanel(workspace, **QUICK)  # a new kernel: the last run is shown
    assert again.result().id == run.id
    assert run.id in again.picture.alt


def test_a_learning_rate_is_found_and_applied(workspace):
    panel = TrainingPanel(workspace, **QUICK)
    panel.find.click()
    found = finished(panel).job.result
    assert "forgets" in panel.rate.alt and "empty so far" in panel.picture.alt
    assert not panel.find.disabled
    button = panel.findings.children[0].children[1]
    assert button.description.startswith("Apply: learning_rate")
    button.click()
    assert panel.config().learning_rate == found.suggestion
    assert classification.runs(workspace).empty
    with pytest.raises(NotReady):
        panel.result()


def test_a_slider_is_answered_by_a_preview(workspace):
    panel = TrainingPanel(workspace, **QUICK)
    panel.read_features(panel.config())
    before = panel.preview.value
    assert before and "the last layer alone" in panel.preview_words.value
    panel.set({"learning_rate": 0.1})
    assert panel.preview.value != before
    panel.read_features(Config("efficientnet_lite0", image_size=96))
    assert "notebook 02" in panel.preview_words.value


def test_controls_moved_together_are_answered_once_and_features_are_read_once(workspace, monkeypatch):
    panel = TrainingPanel(workspace, **QUICK)
    panel.read_features(panel.config())
    layer, asked = panel.layer, []
    preview = layer.preview
    monkeypatch.setattr(layer, "preview", lambda config: asked.append(config) or preview(config))
    panel.set({"learning_rate": 0.01, "dropout": 0.3, "epochs": 3})
    assert asked == [panel.config()]
    panel.read_features(panel.config())
    assert panel.layer is layer
    workspace.decide(workspace.photos().query("split == 'train'")["path"].iloc[0], "exclude")
    panel.read_features(panel.config())
    assert panel.layer is not layer, "the photos are others now"


def test_apply_moves_the_controls(workspace):
    panel = TrainingPanel.of(workspace, **QUICK)
    change = {"learning_rate": 0.001, "epochs": 4, "schedule": ""}
    panel.findings.show([Finding("underfit", "t", "<e>", "s", change)])
    (box,) = panel.findings.children
    assert "<summary>Why</summary>&lt;e&gt;<br>Source: s" in box.children[0].value
    box.children[1].click()
    assert read_json_lines(workspace.folder / "applied.jsonl") == []  # it is about no run
    assert panel.config().learning_rate == 0.001
    assert panel.config().epochs == 4
    assert panel.config().batch_size == 16


def test_presets_set_the_recipe_and_the_defaults(workspace):
    panel = TrainingPanel.of(workspace, **QUICK)
    panel.recipe.click()
    config = panel.config().to_dict()
    assert {name: config[name] for name in RECIPE_2018} == RECIPE_2018
    assert config["image_size"] == 64
    choose(panel, "test_vit:random")
    panel.recommended.click()
    panel.recipe.click()
    assert panel.config() == Config("test_vit:random", image_size=64, **RECIPE_2018), "nothing of the network's own"
    choose(panel, SMALL["backbone"])
    panel.recommended.click()
    assert panel.config() == Config(**SMALL)


def choose(panel, backbone):
    """As from the menu of networks."""
    control = panel.controls_of["backbone"]
    control.value = backbone


def test_choosing_a_network_moves_what_the_person_has_not_moved(workspace):
    panel = TrainingPanel(workspace, **SMALL)
    assert "Recommended for efficientnet_lite0: learning rate 0.0003, epochs 8" in panel.advised.value
    assert ", as set now." in panel.advised.value
    panel.controls_of["weight_decay"].value = 0.002
    assert ". Your settings differ: L2 weight decay 0.002." in panel.advised.value
    choose(panel, "convnext_tiny")
    assert panel.config() == recommended("convnext_tiny", image_size=64, weight_decay=0.002)
    assert "Recommended for convnext_tiny: learning rate 5e-05, epochs 12" in panel.advised.value
    assert (
        "layer decay 0.9" in panel.advised.value
        and ". Your settings differ: L2 weight decay 0.002." in panel.advised.value
    )
    panel.recommended.click()
    assert panel.config() == recommended("convnext_tiny", image_size=64)
    choose(panel, "efficientnet_lite0")
    assert panel.config() == Config(**SMALL)


@pytest.mark.parametrize(("name", "typed"), [("schedule", "[0.1]*"), ("weights", "/nowhere/own.pth")])
def test_a_network_brings_its_recipe_beside_what_can_not_be_read(workspace, name, typed):
    panel = TrainingPanel(workspace, **SMALL)
    panel.controls_of[name].widget.value = typed
    choose(panel, "convnext_tiny")
    assert panel.controls_of["weights"].value == ""
    assert panel.controls_of["schedule"].value == (typed if name == "schedule" else "")
    panel.controls_of["schedule"].value = ""
    assert panel.config() == recommended("convnext_tiny", image_size=64)


def test_what_the_notebook_does_not_give_is_recommended_for_the_network(workspace):
    panel = TrainingPanel(workspace, backbone="convnext_tiny", image_size=64, learning_rate=None, epochs=3, ema=None)
    assert panel.config() == recommended("convnext_tiny", image_size=64, epochs=3)


def test_apply_sets_what_it_says_and_nothing_else_follows(workspace):
    panel = TrainingPanel(workspace, **SMALL)
    panel.set({"learning_rate": 0.0003, "backbone": "convnext_tiny"})
    assert panel.config() == Config("convnext_tiny", image_size=64)
    assert "Recommended for convnext_tiny" in panel.advised.value


def test_drop_path_of_a_network_without_it_is_said_in_the_place_of_the_cost(workspace):
    panel = TrainingPanel(workspace, backbone="resnet18:random", image_size=64, drop_path=0.1)
    panel.predict()
    assert "resnet18:random is built without drop path: choose drop_path 0" in panel.cost_line.value


def test_a_file_that_holds_no_weights_is_said_in_the_place_of_the_cost(workspace, tmp_path):
    (tmp_path / "own.pth").write_bytes(b"no weights")
    panel = TrainingPanel(workspace, **SMALL, weights=str(tmp_path / "own.pth"))
    panel.predict()
    assert 'role="alert"' in panel.cost_line.value and "own.pth" in panel.cost_line.value


def test_a_schedule_with_garbage_is_said_before_anything_runs(workspace):
    panel = TrainingPanel.of(workspace, **QUICK)
    panel.controls_of["schedule"].value = "[0.1]*__import__('os')"
    panel.go.click()
    assert panel.job.state == "idle"
    assert "schedule" in panel.alert.value
    assert len(classification.runs(workspace)) == 0


def test_stop_keeps_whole_epochs_and_resume_goes_on(workspace, monkeypatch):
    panel = TrainingPanel.of(workspace, **{**QUICK, "epochs": 3})
    draw = panel.draw

    def draw_then_stop(run):
        draw(run)
        if run.history["epoch"].max() == 1:
            panel.end.click()

    monkeypatch.setattr(panel, "draw", draw_then_stop)
    press(panel)
    assert panel.result().state == "stopped"
    assert "Resume" in panel.status.value
    assert not panel.resume.disabled
    monkeypatch.setattr(panel, "draw", draw)
    panel.resume.click()
    finished(panel)
    assert panel.result().state == "done"
    assert panel.result().history["epoch"].tolist() == [0, 1, 2, 3]
    assert len(classification.runs(workspace)) == 1
    assert panel.resume.disabled
