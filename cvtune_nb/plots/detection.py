"""Pictures of boxes: how large they are, what a detector finds and misses, and how that changes while it learns."""

import io

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from PIL import Image

from cvtune_nb.data.photo import FULL, Levels
from cvtune_nb.data.pixels import thumbnail
from cvtune_nb.plots.photos import PathOf
from cvtune_nb.plots.style import BLUE, GREEN, GREY, INK, ORANGE, VALIDATION, figure, shortened, tick_names, titled

SIDE = 420
"""Longest side of a photo in a picture, in pixels."""
DASHES = ("-", "--", ":", "-.")
LOOKS = {
    "found": (GREEN, "-", "found"),
    "missed": (BLUE, "--", "missed"),
    "other class": (ORANGE, "-.", "taken for another class"),
    "badly placed": (ORANGE, ":", "badly placed"),
    "found twice": (ORANGE, (0, (1, 3)), "found twice"),
    "nothing there": (ORANGE, "-", "nothing there"),
}
"""Colour, dash and words of each kind of what a detector says."""


def box_sizes(extents: np.ndarray, classes: pd.DataFrame, line: float) -> Figure:
    """How large the boxes are, all together and by class, against the line below which objects are small.

    Parameters
    ----------
    extents
        Larger side of every box, a fraction (0..1) of the photo.
    classes
        label,boxes,extent (median).
    line
        Objects below this fraction of the photo are small.
    """
    made = figure(8.4, 3.0)
    left, right = made.subplots(1, 2, width_ratios=[1.5, 1])
    left.hist(extents, bins=np.linspace(0, 1, 41), color=BLUE)
    left.axvline(line, color=ORANGE, linestyle="--", linewidth=1.5, label=f"{line:.0%}: small below")
    left.set(xlim=(0, 1), xlabel="larger side of the box, share of the photo", ylabel="boxes")
    left.xaxis.set_major_formatter("{x:.0%}")
    left.legend(fontsize=8)
    small = float((np.asarray(extents) < line).mean()) if len(extents) else 0.0
    titled(left, f"{small:.0%} of {len(extents):,} boxes are small" if len(extents) else "No boxes yet")
    rows = classes.sort_values("boxes", ascending=False).head(12)
    right.barh(range(len(rows)), rows["boxes"], color=BLUE)
    for index, row in enumerate(rows.itertuples()):
        right.text(row.boxes, index, f" {row.boxes:,}, median {row.extent:.0%}", va="center", fontsize=8, color=INK)
    tick_names(right.yaxis, rows["label"], fontsize=8)
    right.invert_yaxis()
    right.set_xlim(0, 1.6 * max([1, *rows["boxes"]]))
    right.set_xlabel("boxes")
    right.spines[["top", "right"]].set_visible(False)
    times = rows["boxes"].max() / max(1, rows["boxes"].min()) if len(rows) else 1
    most = f"; largest {times:.0f} x the smallest" if times >= 1.5 else ""
    titled(right, f"{len(classes)} {'class' if len(classes) == 1 else 'classes'}{most}")
    return made


def detector_curves(history: pd.DataFrame, epochs: int) -> Figure:
    """Average precision on validation and the training loss by epoch; history: DetectorRun.history."""
    made = figure(8.4, 3.0)
    left, right = made.subplots(1, 2)
    if len(history):
        left.plot(history["epoch"], history["validation_ap"], **{**VALIDATION, "label": "AP"})
        left.plot(
            history["epoch"],
            history["validation_ap50"],
            color=GREEN,
            linestyle=":",
            marker="^",
            markersize=4,
            label="AP50",
        )
        left.legend(fontsize=8, loc="lower right")
        right.plot(history["epoch"], history["loss"], color=BLUE, marker="o", markersize=4)
    best = history.loc[history["validation_ap"].idxmax()] if len(history) else None
    left.set(ylim=(0, 1.02), xlim=(0.5, max(1, epochs) + 0.5), xlabel="epoch", ylabel="average precision")
    right.set(xlim=(0.5, max(1, epochs) + 0.5), xlabel="epoch", ylabel="loss in training")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    titled(
        left,
        "Not trained yet"
        if best is None
        else f"Validation: AP {best['validation_ap']:.3f} in epoch {best['epoch']:.0f}",
    )
    losses = history["loss"].tolist()
    titled(
        right,
        "Loss"
        if len(losses) < 2
        else f"The loss {'falls' if losses[-1] < losses[0] else 'rises'}: {losses[0]:.2f} to {losses[-1]:.2f}",
    )
    return made


def precision_recall(curve: pd.DataFrame, by_class: pd.DataFrame) -> Figure:
    """Precision against recall of each class at an overlap of .5.

    curve: label,recall,precision. by_class: label,ap50.
    """
    made = figure(6.4, 3.2)
    axes = made.subplots()
    known = by_class.dropna(subset=["ap50"]).sort_values("ap50", ascending=False)
    colours = (BLUE, ORANGE, GREEN, GREY, INK)
    for index, row in enumerate(known.head(10).itertuples()):
        points = curve[curve["label"] == row.label]
        axes.plot(
            points["recall"],
            points["precision"],
            color=colours[index % 5],
            linestyle=DASHES[index % 4],
            label=f"{shortened(row.label, 18)} {row.ap50:.2f}".replace("$", r"\$"),
        )
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="recall: share of the boxes that are found", ylabel="precision")
    axes.grid(alpha=0.3)
    if len(known):
        axes.legend(fontsize=8, loc="lower left", title="AP50", title_fontsize=8)
        worst = known.iloc[-1]
        titled(
            axes,
            f"Found best: {shortened(known.iloc[0].label)}"
            + (f"; worst: {shortened(worst.label)}, {worst.ap50:.2f}" if len(known) > 1 else ""),
        )
    else:
        titled(axes, "No boxes to measure on")
    return made


def against_threshold(table: pd.DataFrame, chosen: float) -> Figure:
    """Boxes that are missed and detections that are wrong, against the threshold.

    table: threshold,found,missed,wrong,on_negatives,f1. chosen: the threshold to mark.
    """
    made = figure(6.4, 3.2)
    axes = made.subplots()
    axes.plot(table["threshold"], table["missed"], color=BLUE, marker="o", markersize=4, label="boxes missed")
    axes.plot(
        table["threshold"],
        table["wrong"],
        color=ORANGE,
        linestyle="--",
        marker="s",
        markersize=4,
        label="detections that are wrong",
    )
    axes.plot(
        table["threshold"],
        table["on_negatives"],
        color=GREY,
        linestyle=":",
        marker="^",
        markersize=4,
        label="of these, in photos without a box",
    )
    axes.axvline(chosen, color=INK, linestyle=":", linewidth=1)
    axes.set(xlim=(0, 1), xlabel="threshold: the lowest score that counts")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper center")
    row = table.iloc[(table["threshold"] - chosen).abs().argmin()]
    titled(axes, f"At {chosen:g}: {row['found']:.0f} found, {row['missed']:.0f} missed, {row['wrong']:.0f} wrong")
    return made


def boxed(judged: pd.DataFrame, paths: list[str], path_of: PathOf, known: bool = True, levels: Levels = FULL) -> Figure:
    """Photos with every box and detection on them, drawn by what became of it.

    Parameters
    ----------
    judged
        path,kind,label,true,score,left,top,width,height; the sides are fractions (0..1) of the photo.
    paths
        The photos to show, at most 6.
    path_of
        `workspace.path_of`.
    known
        Whether the boxes that are really there are known.
    levels
        `workspace.levels`.
    """
    columns = max(1, min(3, len(paths)))
    lines = max(1, -(-len(paths) // columns))
    made = figure(9.0, (2.5 if columns > 1 else 4.5) * lines + 0.6)
    grid = made.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, path in zip(grid, paths, strict=False):
        with Image.open(io.BytesIO(thumbnail(path_of(path), SIDE, levels))) as image:
            axes.imshow(image.convert("RGB"))
            width, height = image.size
        rows = judged[judged["path"] == path]
        for row in rows.itertuples():
            colour, dash, _ = LOOKS[row.kind]
            corner, sides = (row.left * width, row.top * height), (row.width * width, row.height * height)
            axes.add_patch(Rectangle(corner, *sides, fill=False, edgecolor="white", linewidth=2.6))
            axes.add_patch(Rectangle(corner, *sides, fill=False, edgecolor=colour, linestyle=dash, linewidth=1.5))
            if row.kind != "found":
                words = (
                    shortened(row.label, 12)
                    if row.kind in ("missed", "nothing there", "found twice")
                    else (
                        f"{shortened(row.true, 10)} as {shortened(row.label, 10)}"
                        if row.kind == "other class"
                        else shortened(row.label, 12)
                    )
                )
                axes.text(
                    *corner,
                    words,
                    fontsize=6,
                    color="white",
                    va="bottom",
                    parse_math=False,
                    bbox={"facecolor": colour, "pad": 1, "linewidth": 0},
                )
        wrong = int((~rows["kind"].isin(["found"])).sum())
        words = f"{wrong} wrong" if known else f"{len(rows)} found"
        axes.set_title(f"{shortened(path.split('/')[-1], 26)}: {words}", fontsize=8, parse_math=False)
    there = [kind for kind in LOOKS if (judged["kind"] == kind).any()]
    handles = [
        Rectangle((0, 0), 1, 1, fill=False, edgecolor=LOOKS[kind][0], linestyle=LOOKS[kind][1], linewidth=1.5)
        for kind in there
    ]
    if there and known:
        made.legend(handles, [LOOKS[kind][2] for kind in there], loc="outside lower center", ncols=6, fontsize=8)
    title = f"The {len(paths)} photos with the most mistakes" if len(paths) > 1 else "What is found, and what is missed"
    counts = ", ".join(f"{count} {shortened(label)}" for label, count in judged["label"].value_counts().items())
    words = title if known else counts or "Nothing found"
    made.suptitle(words.replace("$", r"\$"), fontsize=11, x=0.01, ha="left")
    return made
