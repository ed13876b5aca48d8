"""Probabilities that mean what they say: temperature scaling."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

ENOUGH = 100
"""Validation photos from which on a temperature is chosen (docs/measurements.md, "Temperature of few photos")."""

RANGE = (0.05, 20.0)
"""Temperatures that are looked at."""


def temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Temperature that logits are divided by so that softmax makes the true classes likeliest.

    No answer changes, only how sure it is (Guo and others 2017, "On calibration of modern neural networks").

    Parameters
    ----------
    logits
        (n, classes).
    truth
        (n,), columns of the true classes.

    Returns
    -------
    The temperature; 1.0 with fewer photos than ENOUGH.
    """
    if len(truth) < ENOUGH:
        return 1.0

    def loss(log_temperature: float) -> float:
        chances = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(chances[np.arange(len(truth)), truth].mean())

    return float(np.exp(minimize_scalar(loss, bounds=tuple(np.log(RANGE)), method="bounded").x))


def tempered(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) at the temperature that suits these photos best; arguments as for `temperature`."""
    return softmax(logits / temperature(logits, truth), axis=1)
