"""Pictures of accuracy: against C, against the number of photos, by epoch, and against time."""

import math

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cvtune_nb.plots.style import (
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
)


def c_curve(table: pd.DataFrame, chosen: float) -> Figure:
    """Accuracy against the SVM's C, with the chosen C marked.

    table: columns C, train_accuracy, validation_accuracy.
    """
    made = figure(5.4, 3.0)
    axes = made.subplots()
    axes.plot(table["C"], table["train_accuracy"], **TRAIN)
    axes.plot(table["C"], table["validation_accuracy"], **VALIDATION)
    axes.axvline(chosen, color=GREY, linestyle=":", linewidth=1.5, label=f"C = {chosen:.3g}")
    axes.set_xscale("log")
    axes.set_xlabel("C: left, a simple boundary; right, one that follows every photo")
    accuracy_axis(axes)
    axes.legend(fontsize=8, loc="lower right")
    best = table.loc[table["validation_accuracy"].idxmax()]
    here = table[table["C"] == chosen]
    now = float(here["validation_accuracy"].iloc[0]) if len(here) else float("nan")
    words = "no C is better" if now == best["validation_accuracy"] else f"C = {best['C']:g} is the best"
    titled(axes, f"C = {chosen:g}: {now:.1%} on validation; {words}" if len(here) else words)
    return made


def learning_curve(table: pd.DataFrame) -> Figure:
    """Validation accuracy against the number of training photos, with 95% intervals.

    table: columns train_photos, validation_accuracy, low, high.
    """
    made = figure(6.4, 3.0)
    axes = made.subplots()
    axes.plot(table["train_photos"], table["validation_accuracy"], **VALIDATION)
    axes.fill_between(
        table["train_photos"], table["low"], table["high"], color=ORANGE, alpha=0.18, label="95% interval"
    )
    axes.set_xlabel("training photos")
    axes.set_xlim(left=0)
    accuracy_axis(axes)
    axes.legend(fontsize=8, loc="lower right")
    titled(axes, _more_photos(table))
    return made


def _more_photos(table: pd.DataFrame) -> str:
    last = table.iloc[-1]
    half = table[table["train_photos"] <= last["train_photos"] * 0.6]
    now, most = last["validation_accuracy"], f"{last['train_photos']:.0f} photos"
    if half.empty:
        return f"{now:.1%} with {most}"
    earlier = half.iloc[-1]
    gain = now - earlier["validation_accuracy"]
    # A gain inside half an interval's width can't be told from luck.
    verdict = "more would help" if gain > (last["high"] - last["low"]) / 2 else "within the interval"
    return f"{earlier['train_photos']:.0f} to {most} brought {gain * 100:+.1f} points: {verdict}"


def training_curves(history: pd.DataFrame, baseline: float | None = None) -> Figure:
    """Accuracy and loss of train and validation by epoch; the baseline as a line; the gap as a number.

    history: columns epoch, train_accuracy, validation_accuracy, train_loss, validation_loss.
    baseline: validation accuracy (0..1) of the frozen network with an SVM, if known.
    """
    made = figure(8.4, 3.1)
    left, right = made.subplots(1, 2)
    for axes, what in ((left, "accuracy"), (right, "loss")):
        axes.plot(history["epoch"], history[f"train_{what}"], **TRAIN)
        axes.plot(history["epoch"], history[f"validation_{what}"], **VALIDATION)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if baseline is not None:
        left.axhline(baseline, color=GREEN, linestyle="-.", label=f"baseline {baseline:.1%}")
    accuracy_axis(left)
    losses = history[["train_loss", "validation_loss"]].to_numpy(dtype=float)
    highest = max((value for value in losses.ravel() if math.isfinite(value)), default=1.0)
    right.set_ylim(0, highest * 1.05 or 1.0)
    right.grid(alpha=0.3)
    left.legend(fontsize=8, loc="lower right")
    if baseline is not None and history.empty:
        titled(left, f"To be beaten: the baseline's {baseline:.1%}")
    if len(history):
        last = history.iloc[-1]
        best = history.sort_values(["validation_accuracy", "validation_loss"], ascending=[False, True]).iloc[0]
        titled(left, f"Best {best['validation_accuracy']:.1%} on validation, epoch {best['epoch']:.0f}")
        gap = (last["train_accuracy"] - last["validation_accuracy"]) * 100
        titled(right, f"Loss; train is {gap:+.1f} points from validation")
    return made


def accuracy_against_time(rungs: pd.DataFrame, baseline: float | None = None) -> Figure:
    """Accuracy with its 95% interval against training time; the Pareto front (nothing both faster and better)
    is joined by a line.

    rungs: columns rung, backbone, image_size, seconds, validation_accuracy, low, high; rungs not run yet have
    no accuracy. baseline: as in `training_curves`.
    """
    made = figure(7.2, 3.4)
    axes = made.subplots()
    done = rungs.dropna(subset=["validation_accuracy", "seconds"]).sort_values("seconds", ignore_index=True)
    accuracy = done["validation_accuracy"]
    longest = done["seconds"].max() if len(done) else 0
    unit, length = ("minutes", 60) if longest > 120 else ("seconds", 1)
    if baseline is not None:
        axes.axhline(baseline, color=GREEN, linestyle="-.", label=f"baseline {baseline:.1%}")
    title = "No rung has finished yet"
    if len(done):
        time = done["seconds"] / length
        bars = [(accuracy - done["low"]).clip(lower=0), (done["high"] - accuracy).clip(lower=0)]
        axes.errorbar(time, accuracy, bars, fmt="s", color=ORANGE, capsize=4, label="rung, 95% interval")
        front = accuracy.cummax().diff().fillna(1) > 0
        axes.plot(time[front], accuracy[front], "--", color=GREY, label="best for its time")
        for at, row in zip(time, done.itertuples(), strict=True):
            name = f"{row.rung}: {shortened(row.backbone)} {row.image_size}"
            _label_under(axes, name, at, row.low)
        best = done.loc[accuracy.idxmax()]
        took = f"{best['seconds'] / length:.1f} {unit}"
        title = f"Highest: rung {best['rung']}, {best['validation_accuracy']:.1%} in {took}"
    titled(axes, title)
    axes.set_xlabel(f"training time, {unit}")
    axes.set_xlim(0, longest / length * 1.25 or 1)
    accuracy_axis(axes)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, loc="lower right")
    return made


def _label_under(axes, name: str, x: float, y: float) -> None:
    place = {"xytext": (0, -11), "textcoords": "offset points", "ha": "center"}
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
    axes.annotate(name, (x, y), fontsize=8, color=INK, bbox=paper, parse_math=False, **place)


def before_and_after(before, after, words: str) -> Figure:
    """Two accuracies on the same validation photos with their 95% intervals, and what to believe of them.

    before, after: metrics.Accuracy (value, low, high). words: the paired comparison, in words.
    """
    made = figure(5.8, 2.4)
    axes = made.subplots()
    for place, name, one, style in (
        (0, "as found", before, TRAIN),
        (1, "with your decisions", after, VALIDATION),
    ):
        axes.errorbar(
            one.value,
            place,
            xerr=[[one.value - one.low], [one.high - one.value]],
            capsize=5,
            color=style["color"],
            marker=style["marker"],
            label=name,
        )
        axes.text(one.value, place - 0.2, f"{one.value:.1%}", ha="center", fontsize=9, color=INK)
    axes.set_yticks([0, 1], ["as found", "with your\ndecisions"])
    axes.set_ylim(1.5, -0.5)
    axes.set_xlim(0, 1.02)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("accuracy on the same validation photos")
    axes.grid(alpha=0.3, axis="x")
    titled(axes, words)
    return made


def bars(axes, table: pd.DataFrame) -> None:
    """The most probable classes of one photo as bars, best on top. table: columns label, probability."""
    axes.barh(range(len(table)), table["probability"], color=TRAIN["color"])
    for place, value in enumerate(table["probability"]):
        inside = value > 0.86
        x, side, colour = (value - 0.01, "right", "white") if inside else (value + 0.01, "left", INK)
        axes.text(x, place, f"{value:.1%}", va="center", ha=side, fontsize=9, color=colour)
    axes.set_yticks(range(len(table)), [shortened(name) for name in table["label"]], parse_math=False, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("probability")
    titled(axes, f"{shortened(table['label'].iloc[0])}, {table['probability'].iloc[0]:.1%}")
