import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cvtune_nb import metrics
from cvtune_nb.metrics import Verdict


@pytest.mark.parametrize(("right", "n"), [(0, 10), (1, 10), (9, 10), (10, 10), (81, 263), (442, 500), (1, 1)])
def test_the_interval_is_wilsons(right, n):
    interval = binomtest(right, n).proportion_ci(0.95, method="wilson")
    found = metrics.share(right, n)
    assert found.value == right / n
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert found.low <= found.value <= found.high


def test_the_interval_in_the_textbook():
    """Newcombe 1998, table I: 81 of 263, and 15 of 148, score method without continuity correction."""
    assert metrics.share(81, 263).interval == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert metrics.share(15, 148).interval == pytest.approx([0.0624, 0.1605], abs=5e-5)
    assert metrics.share(0, 20).interval == pytest.approx([0.0, 0.1611], abs=5e-5)


def test_nothing_measured_is_not_known():
    assert metrics.share(0, 0) == metrics.Accuracy(0.0, 0.0, 1.0, 0)
    assert metrics.accuracy([], []).n == 0


def test_accuracy_counts_equal_labels():
    found = metrics.accuracy(["a", "b", "c", "d"], ["a", "b", "x", "d"])
    assert (found.value, found.n) == (0.75, 4)
    assert str(found) == "75.0% (30.1% to 95.4%, 4 photos)"
    assert found.to_dict() == {"value": 0.75, "low": found.low, "high": found.high, "n": 4}


def test_confusion_has_a_row_for_each_true_class_and_a_column_for_each_predicted():
    truth, predicted = ["a", "a", "b", "b", "b"], ["a", "b", "b", "b", "a"]
    table = metrics.confusion(truth, predicted, ["a", "b", "never seen"])
    assert table.to_numpy().tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert list(table.index) == list(table.columns) == ["a", "b", "never seen"]
    assert metrics.confusion([], [], ["a", "b"]).to_numpy().tolist() == [[0, 0], [0, 0]]


def test_per_class_also_of_classes_that_were_never_there_or_never_said():
    table = metrics.per_class(["a", "a", "b", "b"], ["a", "x", "a", "x"], ["a", "b", "x"]).set_index("label")
    assert table["photos"].to_dict() == {"a": 2, "b": 2, "x": 0}
    assert table["recall"].to_dict() == {"a": 0.5, "b": 0.0, "x": 0.0}
    assert table["precision"].to_dict() == {"a": 0.5, "b": 0.0, "x": 0.0}
    assert table.loc["x", ["low", "high"]].tolist() == [0.0, 1.0]
    interval = binomtest(1, 2).proportion_ci(0.95, method="wilson")
    assert table.loc["a", ["low", "high"]].tolist() == pytest.approx([interval.low, interval.high])


def pairs(both, first, second, neither):
    """Right answers of two classifiers: so many photos that both, only the first, only the second, neither got."""
    a = [True] * both + [True] * first + [False] * second + [False] * neither
    b = [True] * both + [False] * first + [True] * second + [False] * neither
    return a, b


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (0, 6, 2 * 0.5**6),
        (2, 9, 2 * (1 + 11 + 55) / 2**11),
        (5, 5, 1.0),
        (86, 150, 3.716e-05),
    ],
)
def test_the_exact_mcnemar_test(only_first, only_second, p):
    found = metrics.paired(*pairs(20, only_first, only_second, 7))
    assert found.p == pytest.approx(p, rel=1e-3)
    n = 27 + only_first + only_second
    assert found.difference == pytest.approx((only_second - only_first) / n)
    assert found.low <= found.difference <= found.high


def test_the_interval_of_a_difference_is_wald_with_half_a_photo_more_in_each_cell():
    found = metrics.paired(*pairs(50, 4, 12, 34))
    g, lost, n = 12.5, 4.5, 102
    middle, half = (g - lost) / n, 1.959964 * math.sqrt(g + lost - (g - lost) ** 2 / n) / n
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half), abs=1e-6)


def test_the_verdict_in_words():
    assert metrics.paired(*pairs(80, 0, 10, 10)).words == "10.0 points better (p = 0.002)"
    assert metrics.paired(*pairs(80, 10, 0, 10)).words == "10.0 points worse (p = 0.002)"
    assert metrics.paired(*pairs(80, 2, 3, 15)).words == "no reliable difference (+1.0 points, p = 1, 100 photos)"
    probable = metrics.paired(*pairs(70, 0, 5, 13)).words
    assert probable == "probably better, not yet certain (+5.7 points, p = 0.062, 88 photos)"
    assert metrics.paired([], []).p == 1.0
    assert metrics.paired([True] * 5, [True] * 5).words.startswith("no reliable difference")


@pytest.mark.parametrize(
    ("only_first", "only_second", "verdict"),
    [
        (6, 0, Verdict.WORSE),  # p = .031
        (5, 0, Verdict.NO_DIFFERENCE),  # p = .062: only gains are called probable
        (2, 3, Verdict.NO_DIFFERENCE),
        (0, 3, Verdict.NO_DIFFERENCE),  # p = .25
        (0, 4, Verdict.PROBABLY_BETTER),  # p = .125
        (0, 5, Verdict.PROBABLY_BETTER),
        (0, 6, Verdict.BETTER),
    ],
)
def test_a_paired_comparison_has_one_of_four_verdicts(only_first, only_second, verdict):
    assert metrics.paired(*pairs(20, only_first, only_second, 7)).verdict is verdict


def test_paired_needs_the_same_photos():
    with pytest.raises(ValueError, match="same photos"):
        metrics.paired([True], [True, False])
    assert metrics.paired(pd.Series([True, False]), np.array([True, True])).difference == 0.5


def history(train, validation):
    return pd.DataFrame({"epoch": range(len(train)), "train_accuracy": train, "validation_accuracy": validation})


def test_the_gap_has_an_interval_also_where_all_training_photos_are_right():
    table = metrics.gap(history([0.8, 1.0], [0.8, 0.9]), (200, 100))
    assert table["gap"].tolist() == pytest.approx([0.0, 0.1])
    assert (table["low"] < table["gap"]).all() and (table["gap"] < table["high"]).all()
    assert table["low"].iloc[0] < 0 < table["low"].iloc[1]
    few = metrics.gap(history([0.8, 1.0], [0.8, 0.9]), (20, 10))
    assert few["low"].iloc[1] < 0, "ten photos tell nothing"


@pytest.mark.parametrize(
    ("train", "validation", "opened", "words"),
    [
        ([0.8, 0.9, 1.0, 1.0], [0.8, 0.9, 0.85, 0.85], 2, "the gap opened in epoch 2: train is 15.0 points"),
        ([0.8, 1.0, 0.8], [0.8, 0.8, 0.8], None, "no gap beyond chance"),  # closed again
        ([1.0, 1.0], [0.8, 0.9], None, "not more than at the start"),
        ([0.95, 1.0], [0.8, 0.8], 1, "the gap, 15.0 points at the start, opened further in epoch 1"),
    ],
)
def test_when_the_gap_opened(train, validation, opened, words):
    table = metrics.gap(history(train, validation), (1000, 400))
    assert metrics.opened(table) == opened
    assert words in metrics.gap_in_words(table)


def test_without_an_epoch_no_gap_has_opened():
    assert metrics.opened(metrics.gap(history([], []), (10, 10))) is None


def test_the_best_of_many_equal_runs_is_corrected_for_having_been_chosen():
    random = np.random.default_rng(0)
    found = {1: [], 8: []}
    for _ in range(20):
        answers = pd.DataFrame(random.random((300, 8)) < 0.8)
        for count, both in found.items():
            chosen = metrics.best_of(answers.iloc[:, :count], draws=200)
            both.append((chosen.found, chosen.expected))
            assert 0 <= chosen.low <= chosen.expected <= chosen.high <= 1
    one, many = (np.mean(both, axis=0) for both in found.values())
    assert one[0] == one[1] == pytest.approx(0.8, abs=0.02)
    assert many[0] > 0.82
    assert many[1] == pytest.approx(0.8, abs=0.015)


def test_best_of_names_the_run_and_says_why_it_is_corrected():
    right = pd.DataFrame({"001": [True, False] * 50, "002": [True] * 90 + [False] * 10})
    chosen = metrics.best_of(right)
    assert chosen.run == "002"
    assert chosen.found == 0.9
    assert chosen.words.endswith("not the 90.0% found here: it was chosen as the best of 2 on these 100 photos")
    assert "chosen" not in metrics.best_of(right[["002"]]).words
    with pytest.raises(ValueError, match="at least one photo"):
        metrics.best_of(right.head(0))


def test_perfect_probabilities_are_reliable_and_overconfident_ones_are_not():
    random = np.random.default_rng(0)
    confidence = random.uniform(0.3, 1, 20_000)
    table = metrics.reliability(confidence, random.random(20_000) < confidence)
    assert table["photos"].sum() == 20_000
    assert (table["low"] <= table["accuracy"]).all()
    assert metrics.calibration_error(table) < 0.02
    over = metrics.reliability(np.full(20_000, 0.99), random.random(20_000) < 0.8)
    assert len(over) == 1
    assert metrics.calibration_error(over) == pytest.approx(0.19, abs=0.01)
    assert metrics.calibration_error(metrics.reliability([], [])) == 0


def test_the_calibration_error_worked_out_by_hand():
    table = metrics.reliability([0.95, 0.95, 0.95, 0.41], [True, True, False, True])
    assert table["photos"].tolist() == [1, 3]
    assert metrics.calibration_error(table) == pytest.approx((3 * (0.95 - 2 / 3) + (1 - 0.41)) / 4)


def test_a_threshold_answers_less_and_is_right_more_often():
    table = metrics.coverage([0.5, 0.6, 0.9, 1.0], [False, True, True, True]).set_index("threshold")
    assert table.loc[0.0, ["coverage", "accuracy", "answered"]].tolist() == [1, 0.75, 4]
    assert table.loc[0.55, ["coverage", "accuracy"]].tolist() == [0.75, 1]
    assert table.loc[0.99, "answered"] == 1
    assert table["coverage"].is_monotonic_decreasing


def test_the_interval_of_cross_validation_is_wider_than_that_of_independent_photos():
    right = np.array([True] * 160 + [False] * 40)
    found, independent = metrics.cross_validated(right, 5), metrics.share(160, 200)
    assert found.value == independent.value == 0.8
    assert found.n == 200
    ratio = (found.high - found.low) / (independent.high - independent.low)
    assert ratio == pytest.approx(1.5, abs=0.03)  # the root of 1 + 5 / 4
    groups = np.repeat(np.arange(40), 5)  # right or wrong together
    wider = metrics.cross_validated(right, 5, groups)
    assert wider.groups == 40
    assert wider.high - wider.low > 1.5 * (found.high - found.low)


# -- photos that belong together --------------------------------------------------------------------------------


def test_photos_that_are_alone_have_wilsons_interval():
    right = np.arange(50) % 5 > 0
    assert metrics.clustered(right, np.arange(50)) == metrics.share(40, 50)
    assert metrics.accuracy(right, np.ones(50, bool), np.arange(50)) == metrics.share(40, 50)


@pytest.mark.parametrize("hits", [0, 3, 12])
def test_a_group_that_is_right_or_wrong_as_a_whole_counts_about_as_one_photo(hits):
    right = np.repeat(np.arange(12) < hits, 8)
    found, one_each = metrics.clustered(right, np.repeat(np.arange(12), 8)), metrics.share(hits, 12)
    assert found.value == one_each.value and (found.n, found.groups) == (96, 12)
    assert found.low <= one_each.low + 0.02 and found.high >= one_each.high - 0.02, "the t distribution makes it wider"
    assert "96 photos in 12 groups" in str(found)
    assert found.to_dict()["groups"] == 12 and "groups" not in one_each.to_dict()


@pytest.mark.parametrize("groups", [10, 60])
def test_the_interval_of_groups_holds_where_that_of_photos_does_not(groups):
    random, held, naive, p = np.random.default_rng(0), [], [], 0.8
    for _ in range(400):
        sizes = 1 + random.poisson(7, groups)
        hits = random.binomial(sizes, random.beta(p, 1 - p, groups))  # correlation 0.5
        right = np.concatenate([np.arange(size) < hit for size, hit in zip(sizes, hits, strict=True)])
        found, alone = (
            metrics.clustered(right, np.repeat(np.arange(groups), sizes)),
            metrics.share(hits.sum(), len(right)),
        )
        held.append(found.low <= p <= found.high)
        naive.append(alone.low <= p <= alone.high)
    assert np.mean(held) > 0.9 and np.mean(naive) < 0.75


def test_one_group_says_nothing_of_others():
    found = metrics.clustered(np.ones(20, bool), np.zeros(20))
    assert (found.value, found.low, found.high) == (1.0, 0.0, 1.0)
    assert metrics.clustered(np.empty(0, bool), np.empty(0)).n == 0
    assert metrics.paired_groups(np.zeros(5), np.ones(5), np.zeros(5)) == (1.0, -1.0, 1.0)


def test_a_difference_between_groups_has_an_interval_over_groups():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 8)
    first = random.random(240) < 0.5
    gained = np.repeat(random.random(30) < 0.3, 8)
    difference, low, high = metrics.paired_groups(first, first | gained, groups)
    assert low < difference < high and difference == pytest.approx((~first & gained).mean())
    assert metrics.paired_groups(first, first | gained, np.arange(240))[1] > low, "as if all were alone"
    assert metrics.paired_groups(first, first, groups) == (0.0, 0.0, 0.0)


def test_swapping_whole_groups_is_mcnemars_test_where_all_are_alone():
    random = np.random.default_rng(0)
    first, second = random.random(60) < 0.7, random.random(60) < 0.8
    alone, together = metrics.paired(first, second), metrics.paired(first, second, np.arange(60))
    assert together.p == pytest.approx(alone.p) and together.difference == alone.difference
    assert together.low <= alone.low and together.high >= alone.high


def test_frames_of_six_scenes_are_no_proof_that_48_photos_would_be():
    first, second = np.zeros(48, bool), np.repeat([True, True, True, True, True, False], 8)
    photos, scenes = metrics.paired(first, second), metrics.paired(first, second, np.repeat(np.arange(6), 8))
    assert photos.verdict is Verdict.BETTER
    assert scenes.p == pytest.approx(2 * 0.5**5), "five scenes of six, each as likely for the one as for the other"
    assert scenes.verdict is Verdict.PROBABLY_BETTER and "48 photos in 6 groups" in scenes.words
    assert scenes.low < photos.low and scenes.high >= photos.high


def test_scenes_of_different_size_are_swapped_as_they_are():
    groups = np.repeat([0, 1, 2], [5, 3, 1])
    first, second = np.zeros(9, bool), np.array([1] * 5 + [0] * 3 + [1], bool)
    second[5:8] = True
    assert metrics.paired(first, second, groups).p == pytest.approx(2 / 8), "all the same way: 2 of 8 signs"


def test_two_that_answer_the_same_on_few_scenes_may_still_differ():
    same = np.ones(80, bool)
    few = metrics.paired(same, same, np.repeat(np.arange(4), 20))
    assert few.difference == 0 and few.high > 5 * metrics.paired(same, same).high


def test_groups_are_drawn_whole_when_the_best_run_is_judged():
    random, groups = np.random.default_rng(0), np.repeat(np.arange(15), 10)
    found = {True: [], False: []}
    for _ in range(20):
        right = pd.DataFrame({str(k): np.repeat(random.random(15) < 0.8, 10) for k in range(8)})
        for whole, both in found.items():
            chosen = metrics.best_of(right, draws=100, groups=groups if whole else None)
            both.append(chosen.expected - 0.8)
            assert ("in 15 groups" in chosen.words) is whole
    assert abs(np.mean(found[True])) < 0.03 < np.mean(found[False]), "photos alone leave their scene on both sides"


def test_recalls_reliability_and_coverage_allow_for_groups():
    groups, right = np.repeat(np.arange(10), 8), np.repeat(np.arange(10) < 7, 8)
    said = np.where(right, "a", "b")
    alone, whole = (metrics.per_class(["a"] * 80, said, ["a"], own).iloc[0] for own in (None, groups))
    assert whole["recall"] == alone["recall"] and whole["low"] < alone["low"] - 0.1
    sure = np.full(80, 0.9)
    for table in (metrics.reliability, metrics.coverage):
        alone, whole = (table(sure, right, own).iloc[0] for own in (None, groups))
        assert whole["accuracy"] == alone["accuracy"] and whole["low"] < alone["low"] - 0.1


def test_as_many_photos_as_are_independent():
    right = np.repeat(np.arange(40) < 30, 8)
    found = metrics.rate(right, np.repeat(np.arange(40), 8))
    assert metrics.effective(metrics.rate(right)) == 320
    assert metrics.effective(found) == pytest.approx(40, rel=0.15)
    other = metrics.alike(metrics.share(300, 320), found)
    assert other.value == 300 / 320
    assert other.high - other.low == pytest.approx(metrics.share(37, 40).high - metrics.share(37, 40).low, rel=0.2)
    assert metrics.alike(metrics.share(3, 4), metrics.share(1, 2)) == metrics.share(3, 4)


@pytest.mark.parametrize("groups", [3, 5, 7])
def test_the_interval_of_few_groups_holds(groups):
    random, held = np.random.default_rng(0), []
    for _ in range(200):
        hits = random.binomial(8, random.beta(0.8, 0.2, groups))  # correlation 0.5, p = 0.8
        found = metrics.rate((np.arange(8) < hits[:, None]).ravel(), np.repeat(np.arange(groups), 8))
        held.append(found.low <= 0.8 <= found.high)
    assert np.mean(held) > 0.93
