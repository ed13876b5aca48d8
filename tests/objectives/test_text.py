import numpy as np
import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.objectives import checked, costs_in_words, objective_of

CLASSES = ("lemon", "a>b, c=d%", "recall@.5")


def test_classes_must_be_there():
    assert objective_of("recall:recall@.5@.25", CLASSES).label == "recall of recall@.5 at 25% precision"
    for text in ("recall:lime@.9", "costs:lemon>lime=5"):
        with pytest.raises(InputError, match="there is no class 'lime'"):
            objective_of(text, CLASSES)


def test_costs_are_written_as_they_are_read_whatever_classes_are_called():
    matrix = np.array([[0, 5, 1], [0.25, 0, 1], [1e6, 0, 0]])
    text = costs_in_words(matrix, CLASSES)
    assert np.array(objective_of(text, CLASSES).matrix) == pytest.approx(matrix)
    assert checked(text) == text
    assert objective_of(costs_in_words(1 - np.eye(3), CLASSES), CLASSES).matrix == tuple(map(tuple, 1 - np.eye(3)))
