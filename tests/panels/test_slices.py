"""Notebook 03's slices: the best classifier is looked at, what was found stays, and nothing is shown before."""

import pytest

from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.panels.slices import SlicesPanel
from cvtune_nb.widgets.job import NotReady
from tests.pressing import press


@pytest.fixture
def workspace(workspace):
    """A workspace with a baseline."""
    baseline(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(64))).save(workspace)
    return workspace


def test_the_best_classifier_is_chosen_before_anybody_does(workspace):
    panel = SlicesPanel(workspace)
    assert panel.run.value == "svm" and not panel.go.disabled
    assert "Nothing looked for yet" in panel.status.value
    panel.outcome()
    assert panel.reports == []
    with pytest.raises(NotReady, match="Press Find where it fails"):
        panel.learned()


def test_what_was_found_is_shown_again(workspace):
    panel = SlicesPanel(workspace)
    press(panel)
    assert panel.text.value
    again = SlicesPanel(workspace)
    assert again.text.value == panel.text.value
    again.outcome()
    assert again.reports
