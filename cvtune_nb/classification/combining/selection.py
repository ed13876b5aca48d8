"""Which classifiers to combine, and with which weights: from what each says of validation photos, and nothing else."""

import numpy as np
import pandas as pd
from scipy.special import softmax

FOLDS = 5
"""Of the validation photos, for figures that are corrected for the choice."""
TINY = float(np.finfo(np.float32).tiny)


def log_loss(chances: np.ndarray, truth: np.ndarray) -> float:
    """Mean negative log likelihood of the true classes; chances: (n, classes), truth: class ids (n,)."""
    return float(-np.log(np.maximum(chances[np.arange(len(truth)), truth], TINY)).mean())


def mean(logits: list[np.ndarray], temperatures: list[float], weights: list[float]) -> np.ndarray:
    """The weighted mean of probabilities (n, classes).

    Parameters
    ----------
    logits
        Of each view, (n, classes).
    temperatures, weights
        Of each view.
    """
    parts = zip(logits, temperatures, weights, strict=True)
    return np.sum([weight * softmax(each / warmth, axis=1) for each, warmth, weight in parts], axis=0)


def shrunk_weights(likelihoods: np.ndarray, prior: float = 5.0, rounds: int = 200) -> np.ndarray:
    """Weights that make the mean's log loss least, shrunk towards equal ones.

    By expectation maximisation with a symmetric Dirichlet prior: as if `prior` photos more spoke for each classifier.
    How that compares with forward selection: docs/measurements.md, "Combining classifiers".

    Parameters
    ----------
    likelihoods
        The probability that each classifier gives to the true class of each photo, (classifiers, n).
    prior
        Photos.
    rounds
        Of the maximisation.

    Returns
    -------
    np.ndarray
        (classifiers,), their sum is 1.
    """
    count, n = likelihoods.shape
    weights = np.full(count, 1 / count)
    for _ in range(rounds):
        shares = weights[:, None] * np.maximum(likelihoods, TINY)
        weights = (shares / shares.sum(axis=0)).sum(axis=1) + prior
        weights /= n + prior * count
    return weights


def folds_of(labels: pd.Series, groups: pd.Series | None, folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """The fold of each photo, (n,): classes evenly over the folds, photos of one group together.

    Parameters
    ----------
    labels
        Of n photos.
    groups
        Of the same; None: each is alone.
    folds
        How many; fewer where there are fewer groups.
    seed
        Of the random order.
    """
    names = np.arange(len(labels)) if groups is None else pd.factorize(groups)[0]
    firsts = pd.DataFrame({"group": names, "label": labels.to_numpy()}).drop_duplicates("group")
    order = firsts.sample(frac=1, random_state=seed).sort_values("label", kind="stable")["group"].to_numpy()
    fold = np.empty(len(order), int)
    fold[order] = np.arange(len(order)) % min(folds, len(order))
    return fold[names]
