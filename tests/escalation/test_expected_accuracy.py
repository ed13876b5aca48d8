from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cvtune_nb.advice.cross_validation import right_by_photo
from cvtune_nb.advice.losses import on_svm
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.objective import choose, objective_in
from cvtune_nb.escalation import expected_accuracies, expected_accuracy
from cvtune_nb.escalation.climb import Climb
from cvtune_nb.escalation.expected_accuracy import LIFT, PIXELS, ExpectedAccuracy, expected_of, lift_of
from cvtune_nb.objectives import Counted
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
    monkeypatch.setattr(expected_accuracy, "on_svm", lambda *a: pytest.fail("nothing is to be computed"))
    monkeypatch.setattr(expected_accuracy, "cached", lambda *a: False)
    unknown = [told.accuracy for told in expected_accuracies(workspace, [RUNG, larger, deeper])]
    assert unknown[0] < unknown[1]
    assert unknown[0] < unknown[2]


def test_a_network_nobody_knows_is_expected_no_more_than_another(workspace):
    first, other = expected_accuracies(workspace, [RUNG, replace(RUNG, backbone="test_efficientnet")])
    assert other.accuracy == first.accuracy


@pytest.mark.parametrize(
    "text", ["balanced-accuracy", "macro-f1", "log-loss", "recall:circle@.9", "costs:circle>square=5"]
)
def test_another_objective_is_expected_in_its_own_unit(workspace, text):
    choose(workspace, text)
    objective, photos = objective_in(workspace), workspace.photos()
    lost = on_svm(workspace, photos, FeatureSpec.of(RUNG), objective).smoothed
    (told,) = expected_accuracies(workspace, [RUNG])
    assert told.counted == Counted.of(objective)
    assert told.accuracy == pytest.approx(1 - LIFT * lost if objective.SHARE else LIFT * lost)
    assert told.low < told.accuracy < told.high and ("%" in str(told)) == objective.SHARE
    better, worse = objective.merit(0.5), objective.merit(0.6)
    assert (told.better_than(0.5) > told.better_than(0.6)) == (better < worse)
    assert told.at_most(0.6) >= 0 and (told.at_most(0.5) >= told.at_most(0.6)) == (
        better < worse or told.at_most(0.5) == 0
    )


def test_the_rung_before_the_others_is_the_one_that_gains_most_by_what_counts(workspace):
    choose(workspace, "log-loss")
    (workspace.folder / "baseline.json").unlink(missing_ok=True)
    climb = Climb(workspace, [RUNG], [1], 0.0, lambda _: None, lambda *_: None)
    assert climb.best() == 0.0, "nothing is known"
    climb.expected = {0: ExpectedAccuracy(0.4, 0.3, 0.6, Counted.of(objective_in(workspace)))}
    assert climb.best() == 0.6, "the worst that is expected"
    found = baseline(workspace, FeatureSpec.of(RUNG))
    assert climb.best() == pytest.approx(found.score.value, abs=1e-4)
    climb.rows[0]["objective_value"] = found.score.value / 2
    assert climb.best() == found.score.value / 2


def test_the_chance_of_a_gain_grows_with_the_expected_accuracy_and_shrinks_with_the_best():
    sure, unsure = ExpectedAccuracy(0.9, 0.89, 0.91), ExpectedAccuracy(0.9, 0.8, 1.0)
    assert sure.better_than(0.8) == pytest.approx(0.1, abs=1e-3)
    assert sure.better_than(0.95) < 1e-6
    assert unsure.better_than(0.95) > sure.better_than(0.95)
    assert np.all(np.diff([unsure.better_than(best) for best in (0.7, 0.8, 0.9, 0.99)]) < 0)


def told_after(lifts, photos=200, frozen=0.2):
    """What is expected of RUNG after runs whose errors were so many times those of the frozen features."""
    runs = [
        SimpleNamespace(config=RUNG, counts=(1, photos), validation=SimpleNamespace(value=1 - frozen * lift))
        for lift in lifts
    ]
    known = {FeatureSpec.of(RUNG): frozen}
    return expected_of(FeatureSpec.of(RUNG), known, lift_of(runs, known, photos))


def test_what_earlier_runs_gained_is_expected_again_the_surer_the_more_there_were():
    none, one, many = (told_after([0.4] * count) for count in (0, 1, 8))
    assert none.accuracy == pytest.approx(1 - 0.2 * LIFT)
    assert none.accuracy < one.accuracy < many.accuracy < 1 - 0.2 * 0.4
    assert none.high - none.low > one.high - one.low > many.high - many.low > 0.03


def test_few_validation_photos_make_it_less_sure():
    few, many = (told_after([], photos) for photos in (9, 1000))
    assert few.accuracy == many.accuracy
    assert 0.2 < few.low < many.low


@pytest.mark.parametrize("truth", [0.5, 0.75, 1.0])
def test_its_interval_holds_what_becomes_of_at_least_80_percent_of_rungs(truth):
    """Drawn as the predictions say, on sets where fine-tuning leaves between half and all of the errors."""
    random, photos, held, frozen = np.random.default_rng(0), 150, [], 0.2
    for _ in range(40):
        errors, known = [], {FeatureSpec.of(RUNG): frozen}
        hard = random.binomial(photos, frozen * truth) / photos / (frozen * truth)
        for _ in range(4):
            runs = [
                SimpleNamespace(config=RUNG, counts=(1, photos), validation=SimpleNamespace(value=1 - wrong))
                for wrong in errors
            ]
            told = expected_of(FeatureSpec.of(RUNG), known, lift_of(runs, known, photos))
            errors.append(min(0.99, frozen * truth * hard * np.exp(random.normal(0, 0.15))))
            held.append(told.low <= 1 - errors[-1] <= told.high)
    assert np.mean(held) >= 0.8
