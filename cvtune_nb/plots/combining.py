"""A picture of ways to combine classifiers."""

import pandas as pd
from matplotlib.figure import Figure

from cvtune_nb.plots.style import BLUE, GREY, ORANGE, figure, interval, titled


def combined(kinds: pd.DataFrame, label: str, share: bool) -> Figure:
    """What counts on validation against the time of a photo, a point for each way to combine.

    Parameters
    ----------
    kinds
        kind,value,low,high,milliseconds,chosen; the best single classifier first.
    label
        What the values are called.
    share
        Whether they are shares of 1, shown in percent.
    """
    made = figure(7.2, 3.4)
    axes = made.subplots()
    axes.axhline(kinds["value"].iloc[0], color=GREY, linewidth=1, label="the best classifier alone")
    for chosen, colour, marker in ((False, BLUE, "o"), (True, ORANGE, "s")):
        own = kinds[kinds["chosen"] == chosen]
        if len(own):
            bars = interval(own["value"], own["low"], own["high"])
            name = "chosen, 95% interval" if chosen else "95% interval"
            axes.errorbar(own["milliseconds"], own["value"], yerr=bars, fmt=marker, color=colour, capsize=3, label=name)
    for number, row in enumerate(kinds.itertuples()):
        beside = (6, 4 - 14 * (number % 2))  # above and below in turn: some take about the same time
        name, place = str(row.kind), (row.milliseconds, row.value)
        axes.annotate(name, place, xytext=beside, textcoords="offset points", fontsize=8)
    axes.set_xlim(0, 1.3 * kinds["milliseconds"].max())
    axes.set_xlabel("milliseconds a photo")
    axes.set_ylabel(f"{label},\ncorrected for the choice")
    axes.yaxis.set_major_formatter("{x:.0%}" if share else "{x:.3f}")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    titled(axes, _learned(kinds, share))
    return made


def _learned(kinds: pd.DataFrame, share: bool) -> str:
    [best] = kinds[kinds["chosen"]].to_dict("records")
    if best["kind"] == kinds["kind"].iloc[0]:
        return "No way to combine is better than the best classifier alone"
    gain = f"{100 * best['difference']:+.1f} points" if share else f"{best['difference']:+.3f}"
    return f"{best['kind'].capitalize()}: {gain}, for {best['times']:.1f} times the time of a photo"
