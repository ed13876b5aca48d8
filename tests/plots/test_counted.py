"""Pictures show what counts: on their axes, in their titles, and with the better end up or down."""

import pandas as pd
import pytest

from cvtune_nb import plots
from cvtune_nb.objectives import ACCURACY, Counted
from cvtune_nb.objectives.counted import before_accuracy
from tests.plots.test_plots import pixels_of, texts

BALANCED = Counted("balanced-accuracy", "balanced accuracy")
LOSS = Counted("log-loss", "log loss", share=False, higher_is_better=False)


def counted(rows, values):
    """Rows whose second is the best by accuracy, and by what counts the first."""
    table = pd.DataFrame(rows)
    low, high = ([value + half for value in values] for half in (-0.02, 0.02))
    return table.assign(objective_value=values, objective_low=low, objective_high=high)


NETWORKS = [
    {"name": name, "accuracy": one, "low": one - 0.02, "high": one + 0.02, "images_per_second": speed, "finished": True}
    for name, one, speed in (("first", 0.8, 10), ("second", 0.9, 20))
]


@pytest.mark.parametrize(("what", "values", "value"), [(BALANCED, [0.7, 0.6], "70.0%"), (LOSS, [0.4, 0.5], "0.400")])
def test_networks_and_framings(what, values, value):
    figure = plots.networks_compared(counted(NETWORKS, values), {"accuracy": "first", "speed": "second"}, what)
    shown, axes = texts(figure), figure.axes[0]
    assert f"first: {value}, recommended for {what.label}" in shown and f"recommended for {what.label}" in shown
    assert axes.get_ylabel().startswith(f"cross-validated {what.axis}")
    low, high = axes.get_ylim()
    assert low <= min(values) - 0.02 and high >= max(values) + 0.02
    rows = [{**row, "framing": name} for row, name in zip(NETWORKS, ("whole", "crop"), strict=True)]
    table = counted(rows, values)[::-1].reset_index(drop=True)
    table = table.assign(difference=[0, 0.1], difference_low=[0, 0.05], difference_high=[0, 0.15])
    figure = plots.framings_compared(table, "whole", what)
    assert f"{what.label[0].upper()}{what.label[1:]}, cross-validated" in texts(figure)
    assert ("whole: 10.0 points above crop" if what.share else "whole: 0.100 below crop") in texts(figure)
    assert pixels_of(figure).std() > 10


@pytest.mark.parametrize(("what", "values"), [(BALANCED, [0.5, 0.6, 0.7]), (LOSS, [0.9, 0.6, 0.4])])
def test_the_learning_curve_and_c(what, values):
    plain = {"low": 0.8, "high": 0.95}
    rows = [{"train_photos": n, "validation_accuracy": 0.9, **plain} for n in (10, 50, 100)]
    figure = plots.learning_curve(counted(rows, values), what)
    assert figure.axes[0].get_ylabel() == what.axis
    change = "+10.0 points of balanced accuracy" if what.share else "-0.200 log loss"
    assert f"50 to 100 photos brought {change}:\nmore would help" in texts(figure)
    table = pd.DataFrame({"C": [0.1, 1.0], "train_accuracy": 1.0, "validation_accuracy": [0.8, 0.9]})
    figure = plots.c_curve(table.assign(objective=values[:0:-1]), 1.0, what)
    assert ";\nC = 0.1 is the best" in texts(figure) and f"C = 1: {what.label} " in texts(figure)
    assert "no C is better" in texts(plots.c_curve(table.assign(objective=0.0), 1.0, ACCURACY))


@pytest.mark.parametrize(("what", "values", "value"), [(BALANCED, [0.7, 0.6], "70.0%"), (LOSS, [0.4, 0.5], "0.400")])
def test_the_ladder_the_sweep_and_epochs(what, values, value):
    rows = [
        {
            "rung": n,
            "trial": n,
            "backbone": "a",
            "image_size": 64,
            "seconds": 10.0 * n,
            "learning_rate": 0.1 * n,
            "dropout": 0.1,
        }
        | {"validation_accuracy": 0.8 + n / 100, "low": 0.7, "high": 0.9, "expected": 0.5, "predicted_seconds": 9.0}
        for n in (1, 2)
    ]
    figure = plots.accuracy_against_time(counted(rows, values), 0.55, None, what)
    assert f"Best: rung 1, {what.label} {value} in " in texts(figure)
    assert figure.axes[0].get_ylabel().startswith(what.axis)
    assert f"Best of 2 trials: {what.label} {value}" in texts(
        plots.sweep(counted(rows, values), ["learning_rate", "dropout"], what)
    )
    losses = {"train_loss": 0.3, "validation_loss": 0.4, "train_accuracy": 0.9}
    history = pd.DataFrame({"epoch": [1, 2], "validation_accuracy": [0.8, 0.9], **losses, "objective": values})
    assert f"Best {what.label} {value} on validation, epoch 1" in texts(plots.training_curves(history, counted=what))


def test_predicted_gains():
    table = pd.DataFrame({"title": ["More photos"], "gain": [0.03], "low": [0.01], "high": [0.05]})
    assert "More photos: +3.0 points of balanced accuracy" in texts(plots.gains(table, counted=BALANCED))
    shown = texts(plots.gains(table, counted=LOSS))
    assert "More photos: log loss better by 0.030" in shown and "log loss, predicted to get better by" in shown
    nothing = texts(plots.gains(table.assign(low=-0.01), counted=LOSS))
    assert "Nothing brings a reliable gain by log loss" in nothing
    assert "More photos: +3.0 points" in texts(plots.gains(table))


def test_answers_that_cost_least_are_called_so():
    table = pd.DataFrame([[3, 1], [0, 4]], index=["a", "b"], columns=["a", "b"])
    assert "answered, as costs least" in texts(plots.confusion(table, decided=True))
    assert "predicted" in texts(plots.confusion(table))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"objective": "accuracy", "objective_value": 0.9}, ""),
        ({}, ""),
        ({"objective": "macro-f1", "objective_value": None}, ""),
        ({"objective": "macro-f1", "objective_value": 0.812}, "macro-F1 81.2%, "),
        ({"objective": "costs:a>b=5", "objective_value": 0.4}, "mean cost 0.400 (costs:a>b=5), "),
        ({"objective": "recall:a@.9", "objective_value": 0.4}, "recall 40.0% (recall:a@.9), "),
    ],
)
def test_the_summary_of_a_run_says_what_counts_before_accuracy(values, words):
    assert before_accuracy(values) == words
