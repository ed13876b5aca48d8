"""How much photos are like those that a model was trained on: validation photos, and others beside them."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cvtune_nb.plots.style import BLUE, GREY, ORANGE, figure, titled

LEAST = 1e-4
"""The smallest value that is told from 0."""
ROWS = 12
"""Classes that get a row of their own."""


def likeness(validation: pd.DataFrame, given: pd.DataFrame, below: float) -> Figure:
    """A dot a photo: how much it is like the training photos, on a logarithmic scale, from 1 in 10,000.

    Validation photos lie in a row for each class, the photos that a person gave above them, crossed out where they are
    unlike all classes.

    Parameters
    ----------
    validation
        label and known (0..1) of validation photos.
    given
        The same of the person's photos, with the label that the model gave, and unlike, whether it takes them for none.
    below
        The value of known under which it does; 0: it never does.
    """
    counts = validation["label"].value_counts()
    names = list(counts.index[:ROWS]) if len(counts) <= ROWS else []
    rows = [validation[validation["label"] == name] for name in names] or [validation]
    made = figure(7.4, 1.9 + 0.24 * len(rows))
    axes = made.subplots()
    random = np.random.default_rng(0)
    for place, part in enumerate(rows):
        heights = place + random.uniform(-0.25, 0.25, len(part))
        axes.plot(part["known"].clip(lower=LEAST), heights, ".", color=BLUE, alpha=0.5)
    top = len(rows) + 0.3
    for unlike, marker, colour in ((False, "o", BLUE), (True, "X", ORANGE)):
        part = given[given["unlike"] == unlike]
        heights = top + random.uniform(-0.25, 0.25, len(part))
        axes.plot(part["known"].clip(lower=LEAST), heights, marker, color=colour, markersize=8)
    if below:
        axes.axvspan(LEAST / 2, below, color=GREY, alpha=0.15, linewidth=0)
        axes.axvline(below, color=GREY, linestyle=":", linewidth=1.5)
    axes.set(xscale="log", xlim=(LEAST * 0.7, 1.2), ylim=(-0.6, top + 0.6))
    axes.set_yticks([*range(len(rows)), top], [*(names or ["validation photos"]), "yours"], parse_math=False)
    axes.set_xlabel("known: share of validation photos less like the training photos")
    axes.grid(axis="x", alpha=0.3)
    titled(axes, _title(given, below))
    return made


def _title(given: pd.DataFrame, below: float) -> str:
    count, unlike = len(given), int(given["unlike"].sum())
    if not below:
        return "No photo is called unlike all classes"
    if not count:
        return f"Below {below:.3f} a photo is unlike all classes: none is given yet"
    return f"{unlike} of {count} photo{'s' * (count != 1)} of yours {'is' if unlike == 1 else 'are'} unlike all classes"
