"""How sure a model is: whether its probabilities hold, and what asking for more of them costs."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cvtune_nb.plots.style import BLUE, GREY, ORANGE, figure, interval, titled

_FORMS = {
    "before": {"color": ORANGE, "linestyle": "--", "marker": "s", "markersize": 4},
    "after": {"color": BLUE, "linestyle": "-", "marker": "o", "markersize": 4},
}


def certainty(
    reliability: pd.DataFrame, errors: tuple[float, float], coverage: pd.DataFrame, threshold: float
) -> Figure:
    """How far a model's probabilities hold, and what a threshold for them costs and brings.

    Left, how often answers were right against how sure the model was, before and after calibration, with 95% intervals.
    Right, the fraction of photos that is answered, and how many of these answers are right, against the threshold below
    which the model is not sure.

    Parameters
    ----------
    reliability
        when (before or after),confidence,accuracy,low,high,photos.
    errors
        Calibration error (0..1) before and after.
    coverage
        threshold,coverage,accuracy,low,high,answered.
    threshold
        The one that is chosen (0..1).
    """
    made = figure(7.4, 3.5)
    left, right = made.subplots(1, 2)
    _reliability(left, reliability, errors)
    _coverage(right, coverage, threshold)
    for axes in (left, right):
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.grid(alpha=0.3)
    return made


def _reliability(axes: Axes, table: pd.DataFrame, errors: tuple[float, float]) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="perfect calibration")
    for (when, form), error in zip(_FORMS.items(), errors, strict=True):
        rows = table[table["when"] == when]
        spread = interval(rows["accuracy"], rows["low"], rows["high"])
        name = f"{when}: {error:.1%}"
        axes.errorbar(rows["confidence"], rows["accuracy"], yerr=spread, elinewidth=0.8, label=name, **form)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.set(xlabel="confidence", ylabel="accuracy")
    axes.legend(fontsize=8, loc="upper left", title="calibration error", title_fontsize=8)
    before, after = errors
    photos = table.loc[table["when"] == "after", "photos"].sum()
    if math.isclose(before, after, abs_tol=1e-6):  # but for rounding, the same
        titled(axes, f"Calibration error {after:.1%} ({photos} photos):\ntoo few photos to calibrate")
    else:
        titled(axes, f"Calibration error {after:.1%} ({photos} photos),\n{before:.1%} before calibration")


def _coverage(axes: Axes, table: pd.DataFrame, threshold: float) -> None:
    known = table[table["answered"] > 0]
    axes.plot(known["threshold"], known["accuracy"], color=BLUE, label="accuracy of those answered")
    axes.fill_between(known["threshold"], known["low"], known["high"], color=BLUE, alpha=0.15)
    axes.plot(table["threshold"], table["coverage"], color=ORANGE, linestyle="--", label="answered")
    axes.axvline(threshold, color=GREY, linestyle=":", linewidth=1.5, label=f"threshold {threshold:.0%}")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel='threshold: below it, "not sure"', ylabel="validation photos")
    axes.legend(fontsize=8, loc="lower left")
    here = table.iloc[(table["threshold"] - threshold).abs().argmin()]
    answered, right = f"{here['coverage']:.0%} of the photos", f"{here['accuracy']:.1%} of them"
    titled(axes, f"At {threshold:.0%} it answers {answered},\n{right} correctly")
