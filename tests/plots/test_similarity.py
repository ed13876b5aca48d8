"""Pictures of how well look-alikes are found."""

import pandas as pd

from cvtune_nb import plots
from tests.plots.test_detection import ODD, drawn


def test_recall_of_two_networks_beside_each_other():
    rows = [
        (name, f"recall@{k}", value, value - 0.05, value + 0.05, 200)
        for name, at in (("run 001", 0.7), (ODD, 0.6))
        for k, value in ((1, at), (5, at + 0.2))
    ]
    table = pd.DataFrame(rows, columns=["embedder", "measure", "value", "low", "high", "queries"])
    figure = plots.recall(table)
    assert f"70.0% of 200 queries; 60.0% with {ODD}" in drawn(figure)
    assert figure.axes[0].get_ylim()[0] == 0
    assert len(figure.axes[0].get_legend().get_texts()) == 2
    assert "70.0% of 200 queries" in drawn(plots.recall(table.head(2)))


def test_the_class_that_is_hardest_to_find_is_in_the_title():
    rows = [("shirt", 40, 0.5, 0.35, 0.65, 0.4, ODD), ("hat", 30, 1.0, 0.9, 1.0, 0.9, "")]
    columns = ["label", "photos", "recall_1", "low", "high", "mean_precision", "taken_for"]
    words = drawn(plots.recall_by_class(pd.DataFrame(rows, columns=columns)))
    assert "Hardest to find: shirt (50%, most often taken for" in words
    assert "100% of 30" in words
