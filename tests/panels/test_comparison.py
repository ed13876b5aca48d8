"""Notebook 02's comparison: what is ticked is compared, and what is chosen is where the other panels start."""

import pandas as pd
import pytest
import timm
import torch

from cvtune_nb.classification.choice import BY_HAND, choice, choose
from cvtune_nb.classification.comparison import last_comparison
from cvtune_nb.models import downloads
from cvtune_nb.panels import BaselinePanel, ComparisonPanel, EscalationPanel, TrainingPanel
from cvtune_nb.widgets.job import NotReady
from tests.pressing import press

TWO = {"networks": "test_efficientnet:random, efficientnet_lite0", "image_sizes": "64", "pooling": "last"}


@pytest.fixture
def compared(workspace):
    return press(ComparisonPanel.of(workspace, **TWO))


def best(workspace):
    return last_comparison(workspace).recommended["accuracy"].spec


def test_what_is_ticked_is_compared(compared, workspace):
    assert {box for box, ticked in compared.boxes.items() if ticked.value} == set(TWO["networks"].split(", "))
    assert f"Recommended for accuracy: {best(workspace)}, " in compared.text.value
    assert "test_efficientnet:random at 64 pixels" in compared.picture.alt
    assert [spec.image_size for _, spec in compared.any.options] == [64, 64] and compared.any.value
    assert choice(workspace) is None, "the person chooses"
    assert "the default" in compared.start_with.value


def test_nothing_begins_by_itself_and_the_cost_is_shown_first(workspace, monkeypatch):
    panel = ComparisonPanel.of(workspace, **TWO)
    assert not panel.by_itself and panel.job.state == "idle"
    panel.predict()
    assert "2 candidates on 4" in panel.price.value and "at most about" in panel.price.value
    panel.budget.value = 0.1
    monkeypatch.setattr("cvtune_nb.panels.comparison.candidates.predicted_seconds", lambda *_: 5400.0)
    panel.predict()
    assert "1.5 h</b>, ended by the budget after 6 s" in panel.price.value
    for box in panel.boxes.values():
        box.value = False
    panel.predict()
    assert "no network is ticked" in panel.price.value
    with pytest.raises(NotReady, match="Press Compare"):
        panel.learned()
    panel.outcome()
    assert panel.reports == []


def test_what_is_out_of_reach_is_grey_and_says_why(workspace, torch_home, no_network):
    panel = ComparisonPanel.of(workspace)
    assert panel.boxes["resnet18"].disabled and not panel.boxes["resnet18"].value
    assert panel.boxes["efficientnet_lite0"].value
    shown = "".join(line.children[1].value for line in panel.list.children if hasattr(line, "children"))
    assert "BSD-3-Clause; its weights are not on disk, and downloads are not allowed" in shown
    panel.fetch.value = True
    assert panel.boxes["resnet18"].disabled, "there is no network"


def test_downloads_are_for_the_cell_to_allow(workspace, torch_home, monkeypatch):
    monkeypatch.setattr(downloads, "answers", lambda url: True)
    asked = ComparisonPanel(workspace, download=True)
    assert asked.fetch.value and asked.boxes["resnet18"].value and asked.boxes["efficientnet_lite0"].value
    panel = ComparisonPanel(workspace)
    assert not panel.fetch.value and panel.boxes["resnet18"].disabled
    panel.fetch.value = True
    assert not panel.boxes["resnet18"].disabled and not panel.boxes["resnet18"].value, "a person ticks what is fetched"
    assert panel.boxes["efficientnet_lite0"].value


def test_own_weights_are_compared_beside_the_others(workspace, tmp_path):
    file = tmp_path / "plants.pth"
    torch.save(timm.create_model("test_resnet", num_classes=3).state_dict(), file)
    own = {
        "networks": "test_resnet:random",
        "image_sizes": "32",
        "backbone": "test_resnet",
        "weights": str(file),
        "pooling": "last",
    }
    panel = press(ComparisonPanel(workspace, **own))
    assert len(panel.seen.specs) == 2 and ">plants.pth</td>" in panel.text.value
    panel.any.value = next(spec for _, spec in panel.any.options if spec.weights)
    panel.use_any.click()
    assert choice(workspace).spec.weights.startswith(f"{file}@sha256:")
    assert TrainingPanel(workspace).config().weights == choice(workspace).spec.weights
    file.write_bytes(b"damaged")
    panel.weights.widget.value = ""
    panel.weights.widget.value = str(file)
    panel.predict()
    assert "plants.pth is not a file of weights" in panel.price.value
    for box in panel.boxes.values():
        box.value = False
    panel.predict()
    assert "no network is ticked" in panel.price.value, "a file alone is nothing to compare with"


def test_other_panels_start_with_what_is_used(compared, workspace):
    baseline = BaselinePanel.of(workspace)
    assert (baseline.backbone.value, baseline.image_size.value) == ("efficientnet_lite0", 224)
    compared.for_use["accuracy"].click()
    assert str(choice(workspace)) == f"{best(workspace)}, recommended for accuracy"
    assert f"Later steps start with {best(workspace)}" in compared.start_with.value
    assert baseline.image_size.value == 64, "the panel below follows"
    assert f"Press Compute for {best(workspace)}" in baseline.status.value
    assert TrainingPanel.of(workspace).config().image_size == 64
    compared.any.value = next(spec for _, spec in compared.any.options if spec.backbone == "test_efficientnet:random")
    compared.use_any.click()
    assert str(choice(workspace)) == "test_efficientnet:random at 64 pixels, chosen by hand"
    assert TrainingPanel(workspace).config().backbone == "test_efficientnet:random"
    assert EscalationPanel(workspace).table.configs()[0].backbone == "test_efficientnet:random"


def test_a_person_who_comes_back_finds_the_last_comparison(compared, workspace):
    again = ComparisonPanel(workspace)
    assert again.text.value == compared.text.value
    again.outcome()
    assert "efficientnet_lite0 at 64 pixels" in again.reports[-1][1]().data
    again.for_use["speed"].click()
    assert choice(workspace)
    assert "changed" not in again.status.value
    path = workspace.photos().query("split == 'train'")["path"].iloc[0]
    workspace.decide(path, "exclude")
    assert "Photos or labels have changed since" in ComparisonPanel(workspace).status.value


def test_a_comparison_of_an_earlier_version_is_shown(compared, workspace):
    file = workspace.folder / "comparison.csv"
    pd.read_csv(file).drop(columns=["weights", "framing", "pooling"]).to_csv(file, index=False)
    again = ComparisonPanel(workspace)
    assert again.text.value == compared.text.value
    assert again.seen.specs == compared.seen.specs


def test_without_a_person_the_recommended_one_is_used(workspace, monkeypatch):
    monkeypatch.setenv("CVTUNE_HEADLESS", "1")
    panel = ComparisonPanel.of(workspace, **TWO, use="speed")
    panel.start(block=True)
    assert choice(workspace).why == "recommended for speed"
    by_hand = choose(workspace, panel.seen.specs[-1], BY_HAND)
    panel.start(block=True)
    assert choice(workspace) == by_hand, "what a person chose stays"
    assert not ComparisonPanel(workspace, budget_minutes=0).unstarted(), "no budget, no comparison"
