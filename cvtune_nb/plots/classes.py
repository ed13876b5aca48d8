"""Pictures of classes: how many photos each has, and which are taken for which."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cvtune_nb.plots.style import BLUE, GREEN, GREY, INK, ORANGE, figure, shortened, tick_names, titled

FEW = 100
"""Photos a class should have for training (computervision-recipes, "about 100 images a class")."""

_SPLITS = {"train": (BLUE, ""), "validation": (ORANGE, "///"), "test": (GREEN, "...")}


def class_counts(photos: pd.DataFrame) -> Figure:
    """Photos a class, by split, with a line at the 100 training photos a class should have.

    photos: columns label, split.
    """
    table = pd.crosstab(photos["label"], photos["split"]).reindex(columns=list(_SPLITS), fill_value=0)
    table = table.loc[table.sum(axis=1).sort_values().index]
    made = figure(7.2, 0.3 * len(table) + 1.3)
    axes = made.subplots()
    start = np.zeros(len(table))
    for split, (colour, hatch) in _SPLITS.items():
        axes.barh(
            range(len(table)),
            table[split],
            left=start,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            label=split,
        )
        start += table[split].to_numpy()
    axes.axvline(FEW, color=GREY, linestyle=":", linewidth=1.5, label=f"{FEW} to train on")
    tick_names(axes.yaxis, table.index, fontsize=9)
    axes.set_xlabel("photos")
    few = int((table["train"] < FEW).sum())
    title = f"{few} of {len(table)} classes have under {FEW} photos to train on"
    titled(axes, title if few else f"Every class has at least {FEW} photos to train on")
    made.legend(loc="outside right upper", fontsize=8)
    return made


def confusion(table: pd.DataFrame, what: str = "validation", decided: bool = False) -> Figure:
    """The confusion matrix: a row for each true class, a column for each predicted one.

    Parameters
    ----------
    table
        Counts, classes as index (truth) and as columns (predicted).
    what
        Of which photos.
    decided
        Whether the columns are the answers that cost least, not the likeliest classes.
    """
    counts = table.to_numpy(dtype=int)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(9.0, max(3.6, 0.42 * len(table) + 2.2))
    made = figure(size + 0.6, size)
    axes = made.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if len(table) <= 24:
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(
                column,
                row,
                counts[row, column],
                ha="center",
                va="center",
                fontsize=8,
                color="white" if share[row, column] > 0.55 else INK,
            )
    tick_names(
        axes.xaxis,
        table.columns,
        rotation=90 if len(table) > 12 else 40,
        fontsize=8,
        ha="center" if len(table) > 12 else "right",
        rotation_mode="anchor" if len(table) <= 12 else "default",
    )
    tick_names(axes.yaxis, table.index, fontsize=8)
    axes.set_xlabel("answered, as costs least" if decided else "predicted")
    axes.set_ylabel("true")
    axes.set_title(_most_confused(table, what), fontsize=10, loc="right", color=INK, parse_math=False)
    return made


def _most_confused(table: pd.DataFrame, what: str) -> str:
    wrong = table.to_numpy(dtype=int).copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return f"No {what} photo is mistaken for another class"
    row, column = np.unravel_index(wrong.argmax(), wrong.shape)
    is_, taken = shortened(table.index[row], 16), shortened(table.columns[column], 16)
    return f"Most often: {is_} mistaken for {taken}, {wrong[row, column]} of {table.iloc[row].sum()}"
