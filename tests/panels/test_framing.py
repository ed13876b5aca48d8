"""Notebook 02's framings: what the crop cuts off is shown at once, and what is chosen is where other panels start."""

import pytest

from cvtune_nb.classification.choice import BY_HAND, choice, choose_framing
from cvtune_nb.panels import BaselinePanel, EscalationPanel, TrainingPanel
from cvtune_nb.panels.framing import FramingPanel
from cvtune_nb.widgets.job import NotReady
from tests.pressing import press


@pytest.fixture
def panel(workspace):
    choose_framing(workspace, "crop", "")  # the network and size that the workspace has features of
    return FramingPanel.of(workspace, photos=60)


def test_what_the_crop_cuts_off_is_there_before_anything_is_compared(panel):
    assert "% cut off" in panel.cut.alt and panel.cut.png
    assert "The crop leaves out" in panel.cost.value and "of the photos&#x27; area" in panel.cost.value
    assert "Nothing compared yet" in panel.status.value
    panel.predict()
    assert "efficientnet_lite0 at 224 pixels: about" in panel.price.value
    panel.photos.value = 8
    panel.predict()
    assert "too few to compare" in panel.price.value
    with pytest.raises(NotReady, match="Press Compare framings"):
        panel.learned()
    panel.outcome()
    assert panel.reports == []


def test_compare_and_choose(workspace, monkeypatch):
    baseline = BaselinePanel.of(workspace, image_size=64)
    panel = press(FramingPanel.of(workspace, photos=60))
    assert "crop" in panel.picture.alt and "squash" in panel.picture.alt
    assert "Recommended: " in panel.text.value and choice(workspace) is None, "the person chooses"
    panel.use["whole"].click()
    assert "Later steps start with efficientnet_lite0 at 224 pixels, whole, the default; whole: " in panel.chosen.value
    assert baseline.framing.value == "whole" and "pixels, whole" in baseline.status.value
    assert TrainingPanel(workspace).config().framing == "whole"
    assert {rung.framing for rung in EscalationPanel(workspace).table.configs()} == {"whole"}
    again = FramingPanel(workspace)
    assert again.text.value == panel.text.value and "The last comparison is shown" in again.status.value
    again.outcome()
    monkeypatch.setenv("CVTUNE_HEADLESS", "1")
    choose_framing(workspace, "squash", BY_HAND)
    alone = FramingPanel(workspace, photos=60)
    alone.start(block=True)
    assert choice(workspace).spec.preprocessing.framing == "squash", "what a person chose stays"
    choose_framing(workspace, "squash", "")
    alone.start(block=True)
    assert choice(workspace).spec.preprocessing.framing == alone.seen.recommended
    assert not FramingPanel(workspace, unattended=False).unstarted()
