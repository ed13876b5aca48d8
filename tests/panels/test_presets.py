"""Notebook 00's presets: offered once the photos are open, begun by a press alone, and what they gave is shown."""

import math

import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.panels.presets import PresetsPanel
from cvtune_nb.parameters import Config
from cvtune_nb.pipeline import PRESETS, Workbook
from cvtune_nb.widgets.job import NotReady

CONFIG = Config("efficientnet_lite0", image_size=64, epochs=1, batch_size=16)


def refuse():
    raise NotReady("the photos are being opened")


def test_nothing_before_the_photos_are_open(workspace):
    panel = PresetsPanel(refuse)
    assert all(press.disabled for press in panel.press.values())
    assert all("when the photos are open" in words.value for words in panel.offered.values())
    panel.photos_of = lambda: workspace
    panel.photos_opened()
    assert not any(press.disabled for press in panel.press.values())
    assert not panel.unstarted()  # nothing starts by itself
    with pytest.raises(NotReady, match="Press Quick, Good or Best"):
        panel.result()


def test_each_is_offered_with_cost_and_accuracy(workspace, monkeypatch):
    monkeypatch.setattr(PresetsPanel, "config", CONFIG)
    monkeypatch.setattr("cvtune_nb.pipeline.planner.Planner.higher_rungs", lambda _: [])
    panel = PresetsPanel(lambda: workspace)
    panel.predict()
    for name, words in panel.offered.items():
        assert PRESETS[name].meaning in words.value
        assert "<b>about " in words.value and "of disk, nothing to download</b>" in words.value
        assert "expected on test photos, judged from an SVM" in words.value


def test_while_it_estimates_it_says_how_far_it_is_and_can_be_stopped(workspace, monkeypatch):
    monkeypatch.setattr(PresetsPanel, "config", CONFIG)
    panel, shown = PresetsPanel(lambda: workspace), []

    def priced(_workspace, _config, progress):
        progress(0.25, "trying a step")
        shown.append((panel.bar.value, panel.end.disabled, panel.status.value))
        panel.end.click()
        progress(0.5, "trying another step")
        return pytest.fail("it was stopped")

    monkeypatch.setattr("cvtune_nb.pipeline.offer.predict_cost", priced)
    monkeypatch.setattr("cvtune_nb.widgets.job.REPORTS_A_SECOND", math.inf)
    before = panel.status.value
    panel.predict()
    ((share, disabled, words),) = shown
    assert share == 0.25 and not disabled and "trying a step" in words
    assert panel.bar.value == 0 and panel.end.disabled and panel.status.value == before
    assert "<b>about " in panel.offered["quick"].value, "what was estimated before stays"
    assert "Not estimated: you pressed Stop." in panel.offered["good"].value
    assert "Not estimated: you pressed Stop." in panel.offered["best"].value


def test_a_press_does_it_and_leads_on(workspace, monkeypatch):
    made = {"state": "done", "test_accuracy": 0.9, "folder": "/exports/svm"}
    monkeypatch.setattr(PresetsPanel, "config", CONFIG)
    monkeypatch.setattr(Workbook, "audit", lambda self, _: self.found.update(audit={"state": "done"}))
    monkeypatch.setattr(Workbook, "export", lambda self: self.found.update(export=made))
    panel = PresetsPanel(lambda: workspace)
    panel.press["quick"].click()
    assert panel.job.wait(120)
    found = panel.result()
    assert found["preset"] == "quick" and found["state"] == "done"
    assert [row["step"] for row in found["rows"]] == ["audit", "baseline", "export"]
    assert "test accuracy" in panel.text.value
    lessons = panel.lessons().data
    assert "On the test photos 90.0% are right" in lessons and "Expected beforehand: " in lessons
    assert "02_frozen_dnn_svm_baseline.ipynb" in lessons


def test_a_preset_that_there_is_not(workspace):
    with pytest.raises(InputError, match="PRESET is 'fast': choose quick, good, best, or nothing"):
        PresetsPanel(lambda: workspace, "fast")


def test_alone_it_does_only_what_is_asked_for(workspace, monkeypatch):
    monkeypatch.setenv("CVTUNE_HEADLESS", "1")
    assert not PresetsPanel(lambda: workspace).unstarted()
    assert PresetsPanel(lambda: workspace, "quick").unstarted()
