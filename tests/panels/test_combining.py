"""Notebook 04's combinations: what there is, what it costs and brings, and one network that answers as they do."""

import shutil

import pytest

from cvtune_nb.classification import fit, load_run
from cvtune_nb.classification.combining import load_combination, stored_combinations
from cvtune_nb.classification.exportable import choices
from cvtune_nb.panels import AtTestTimePanel, CombinePanel, ExportPanel
from cvtune_nb.parameters import Config
from cvtune_nb.widgets.job import NotReady
from cvtune_nb.workspace import Workspace
from tests.pressing import finished, press

CONFIG = {"image_size": 64, "epochs": 1, "batch_size": 16, "learning_rate": 0.01, "head": "random"}


@pytest.fixture(scope="module")
def two_runs(opened, tmp_path_factory):
    """Shared: copy it."""
    folder = tmp_path_factory.mktemp("two") / "workspace"
    shutil.copytree(opened.folder, folder)
    for seed in (0, 1):
        fit(Workspace(folder), Config("test_efficientnet:random", **CONFIG, seed=seed))
    return folder


@pytest.fixture
def own(two_runs, tmp_path):
    return Workspace(shutil.copytree(two_runs, tmp_path / "workspace"))


def test_before_there_is_anything_it_waits(workspace):
    panel = CombinePanel(workspace)
    assert list(panel.classifiers.options) == [] and panel.distil.disabled and panel.delete.disabled
    assert "There is no classifier yet" in panel.status.value and panel.go.disabled
    panel.outcome()
    assert panel.reports == []
    with pytest.raises(NotReady, match="Press Combine"):
        panel.learned()


def test_combine_distil_and_delete(own):
    panel = CombinePanel(own)
    assert set(panel.classifiers.value) == set(panel.classifiers.options) and len(panel.classifiers.options) == 3
    panel.predict()
    assert "About <b>" in panel.price.value
    panel.classifiers.value = [name for name in panel.classifiers.options if name != "svm"]
    panel.kind.value = "soup"
    press(panel)
    found = load_combination(own).combination
    assert "It can be exported" in panel.status.value
    assert f"What {found.id} is made of" in panel.text.value and "corrected for the choice" in panel.text.value
    assert "soup" in panel.picture.alt and found.words[0].split(":")[0] in panel.lessons().data
    assert found.id in choices(own)["run"].tolist()
    assert found.id in [value for _, value in ExportPanel(own).run.options]
    assert found.id not in AtTestTimePanel(own).run.options  # it has its own mirror images and sizes

    again = CombinePanel(own)
    assert f"{found.id}, made before, is shown" in again.status.value
    again.predict_distillation()
    assert "About <b>" in again.distil_price.value
    again.distil.click()
    finished(again)
    run = again.result()
    assert load_run(own, run.id).beside["teacher"] == found.id and run.id in again.status.value
    assert run.id in again.classifiers.options
    again.delete.click()
    assert stored_combinations(own) == [] and again.delete.disabled


def test_alone_it_combines_only_where_it_is_asked_to(own, monkeypatch):
    monkeypatch.setenv("CVTUNE_HEADLESS", "1")
    assert not CombinePanel(own).unstarted()
    assert CombinePanel(own, combine=True).unstarted()
