import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss

from cvtune_nb import metrics
from cvtune_nb.objectives import objective_of

CLASSES = ("lemon", "lime", "orange")


def photos(n=200, seed=0, noise=1.0):
    random = np.random.default_rng(seed)
    truth = random.choice(3, size=n, p=[0.7, 0.2, 0.1])
    return truth, softmax(1.5 * np.eye(3)[truth] + noise * random.normal(size=(n, 3)), axis=1)


def test_values_are_scikit_learns():
    truth, given = photos()
    answers = given.argmax(1)
    assert objective_of("accuracy", CLASSES).value(truth, given) == (answers == truth).mean()
    found = {text: objective_of(text, CLASSES).value(truth, given) for text in ("balanced-accuracy", "macro-f1")}
    assert found["balanced-accuracy"] == pytest.approx(balanced_accuracy_score(truth, answers))
    assert found["macro-f1"] == pytest.approx(f1_score(truth, answers, average="macro"))
    assert objective_of("log-loss", CLASSES).value(truth, given) == pytest.approx(log_loss(truth, given))


def test_recall_is_that_of_the_lowest_threshold_that_is_precise_enough():
    truth = np.array([0, 0, 1, 0, 1, 1, 0])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    given = np.stack([scores, 1 - scores, 0 * scores], axis=1)
    expected = {1.0: 2 / 4, 0.75: 3 / 4, 0.5: 1.0}
    for precision, recall in expected.items():
        assert objective_of(f"recall:lemon@{precision}", CLASSES).value(truth, given) == pytest.approx(recall)
    weights = np.array([[1, 1, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 0]])
    statistic = objective_of("recall:lemon@1", CLASSES).statistic(truth, given)
    assert statistic(weights.astype(float)) == pytest.approx([3 / 4, 0])


def test_photos_of_one_score_are_on_one_side_of_the_threshold():
    truth, scores = np.array([0, 1, 0]), np.array([0.5, 0.5, 0.4])
    given = np.stack([scores, 1 - scores, 0 * scores], axis=1)
    assert objective_of("recall:lemon@.9", CLASSES).value(truth, given) == 0
    assert objective_of("recall:lemon@.6", CLASSES).value(truth, given) == 1
    assert objective_of("recall:orange@.6", CLASSES).value(truth, given) == 0  # there is no orange


def test_answers_follow_the_costs():
    costs = objective_of("costs:lemon>lime=10", CLASSES)
    given = np.array([[0.2, 0.7, 0.1], [0.02, 0.9, 0.08]])
    assert costs.decide(given).tolist() == [0, 1]
    assert objective_of("accuracy", CLASSES).decide(given).tolist() == [1, 1]
    assert costs.value([1, 0], given) == pytest.approx((1 + 10) / 2)


@pytest.mark.parametrize("text", ["accuracy", "balanced-accuracy", "macro-f1", "recall:lime@.9", "costs:lemon>lime=3"])
def test_no_interval_collapses_where_all_of_few_photos_are_right(text):
    found = objective_of(text, CLASSES).measure([0, 0, 1, 1, 2, 2], np.eye(3)[[0, 0, 1, 1, 2, 2]])
    assert found.high - found.low > 0.1
    assert found.low <= found.value <= found.high


def test_accuracy_is_what_it_always_was():
    (truth, first), (_, second) = photos(seed=1), photos(seed=1, noise=1.3)
    accuracy = objective_of("accuracy", CLASSES)
    one, other = first.argmax(1) == truth, second.argmax(1) == truth
    found = metrics.share(int(one.sum()), len(one))
    assert accuracy.measure(truth, first).interval == found.interval
    assert accuracy.compare(truth, first, second) == metrics.paired(one, other)
    import pandas as pd

    assert accuracy.best_of(truth, {"a": first, "b": second}) == metrics.best_of(pd.DataFrame({"a": one, "b": other}))
