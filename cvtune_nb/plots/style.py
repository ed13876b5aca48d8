"""How every picture looks: size, colours that colour-blind readers can tell apart, PNG bytes.

Figures are made with `Figure()`, never with pyplot: pyplot keeps global state and is not safe outside the
main thread, and live pictures are drawn in the thread that trains.
"""

import io
import math
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from cvtune_nb.objectives import ACCURACY, Counted

# Okabe & Ito, "Color Universal Design" (2008). Dash and marker differ as well: see TRAIN and VALIDATION.
BLUE, ORANGE, GREEN, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#767676", "#222222"

TRAIN = {"color": BLUE, "linestyle": "-", "marker": "o", "markersize": 4, "label": "train"}
VALIDATION = {"color": ORANGE, "linestyle": "--", "marker": "s", "markersize": 4, "label": "validation"}

_DRAWING = threading.RLock()  # matplotlib is not thread-safe: one picture at a time


def figure(width: float = 7.2, height: float = 3.0) -> Figure:
    """An empty figure of width x height inches, white, so that it reads on a dark page too."""
    return Figure(figsize=(width, height), dpi=100, facecolor="white", layout="constrained")


def png(made: Figure) -> bytes:
    """The figure as PNG bytes."""
    buffer = io.BytesIO()
    with _DRAWING:
        canvas = FigureCanvasAgg(made)
        canvas.draw()  # savefig lays out everything once more, which takes as long again
        Image.fromarray(np.asarray(canvas.buffer_rgba())).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def interval(value: pd.Series, low: pd.Series, high: pd.Series) -> list[pd.Series]:
    """What errorbar takes for intervals low..high round `value`: how far down and up; never below 0, for rounding."""
    return [(value - low).clip(lower=0), (high - value).clip(lower=0)]


def titled(axes: Axes, title: str) -> None:
    """Write `title` above `axes`. Names of classes may hold `$`, so nothing is read as mathematics."""
    axes.set_title(title, fontsize=11, loc="left", color=INK, parse_math=False)


def accuracy_axis(axes: Axes) -> None:
    """The y axis of accuracies: always from 0 to 1, so that small differences look small."""
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("accuracy")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(alpha=0.3)


def value_axis(axes: Axes, counted: Counted, highest: float) -> None:
    """The y axis of what counts: of shares as of accuracies, else from 0 to a little above the highest.

    Parameters
    ----------
    axes
        Whose y axis it is.
    counted
        What is on it.
    highest
        What has to have room.
    """
    accuracy_axis(axes)
    axes.set_ylabel(counted.axis)
    if not counted.share:
        axes.set_ylim(0, highest * 1.05 or 1.0)
        axes.yaxis.set_major_formatter("{x:.2g}")


def zoomed(axes: Axes, lowest: float, highest: float = 1.0, counted: Counted = ACCURACY) -> None:
    """A y axis that begins below `lowest`, and says so: what is compared lies close together.

    Parameters
    ----------
    axes
        Whose y axis it is.
    lowest, highest
        What has to have room; of shares the axis goes up to 1 in any case.
    counted
        What is on the axis.
    """
    if counted.share:
        bottom = max(0.0, math.floor((lowest - 0.05) * 20) / 20)
        axes.set_ylim(bottom, 1.005)
        axes.yaxis.set_major_formatter("{x:.0%}")
    else:
        room = 0.05 * (highest - lowest) or 0.05
        bottom = max(0.0, lowest - room)
        axes.set_ylim(bottom, highest + room)
    begins = f"\n(axis begins at {bottom:.0%})" if counted.share else f"\n(axis begins at {bottom:.2g})"
    axes.set_ylabel(counted.axis + (begins if bottom else ""))
    axes.grid(alpha=0.3)


def what_counts(table: pd.DataFrame, counted: Counted) -> pd.DataFrame:
    """A table whose columns accuracy, low and high are of what counted, for pictures of that."""
    if counted.by_accuracy:
        return table
    value, low, high = (table[f"objective_{name}"] for name in ("value", "low", "high"))
    return table.assign(accuracy=value, low=low, high=high)


def shortened(name: str, longest: int = 22) -> str:
    """A class or file name that fits beside an axis."""
    name = " ".join(str(name).split())
    return name if len(name) <= longest else name[: longest - 1] + "…"


def tick_names(axis: Axis, names: Iterable[str], **text: Any) -> None:
    """Name the ticks 0, 1, 2... of an axis (`axes.xaxis` or `axes.yaxis`) after classes."""
    names = [shortened(name) for name in names]
    axis.set_ticks(range(len(names)), names, parse_math=False, **text)
