"""What presets cost and are expected to reach: more for more, honest intervals, words where nothing is known."""

import math

import pytest

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
