import numpy as np
import pytest
from scipy.special import softmax

from cvtune_nb.classification.calibration import temperature


@pytest.mark.parametrize("true", [0.3, 1.0, 2.5])
def test_the_temperature_that_made_the_answers_is_found(true):
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (20_000, 5))
    chances = softmax(logits / true, axis=1)
    truth = (chances.cumsum(1) > random.random((20_000, 1))).argmax(1)
    assert temperature(logits, truth) == pytest.approx(true, rel=0.05)


def test_on_a_few_photos_nothing_is_chosen():
    assert temperature(np.empty((0, 3)), np.empty(0, int)) == 1.0
    assert temperature(np.tile([5.0, 0.0], (99, 1)), np.arange(99) % 2) == 1.0
    assert temperature(np.tile([5.0, 0.0], (100, 1)), np.arange(100) % 2) > 1.0
