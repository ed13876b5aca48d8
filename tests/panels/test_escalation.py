"""Notebook 04's panels: rungs, what would help most, a sweep."""

from dataclasses import replace

import pytest

from cvtune_nb import classification
from cvtune_nb.classification.choice import choose
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.errors import InputError
from cvtune_nb.escalation import ladder_of, reference_2018, resized
from cvtune_nb.files import pinned, read_json_lines
from cvtune_nb.models.families import CONTRAST
from cvtune_nb.models.recipes import recommended
from cvtune_nb.panels import EscalationPanel, GainsPanel, SweepPanel
from cvtune_nb.parameters import Config
from tests.pressing import SMALL, press


def test_the_ladder_runs_the_ticked_rungs(workspace):
    panel = EscalationPanel.of(workspace, family="efficientnet_lite", rungs="1,2", epochs=1, image_sizes="64,96")
    assert panel.table.ticked == [1, 2]
    assert [config.image_size for config in panel.table.configs()[:2]] == [64, 96]
    press(panel)
    rungs = panel.result().rungs
    assert rungs["state"].tolist() == ["done", "done"]
    assert "accuracy against training time: rung 1" in panel.picture.alt
    assert panel.result().why[:20] in panel.lessons().data
    assert "train and validation accuracy by rung: rung 1" in panel.gap.alt
    assert "real against predicted time: the last 2 predictions were within" in panel.time.alt
    panel.table.tick(set())
    panel.add_up()
    assert "No rung is chosen" in panel.sum.value
    panel.go.click()
    assert "tick at least one" in panel.alert.value


LADDER = {"family": "efficientnet_lite", "rungs": "1", "epochs": 1, "image_sizes": "64,96"}


def test_rungs_are_edited_added_taken_out_and_kept(workspace):
    panel = EscalationPanel(workspace, **LADDER)
    line = panel.table.lines[1]
    line.controls["image_size"].value = 128
    line.controls["learning_rate"].value = 0.001
    assert panel.table.configs()[1].image_size == 128
    assert panel.family.value == "my own"
    panel.table.more.click()
    rungs = panel.table.configs()
    assert rungs[-1] == rungs[-2]
    assert panel.table.ticked == [1, len(rungs)]
    panel.table.take_out(2)
    assert panel.table.configs() == [rungs[0], *rungs[2:]]
    assert panel.table.ticked == [1, len(rungs) - 1]
    again = EscalationPanel(workspace)  # a new kernel
    assert again.family.value == "my own"
    assert again.table.configs() == panel.table.configs()
    again.family.value = "efficientnet_lite"
    assert again.table.configs()[0].image_size == 224


def test_another_network_in_a_rung_brings_what_is_recommended_for_it(workspace):
    panel = EscalationPanel(workspace, **{**LADDER, "epochs": 0})
    first, second = panel.table.lines[0], panel.table.lines[3]
    for line in (first, second):
        line.controls["backbone"].value = "resnet50"
        line.controls["backbone"].options = [*line.controls["backbone"].options, ("convnext_tiny", "convnext_tiny")]
        line.controls["backbone"].value = "convnext_tiny"
    advised = recommended("convnext_tiny", image_size=64)
    assert panel.table.configs()[0] == advised
    assert first.controls["learning_rate"].value == advised.learning_rate
    assert panel.table.configs()[3] == replace(advised, image_size=96, **CONTRAST), "what the rung has besides stays"
    first.controls["learning_rate"].value = 7.0
    first.controls["backbone"].value = "resnet50"
    assert "learning_rate is 7.0" in panel.alert.value
    first.controls["learning_rate"].value = 0.001
    assert panel.table.configs()[0] == recommended("resnet50", image_size=64, learning_rate=0.001)


def test_what_is_typed_in_a_rung_survives_another_network(workspace):
    panel = EscalationPanel(workspace, **{**LADDER, "epochs": 0})
    first = panel.table.lines[0]
    first.controls["learning_rate"].value = 7.0  # only half typed
    first.controls["backbone"].value = "resnet50"
    assert first.controls["learning_rate"].value == 7.0 and "learning_rate is 7.0" in panel.alert.value
    scheduled = Config("efficientnet_lite0", image_size=64, schedule="[0.01]*2 + [0.001]")
    panel.table.show([scheduled], {1})
    panel.table.lines[0].controls["backbone"].value = "efficientnet_lite2"
    assert panel.table.configs() == [replace(scheduled, backbone="efficientnet_lite2")]
    panel.table.lines[0].controls["epochs"].value = 5
    assert panel.table.configs()[0].schedule == "", "another number of epochs is another schedule"


@pytest.mark.parametrize(
    ("backbone", "weights"),
    [("efficientnet_lite0", "own.pth"), ("resnet18:random", ""), ("mobilenetv3_small_050", ""), ("resnet50", "")],
)
def test_the_ladder_is_that_of_the_network_chosen_in_the_workspace(workspace, tmp_path, backbone, weights):
    file = tmp_path / "own.pth"
    file.write_bytes(b"weights")
    spec = FeatureSpec(backbone, weights=pinned(str(file)) if weights else "")
    choose(workspace, spec, "it is mine")
    rungs = ladder_of(spec)
    assert EscalationPanel(workspace).table.configs() == rungs
    other = EscalationPanel(workspace, epochs=1, image_sizes="64,96")
    assert other.table.configs() == resized(rungs, [64, 96], 1)


def test_a_rung_that_can_not_be_is_one_sentence_in_the_panel(workspace):
    panel = EscalationPanel(workspace, **LADDER)
    panel.table.lines[0].controls["learning_rate"].value = 7.0
    assert "learning_rate is 7.0: choose a value from" in panel.alert.value
    panel.go.click()
    assert panel.job.state == "idle"
    panel.table.lines[0].controls["learning_rate"].value = 0.001
    assert panel.alert.value == ""


def test_each_rung_says_its_time_and_expected_accuracy(workspace):
    panel = EscalationPanel(workspace, **LADDER)
    panel.predict()
    words = panel.table.lines[0].words.value
    for said in ("Optimizer: adamw", "Dropout: 0", "L2 weight decay: 0.01", "Augmentation: crop-flip", "Loss: cross-"):
        assert said in words
    assert "of memory" in words
    assert "; expected accuracy " in words
    assert "1 rung: <b>" in panel.sum.value


def expected(panel):
    """The accuracy that the panel expects of the first rung."""
    panel.predict()
    return panel.table.lines[0].words.value.partition("; expected accuracy ")[2]


def test_expected_accuracy_follows_what_runs_teach(workspace):
    panel = EscalationPanel(workspace, **LADDER)
    before = expected(panel)
    assert before
    press(panel)
    assert expected(panel) not in ("", before)


def test_a_rung_whose_accuracy_is_not_known_yet_can_be_run(workspace, monkeypatch):
    def refused(*_):
        raise InputError("a class has <too> few photos")

    panel = EscalationPanel(workspace, **LADDER)
    with monkeypatch.context() as patched:
        patched.setattr("cvtune_nb.panels.escalation.expected_accuracies", refused)
        assert not expected(panel)
    assert "; a class has &lt;too&gt; few photos" in panel.table.lines[0].words.value
    assert "within the budget" in panel.sum.value and "can't be run" not in panel.sum.value
    assert expected(panel)


def test_a_rung_that_can_not_be_run_here_does_not_keep_the_others_from_their_price(workspace):
    panel = EscalationPanel(workspace, **{**LADDER, "image_sizes": "64,800", "rungs": "1,2"})
    panel.predict()
    assert "image_size 800 is beyond the photos" in panel.table.lines[1].words.value
    assert "within the budget; 1 can't be run here" in panel.sum.value
    panel.table.lines[0].run.value = False
    panel.predict()
    assert "1 rung: <b>can't be run here</b>" in panel.sum.value


def test_an_advice_becomes_a_rung_and_afterwards_it_is_judged(workspace):
    panel = EscalationPanel(workspace, **LADDER)
    press(panel)
    first = panel.result().best
    box = next(box for box in panel.found.children if len(getattr(box, "children", ())) == 2)
    box.children[1].click()
    assert len(panel.table.configs()) == 6
    assert panel.table.ticked == [6]
    assert "Applied as rung 6" in panel.status.value
    (entry,) = read_json_lines(workspace.folder / "applied.jsonl")
    assert entry["run"] == first
    press(panel)
    assert panel.result().rungs["rung"].tolist() == [1, 6]  # the first one is there to compare with
    again = EscalationPanel(workspace)  # a new kernel
    assert "rung 1 " in again.picture.alt and "rung 6 " in again.picture.alt
    assert "were run before" in again.status.value
    assert f"against {first}, before it" in panel.found.children[0].value


def test_what_would_help_most_puts_a_rung_into_the_table(workspace):
    ladder = EscalationPanel(workspace, **LADDER)
    press(ladder)
    panel = GainsPanel(workspace, ladder=ladder)
    press(panel)
    assert "predicted gains: " in panel.picture.alt
    assert "Twice the training photos" in panel.lessons().data
    assert "its features are not in the cache" in panel.text.value
    panel.compute.value = True
    press(panel)
    assert "efficientnet_lite1" in panel.picture.alt
    assert "its features are not in the cache" not in panel.text.value
    box = next(box for box in panel.found.children if len(getattr(box, "children", ())) == 2)
    box.children[1].click()
    assert ladder.table.ticked == [6]
    assert "press Run these rungs there" in panel.status.value


def test_a_sweep_needs_a_run_and_then_searches_round_it(workspace):
    panel = SweepPanel(workspace, trials=2)
    assert "run a rung first" in panel.about.value
    panel.go.click()
    assert "there is no run to search around" in panel.alert.value
    classification.fit(workspace, Config(**SMALL, epochs=1, batch_size=32))
    panel.trials.value = 3
    panel.trials.value = 2
    assert "2 trials of" in panel.about.value
    press(panel)
    assert panel.result().trials["state"].tolist() == ["complete", "complete"]
    assert "accuracy against each parameter: trial 1" in panel.picture.alt
    assert "The sweep so far" in panel.text.value


def test_the_table_of_2018_is_one_of_the_ladders(workspace):
    panel = EscalationPanel(workspace, **{**LADDER, "epochs": 0, "image_sizes": ""})
    labels = {name: label for label, name in panel.family.options}
    assert labels["resnet"] == "resnet: the table of 2018, and beyond" and labels["efficientnet_lite"]
    panel.family.value = "resnet"
    rungs = panel.table.configs()
    assert [(rung.backbone, rung.image_size) for rung in rungs[:4]] == [
        (row.backbone, row.image_size) for row in reference_2018().itertuples()
    ]
    assert {(rung.epochs, rung.optimizer, rung.head) for rung in rungs} == {(15, "sgd", "random")}


def test_the_least_gain_is_asked_for_in_the_panel(workspace, monkeypatch):
    asked = {}
    panel = EscalationPanel(workspace, **LADDER, least_gain=5)
    assert "Least gain <b>5</b> points an hour (0 to 1000)" in panel.least_gain.words.value
    panel.least_gain.value = 7.0
    monkeypatch.setattr("cvtune_nb.panels.escalation.escalate", lambda *_, **named: asked.update(named))
    panel.work()(lambda *_: None)
    assert asked["least_gain"] == 7.0
