"""Rounds of hard negatives: when they are worth it, what they train on, what they brought."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from cvtune_nb.detection import hard_negatives, load_run
from cvtune_nb.detection import train as loop_module
from cvtune_nb.detection.average_precision import DETECTION_COLUMNS
from cvtune_nb.detection.evaluation import verdict
from cvtune_nb.detection.hard_negatives import look, one_round, outcome
from cvtune_nb.errors import InputError


def alarming(monkeypatch, photos, score=0.99):
    """The detector finds a dot in each of these photos."""
    rows = [(path, "dot", 0.1, 0.1, 0.2, 0.2, score) for path in photos]
    monkeypatch.setattr(hard_negatives, "detections", lambda *_: pd.DataFrame(rows, columns=DETECTION_COLUMNS))


def empty_photos(dataset, split="train"):
    part = dataset.part(split)
    return part.photos.loc[~part.photos["path"].isin(part.boxes["path"]), "path"].tolist()


@pytest.fixture
def run_here(trained_detector, dataset, tmp_path):
    """The trained run in a workspace of this test's own."""
    import shutil

    _, run = trained_detector
    shutil.copytree(run.folder, dataset.folder / "runs" / run.id)
    return dataset, load_run(dataset, run.id)


def test_few_alarms_are_no_round(run_here, monkeypatch):
    dataset, run = run_here
    alarming(monkeypatch, empty_photos(dataset)[:1])
    found = look(dataset, run)
    assert not found.worth and found.looked == len(empty_photos(dataset))
    assert "too few for a round" in found.words
    with pytest.raises(InputError, match="no round of hard negatives"):
        one_round(dataset, run, found)


def test_only_what_is_above_the_threshold_is_an_alarm(run_here, monkeypatch):
    dataset, run = run_here
    monkeypatch.setattr(hard_negatives, "FEWEST", 1)
    alarming(monkeypatch, empty_photos(dataset), score=verdict(dataset, run).threshold - 0.01)
    assert look(dataset, run).photos.empty
    alarming(monkeypatch, empty_photos(dataset), score=verdict(dataset, run).threshold)
    found = look(dataset, run)
    assert found.worth and found.photos["alarms"].tolist() == [1] * len(found.photos)


def test_a_round_goes_on_from_the_best_epoch_with_these_photos_twice(run_here, monkeypatch):
    dataset, run = run_here
    monkeypatch.setattr(hard_negatives, "FEWEST", 1)
    alarming(monkeypatch, empty_photos(dataset))
    found, sizes, first = look(dataset, run), [], []

    def step(network, _, images, *__):
        sizes.append(len(images))
        first.append(network.backbone.network.conv_stem.weight.detach().clone())
        return torch.ones(())

    monkeypatch.setattr(loop_module, "step", step)
    after = one_round(dataset, run, found)
    assert after.start == run.id and after.hard == found.photos["sha256"].tolist()
    assert (after.config.epochs, after.config.learning_rate) == (1, pytest.approx(run.config.learning_rate / 3))
    assert sum(sizes) == len(dataset.part("train").photos) + len(found.photos)
    from cvtune_nb.detection.model import load_best

    assert np.array_equal(first[0], load_best(run).backbone.network.conv_stem.weight.detach())
    assert after.history["validation_ap"].iloc[0] == pytest.approx(run.best("validation_ap"), abs=1e-9)
    assert load_run(dataset, after.id).to_dict() == after.to_dict()
    words = outcome(dataset, after)
    assert "false alarms on validation photos without a box before" in words and f"keep {run.id}" in words


def test_a_round_that_lowered_nothing_is_the_last(run_here, monkeypatch):
    dataset, run = run_here
    monkeypatch.setattr(hard_negatives, "FEWEST", 1)
    alarming(monkeypatch, empty_photos(dataset))
    second = replace(run, id="002", start=run.id)
    monkeypatch.setattr(hard_negatives, "alarms_on_validation", lambda _, which: 4)
    found = look(dataset, second)
    assert not found.worth and "stop here" in found.words
    monkeypatch.setattr(hard_negatives, "alarms_on_validation", lambda _, which: 4 if which.start == "" else 2)
    assert look(dataset, second).worth


def test_without_empty_photos_it_says_what_to_add(run_here, monkeypatch):
    dataset, run = run_here
    boxes = dataset.annotations.boxes
    rows = [boxes.iloc[0].to_dict() | {"path": path} for path in empty_photos(dataset)]
    full = replace(dataset, annotations=replace(dataset.annotations, boxes=pd.concat([boxes, pd.DataFrame(rows)])))
    found = look(full, run)
    assert not found.worth and "add photos in which there is nothing to find" in found.words


def test_a_run_that_is_no_round_has_no_outcome(trained_detector):
    assert outcome(*trained_detector) == ""
