"""Which photos are labelled: where all agree, from a probability on, and no more of a class than asked for."""

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.self_training.agreement import Agreement, most_of_a_class

FIRST = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.2, 0.8], [0.45, 0.55]])
SECOND = np.array([[0.9, 0.1], [0.3, 0.7], [0.9, 0.1], [0.3, 0.7], [0.45, 0.55]])


@pytest.fixture
def said():
    return Agreement.of(["cat", "dog"], {"one": FIRST, "other": SECOND})


def test_the_surest_of_each_class_that_all_agree_about(said):
    assert said.labels.tolist() == ["cat", "dog", "cat", "dog", "dog"]
    assert said.agree.tolist() == [True, False, True, True, True]
    assert said.chosen(0.5, 9).tolist() == [0, 2, 3, 4]
    assert said.chosen(0.5, 1).tolist() == [0, 3]
    assert said.chosen(0.8, 9).tolist() == [0, 2]
    assert said.chosen(1.0, 9).tolist() == []


def test_who_agreed(said):
    assert said.in_words() == ["one, other", "other", "one, other", "one, other", "one, other"]


def test_how_many_of_a_class():
    labels = pd.Series(["a"] * 4 + ["b"] * 6 + ["c"] * 20)
    assert most_of_a_class(labels, 3) == 18
    assert most_of_a_class(labels, 0.01) == 1
