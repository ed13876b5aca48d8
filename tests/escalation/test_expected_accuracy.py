from dataclasses import replace

import numpy as np
import pytest

from cvtune_nb.advice.cross_validation import right_by_photo
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.escalation import expected_accuracies, expected_accuracy
from cvtune_nb.escalation.expected_accuracy import LIFT, PIXELS, ExpectedAccuracy
from cvtune_nb.parameters import Config

RUNG = Config("efficientnet_lite0", image_size=64)


def test_a_rung_with_features_is_expected_what_the_svm_says_and_the_lift(workspace):
    wrong = 1 - right_by_photo(workspace, workspace.photos(), FeatureSpec.of(RUNG)).mean()
    (told,) = expected_accuracies(workspace, [RUNG])
    n = (workspace.photos()["split"] != "test").sum()
    assert told.accuracy == pytest.approx(1 - LIFT * (wrong + 0.5 / n))
    assert told.low < told.accuracy < told.high <= 1


def test_what_is_not_in_the_cache_is_told_from_what_is(workspace, monkeypatch):
    larger, deeper = replace(RUNG, image_size=128), replace(RUNG, backbone="efficientnet_lite2")
    first, size, depth = (1 - told.accuracy for told in expected_accuracies(workspace, [RUNG, larger, deeper]))
    assert size / first == pytest.approx(PIXELS)
    assert depth / first == pytest.approx((1 - 0.776) / (1 - 0.751))
    monkeypatch.setattr(expected_accuracy, "right_by_photo", lambda *a: pytest.fail("nothing is to be computed"))
    monkeypatch.setattr(expected_accuracy, "cached", lambda *a: False)
    unknown = [told.accuracy for told in expected_accuracies(workspace, [RUNG, larger, deeper])]
    assert unknown[0] < unknown[1]
    assert unknown[0] < unknown[2]


def test_a_network_nobody_knows_is_expected_no_more_than_another(workspace):
    first, other = expected_accuracies(workspace, [RUNG, replace(RUNG, backbone="test_efficientnet")])
    assert other.accuracy == first.accuracy


def test_the_chance_of_a_gain_grows_with_the_expected_accuracy_and_shrinks_with_the_best():
    sure, unsure = ExpectedAccuracy(0.9, 0.89, 0.91), ExpectedAccuracy(0.9, 0.8, 1.0)
    assert sure.better_than(0.8) == pytest.approx(0.1, abs=1e-3)
    assert sure.better_than(0.95) < 1e-6
    assert unsure.better_than(0.95) > sure.better_than(0.95)
    assert np.all(np.diff([unsure.better_than(best) for best in (0.7, 0.8, 0.9, 0.99)]) < 0)
