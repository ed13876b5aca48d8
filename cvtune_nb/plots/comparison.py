"""The pictures of compared networks, framings and remedies: accuracy, or what counts, against speed."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from cvtune_nb.objectives import ACCURACY, Counted
from cvtune_nb.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    figure,
    interval,
    shortened,
    titled,
    what_counts,
    zoomed,
)

MARKS = {"accuracy": ("s", ORANGE), "speed": ("D", GREEN)}
"""Marker and colour of what is recommended."""
LABEL = 26
"""Characters of the name of what counts that have room in a title."""
LINE = 0.045
"""Height of a label, as a fraction of the axes."""


def networks_compared(table: pd.DataFrame, recommended: Mapping[str, str], counted: Counted = ACCURACY) -> Figure:
    """Accuracy with its 95% interval against photos a second, with the name of each network beside it.

    Parameters
    ----------
    table
        name,accuracy,low,high,images_per_second,photos,finished (whether it stayed to the end), and where another
        objective counts objective_value,objective_low,objective_high.
    recommended
        "accuracy" and "speed" -> the name that is recommended for it; empty as long as they are being compared.
    counted
        What counts, which is shown in place of accuracy.
    """
    made = figure(8.4, 4.4)
    axes = made.subplots()
    rows = table.dropna(subset=["accuracy", "images_per_second"]).reset_index(drop=True)
    rows = what_counts(rows, counted) if len(rows) else rows
    axes.set_xscale("log")
    axes.set_xlabel("photos a second on this machine (log)")
    zoomed(axes, *_ends(rows), counted)
    axes.set_ylabel(f"cross-validated {axes.get_ylabel()}")
    if rows.empty:
        axes.set_xlim(1, 1000)
        titled(axes, "Nothing compared yet")
        return made
    speeds = rows["images_per_second"]  # with room for the names on the right
    axes.set_xlim(speeds.min() / 1.3, speeds.max() * (speeds.max() / speeds.min()) ** 0.35 * 1.5)
    for finished, colour, fill in ((True, BLUE, BLUE), (False, GREY, "white")):
        part = rows[rows["finished"] == finished]
        if len(part):
            label = "95% interval" if finished else "on fewer photos"
            bars = interval(part["accuracy"], part["low"], part["high"])
            x, y = part["images_per_second"], part["accuracy"]
            axes.errorbar(x, y, bars, fmt="o", color=colour, mfc=fill, capsize=3, label=label)
    for use, name in recommended.items():
        one = rows[rows["name"] == name]
        marker, colour = MARKS[use]
        # one inside the other, where both are the same network
        size = 14 if use == "accuracy" else 8
        axes.plot(
            one["images_per_second"],
            one["accuracy"],
            marker,
            color=colour,
            markersize=size,
            mfc="none",
            mew=2,
            label=f"recommended for {counted.label if use == 'accuracy' else use}",
        )
    _speed_ticks(axes)
    _labels(axes, rows)
    axes.legend(fontsize=8, loc="lower left")
    titled(axes, _learned(rows, recommended, counted))
    return made


def _ends(rows: pd.DataFrame) -> tuple[float, float]:
    """The lowest and the highest end of the intervals; 0 and 1 of none."""
    return (float(rows["low"].min()), float(rows["high"].max())) if len(rows) else (0.0, 1.0)


def _speed_ticks(axes: Axes) -> None:
    """Round speeds on the x axis."""
    low, high = axes.get_xlim()
    ticks = [value * 10.0**power for power in range(-2, 6) for value in (1, 2, 5)]
    inside = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(inside, [f"{tick:g}" for tick in inside])
    axes.xaxis.set_minor_locator(NullLocator())


def _labels(axes: Axes, rows: pd.DataFrame) -> None:
    """The names right of the points, moved up or down so that none lies on another, with a line to the point."""
    (left, right), (bottom, top) = np.log(axes.get_xlim()), axes.get_ylim()
    x = (np.log(rows["images_per_second"]) - left) / (right - left)
    y = (rows["accuracy"] - bottom) / (top - bottom)
    taken: list[tuple[float, float, float]] = []
    for row in y.sort_values(ascending=False).index:
        name, start = shortened(rows["name"][row], 40), x[row] + 0.02
        end, height = start + 0.0125 * len(name), y[row]
        while any(start < e and s < end and abs(height - h) < LINE for s, e, h in taken):
            height -= LINE / 4
        taken.append((start, end, height))
        axes.annotate(
            name,
            (x[row], y[row]),
            xytext=(start, height),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=INK if rows["finished"][row] else GREY,
            parse_math=False,
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "relpos": (0, 0.5)},
        )


def _learned(rows: pd.DataFrame, recommended: Mapping[str, str], counted: Counted) -> str:
    by_name = rows.set_index("name")
    if not set(recommended.values()) <= set(by_name.index) or not recommended:
        return f"Being compared: {len(rows)} networks and sizes so far"
    accurate, fast = by_name.loc[recommended["accuracy"]], by_name.loc[recommended["speed"]]
    value, quick = (counted.in_words(one["accuracy"]) for one in (accurate, fast))
    words = f"{shortened(str(accurate.name), 44)}: {value}, recommended for {shortened(counted.label, LABEL)}"
    if fast.name == accurate.name:
        return f"{words} and for speed"
    times = fast["images_per_second"] / accurate["images_per_second"]
    return f"{words};\n{shortened(str(fast.name), 44)}: {quick}, {times:.1f} times as fast"


def framings_compared(table: pd.DataFrame, recommended: str, counted: Counted = ACCURACY) -> Figure:
    """Cross-validated accuracy in each framing, and the difference of each from the crop on the same photos.

    Parameters
    ----------
    table
        framing,accuracy,low,high,difference,difference_low,difference_high, and where another objective counts
        objective_value,objective_low,objective_high.
    recommended
        The framing that is recommended; "" before anything was compared.
    counted
        What counts, which is shown in place of accuracy.
    """
    table = what_counts(table, counted)
    made = figure(8.4, 2.8)
    left, right = made.subplots(1, 2)
    places = range(len(table))
    zoomed(left, *_ends(table), counted)
    right.axhline(0, color=GREY, linewidth=1)
    right.set_ylabel("points from crop" if counted.share else f"{counted.label} less than crop")
    right.grid(alpha=0.3)
    points = table[["difference", "difference_low", "difference_high"]] * (100 if counted.share else 1)
    for axes, rows in ((left, table[["accuracy", "low", "high"]]), (right, points)):
        value, low, high = (rows[name] for name in rows)
        shown = slice(0 if axes is left else 1, None)  # the crop from itself is no difference
        bars = [each[shown] for each in interval(value, low, high)]
        axes.errorbar(places[shown], value[shown], bars, fmt="o", color=BLUE, capsize=4, label="95% interval")
        chosen = [place for place, name in enumerate(table["framing"]) if name == recommended]
        if chosen and (axes is left or chosen[0]):
            at = chosen[0]
            axes.plot(at, value[at], "s", color=ORANGE, markersize=14, mfc="none", mew=2, label="recommended")
        axes.set_xticks(places, table["framing"])
        axes.set_xlim(-0.5, max(len(table), 1) - 0.5)
    left.legend(fontsize=8, loc="lower right")
    label = shortened(counted.label, LABEL)
    learned = "Training photos right" if counted.by_accuracy else label[0].upper() + label[1:]
    titled(left, f"{learned}, cross-validated" if len(table) else "Nothing compared yet")
    titled(right, _ahead_of_crop(table, recommended, counted))
    return made


def _ahead_of_crop(table: pd.DataFrame, recommended: str, counted: Counted) -> str:
    ahead = table.loc[table["framing"] == recommended, "difference"]
    if ahead.empty:
        return "On the same photos, against crop"
    if recommended == "crop":
        return "No framing is reliably better than crop"
    if not counted.share:
        return f"{recommended}: {ahead.iloc[0]:.3f} below crop"
    return f"{recommended}: {ahead.iloc[0] * 100:.1f} points above crop"


def remedies_compared(table: pd.DataFrame, label: str, recommended: str) -> Figure:
    """What each remedy for imbalance brings beside none, in what counts and in accuracy, on the same photos.

    Parameters
    ----------
    table
        remedy,difference,difference_low,difference_high,accuracy_difference,accuracy_low,accuracy_high.
    label
        What the value that counts is called.
    recommended
        The remedy that is recommended.
    """
    rows = table[table["remedy"] != "none"].reset_index(drop=True)
    made = figure(8.4, 0.9 + 0.45 * max(len(rows), 2))
    axes = made.subplots()
    axes.axvline(0, color=GREY, linewidth=1)
    kinds = ((label, "difference", "difference_low", "difference_high", BLUE, "o", -0.12),)
    if label != "accuracy":
        kinds += (("accuracy", "accuracy_difference", "accuracy_low", "accuracy_high", ORANGE, "s", 0.12),)
    for name, value, low, high, colour, marker, beside in kinds:
        points = rows[[value, low, high]] * 100
        bars = interval(points[value], points[low], points[high])
        places = [place + beside for place in range(len(rows))]
        words = f"{name}, 95% interval"
        axes.errorbar(points[value], places, xerr=bars, fmt=marker, color=colour, capsize=3, label=words)
    chosen = [f"{name} (recommended)" if name == recommended else name for name in rows["remedy"]]
    axes.set_yticks(range(len(rows)), chosen)
    axes.invert_yaxis()
    axes.set_xlabel("points from no remedy")
    axes.grid(alpha=0.3, axis="x")
    axes.legend(fontsize=8, loc="best")
    gain = rows.loc[rows["remedy"] == recommended, "difference"]
    learned = f"{recommended} brings {gain.iloc[0] * 100:+.1f} points of {label}" if len(gain) else ""
    titled(axes, learned or f"No remedy is reliably better by {label}")
    return made
