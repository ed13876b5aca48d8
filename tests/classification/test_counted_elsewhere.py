"""What else follows what counts: the learning curve, notebook 02's confusion, test time, variants, predicted gains."""

import json

import numpy as np
import pandas as pd
import pytest

from cvtune_nb import metrics
from cvtune_nb.advice import gains, losses, outcomes, what_helps
from cvtune_nb.classification.at_test_time import best, in_words, tried
from cvtune_nb.classification.baseline import SvmExplorer, baseline_predictions
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.judge import Judge, Said, joined
from cvtune_nb.classification.learning_curve import learning_curve
from cvtune_nb.classification.objective import Answers, choose
from cvtune_nb.classification.variants_accuracy import Measured
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.files import read_json_lines
from cvtune_nb.objectives import Counted, objective_of

SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(64))


def dear(workspace, cost=1000):
    """Costs by which a photo of the first class is hardly ever taken for another one, nor the others kept apart."""
    first, *others = workspace.classes
    return "costs:" + ",".join(f"{first}>{other}={cost}" for other in others)


@pytest.mark.parametrize("text", ["balanced-accuracy", "macro-f1", "log-loss"])
def test_the_learning_curve_has_what_counts_beside_accuracy(opened, text):
    explorer, by_accuracy = SvmExplorer(opened, SPEC, objective=text), SvmExplorer(opened, SPEC)
    curve, plain = learning_curve(explorer), learning_curve(by_accuracy)
    pd.testing.assert_frame_equal(curve[list(plain)], plain)
    assert curve["objective_value"].iloc[-1] == pytest.approx(explorer.score(1.0).value, abs=1e-4)
    assert (
        (curve["objective_low"] <= curve["objective_value"]) & (curve["objective_value"] <= curve["objective_high"])
    ).all()
    first, last = curve["objective_value"].map(explorer.objective.merit).iloc[[0, -1]]
    assert last >= first


def test_notebook_02_shows_what_is_answered_where_costs_decide(workspace):
    first = workspace.classes[0]
    plain = SvmExplorer(workspace, SPEC).fit(1.0)
    found = SvmExplorer(workspace, SPEC, objective=dear(workspace)).fit(1.0)
    said = found.confusion
    assert said[first].sum() > plain.confusion[first].sum(), "the class that is dear to miss is answered more often"
    assert np.trace(said) / said.to_numpy().sum() == found.answered.value < found.validation.value
    assert found.validation == plain.validation and plain.answered is None
    assert set(found.mistakes["predicted"]) == {first} and len(found.mistakes) == said.to_numpy().sum() - np.trace(said)
    found.save(workspace)
    kept = baseline_predictions(workspace)["predicted"].tolist()
    assert kept == plain.predicted["predicted"].tolist(), "later steps start from the likeliest classes"
    assert found.to_dict()["answered_accuracy"] == found.answered.value and "answered_accuracy" not in plain.to_dict()


@pytest.mark.parametrize("text", ["accuracy", "balanced-accuracy", "log-loss"])
def test_at_test_time_it_is_judged_by_what_counts(text):
    """The second gets more of the large class right, the third more of the small one, and is less sure."""
    truth = np.repeat([0, 1], [180, 20])

    def chances(large, small, sure):
        right = np.concatenate([np.arange(180) < large, np.arange(20) < small])
        return np.where(np.eye(2, dtype=bool)[np.where(right, truth, 1 - truth)], sure, 1 - sure)

    judge = Judge(objective_of(text, ("large", "small")), truth)
    shown = [chances(150, 8, 0.99), chances(178, 4, 0.99), chances(155, 19, 0.9)]
    said = [judge.said(one) for one in shown]
    apart = [judge.compare(said[0], one) for one in said]
    table = pd.DataFrame(
        {
            "accuracy": [one.right.mean() for one in said],
            "difference": [one.difference for one in apart],
            "better": [one.difference > 0 and one.p < 0.05 for one in apart],
            "times": 1.0,
        }
    )
    options = tried(SPEC, pd.DataFrame({"width": [400], "height": [300]}))[:3]
    expected = {"accuracy": 1, "balanced-accuracy": 2, "log-loss": 2}[text]
    assert options.index(best(options, table)) == expected
    words = in_words(options, table, Counted.of(judge.objective))
    assert ("points more than in training" in words) == (text == "accuracy")
    assert text == "accuracy" or f": {judge.objective.label} +" in words
    nothing = in_words(options[:1], table[:1], Counted.of(judge.objective))
    assert f"reliably better{'' if text == 'accuracy' else f' by {judge.objective.label}'} than" in nothing


def measured(chances, label):
    """An export and a variant of it, on photos of that many labels."""
    n = len(label)
    seen = {name: np.arange(n) for name in chances}
    known = {name: np.zeros(n) for name in chances}
    times = dict.fromkeys(chances, 1.0)
    photos = pd.DataFrame(
        {"path": map(str, range(n)), "label": label, "group": map(str, range(n)), "copies": map(str, range(n))}
    )
    return Measured(chances, seen, times, known, lambda given: given.argmax(1)), photos


def test_smaller_variants_are_compared_by_what_counts():
    label = np.repeat(["a", "b"], [90, 10])
    full = np.where((label == "a")[:, None], [0.9, 0.1], [0.1, 0.9])
    worse = np.where((np.arange(100) >= 94)[:, None], [0.9, 0.1], full)  # most of the small class is lost
    worse[0] = np.nan
    parts = measured({"fp32": full, "int8": worse}, label)
    plain = Measured.beside(parts, classes=["a", "b"])
    assert list(plain) == ["variant", "milliseconds", "accuracy", "difference", "low", "high", "verdict"]
    found = Measured.beside(parts, classes=["a", "b"], objective=objective_of("balanced-accuracy", ("a", "b")))
    assert found["accuracy"].tolist() == plain["accuracy"].tolist() == [1.0, 0.93]
    assert found["objective_value"].tolist() == pytest.approx([1.0, 0.7]), "what can't be read is answered by chance"
    assert found["difference"][1] == pytest.approx(-0.3) and plain["difference"][1] == pytest.approx(-0.07)
    assert found["verdict"][0] == "reference" and found["verdict"][1].startswith("balanced accuracy: 30.0 points worse")


def test_parts_are_joined_and_without_probabilities_there_are_none():
    one, other = Said(np.array([True]), np.array([[0.2, 0.8]])), Said(np.array([False, True]))
    assert joined([one, other]).chances is None and joined([one, one]).chances.shape == (2, 2)
    assert joined([one, other]).right.tolist() == [True, False, True]
    with pytest.raises(ValueError, match="log loss needs probabilities"):
        Judge(objective_of("log-loss", ("a", "b")), np.zeros(2, int)).score(other)


# -- predicted gains ----------------------------------------------------------------------------------------------


def answers(right, sure):
    """What is said of as many photos of two classes in turn, all as sure."""
    truth = np.arange(len(right)) % 2
    chances = np.where(np.eye(2, dtype=bool)[np.where(right, truth, 1 - truth)], sure, 1 - sure)
    paths = [str(number) for number in range(len(right))]
    labels = pd.Series(np.array(["a", "b"])[truth], index=paths)
    return Answers(labels, pd.DataFrame(chances, index=paths, columns=["a", "b"]))


@pytest.mark.parametrize("text", ["accuracy", "balanced-accuracy", "log-loss", "costs:a>b=3"])
def test_a_loss_and_its_ratio_are_those_of_the_objective(text):
    objective, right = objective_of(text, ("a", "b")), np.arange(400) % 10 > 1
    first, second = answers(right, 0.8), answers(right | (np.arange(400) % 20 < 10), 0.8)
    one, two = (losses.of_answers(objective, [each]) for each in (first, second))
    value = objective.value(first.truth(objective), first.chances.to_numpy())
    assert one.mean == pytest.approx(1 - value if objective.SHARE else value)
    now, low, high = gains.ratio_of_errors(one, two)
    assert low < now < high and now == pytest.approx(two.mean / one.mean, abs=0.01)
    if text == "accuracy":
        same = losses.of_mistakes(pd.Series(right, index=first.labels.index))
        assert gains.ratio_of_errors(same, two) == pytest.approx(gains.ratio_of_errors(one, two))
    mean = losses.of_answers(objective, [first, second])
    assert mean.mean == pytest.approx((one.mean + two.mean) / 2)


def test_a_ratio_of_costs_does_not_depend_on_their_unit():
    before, after = (answers(np.arange(400) >= wrong, 0.9) for wrong in (80, 40))

    def ratio(text):
        objective = objective_of(text, ("a", "b"))
        return gains.ratio_of_errors(*(losses.of_answers(objective, [each]) for each in (before, after)))

    assert ratio("costs:a>b=200,b>a=600") == pytest.approx(ratio("costs:a>b=2,b>a=6"))


@pytest.mark.parametrize(
    ("text", "unit"), [("balanced-accuracy", "points of balanced accuracy ("), ("log-loss", "log loss better by +")]
)
def test_what_helps_is_predicted_by_what_counts_and_says_so(workspace, text, unit):
    choose(workspace, text)
    found, _ = what_helps(workspace)
    assert unit in found[0].words and found[0].counted.objective == text
    entry = read_json_lines(workspace.folder / "gains.jsonl")[-1]
    assert entry["objective"] == entry["gains"][0]["objective"] == text
    assert entry["objective_value"] > 0 and "accuracy" not in entry
    choose(workspace, "accuracy")
    plain, _ = what_helps(workspace)
    last = read_json_lines(workspace.folder / "gains.jsonl")[-1]
    assert set(last) == {"time", "run", "last_run", "photos", "train_photos", "accuracy", "gains"}
    assert set(plain[0].to_dict()) == {"action", "title", "gain", "low", "high", "seconds", "basis", "change"}
    assert list(last["gains"][0]) == list(json.loads(json.dumps(plain[0].to_dict())))


def test_what_came_of_it_is_in_the_words_of_what_counted():
    class Made:
        id = "run"

    gain = {"title": "More", "gain": 0.031, "low": -0.01, "high": 0.07}
    words = outcomes.compared_in_words(gain, (Made(), Made()), 0.02, Counted("log-loss", "log loss", False, False))
    predicted = "More: predicted log loss better by +0.031 (-0.010 to 0.070)"
    assert words == f"{predicted}, real +0.020, inside the interval (run against run)"


def test_accuracy_beside_another_objective_is_that_of_metrics():
    judge, said = Judge(objective_of("log-loss", ("a", "b")), np.zeros(10, int)), Said(np.arange(10) < 7)
    assert judge.accuracy(said) == metrics.share(7, 10)
