"""Pictures of accuracy: against C, against the number of photos, and by epoch."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cvtune_nb import metrics
from cvtune_nb.metrics import Accuracy
from cvtune_nb.objectives import ACCURACY, Counted
from cvtune_nb.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    TRAIN,
    VALIDATION,
    accuracy_axis,
    figure,
    shortened,
    titled,
    value_axis,
    what_counts,
)

LABEL = 30
"""Characters of the name of what counts that have room in a title."""


def c_curve(table: pd.DataFrame, chosen: float, counted: Counted = ACCURACY) -> Figure:
    """Accuracy against the SVM's C, and what counts beside it, with the chosen C marked.

    Parameters
    ----------
    table
        C,train_accuracy,validation_accuracy,objective: what counts, on validation.
    chosen
        Which C is used.
    counted
        What counts; where that is no share, only the title says which C is the best by it.
    """
    made = figure(5.4, 3.0)
    axes = made.subplots()
    axes.plot(table["C"], table["train_accuracy"], **TRAIN)
    axes.plot(table["C"], table["validation_accuracy"], **VALIDATION)
    if counted.share and not counted.by_accuracy:
        label = shortened(counted.label, LABEL)
        axes.plot(table["C"], table["objective"], color=GREEN, linestyle="-.", marker="^", markersize=4, label=label)
    axes.axvline(chosen, color=GREY, linestyle=":", linewidth=1.5, label=f"C = {chosen:.3g}")
    axes.set_xscale("log")
    axes.set_xlabel("C (small: a simple boundary; large: fits every photo)")
    accuracy_axis(axes)
    axes.legend(fontsize=8, loc="lower right")
    judged = table["validation_accuracy"] if counted.by_accuracy else table["objective"]
    best = judged.idxmax() if counted.higher_is_better else judged.idxmin()
    here = judged[table["C"] == chosen]
    now = float(here.iloc[0]) if len(here) else float("nan")
    words = "no C is better" if now == judged[best] else f"C = {table['C'][best]:g} is the best"
    what, between = ("", " ") if counted.by_accuracy else (f"{shortened(counted.label, LABEL)} ", "\n")
    value = f"C = {chosen:g}: {what}{counted.in_words(now)} on validation;{between}{words}"
    titled(axes, value if len(here) else words)
    return made


def learning_curve(table: pd.DataFrame, counted: Counted = ACCURACY) -> Figure:
    """What counts on validation against the number of training photos, with 95% intervals; accuracy beside it.

    Parameters
    ----------
    table
        train_photos,validation_accuracy,low,high, and where another objective counts
        objective_value,objective_low,objective_high.
    counted
        What counts.
    """
    made = figure(6.4, 3.0)
    axes = made.subplots()
    rows = what_counts(table.rename(columns={"validation_accuracy": "accuracy"}), counted)
    photos = rows["train_photos"]
    axes.plot(photos, rows["accuracy"], **VALIDATION)
    axes.fill_between(photos, rows["low"], rows["high"], color=ORANGE, alpha=0.18, label="95% interval")
    if counted.share and not counted.by_accuracy:
        axes.plot(photos, table["validation_accuracy"], color=GREY, linestyle=":", marker="^", label="accuracy")
    axes.set_xlabel("training photos")
    axes.set_xlim(left=0)
    value_axis(axes, counted, float(rows["high"].max()))
    axes.legend(fontsize=8, loc="lower right" if counted.higher_is_better else "upper right")
    titled(axes, _more_photos(rows, counted))
    return made


def folds(by_fold: pd.DataFrame, whole: Accuracy, validation: Accuracy) -> Figure:
    """The accuracy of each fold, over all of them, and on the validation photos alone, with 95% intervals.

    Parameters
    ----------
    by_fold
        fold,photos,accuracy.
    whole
        Over all folds.
    validation
        On the validation photos alone.
    """
    made = figure(6.4, 2.6)
    axes = made.subplots()
    axes.scatter(by_fold["accuracy"], np.full(len(by_fold), 1.0), color=GREY, marker="|", s=160, label="each fold")
    shown = (("all folds", whole, 1.0, BLUE, "o"), ("validation alone", validation, 0.0, ORANGE, "s"))
    for name, one, height, colour, marker in shown:
        axes.plot([one.low, one.high], [height, height], color=colour, linewidth=2)
        axes.plot(one.value, height, color=colour, marker=marker, linestyle="", label=f"{name}, {one.n} photos")
    axes.set(ylim=(-0.6, 1.6), yticks=[1.0, 0.0], yticklabels=["cross-validated", "validation"], xlabel="accuracy")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(fontsize=8, loc="best")
    half, before = (whole.high - whole.low) * 50, (validation.high - validation.low) * 50
    titled(axes, f"{whole.value:.1%}, give or take {half:.1f} points; {before:.1f} by validation photos alone")
    return made


def _more_photos(table: pd.DataFrame, counted: Counted) -> str:
    last = table.iloc[-1]
    fewer = table[table["train_photos"] <= last["train_photos"] * 0.6]
    now, most = last["accuracy"], f"{last['train_photos']:.0f} photos"
    what = "" if counted.by_accuracy else f" {shortened(counted.label, LABEL)}"
    if fewer.empty:
        return f"{counted.in_words(now)}{what} with {most}"
    earlier = fewer.iloc[-1]
    difference = now - earlier["accuracy"]
    gain = difference if counted.higher_is_better else -difference
    # A gain within half of the interval may be luck.
    verdict = "more would help" if gain > (last["high"] - last["low"]) / 2 else "within the interval"
    brought = f"{counted.change(difference)}{' of' if what and counted.share else ''}{what}"
    between = "\n" if what else " "  # a longer title takes two lines
    return f"{earlier['train_photos']:.0f} to {most} brought {brought}:{between}{verdict}"


def training_curves(
    history: pd.DataFrame,
    baseline: float | None = None,
    gaps: pd.DataFrame | None = None,
    counted: Counted = ACCURACY,
) -> Figure:
    """Accuracy and loss of train and validation by epoch, and under them the gap between the two accuracies.

    Another objective that is a share stands beside the accuracies; the title says which epoch is the best by it.

    Parameters
    ----------
    history
        epoch,train_accuracy,validation_accuracy,train_loss,validation_loss, and where another objective counts
        objective: its value on validation.
    baseline
        Validation accuracy (0..1) of the frozen network with an SVM, if known: drawn as a line.
    gaps
        epoch,gap,low,high, as metrics.gap gives them: the gap with its interval and the epoch in which it opened. None
        or no row: the gap is only a number.
    counted
        What the best epoch was chosen by.
    """
    if gaps is None or gaps.empty:
        made = figure(8.4, 3.1)
        left, right = made.subplots(1, 2)
    else:
        made = figure(8.4, 4.7)
        axes = made.subplot_mosaic("AL;GG", height_ratios=[3, 1.5])
        left, right = axes["A"], axes["L"]
        _gap(axes["G"], gaps)
    for at, what in ((left, "accuracy"), (right, "loss")):
        at.plot(history["epoch"], history[f"train_{what}"], **TRAIN)
        at.plot(history["epoch"], history[f"validation_{what}"], **VALIDATION)
        _epochs(at, history["epoch"])
    if baseline is not None:
        left.axhline(baseline, color=GREEN, linestyle="-.", label=f"baseline {baseline:.1%}")
    if counted.share and not counted.by_accuracy and len(history):
        label = shortened(counted.label, LABEL)
        left.plot(
            history["epoch"], history["objective"], color=INK, linestyle=":", marker="^", markersize=4, label=label
        )
    accuracy_axis(left)
    _loss_axis(right, history)
    left.legend(fontsize=8, loc="lower right")
    if baseline is not None and history.empty:
        titled(left, f"Baseline to beat: {baseline:.1%}")
    if len(history):
        last = history.iloc[-1]
        best = history.sort_values(["validation_accuracy", "validation_loss"], ascending=[False, True]).iloc[0]
        value = f"{best['validation_accuracy']:.1%}"
        if not counted.by_accuracy:
            judged = history["objective"]
            best = history.loc[judged.idxmax() if counted.higher_is_better else judged.idxmin()]
            value = f"{shortened(counted.label, LABEL)} {counted.in_words(best['objective'])}"
        titled(left, f"Best {value} on validation, epoch {best['epoch']:.0f}")
        apart = (last["train_accuracy"] - last["validation_accuracy"]) * 100
        titled(right, f"Loss; train is {apart:+.1f} points from validation")
    return made


def _gap(axes: Axes, gaps: pd.DataFrame) -> None:
    """Train minus validation accuracy in points; the zero line is "no gap"."""
    points = gaps[["gap", "low", "high"]] * 100
    axes.axhline(0, color=GREY, linewidth=1)
    axes.plot(gaps["epoch"], points["gap"], color=INK, marker="D", markersize=4, label="train minus validation")
    axes.fill_between(gaps["epoch"], points["low"], points["high"], color=INK, alpha=0.15, label="95% interval")
    if len(gaps) == 1:  # a band has no width yet
        axes.vlines(gaps["epoch"], points["low"], points["high"], color=INK, alpha=0.4)
    epoch = metrics.opened(gaps)
    if epoch is not None:
        axes.axvline(epoch, color=ORANGE, linestyle=":", linewidth=2, label=f"opened in epoch {epoch}")
    # from below 0 to at least 10 points, so that small gaps look small
    bottom, top = min(-2.0, points["low"].min() - 1), max(10.0, points["high"].max() + 1)
    axes.set_ylim(bottom - 0.3 * (top - bottom), top)  # with room for the legend under them
    axes.set_ylabel("gap, points")
    axes.grid(alpha=0.3)
    _epochs(axes, gaps["epoch"])
    axes.legend(fontsize=8, loc="lower right", ncols=3)
    words = metrics.gap_in_words(gaps)
    titled(axes, words[0].upper() + words[1:])


def _epochs(axes: Axes, epochs: pd.Series, most: int = 10) -> None:
    """The x axis of epochs: whole numbers, at most `most`; a single epoch stands in its middle."""
    if len(epochs) == 1:
        axes.set_xlim(epochs.iloc[0] - 0.9, epochs.iloc[0] + 0.9)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(most, integer=True, min_n_ticks=1))


def _loss_axis(axes: Axes, history: pd.DataFrame) -> None:
    """The y axis of losses: from 0 to a little above the highest that is finite."""
    losses = history[["train_loss", "validation_loss"]].to_numpy(dtype=float)
    highest = max((value for value in losses.ravel() if math.isfinite(value)), default=1.0)
    axes.set_ylim(0, highest * 1.05 or 1.0)
    axes.grid(alpha=0.3)


def rate_curve(table: pd.DataFrame, suggestion: float, words: str) -> Figure:
    """The loss of each step of a learning-rate range test against its rate, and the rate to train with.

    Parameters
    ----------
    table
        learning_rate,loss,smoothed, as classification.lr_finder gives them.
    suggestion
        The learning rate to train with.
    words
        Why that one.
    """
    made = figure(8.4, 3.1)
    axes = made.subplots()
    axes.plot(table["learning_rate"], table["loss"], ".", color=GREY, markersize=4, label="loss of each minibatch")
    axes.plot(table["learning_rate"], table["smoothed"], color=BLUE, linewidth=2, label="smoothed")
    axes.axvline(suggestion, color=ORANGE, linestyle="--", linewidth=1.5, label=f"suggested: {suggestion:.2g}")
    axes.set_xscale("log")
    axes.set_ylim(0, table["smoothed"].max() * 1.15)  # a single minibatch that ran away would flatten the rest
    axes.set_xlabel("learning rate (raised at each step)")
    axes.set_ylabel("training loss")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left")
    titled(axes, f"Train with {suggestion:.2g}: {words}")
    return made


def last_layer_curves(table: pd.DataFrame) -> Figure:
    """How the last layer alone learns: accuracy and loss by epoch; small and quick to draw, to answer a slider.

    table: columns as in `training_curves`, at least one row.
    """
    made = figure(6.4, 1.9)
    made.set_layout_engine(None)  # measuring every text first takes longer than drawing
    left, right = made.subplots(1, 2)
    made.subplots_adjust(left=0.085, right=0.985, top=0.85, bottom=0.24, wspace=0.2)
    for axes, what in ((left, "accuracy"), (right, "loss")):
        axes.plot(table["epoch"], table[f"train_{what}"], **TRAIN | {"markersize": 2})
        axes.plot(table["epoch"], table[f"validation_{what}"], **VALIDATION | {"markersize": 2})
        _epochs(axes, table["epoch"], 4)
        axes.xaxis.labelpad = 1
    accuracy_axis(left)
    left.set_ylabel("")
    left.set_yticks([0, 0.5, 1])
    _loss_axis(right, table)
    right.yaxis.set_major_locator(MaxNLocator(3))
    left.legend(fontsize=8, loc="lower right")
    first, last = table["validation_accuracy"].iloc[[0, -1]]
    for axes, words in ((left, f"Last layer alone: {first:.1%} to {last:.1%}"), (right, "Its loss")):
        axes.set_title(words, fontsize=10, loc="left", color=INK, parse_math=False)
    return made


def before_and_after(before, after, words: str) -> Figure:
    """Two accuracies on the same validation photos with their 95% intervals, and what to believe of them.

    Parameters
    ----------
    before, after
        The accuracies as found and with the person's decisions.
    words
        The paired comparison, in words.
    """
    made = figure(5.8, 2.4)
    axes = made.subplots()
    for row, name, one, style in (
        (0, "as found", before, TRAIN),
        (1, "with your decisions", after, VALIDATION),
    ):
        axes.errorbar(
            one.value,
            row,
            xerr=[[one.value - one.low], [one.high - one.value]],
            capsize=5,
            color=style["color"],
            marker=style["marker"],
            label=name,
        )
        axes.text(one.value, row - 0.2, f"{one.value:.1%}", ha="center", fontsize=9, color=INK)
    axes.set_yticks([0, 1], ["as found", "with your\ndecisions"])
    axes.set_ylim(1.5, -0.5)
    axes.set_xlim(0, 1.02)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("accuracy on the same validation photos")
    axes.grid(alpha=0.3, axis="x")
    titled(axes, words)
    return made


def bars(axes: Axes, table: pd.DataFrame) -> None:
    """The most probable classes of one photo as bars, best on top. table: columns label, probability."""
    axes.barh(range(len(table)), table["probability"], color=TRAIN["color"])
    for row, value in enumerate(table["probability"]):
        inside = value > 0.86
        x, side, colour = (value - 0.01, "right", "white") if inside else (value + 0.01, "left", INK)
        axes.text(x, row, f"{value:.1%}", va="center", ha=side, fontsize=9, color=colour)
    axes.set_yticks(range(len(table)), [shortened(name) for name in table["label"]], parse_math=False, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("probability")
    titled(axes, f"{shortened(table['label'].iloc[0])}, {table['probability'].iloc[0]:.1%}")
