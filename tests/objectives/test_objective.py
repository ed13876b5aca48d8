import math

import numpy as np
import pytest

from cvtune_nb.metrics import Verdict
from cvtune_nb.objectives import objective_of
from tests.benchmarks.objectives import SHARES, TEXTS, alarms, covered, world

NAMES = [f"c{number}" for number in range(len(SHARES))]
TRUTH, (GIVEN, OTHER) = world(300, np.random.default_rng(3), classifiers=2)
OTHERS = [text for text in TEXTS if text != "accuracy"]


@pytest.mark.parametrize("text", OTHERS)
def test_the_interval_holds_the_truth_about_as_often_as_it_says(text):
    holds = [held for held, _ in covered(objective_of(text, NAMES), 150, 60)]
    assert np.mean(holds) >= 0.87  # 95% of 60, less three standard errors


@pytest.mark.parametrize("text", OTHERS)
def test_equally_good_classifiers_are_seldom_called_different(text):
    assert np.mean(list(alarms(objective_of(text, NAMES), 100, 40))) <= 0.16  # 5% of 40, and three standard errors


@pytest.mark.parametrize("text", TEXTS)
def test_the_better_one_is_called_better_whatever_is_better(text):
    objective = objective_of(text, NAMES)
    worse = 0.35 * GIVEN + 0.65 * np.random.default_rng(0).permutation(GIVEN)
    found = objective.compare(TRUTH, worse, GIVEN)
    assert found.verdict is Verdict.BETTER
    assert 0 < found.low <= found.difference <= found.high
    assert " better (p = " in found.words
    assert ("points" in found.words) == objective.SHARE
    back = objective.compare(TRUTH, GIVEN, worse)
    assert back.verdict is Verdict.WORSE
    assert back.difference == pytest.approx(-found.difference)


@pytest.mark.parametrize("text", TEXTS)
def test_the_same_answers_make_no_difference(text):
    found = objective_of(text, NAMES).compare(TRUTH, GIVEN, GIVEN)
    assert (found.difference, found.p, found.verdict) == (0, 1, Verdict.NO_DIFFERENCE)


@pytest.mark.parametrize("text", TEXTS)
def test_the_best_of_many_equal_ones_is_expected_to_be_worse_than_it_looks(text):
    objective = objective_of(text, NAMES)
    truth, answers = world(80, np.random.default_rng(5), classifiers=8)
    chosen = objective.best_of(truth, {f"run {number}": each for number, each in enumerate(answers)})
    values = [objective.value(truth, each) for each in answers]
    assert chosen.found == (max(values) if objective.HIGHER_IS_BETTER else min(values))
    assert objective.better(chosen.found, chosen.expected)
    assert "chosen as the best of 8" in chosen.words
    one = objective.best_of(truth, {"only": answers[0]})
    assert one.expected == one.found


def test_the_same_photos_give_the_same_interval():
    objective = objective_of("macro-f1", NAMES)
    assert objective.measure(TRUTH, GIVEN) == objective.measure(TRUTH, GIVEN)


@pytest.mark.parametrize("text", TEXTS)
def test_without_a_photo_nothing_is_known(text):
    objective, none = objective_of(text, NAMES), np.zeros((0, len(NAMES)))
    found = objective.measure([], none)
    assert math.isnan(found.value)
    assert found.n == 0
    assert objective.compare([], none, none).verdict is Verdict.NO_DIFFERENCE
    with pytest.raises(ValueError, match="at least one photo"):
        objective.best_of([], {"run": none})


def test_words_are_in_the_unit_of_the_objective():
    assert str(objective_of("log-loss", NAMES).measure(TRUTH, GIVEN)).startswith("0.")
    assert "%" in str(objective_of("balanced-accuracy", NAMES).measure(TRUTH, GIVEN))
    assert objective_of("recall:c1@.8", NAMES).label == "recall of c1 at 80% precision"
    assert objective_of("costs:c0>c1=5", NAMES).merit(2.0) == -2.0


@pytest.mark.parametrize(
    "text", ["accuracy", "balanced-accuracy", "macro-f1", "log-loss", "costs:a>b=5", "recall:a@.7"]
)
def test_every_objective_is_as_unsure_as_groups_are_few(text):
    random, groups = np.random.default_rng(0), np.repeat(np.arange(18), 10)
    truth = groups % 3
    right = np.repeat(random.random(18) < 0.7, 10)
    answers = np.where(right, truth, (truth + 1) % 3)
    given = np.full((180, 3), 0.1)
    given[np.arange(180), answers] = 0.8
    objective = objective_of(text, ["a", "b", "c"])
    alone, whole = (objective.measure(truth, given, own) for own in (None, groups))
    assert whole.value == alone.value
    assert whole.high - whole.low > min(1.8 * (alone.high - alone.low), 0.95)


def test_few_groups_without_a_mistake_do_not_promise_a_log_loss():
    groups, truth = np.repeat(np.arange(6), 10), np.repeat([0, 1] * 3, 10)
    given = np.where(truth[:, None] == [0, 1], 0.9, 0.1)
    found = objective_of("log-loss", ["a", "b"]).measure(truth, given, groups)
    assert found.high > 5 * found.value
