"""Pictures of rankings: how often the nearest photos are of the query's class, and which classes are confused."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cvtune_nb.plots.style import BLUE, GREEN, GREY, INK, ORANGE, figure, shortened, tick_names, titled

LOOKS = ((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", ":"), (GREY, "D", "-."))
"""Colour, marker and dash of each embedder."""
MOST_CLASSES = 20
"""Classes that are shown, the worst ones."""


def recall(rows: pd.DataFrame) -> Figure:
    """Recall and average precision of one or more embedders side by side; rows: similarity.evaluation.Scores.table."""
    made = figure(8.4, 3.0)
    axes = made.subplots()
    measures = list(dict.fromkeys(rows["measure"]))
    names = list(dict.fromkeys(rows["embedder"]))
    for number, (name, (color, marker, dash)) in enumerate(zip(names, LOOKS, strict=False)):
        mine = rows[rows["embedder"] == name].set_index("measure").loc[measures]
        positions = np.arange(len(measures)) + 0.12 * (number - (len(names) - 1) / 2)
        errors = np.abs(mine[["low", "high"]].to_numpy().T - mine["value"].to_numpy())
        axes.errorbar(
            positions,
            mine["value"],
            yerr=errors,
            color=color,
            marker=marker,
            linestyle=dash,
            linewidth=1,
            capsize=3,
            label=shortened(name, 48),
        )
    axes.set(xlim=(-0.5, len(measures) - 0.5), ylim=(0, 1.02), ylabel="recall, mAP")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(alpha=0.3)
    tick_names(axes.xaxis, measures)
    axes.legend(fontsize=8, loc="lower right")
    first = rows[rows["measure"] == measures[0]]
    own = first.iloc[0]
    beside = "".join(f"; {row.value:.1%} with {shortened(row.embedder, 42)}" for row in first.iloc[1:2].itertuples())
    titled(axes, f"Nearest photo right for {own['value']:.1%} of {own['queries']:.0f} queries{beside}")
    return made


def recall_by_class(by_class: pd.DataFrame) -> Figure:
    """The classes that are found worst and what is found instead; by_class: similarity.evaluation.Scores.by_class."""
    rows = by_class.sort_values("recall_1").head(MOST_CLASSES)
    made = figure(7.2, max(2.0, 0.9 + 0.26 * len(rows)))
    axes = made.subplots()
    errors = np.abs(rows[["low", "high"]].to_numpy().T - rows["recall_1"].to_numpy())
    axes.barh(range(len(rows)), rows["recall_1"], color=BLUE, xerr=errors, ecolor=INK, capsize=2)
    for position, row in enumerate(rows.itertuples()):
        instead = f"instead {shortened(row.taken_for)}" if row.taken_for else ""
        axes.text(
            1.02,
            position,
            f"{row.recall_1:.0%} of {row.photos}  {instead}",
            va="center",
            fontsize=8,
            color=INK,
            parse_math=False,
        )
    tick_names(axes.yaxis, rows["label"], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="queries whose nearest photo is of their class (95% interval)")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
    worst = rows.iloc[0]
    taken = f", most often taken for {shortened(worst['taken_for'])}" if worst["taken_for"] else ""
    titled(axes, f"Hardest to find: {shortened(worst['label'])} ({worst['recall_1']:.0%}{taken})")
    return made
