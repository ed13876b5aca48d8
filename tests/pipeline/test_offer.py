"""What presets cost and are expected to reach: more for more, honest intervals, words where nothing is known."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification.objective import choose
from cvtune_nb.metrics import Z95
from cvtune_nb.parameters import Config
from cvtune_nb.pipeline import PRESETS, offer, offers
from cvtune_nb.pipeline.planner import Planner

CONFIG = Config("efficientnet_lite0", image_size=64, epochs=2, batch_size=16)


@pytest.fixture(autouse=True)
def no_ladder(monkeypatch):
    monkeypatch.setattr(Planner, "higher_rungs", lambda _: [])


def test_more_costs_more_and_is_expected_to_reach_more(workspace):
    quick, good, best = offers(workspace, CONFIG, PRESETS.values())
    assert 0 < quick.seconds < good.seconds < best.seconds
    assert quick.disk_megabytes < good.disk_megabytes < best.disk_megabytes
    assert quick.download_megabytes == 0 and "nothing to download" in quick.words
    for one in (quick, good, best):
        assert one.expected is not None
        assert one.expected.low < one.expected.accuracy < one.expected.high <= 1
    assert quick.expected.accuracy < good.expected.accuracy < best.expected.accuracy
    assert "judged from an SVM cross-validated on" in quick.accuracy
    assert quick.to_dict()["expected"]["accuracy"] == quick.expected.accuracy


def test_the_budget_is_never_exceeded(workspace):
    best = next(iter(offers(workspace, CONFIG, [PRESETS["best"]], 5.0)))
    assert best.seconds == 5.0 and best.cut
    assert "its budget; all of it would take" in best.cost and "if all of it fits" in best.accuracy
    assert next(iter(offers(workspace, CONFIG, [PRESETS["best"]], math.inf))).seconds <= PRESETS["best"].budget


def test_of_a_small_class_enough_photos_are_looked_at(workspace, monkeypatch):
    monkeypatch.setattr(offer, "SAMPLED", 6)
    monkeypatch.setattr(offer, "missing", lambda *_: ["some"])
    quick = next(iter(offers(workspace, CONFIG, [PRESETS["quick"]])))
    assert quick.expected is not None and not quick.cut


def test_too_few_photos_to_judge_from(workspace):
    for path in workspace.photos().query("label == 'circle' and split != 'test'")["path"][3:]:
        workspace.decide(path, "exclude")
    quick = next(iter(offers(workspace, CONFIG, [PRESETS["quick"]])))
    assert quick.expected is None
    assert quick.accuracy.startswith("what it reaches can't be known beforehand: a class has fewer than")


def spread(one):
    """The standard deviation of log(errors)."""
    return math.log((1 - one.expected.low) / (1 - one.expected.accuracy)) / Z95


@pytest.fixture
def answered(monkeypatch):
    """Of every 8 photos in turn 2 are wrong, each with the one after it."""

    def told(workspace, photos, spec, progress):
        return pd.Series(np.arange(len(photos)) % 8 > 1, index=photos["path"], dtype=float)

    monkeypatch.setattr(offer, "right_by_photo", told)


@pytest.mark.usefixtures("answered")
def test_photos_that_belong_together_make_it_less_sure(workspace, monkeypatch):
    alone = next(iter(offers(workspace, CONFIG, [PRESETS["quick"]])))
    photos = workspace.photos()
    test = int((photos["split"] == "test").sum())
    n = len(photos) - test
    wrong = 1 - alone.expected.accuracy
    counted = math.sqrt((1 - wrong) / wrong * (1 / n + 1 / test))
    assert spread(alone) == pytest.approx(math.hypot(offer.SPREADS["quick"], counted), rel=0.15)
    rows = photos[photos["split"] != "test"].index
    together = photos.assign(group=photos["copies"])
    together.loc[rows, "group"] = [f"scene-{number // 2}" for number in range(len(rows))]
    monkeypatch.setattr(type(workspace), "photos", lambda _: together)
    again = next(iter(offers(workspace, CONFIG, [PRESETS["quick"]])))
    assert again.expected.accuracy == alone.expected.accuracy and spread(again) > 1.15 * spread(alone)


@pytest.mark.parametrize(("text", "label"), [("macro-f1", "macro-F1 "), ("log-loss", "log loss 0.")])
def test_it_is_estimated_and_told_by_what_counts(workspace, text, label):
    choose(workspace, text)
    quick, good = offers(workspace, CONFIG, [PRESETS["quick"], PRESETS["good"]])
    assert quick.accuracy.startswith(label) and quick.to_dict()["expected"]["objective"] == text
    for one in (quick, good):
        assert one.expected.low < one.expected.accuracy < one.expected.high
    assert (quick.expected.accuracy < good.expected.accuracy) == (text == "macro-f1")


def test_costs_in_cents_are_costs_in_euros(workspace):
    found = []
    for unit in (1, 100):
        pairs = itertools.permutations(workspace.classes, 2)
        choose(workspace, "costs:" + ",".join(f"{one}>{other}={2 * unit}" for one, other in pairs))
        found.append(next(iter(offers(workspace, CONFIG, [PRESETS["quick"]]))).expected)
    assert found[1].accuracy == pytest.approx(100 * found[0].accuracy)
