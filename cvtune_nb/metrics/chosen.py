"""What to expect on other photos of the best of several runs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cvtune_nb.metrics.intervals import rate


@dataclass(frozen=True)
class Chosen:
    """The best of several runs on the photos that it was chosen on.

    Attributes
    ----------
    found
        Its accuracy there, which flatters it.
    expected, low, high
        What to expect on other photos, with the 95% interval.
    words
        Both.
    """

    run: str
    found: float
    expected: float
    low: float
    high: float
    words: str


def best_of(right: pd.DataFrame, draws: int = 1_000, seed: int = 0, groups: ArrayLike | None = None) -> Chosen:
    """The best of k runs, with its accuracy corrected for having been chosen.

    In each of `draws` bootstrap samples of the photos the best run is chosen on the photos that were drawn and judged
    on those that were not (Tsamardinos, Greasidou and Borboudakis 2018, "Bootstrapping the out-of-sample predictions
    for efficient and accurate cross-validation"). How far off it is with and without the correction:
    docs/measurements.md, "The best of several runs".

    Parameters
    ----------
    right
        A row for each of n photos, a column for each of k runs, True where the run was right. Ties: the first run.
    draws
        Number of bootstrap samples.
    seed
        Of the random numbers.
    groups
        The group of each photo where some belong together: whole groups are drawn.

    Raises
    ------
    ValueError
        Without a photo or a run.
    """
    answers = right.to_numpy(dtype=float)
    n, k = answers.shape
    if not n or not k:
        raise ValueError("best_of needs at least one photo and one run")
    best = int(answers.mean(0).argmax())
    found, random, judged = float(answers[:, best].mean()), np.random.default_rng(seed), []
    of_photo = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    units = int(of_photo.max()) + 1
    for _ in range(draws):
        drawn = np.bincount(random.integers(units, size=units), minlength=units)[of_photo]
        if (out := drawn == 0).any():
            judged.append(answers[out, (drawn @ answers).argmax()].mean())
    whole = rate(answers[:, best], groups)
    expected = float(np.mean(judged)) if judged and k > 1 else found
    # as wide as the interval of one run, about what is expected of the chosen one
    low, high = (max(0.0, min(1.0, end - found + expected)) for end in whole.interval)
    among = f" in {units} groups" if units < n else ""
    words = f"{expected:.1%} ({low:.1%} to {high:.1%}) may be expected of {right.columns[best]} on other photos"
    if k > 1:
        words += f", not the {found:.1%} found here: it was chosen as the best of {k} on these {n} photos{among}"
    return Chosen(str(right.columns[best]), found, expected, low, high, words)
