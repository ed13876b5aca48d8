import pandas as pd
import pytest

from cvtune_nb import plots


@pytest.fixture
def kinds():
    rows = [("single", 0.9, 0.8, 0.95, 0.0, 3.0, 1.0, False), ("mean", 0.93, 0.85, 0.97, 0.03, 9.0, 3.0, True)]
    columns = ["kind", "value", "low", "high", "difference", "milliseconds", "times", "chosen"]
    return pd.DataFrame(rows, columns=columns)


def test_the_title_says_what_combining_brings_and_costs(kinds):
    figure = plots.combined(kinds, "accuracy", True)
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "Mean: +3.0 points, for 3.0 times the time of a photo"
    assert [text.get_text() for text in axes.texts] == ["single", "mean"] and "milliseconds" in axes.get_xlabel()
    plain = plots.combined(kinds, "log loss", False).axes[0]
    assert plain.get_title(loc="left") == "Mean: +0.030, for 3.0 times the time of a photo"
    alone = plots.combined(kinds.assign(chosen=[True, False]), "accuracy", True)
    assert alone.axes[0].get_title(loc="left") == "No way to combine is better than the best classifier alone"
    assert plots.png(figure)
