"""Pictures of the ladder: accuracy against time, gaps, predicted against real time; what would help; a sweep."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from cvtune_nb.console import duration
from cvtune_nb.objectives import ACCURACY, Counted
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    TRAIN,
    VALIDATION,
    figure,
    interval,
    shortened,
    titled,
    what_counts,
    zoomed,
)

_TIMES = [
    (seconds * unit, f"{seconds} {name}")
    for unit, name, most in ((1, "s", 60), (60, "min", 60), (3600, "h", 100))
    for seconds in (1, 2, 5, 10, 20, 30)
    if seconds < most
]
"""Ticks of a time axis."""


def accuracy_against_time(
    rungs: pd.DataFrame,
    baseline: float | None = None,
    reference: pd.DataFrame | None = None,
    counted: Counted = ACCURACY,
) -> Figure:
    """Accuracy, or what counts in its place, with its 95% interval against time, on a logarithmic axis.

    The Pareto front (nothing both faster and better) is joined by a line, and what was expected of a rung before it ran
    stands beside it.

    Parameters
    ----------
    rungs
        rung,backbone,image_size,seconds,validation_accuracy,low,high, and where they are known
        expected,predicted_seconds; rungs that did not run yet have no accuracy. Where another objective counts also
        objective_value,objective_low,objective_high.
    baseline
        What the frozen network with an SVM reaches on validation, if known.
    reference
        Accuracies published for a ladder, drawn at its times relative to the fastest rung's, where accuracy counts:
        rung,time_low,time_high,accuracy.
    counted
        What counts.
    """
    if not counted.by_accuracy:
        rungs = what_counts(rungs, counted).assign(validation_accuracy=rungs["objective_value"])
        reference = None
    made = figure(8.4, 3.9)
    axes = made.subplots()
    done = rungs.dropna(subset=["validation_accuracy", "seconds"]).sort_values("seconds", ignore_index=True)
    accuracy, title, lowest = done["validation_accuracy"], "No rung has finished yet", 1.0
    highest = max([baseline or 0.0, *done["high"]]) if len(done) or baseline else 1.0
    if baseline is not None:
        axes.axhline(baseline, color=GREEN, linestyle="-.", label=f"baseline {counted.in_words(baseline)}")
        lowest = baseline
    if len(done) and reference is not None and len(reference):
        times = reference[["time_low", "time_high"]].to_numpy() * done["seconds"].iloc[0]
        middle = np.sqrt(times.prod(1))
        axes.errorbar(
            middle,
            reference["accuracy"],
            xerr=np.abs(times.T - middle),
            fmt="d",
            color=GREY,
            mfc="white",
            capsize=2,
            alpha=0.8,
            label="2018, other photos, relative to the fastest time here",
        )
        for x, row in zip(middle, reference.itertuples(), strict=True):
            axes.annotate(
                f"{row.rung}", (x, row.accuracy), xytext=(5, 3), textcoords="offset points", fontsize=8, color=GREY
            )
        lowest = min(lowest, reference["accuracy"].min())
    if "expected" in rungs and rungs["expected"].notna().any():
        told = rungs.dropna(subset=["expected", "predicted_seconds"])
        axes.plot(told["predicted_seconds"], told["expected"], "x", color=BLUE, label="expected before it ran")
        lowest, highest = min([lowest, *told["expected"]]), max([highest, *told["expected"]])
    if len(done):
        bars = interval(accuracy, done["low"], done["high"])
        axes.errorbar(done["seconds"], accuracy, bars, fmt="s", color=ORANGE, capsize=4, label="rung, 95% interval")
        best_so_far = accuracy.cummax() if counted.higher_is_better else -accuracy.cummin()
        front = best_so_far.diff().fillna(1) > 0
        axes.plot(done["seconds"][front], accuracy[front], "--", color=ORANGE, alpha=0.6, label="best for its time")
        for row in done.itertuples():
            axes.annotate(
                f"{row.rung}",
                (row.seconds, row.validation_accuracy),
                xytext=(6, 4),
                fontsize=10,
                color=INK,
                textcoords="offset points",
                fontweight="bold",
            )
        names = "\n".join(f"{row.rung}: {shortened(row.backbone)} {row.image_size}" for row in done.itertuples())
        axes.text(
            0.01,
            0.02,
            names,
            transform=axes.transAxes,
            fontsize=8,
            color=INK,
            va="bottom",
            parse_math=False,
            bbox={"facecolor": "white", "edgecolor": GREY, "pad": 3, "alpha": 0.8},
        )
        best = done.loc[accuracy.idxmax() if counted.higher_is_better else accuracy.idxmin()]
        value = counted.in_words(best["validation_accuracy"])
        ahead, what = ("Highest", value) if counted.by_accuracy else ("Best", f"{counted.label} {value}")
        title = f"{ahead}: rung {best['rung']}, {what} in {duration(best['seconds'])}"
        lowest = min(lowest, done["low"].min())
    titled(axes, title)
    seconds = [value for line in axes.lines[baseline is not None :] for value in np.ravel(line.get_xdata())]
    _time_axis(axes.xaxis, min(seconds, default=10.0) / 2, max(seconds, default=1000.0) * 1.6, "time it took (log)")
    zoomed(axes, lowest, highest, counted)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, loc="lower right", ncols=2)
    return made


def gaps_by_rung(rungs: pd.DataFrame) -> Figure:
    """Train and validation accuracy of every rung, joined by their gap.

    rungs: rung,train_accuracy,validation_accuracy,low,high; at least one with an accuracy.
    """
    done = rungs.dropna(subset=["validation_accuracy"]).reset_index(drop=True)
    made = figure(8.4, 0.9 + 0.42 * max(2, len(done)))
    axes = made.subplots()
    gap = (done["train_accuracy"] - done["validation_accuracy"]) * 100
    for index, row in enumerate(done.itertuples()):
        axes.plot([row.validation_accuracy, row.train_accuracy], [index] * 2, color=GREY, linewidth=2, zorder=1)
        axes.plot([row.low, row.high], [index] * 2, color=VALIDATION["color"], alpha=0.25, linewidth=9, zorder=0)
        axes.text(1.005, index, f"{gap[index]:+.1f} points", va="center", fontsize=9, color=INK, clip_on=False)
    for style, column in ((TRAIN, "train_accuracy"), (VALIDATION, "validation_accuracy")):
        axes.plot(done[column], range(len(done)), style["marker"], color=style["color"], label=style["label"])
    axes.set_yticks(range(len(done)), [f"rung {rung}" for rung in done["rung"]])
    axes.set_ylim(len(done) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("accuracy; pale: 95% interval")
    axes.grid(alpha=0.3, axis="x")
    axes.legend(fontsize=8, loc="lower left")
    widest = gap.abs().idxmax()
    titled(axes, f"Train is furthest from validation in rung {done['rung'][widest]}: {gap[widest]:+.1f} points")
    return made


def predicted_against_real(runs: pd.DataFrame) -> Figure:
    """Real time of runs against the time estimated before they began, on logarithmic axes; on the line they are equal.

    runs: run,predicted_seconds,seconds; at least one row.
    """
    made = figure(5.6, 4.2)
    axes = made.subplots()
    ends = runs[["predicted_seconds", "seconds"]].to_numpy(dtype=float)
    low, high = float(ends.min()) / 1.6, float(ends.max()) * 1.6
    span = np.array([low, high])
    axes.plot(span, span, color=GREY, linewidth=1, label="as estimated")
    axes.fill_between(span, span * 0.8, span * 1.2, color=GREY, alpha=0.15, label="within 20%")
    axes.plot(runs["predicted_seconds"], runs["seconds"], "s", color=ORANGE, label="run")
    error = runs["seconds"] / runs["predicted_seconds"] - 1
    for row in runs.itertuples():
        axes.annotate(
            str(row.run).split("-")[0],
            (row.predicted_seconds, row.seconds),
            xytext=(6, -3),
            fontsize=8,
            color=INK,
            textcoords="offset points",
            parse_math=False,
        )
    _time_axis(axes.xaxis, low, high, "estimated")
    _time_axis(axes.yaxis, low, high, "real")
    axes.legend(fontsize=8, loc="upper left")
    titled(axes, f"Estimates are off by {error.abs().median():.0%} (median of {len(runs)})")
    return made


def gains(table: pd.DataFrame, real: pd.DataFrame | None = None, counted: Counted = ACCURACY) -> Figure:
    """What each action is predicted to bring, in points, with its 95% interval; hatched where that covers zero.

    Parameters
    ----------
    table
        title,gain,low,high (fractions of 1, or in the unit of a loss or cost), the largest first; at least one row.
    real
        What earlier predictions came to: title,predicted,real; by the same objective.
    counted
        What counts.
    """
    rows, unit = table.iloc[::-1], 100 if counted.share else 1
    made = figure(8.4, 1.1 + 0.45 * len(rows))
    axes = made.subplots()
    sure = (rows["low"] > 0) | (rows["high"] < 0)
    places = np.arange(len(rows))
    axes.barh(places, rows["gain"] * unit, color=[BLUE if one else "#BBBBBB" for one in sure], height=0.6)
    for bar, one in zip(axes.patches, sure, strict=True):
        bar.set_hatch("" if one else "///")
    gain = rows["gain"] * unit
    bars = interval(gain, rows["low"] * unit, rows["high"] * unit)
    axes.errorbar(gain, places, xerr=bars, fmt="none", color=INK, capsize=4)
    if real is not None and len(real):
        shown = real.drop_duplicates("title", keep="last").set_index("title")["real"].reindex(rows["title"])
        axes.plot(shown.to_numpy() * unit, places, "D", color=ORANGE, label="actual gain, last time")
        axes.legend(fontsize=8, loc="lower right")
    axes.axvline(0, color=INK, linewidth=1)
    left, right = axes.get_xlim()
    axes.set_xlim(min(left, -unit / 100), max(right, unit / 100))  # small gains look small
    axes.set_yticks(places, [shortened(title, 44) for title in rows["title"]], parse_math=False)
    what = "points" if counted.by_accuracy else f"points of {counted.label}"
    change = f"predicted change, {what}" if counted.share else f"{counted.label}, predicted to get better by"
    axes.set_xlabel(f"{change} (95% interval); hatched: no reliable gain")
    axes.grid(alpha=0.3, axis="x")
    first = table.iloc[0]
    size = f"{first['gain'] * 100:+.1f} {what}" if counted.share else f"{counted.label} better by {first['gain']:.3f}"
    learned = f"{first['title']}: {size}" if sure.any() and first["low"] > 0 else "Nothing brings a reliable gain"
    titled(axes, learned if counted.by_accuracy or first["low"] > 0 else f"{learned} by {counted.label}")
    return made


def sweep(trials: pd.DataFrame, names: Sequence[str], counted: Counted = ACCURACY) -> Figure:
    """Validation accuracy, or what counts, with its interval against each parameter of a sweep; the best is filled.

    Parameters
    ----------
    trials
        validation_accuracy,low,high and the names; where another objective counts also
        objective_value,objective_low,objective_high.
    names
        Of the parameters.
    counted
        What counts.
    """
    if not counted.by_accuracy:
        trials = what_counts(trials, counted).assign(validation_accuracy=trials["objective_value"])
    made = figure(8.4, 2.9)
    places = made.subplots(1, len(names), sharey=True)
    done = trials.dropna(subset=["validation_accuracy"])
    for axes, parameter in zip(places, (PARAMETERS[name] for name in names), strict=True):
        name = parameter.name
        bars = interval(done["validation_accuracy"], done["low"], done["high"])
        axes.errorbar(done[name], done["validation_accuracy"], bars, fmt="o", color=BLUE, mfc="white", capsize=3)
        if len(done):
            best = done.loc[_best(done, counted)]
            axes.plot([best[name]], [best["validation_accuracy"]], "s", color=ORANGE, markersize=8, zorder=3)
        if parameter.scale == "log" and len(done):
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(parameter.label)
        axes.grid(alpha=0.3)
    zoomed(places[0], *((done["low"].min(), done["high"].max()) if len(done) else (0.0, 1.0)), counted)
    if len(done):
        value = counted.in_words(done["validation_accuracy"][_best(done, counted)])
        value = value if counted.by_accuracy else f"{counted.label} {value}"
        titled(places[0], f"Best of {len(done)} trials: {value}, the filled square")
    else:
        titled(places[0], "No trial has finished an epoch yet")
    return made


def _best(done: pd.DataFrame, counted: Counted) -> int:
    """The index of the best row."""
    values = done["validation_accuracy"]
    return int(values.idxmax() if counted.higher_is_better else values.idxmin())


def _time_axis(axis: XAxis | YAxis, low: float, high: float, words: str) -> None:
    """A logarithmic axis from `low` to `high` seconds with round times; on a long one every second or third of them."""
    axes = axis.axes
    (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
    (axes.set_xlim if axis is axes.xaxis else axes.set_ylim)(low, high)
    inside = [time for time in _TIMES if low <= time[0] <= high]
    shown = inside[:: max(1, math.ceil(len(inside) / 8))]
    axis.set_ticks([seconds for seconds, _ in shown], [name for _, name in shown])
    axis.set_minor_locator(NullLocator())
    axis.set_label_text(words)
