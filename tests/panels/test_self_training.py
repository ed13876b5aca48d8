"""Notebook 03's photos without labels: the cost beforehand, the rounds, and decisions in the gallery."""

from pathlib import Path

import pytest

from cvtune_nb import self_training
from cvtune_nb.panels.self_training import SelfTrainingPanel
from cvtune_nb.parameters import Config
from cvtune_nb.self_training.decisions import Decision, Decisions
from cvtune_nb.widgets.job import NotReady
from tests.photos import make_photos
from tests.pressing import press

CONFIG = Config("test_efficientnet:random", image_size=64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_photos(tmp_path_factory.mktemp("unlabelled") / "photos", ("circle",), per_class=9, seed=5)


def test_without_a_folder_it_says_what_to_do(workspace):
    panel = SelfTrainingPanel(workspace)
    assert not panel.unstarted()
    panel.predict()
    assert "no folder is named" in panel.price.value
    panel.outcome()
    assert panel.reports == []
    with pytest.raises(NotReady, match="press Label and train"):
        panel.result()


def test_label_and_review(workspace, folder, monkeypatch):
    monkeypatch.setattr(SelfTrainingPanel, "config", CONFIG)
    panel = SelfTrainingPanel(workspace, str(folder))
    assert panel.unstarted()
    assert "Probability <b>0.5</b> (0 to 1): mean" in panel.least.words.value
    panel.predict()
    assert "about <b>" in panel.price.value
    panel.rounds.value, panel.least.value, panel.train.value = 1, 0.0, False
    press(panel)
    found = self_training.last(workspace)
    assert found is not None and "Round 1: " in panel.text.value
    shown = panel.gallery.photos
    assert len(shown) == len(found.labels) > 1
    assert [one["score"] for one in shown] == sorted(one["score"] for one in shown)
    assert shown[0]["suggested"] == "keep" and shown[0]["to"] == shown[0]["label"]
    first, second = (one["finding"] for one in shown[:2])
    panel.gallery.on_decide(first, "keep", "")
    panel.gallery.on_decide(second, "relabel", workspace.classes[-1])
    made = Decisions(workspace)
    assert made.of(first["issue"]) == Decision("keep", shown[0]["label"])
    assert made.of(second["issue"]) == Decision("relabel", workspace.classes[-1])
    assert [state["action"] for state in panel.gallery.states[:2]] == ["keep", "relabel"]
    assert "2 decided" in panel.where.value and "press Label and train again" in panel.status.value
    panel.gallery.on_decide(first, "undo", "")
    panel.confirm.click()
    made.refresh()
    assert len(made) == len(shown) and made.of(second["issue"]) == Decision("relabel", workspace.classes[-1])
    assert found.words.split(";")[0][1:] in panel.lessons().data
    again = SelfTrainingPanel(workspace)
    assert again.folder.value == str(folder) and again.gallery.photos == shown
