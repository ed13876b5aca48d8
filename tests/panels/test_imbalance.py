"""Notebook 02's remedies for imbalance and notebook 03's slices: what is found is shown, kept, and followed later."""

import pytest

from cvtune_nb.classification.choice import choose
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.remedies import chosen_remedy
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.panels import BaselinePanel, EscalationPanel, ImbalancePanel, SlicesPanel, TrainingPanel
from cvtune_nb.widgets.job import NotReady
from tests.pressing import press

SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(64))


@pytest.fixture
def small(workspace):
    choose(workspace, SPEC, "")
    return workspace


def test_balance_and_cost_are_there_before_anything_is_compared(small):
    panel = ImbalancePanel.of(small)
    assert "training photos" in panel.balance.value and "of one size" in panel.balance.value
    assert "Nothing compared yet" in panel.status.value and panel.recommended.disabled
    panel.predict()
    assert "efficientnet_lite0 at 64 pixels: about" in panel.price.value
    with pytest.raises(NotReady, match="Press Compare remedies"):
        panel.learned()
    panel.outcome()
    assert panel.reports == []


def test_compare_and_choose(small):
    baseline = BaselinePanel.of(small, image_size=64)
    panel = press(ImbalancePanel.of(small))
    assert "balanced" in panel.picture.alt and panel.picture.png
    assert "Recommended: " in panel.text.value and chosen_remedy(small) == "none", "the person chooses"
    panel.remedy.value = "square-root"
    panel.use.click()
    assert chosen_remedy(small) == "square-root" and baseline.imbalance.value == "square-root"
    assert "imbalance: square-root" in panel.chosen.value
    assert TrainingPanel(small).config().imbalance == "square-root"
    assert {rung.imbalance for rung in EscalationPanel(small).table.configs()} == {"square-root"}
    panel.recommended.click()
    assert chosen_remedy(small) == panel.seen.recommended == panel.remedy.value
    again = ImbalancePanel(small)
    assert again.text.value == panel.text.value and "The last comparison is shown" in again.status.value
    again.outcome()
    assert len(again.reports) == 2


def test_the_baseline_follows_and_says_so(small):
    panel = BaselinePanel.of(small, image_size=64, imbalance="balanced")
    press(panel)
    assert panel.seen.imbalance == "balanced" and "imbalance: balanced" in panel.text.value


def test_where_it_fails(small):
    panel = SlicesPanel.of(small)
    assert panel.go.disabled and "no model in this workspace" in panel.status.value
    with pytest.raises(NotReady, match="Press Find where it fails"):
        panel.learned()
    press(BaselinePanel.of(small, image_size=64))
    panel = press(SlicesPanel(small))
    assert "validation photos were tried" in panel.text.value and panel.picture.png
    assert "Shown for the baseline" in panel.status.value
    panel.outcome()
    again = SlicesPanel(small)
    assert again.text.value == panel.text.value
