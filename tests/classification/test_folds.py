"""Fine-tuned runs in cross-validation: no run sees its fold, stopped ones go on, and all photos give one figure."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification import runs
from cvtune_nb.classification.folds import FoldRuns, expected_seconds, fit_folds, fold_views, together
from cvtune_nb.errors import Stopped
from cvtune_nb.workspace import Workspace


@pytest.fixture(scope="module")
def crossed(opened, tmp_path_factory):
    """(workspace, FoldRuns) of three folds."""
    from tests.classification.conftest import CONFIG

    folder = tmp_path_factory.mktemp("crossed") / "workspace"
    shutil.copytree(opened.folder, folder)
    workspace = Workspace(folder)
    return workspace, fit_folds(workspace, CONFIG, 3)


def test_every_fold_is_validation_once_and_test_photos_stay(opened):
    photos = opened.photos().set_index("path")["split"]
    views = [view.photos().set_index("path")["split"] for view in fold_views(opened, 4)]
    times = pd.concat([view == "validation" for view in views], axis=1).sum(axis=1)
    assert (times[photos != "test"] == 1).all()
    assert (times[photos == "test"] == 0).all()
    assert all((view[photos == "test"] == "test").all() for view in views)
    assert opened.photos().set_index("path")["split"].equals(photos)  # the workspace itself is as before


def test_runs_of_folds_have_not_seen_what_they_are_measured_on(crossed):
    workspace, found = crossed
    judged = set()
    for run, view in zip(found.runs, fold_views(workspace, 3), strict=True):
        photos = view.photos()
        own = set(photos.loc[photos["split"] == "validation", "path"])
        assert set(run.predictions()["path"]) == own
        assert run.train_photos == (photos["split"] == "train").sum()
        assert not own & judged
        judged |= own
    everything = workspace.photos()
    assert judged == set(everything.loc[everything["split"] != "test", "path"])


def test_one_figure_over_all_photos(crossed):
    workspace, found = crossed
    accuracy = found.accuracy
    assert accuracy.n == (workspace.photos()["split"] != "test").sum()
    at_epoch = [run.history.set_index("epoch")["validation_accuracy"][found.epoch] for run in found.runs]
    weights = [run.counts[1] for run in found.runs]
    assert accuracy.value == pytest.approx(np.average(at_epoch, weights=weights))
    assert accuracy.low < accuracy.value <= accuracy.high
    assert f"3 folds: {accuracy}" in found.words
    assert found.to_dict()["photos"] == accuracy.n


def test_they_are_not_among_the_runs_of_the_workspace(crossed):
    workspace, _ = crossed
    assert runs(workspace).empty


def test_a_second_time_trains_nothing(crossed):
    from tests.classification.conftest import CONFIG

    workspace, found = crossed
    epochs = []
    again = fit_folds(workspace, CONFIG, 3, on_epoch=epochs.append)
    assert not epochs
    assert again.accuracy == found.accuracy
    assert expected_seconds(workspace, CONFIG, 3) == 0


def test_stopped_it_goes_on_where_it_was(workspace, config):
    seen = []

    def stop(run):
        seen.append(run.id)
        if len(seen) == 4:
            raise Stopped

    stopped = fit_folds(workspace, config, 3, on_epoch=stop)
    assert stopped.accuracy is None
    assert [run.state for run in stopped.runs][-1] == "stopped"
    assert "of 3 folds begun" in stopped.words
    before = len(seen)
    whole = fit_folds(workspace, config, 3, on_epoch=lambda run: seen.append(run.id))
    assert whole.accuracy is not None
    assert len(seen) - before < 9  # epochs 0, 1 and 2 of three folds


def test_the_epoch_is_chosen_by_what_was_trained_for(crossed):
    workspace, found = crossed
    runs_of = []
    for run in found.runs:
        table = run.history.assign(objective=1.0)
        table.loc[table["epoch"] == 1, "objective"] = 0.25
        runs_of.append(replace(run, config=replace(run.config, objective="log-loss"), history=table))
    again = together(workspace, runs_of, 3)
    assert again.epoch == 1 and again.value == 0.25
    assert "best by log loss, 0.250" in again.words
    assert "diverged" in FoldRuns([replace(runs_of[0], state="diverged")], 3).words
