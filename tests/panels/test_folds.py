"""Notebook 03's folds: the cost beforehand, one figure afterwards, and nothing by itself."""

import shutil

import pytest

from cvtune_nb.classification import fit
from cvtune_nb.panels.folds import FoldsPanel
from cvtune_nb.parameters import Config
from cvtune_nb.widgets.job import NotReady
from cvtune_nb.workspace import Workspace
from tests.pressing import press

CONFIG = Config("test_efficientnet:random", image_size=64, epochs=1, batch_size=16, learning_rate=0.01)


def test_before_there_is_a_run_it_says_what_to_do(workspace):
    panel = FoldsPanel(workspace)
    panel.predict()
    assert "train first" in panel.price.value
    assert "Recommended: " in panel.status.value  # 72 photos
    panel.outcome()
    assert panel.reports == []
    with pytest.raises(NotReady, match="Press Cross-validate"):
        panel.learned()


def test_cross_validate_the_best_run(opened, tmp_path):
    shutil.copytree(opened.folder, tmp_path / "workspace")
    workspace = Workspace(tmp_path / "workspace")
    run = fit(workspace, CONFIG)
    panel = FoldsPanel(workspace, folds=2)
    panel.predict()
    assert f"parameters of {run.id}, the best run: about" in panel.price.value
    press(panel)
    photos = int((workspace.photos()["split"] != "test").sum())
    assert f"of {photos} training and validation photos right" in panel.text.value
    assert "2 folds: " in panel.picture.alt
    assert "2 folds: " in panel.lessons().data
    panel.predict()
    assert "about <b>0" in panel.price.value  # all of it is there already


def test_alone_it_trains_only_where_it_is_asked_to(workspace, monkeypatch):
    monkeypatch.setenv("CVTUNE_HEADLESS", "1")
    assert not FoldsPanel(workspace).unstarted()
    assert FoldsPanel(workspace, folds=3).unstarted()
