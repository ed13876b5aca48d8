"""Weights of classifiers, and folds: from numbers alone."""

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification.combining.selection import folds_of, greedy_weights, log_loss, mean, shrunk_weights


def likelihoods(*rows):
    return np.array(rows, float)


def test_greedy_takes_what_makes_the_mean_better_and_nothing_else():
    found = greedy_weights(likelihoods([0.9, 0.1], [0.1, 0.9], [0.2, 0.2]), np.arange(3), 3)
    assert found == pytest.approx([0.5, 0.5, 0.0])
    alone = greedy_weights(likelihoods([0.9, 0.9], [0.5, 0.5]), np.arange(2), 2)
    assert alone == pytest.approx([1.0, 0.0])


def test_greedy_keeps_to_so_many_networks_but_takes_all_their_views():
    rows = likelihoods([0.9, 0.1, 0.5], [0.1, 0.9, 0.5], [0.5, 0.5, 0.9])
    assert (greedy_weights(rows, np.arange(3), 1) > 0).sum() == 1
    assert (greedy_weights(rows, np.array([0, 0, 1]), 1) > 0).tolist() in ([True, True, False], [False, False, True])


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
