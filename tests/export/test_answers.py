"""How an exported classifier answers: the likeliest class, unless thresholds of single classes or costs decide."""

import numpy as np

from cvtune_nb.export.predict import decided

CHANCES = np.array([[0.3, 0.6, 0.1], [0.2, 0.7, 0.1], [0.9, 0.05, 0.05]])
NONE = np.nan


def test_the_likeliest_class():
    assert decided(CHANCES).tolist() == [1, 1, 0]
    assert decided(CHANCES[0]) == 1
    assert decided(CHANCES, np.array([NONE] * 3)).tolist() == [1, 1, 0]
    assert decided(CHANCES[:0], np.array([0.5, NONE, NONE])).shape == (0,)


def test_a_class_with_a_threshold_is_the_answer_where_it_reaches_it_and_only_there():
    assert decided(CHANCES, np.array([0.25, NONE, NONE])).tolist() == [0, 1, 0]
    assert decided(CHANCES, np.array([0.95, NONE, NONE])).tolist() == [1, 1, 1]


def test_of_several_the_one_furthest_above_its_own():
    assert decided(CHANCES, np.array([0.25, 0.3, NONE])).tolist() == [1, 1, 0]


def test_where_none_reaches_its_own_the_nearest_is():
    assert decided(CHANCES, np.array([0.95, 0.8, 0.95])).tolist() == [1, 1, 0]


def test_costs_decide_between_classes_without_thresholds():
    costs = np.array([[0, 5, 1], [1, 0, 1], [1, 1, 0]])  # to take the first for the second costs most
    assert decided(CHANCES, None, costs).tolist() == [0, 0, 0]
    assert decided(CHANCES, np.array([NONE, NONE, 0.05]), costs).tolist() == [2, 2, 2]
