"""Pictures of where a classifier fails."""

import pandas as pd
from matplotlib.figure import Figure

from cvtune_nb.plots.style import BLUE, GREY, INK, ORANGE, figure, interval, shortened

MOST = 14
"""Slices that are drawn: the worst."""


def slices(table: pd.DataFrame, accuracy: float) -> Figure:
    """Accuracy of each slice with its interval, beside that of all photos; those reliably worse stand out.

    Parameters
    ----------
    table
        slice,photos,accuracy,low,high,worse; the worst first.
    accuracy
        Of all photos, 0 to 1.
    """
    rows = table.head(MOST).reset_index(drop=True)
    made = figure(8.4, 1.1 + 0.32 * max(len(rows), 2))
    axes = made.subplots()
    axes.axvline(accuracy, color=GREY, linewidth=1, label="all photos")
    for worse, colour, marker in ((True, ORANGE, "s"), (False, BLUE, "o")):
        own = rows[rows["worse"] == worse]
        if len(own):
            bars = interval(own["accuracy"], own["low"], own["high"])
            label = "reliably worse, 95% interval" if worse else "95% interval"
            axes.errorbar(own["accuracy"], own.index, xerr=bars, fmt=marker, color=colour, capsize=3, label=label)
    names = [f"{shortened(str(row.slice), 48)} ({row.photos:.0f})" for row in rows.itertuples()]
    axes.set_yticks(range(len(rows)), names, fontsize=8, parse_math=False)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_xlim(0, 1.02)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("accuracy")
    axes.grid(alpha=0.3, axis="x")
    made.legend(fontsize=8, loc="outside lower right", ncols=3)
    # over the names, too: they take half of the width
    made.suptitle(_learned(rows), fontsize=11, x=0.01, ha="left", color=INK).set_parse_math(False)
    return made


def _learned(rows: pd.DataFrame) -> str:
    worse = rows[rows["worse"]]
    if worse.empty:
        return "No slice is reliably worse than the other photos" if len(rows) else "Too few photos for any slice"
    first = worse.iloc[0]
    more = f", and {len(worse) - 1} more" if len(worse) > 1 else ""
    return f"{shortened(str(first['slice']), 48)}: only {first['accuracy']:.0%} are right{more}"
