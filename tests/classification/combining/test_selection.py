"""Weights of classifiers, and folds: from numbers alone."""

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification.combining.judging import Judged
from cvtune_nb.classification.combining.selection import folds_of, log_loss, mean, shrunk_weights
from cvtune_nb.objectives import objective_of


def likelihoods(*rows):
    return np.array(rows, float)


def test_shrunk_weights_go_from_equal_to_the_likeliest():
    rows = likelihoods([0.9] * 10, [0.1] * 10)
    strong, weak = shrunk_weights(rows, prior=1000), shrunk_weights(rows, prior=0.01)
    assert strong == pytest.approx([0.5, 0.5], abs=0.01) and weak == pytest.approx([1.0, 0.0], abs=0.01)


def test_a_mean_of_probabilities():
    logits = [np.log([[0.8, 0.2]]), np.log([[0.4, 0.6]])]
    assert mean(logits, [1.0, 1.0], [0.5, 0.5]) == pytest.approx(np.array([[0.6, 0.4]]))
    assert log_loss(np.array([[0.6, 0.4]]), np.array([0])) == pytest.approx(-np.log(0.6))


def test_folds_have_all_classes_and_whole_groups():
    labels = pd.Series(["a"] * 20 + ["b"] * 10)
    fold = folds_of(labels, None)
    assert sorted(np.bincount(fold)) == [6] * 5
    assert all(((fold == number) & (labels == "b").to_numpy()).sum() == 2 for number in range(5))
    groups = pd.Series([f"g{number // 5}" for number in range(30)])
    grouped = folds_of(labels, groups)
    assert pd.Series(grouped).groupby(groups).nunique().max() == 1 and len(set(grouped)) == 5
    assert set(folds_of(labels, pd.Series(["one"] * 30))) == {0}


def test_of_kinds_that_are_not_worse_the_likeliest():
    truth, right, wrong = np.zeros(100, int), [0.9, 0.1], [0.1, 0.9]
    surer = np.array([[0.99, 0.01]] * 97 + [[0.45, 0.55]] * 3)
    chances = {"single": np.array([right] * 97 + [wrong] * 3), "soup": surer, "mean": np.array([wrong] * 100)}
    judged = Judged(objective_of("accuracy", ["a", "b"]), truth, None, chances)
    assert judged.best(chances) == "soup" and not judged.worse("soup") and judged.worse("mean")
    assert judged.best(["single", "mean"]) == "single" and judged.compare("soup").difference == 0
    assert judged.score("soup", 0.0, best_of_all=True).value <= judged.value("soup")
    assert judged.worse("soup", shift=-0.01)
    chances["single"] = np.array([right] * 98 + [wrong] * 2)
    assert judged.best(chances) == "single", "whatever its log loss, what is worse is not kept"
