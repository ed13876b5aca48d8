"""Thresholds of single classes: targets are met on photos that were not used to choose, and nothing else changes."""

import numpy as np
import pytest

from cvtune_nb.classification.thresholds import Target, expected, thresholds_for
from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import decided

CLASSES = ["a", "b", "c", "d", "e"]


def drawn(photos, seed):
    """Class ids and probabilities of a network that is right on about two of three photos."""
    random = np.random.default_rng(seed)
    truth = random.integers(len(CLASSES), size=photos)
    logits = random.normal(size=(photos, len(CLASSES)))
    logits[np.arange(photos), truth] += 1.6
    exponentials = np.exp(1.5 * logits)
    return truth, exponentials / exponentials.sum(1, keepdims=True)


def targets(*texts):
    return [Target.of(text, CLASSES) for text in texts]


def reached(text, truth, answers):
    """Recall or precision of a target's class."""
    target = Target.of(text, CLASSES)
    counted = (truth if target.kind == "recall" else answers) == CLASSES.index(target.label)
    return (truth == answers)[counted].mean()


@pytest.mark.parametrize("texts", [["a:recall=.9"], ["a:precision=.9"], ["a:recall=.9", "c:precision=.8"]])
def test_targets_are_met_on_other_photos(texts):
    truth, probabilities = drawn(20_000, 0)
    wanted = [target.value for target in targets(*texts)]
    found = []
    for seed in range(1, 31):
        try:
            chosen = thresholds_for(*drawn(300, seed), CLASSES, targets(*texts))
        except InputError:
            continue
        found.append([reached(text, truth, decided(probabilities, chosen)) for text in texts])
    spread = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - wanted) < 0.01 + 3 * spread).all()


def test_two_classes_that_claim_the_same_photos_both_reach_their_recall():
    truth, probabilities = drawn(2_000, 0)
    chosen = thresholds_for(truth, probabilities, CLASSES, targets("a:recall=.85", "b:recall=.88"))
    answers = decided(probabilities, chosen)
    assert reached("a:recall=.85", truth, answers) >= 0.85
    assert reached("b:recall=.88", truth, answers) >= 0.88


def test_targets_that_exclude_each_other_are_told():
    with pytest.raises(InputError, match=r"can be met at once: a:recall=0\.95 \(0\.\d+\)"):
        thresholds_for(*drawn(2_000, 0), CLASSES, targets("a:recall=.95", "b:recall=.95"))


def test_expected_recall_has_an_interval_that_covers_what_follows():
    truth, probabilities = drawn(20_000, 0)
    covered = []
    for seed in range(1, 41):
        choice = drawn(100, seed)
        row = expected(*choice, CLASSES, targets("a:recall=.9")).iloc[0]
        chosen = thresholds_for(*choice, CLASSES, targets("a:recall=.9"))
        covered.append(row["low"] <= reached("a:recall=.9", truth, decided(probabilities, chosen)) <= row["high"])
    assert np.mean(covered) >= 0.85  # 95% of 40


def test_what_changes_is_said_of_each_target_and_of_all_classes():
    table = expected(*drawn(300, 1), CLASSES, targets("a:recall=.95", "b:precision=.8"))
    assert table["label"].tolist() == ["a", "b", ""]
    assert table["kind"].tolist() == ["recall", "precision", "accuracy"]
    found, before = table["found"], table["before"]
    assert found[0] >= 0.95 > before[0]
    assert found[1] >= 0.8
    assert found[2] < before[2]  # what a recall beyond the network's costs
    assert table["photos"][2] == 300
    assert ((table["low"] <= table["expected"]) & (table["expected"] <= table["high"])).all()


def test_too_few_photos_for_a_recall_are_told():
    truth, probabilities = np.array([0] * 8 + [1] * 20), np.full((28, 2), 0.5)
    with pytest.raises(InputError, match=r"8 validation photos of 'a' are too few for a recall of 0\.9: it takes 9"):
        thresholds_for(truth, probabilities, ["a", "b"], [Target.of("a:recall=.9", ["a", "b"])])


def test_a_precision_that_no_threshold_reaches_is_told():
    truth, probabilities = np.array([1] * 50 + [0] * 50), np.linspace([0.9, 0.1], [0.1, 0.9], 100)
    with pytest.raises(InputError, match=r"no threshold of 'a' reaches a precision of 0\.9"):
        thresholds_for(truth, probabilities, ["a", "b"], [Target.of("a:precision=.9", ["a", "b"])])


def test_photos_of_one_probability_are_on_one_side_of_a_precision_threshold():
    truth = np.array([0] * 30 + [1] * 30)
    probabilities = np.array([[0.8, 0.2]] * 60)  # of which half are right: no threshold divides them
    with pytest.raises(InputError, match="no threshold"):
        thresholds_for(truth, probabilities, ["a", "b"], [Target.of("a:precision=.8", ["a", "b"])])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a", "write CLASS:recall=.9"),
        ("z:recall=.9", "there is no class 'z', but a, b"),
        ("a:recall=1", "above 0 and below 1"),
        ("a:precision=0", "above 0 and below 1"),
        ("a:recall=1.2.3", "above 0 and below 1"),
    ],
)
def test_targets_that_are_none_are_refused(text, says):
    with pytest.raises(InputError, match=says):
        Target.of(text, CLASSES)


def test_a_class_gets_one_target():
    with pytest.raises(InputError, match="name a class twice"):
        thresholds_for(*drawn(100, 0), CLASSES, targets("a:recall=.9", "a:precision=.9"))


def test_names_with_colons_are_classes_too():
    assert Target.of("x:y:recall=.9", ["x:y"]) == Target("x:y", "recall", 0.9)
    assert str(Target.of("x:y:recall=.9", ["x:y"])) == "x:y:recall=0.9"


def test_before_and_found_follow_costs():
    truth, probabilities = drawn(300, 1)
    costs = np.where(np.eye(len(CLASSES)) > 0, 0.0, 1.0)
    costs[0, 1:] = 20.0
    table = expected(truth, probabilities, CLASSES, targets("b:recall=.8"), costs)
    without = decided(probabilities, None, costs)
    limits = thresholds_for(truth, probabilities, CLASSES, targets("b:recall=.8"))
    assert (without != probabilities.argmax(1)).any()
    assert table.iloc[-1]["before"] == pytest.approx((without == truth).mean())
    assert table.iloc[-1]["found"] == pytest.approx((decided(probabilities, limits, costs) == truth).mean())


def in_scenes(scenes, seed, frames=8):
    """Photos of two classes, frames of a scene nearly alike: truth, probabilities, group."""
    random = np.random.default_rng(seed)
    truth = np.repeat(np.arange(scenes) % 2, frames)
    towards = np.repeat(random.normal(1.0, 1.0, scenes), frames) + random.normal(0, 0.1, scenes * frames)
    right = 1 / (1 + np.exp(-towards))
    probabilities = np.where(truth[:, None] == [0, 1], right[:, None], 1 - right[:, None])
    return truth, probabilities, np.repeat(np.arange(scenes), frames)


def test_a_recall_target_holds_for_new_scenes_and_not_only_for_frames_of_known_ones():
    truth, probabilities, _ = in_scenes(4_000, 0)
    of_class, met = truth == 0, {True: [], False: []}
    for seed in range(1, 200):
        known, given, scenes = in_scenes(40, seed)
        for whole, found in met.items():
            goal = [Target.of("a:recall=.9", ["a", "b"])]
            limit = thresholds_for(known, given, ["a", "b"], goal, groups=scenes if whole else None)[0]
            found.append((probabilities[of_class, 0] >= limit).mean())
    assert np.mean(met[True]) >= 0.9 > np.mean(met[False]) + 0.005


def test_what_to_expect_of_a_threshold_is_as_unsure_as_its_scenes_are_few():
    truth, probabilities, scenes = in_scenes(60, 3)
    goal = [Target.of("a:recall=.8", ["a", "b"])]
    alone = expected(truth, probabilities, ["a", "b"], goal)
    whole = expected(truth, probabilities, ["a", "b"], goal, groups=scenes)
    for row in (0, 1):  # the target, and the accuracy over all classes
        widths = [table["high"][row] - table["low"][row] for table in (alone, whole)]
        assert widths[1] > 1.5 * widths[0]
    with pytest.raises(InputError, match="are too few for a recall of .*: it takes 49 groups"):
        thresholds_for(truth, probabilities, ["a", "b"], [Target.of("a:recall=.98", ["a", "b"])], groups=scenes)
