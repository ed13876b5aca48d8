"""Notebook 05's test time: the best classifier is chosen at once, its options are measured, and exports follow one."""

import pytest

from cvtune_nb.classification.at_test_time import chosen_for
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.exportable import candidate
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.panels.at_test_time import AtTestTimePanel
from cvtune_nb.widgets.job import NotReady
from tests.pressing import press


@pytest.fixture
def workspace(workspace):
    """A workspace with a baseline."""
    baseline(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(64))).save(workspace)
    return workspace


def test_the_best_classifier_is_chosen_before_anybody_does(workspace):
    panel = AtTestTimePanel(workspace)
    assert panel.run.value == "svm" and not panel.go.disabled
    panel.predict()
    assert "About <b>" in panel.price.value
    with pytest.raises(NotReady, match="Press Measure"):
        panel.result()


def test_measure_and_use_and_take_back(workspace):
    panel = AtTestTimePanel(workspace)
    press(panel)
    assert "as in training" in panel.text.value or "than in training" in panel.text.value
    assert panel.options.options and not panel.use.disabled
    made = candidate(workspace, "svm")
    panel.options.value = 1  # mirrored too
    panel.use.click()
    assert chosen_for(workspace, made.id, made.spec).mirrored
    assert "mirrored" in AtTestTimePanel(workspace).chosen.value, "it is known again"
    panel.back.click()
    assert chosen_for(workspace, made.id, made.spec) is None
