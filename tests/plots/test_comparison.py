"""The picture of compared networks says which are recommended, and labels lie on no other."""

import itertools

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from cvtune_nb import plots
from tests.plots.test_plots import pixels_of, texts

SPEEDS = [10, 11, 12, 40, 45]


@pytest.fixture
def table():
    names = [f"network_{number} at 224 pixels" for number in range(5)]
    accuracy = pd.Series([0.9, 0.9, 0.899, 0.88, 0.7])
    values = {"name": names, "accuracy": accuracy, "low": accuracy - 0.02, "high": accuracy + 0.02}
    return pd.DataFrame({**values, "images_per_second": SPEEDS, "photos": 2000, "finished": [True] * 4 + [False]})


def test_the_title_says_what_was_learned(table):
    figure = plots.networks_compared(table, {"accuracy": table["name"][0], "speed": table["name"][3]})
    shown = texts(figure)
    assert "network_0 at 224 pixels: 90.0%, recommended for accuracy" in shown
    assert "network_3 at 224 pixels: 88.0%, 4.0 times as fast" in shown
    assert all(name in shown for name in table["name"])
    assert pixels_of(figure).std() > 10


def test_labels_do_not_lie_on_each_other(table):
    figure = plots.networks_compared(table, {})
    FigureCanvasAgg(figure).draw()
    boxes = [Text.get_window_extent(label) for label in figure.axes[0].texts]  # without the line to the point
    overlaps = [(a, b) for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)]
    assert len(boxes) == 5 and overlaps == []


def test_one_network_for_both_and_none_at_all(table):
    one = plots.networks_compared(table.head(1), dict.fromkeys(("accuracy", "speed"), table["name"][0]))
    assert "recommended for accuracy and for speed" in texts(one)
    assert "Nothing compared yet" in texts(plots.networks_compared(table.head(0), {}))
    assert pixels_of(plots.networks_compared(table.head(0), {})).std() > 0


def test_framings_show_both_accuracy_and_difference_and_what_is_recommended():
    rows = [
        ("crop", 0.70, 0.66, 0.74, 0.0, -0.01, 0.01),
        ("whole", 0.90, 0.87, 0.93, 0.2, 0.15, 0.25),
        ("squash", 0.80, 0.76, 0.84, 0.1, 0.05, 0.15),
    ]
    names = ["framing", "accuracy", "low", "high", "difference", "difference_low", "difference_high"]
    table = pd.DataFrame(rows, columns=names)
    figure = plots.framings_compared(table, "whole")
    left, right = figure.axes
    assert [label.get_text() for label in left.get_xticklabels()] == ["crop", "whole", "squash"]
    assert "points from crop" in texts(figure)
    assert "whole: 20.0 points above crop" in texts(figure)
    assert "No framing is reliably better than crop" in texts(plots.framings_compared(table, "crop"))
    squares = [line for axes in (left, right) for line in axes.lines if line.get_marker() == "s"]
    assert [float(line.get_ydata()[0]) for line in squares] == pytest.approx([0.9, 20])
    assert len(plots.framings_compared(table, "crop").axes[1].lines) < len(right.lines), "no square on the right"
    assert "Nothing compared yet" in texts(plots.framings_compared(table.head(0), ""))


def test_remedies_beside_none():
    table = pd.DataFrame(
        [("none", 0, 0, 0, 0, 0, 0), ("balanced", 0.04, 0.02, 0.06, -0.01, -0.02, 0.0)],
        columns=[
            "remedy",
            "difference",
            "difference_low",
            "difference_high",
            "accuracy_difference",
            "accuracy_low",
            "accuracy_high",
        ],
    ).astype({"difference": float})
    said = texts(plots.remedies_compared(table, "balanced accuracy", "balanced"))
    assert "balanced brings +4.0 points of balanced accuracy" in said
    axes = plots.remedies_compared(table, "balanced accuracy", "balanced").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["balanced (recommended)"]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["balanced accuracy, 95% interval", "accuracy, 95% interval"]
    assert "No remedy is reliably better by accuracy" in texts(plots.remedies_compared(table, "accuracy", "none"))
