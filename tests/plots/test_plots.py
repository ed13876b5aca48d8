"""Each picture is made from a small table, and says in its title what the table shows."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cvtune_nb import plots
from cvtune_nb.metrics import gap

ODD = '<b>x</b> & "é" $1$ and a long name'


@pytest.fixture(scope="module")
def photos(photo_folder):
    paths = sorted(path.relative_to(photo_folder) for path in photo_folder.rglob("*.jpg"))
    table = pd.DataFrame({"path": [str(path) for path in paths], "label": [path.parts[0] for path in paths]})
    table["label"] = table["label"].replace("circle", ODD)
    return table.assign(split=["train", "train", "validation", "test"] * (len(table) // 4))


def texts(figure):
    """Everything written in the figure but tick labels."""
    words = [figure.get_suptitle()]
    for axes in figure.axes:
        words += [axes.get_title(), axes.get_title("left"), axes.get_title("right")]
        words += [axes.get_xlabel(), axes.get_ylabel(), *(text.get_text() for text in axes.texts)]
    return "\n".join(words)


def pixels_of(figure):
    with Image.open(io.BytesIO(plots.png(figure))) as image:
        return np.asarray(image.convert("RGB"))


def test_contact_sheet_shows_photos_of_each_class(photos, photo_folder):
    figure = plots.contact_sheet(photos, photo_folder.__truediv__, per_class=4)
    assert "72 photos in 3 classes" in texts(figure)
    assert sum(len(axes.images) for axes in figure.axes) == 3 * 4
    assert pixels_of(figure).std() > 20


def test_contact_sheet_of_many_classes_says_what_it_leaves_out(photos, photo_folder):
    figure = plots.contact_sheet(photos, photo_folder.__truediv__, classes=2)
    assert "3 classes, the 2 largest shown" in texts(figure)


def test_a_photo_that_vanished_is_named_in_its_place(photos, photo_folder):
    gone = photos.head(1).assign(path="gone.jpg")
    assert "can't be read" in texts(plots.contact_sheet(gone, photo_folder.__truediv__))


def test_mistakes_show_the_surest_first(photos, photo_folder):
    rows = photos.head(20).assign(predicted="stripes", score=np.arange(20.0))
    figure = plots.mistakes(rows, photo_folder.__truediv__, most=6)
    assert "20 mistakes on the validation photos; the 6 most confident" in texts(figure)
    assert sum(len(axes.images) for axes in figure.axes) == 6
    assert "predicted: stripes" in texts(figure)
    assert pixels_of(figure).std() > 20


def test_what_the_crop_leaves_out_lies_under_veils(photos, photo_folder):
    rows = photos.head(5).assign(width=[200, 100, 100, 160, 90], height=[100, 200, 100, 90, 160])
    rows = rows.assign(cut_off=1 - rows[["width", "height"]].min(axis=1) / rows[["width", "height"]].max(axis=1))
    figure = plots.cut_off(rows, photo_folder.__truediv__)
    assert "The crop cuts off up to 50% of a photo" in texts(figure)
    assert "The crop cuts nothing off" in texts(plots.cut_off(rows.assign(cut_off=0.0), photo_folder.__truediv__))
    assert "50% cut off" in texts(figure) and "44% cut off" in texts(figure)
    wide, tall, square = ([patch.get_bbox().bounds for patch in axes.patches] for axes in figure.axes[:3])
    assert wide == [(0, 40, 40, 80), (120, 40, 40, 80)] and tall == [(40, 0, 80, 40), (40, 120, 80, 40)]
    assert all(0 in bounds[2:] for bounds in square)
    assert pixels_of(figure).std() > 20


def test_no_mistakes_is_said(photos, photo_folder):
    rows = photos.head(0).assign(predicted="", score=0.0)
    assert "No mistakes" in texts(plots.mistakes(rows, photo_folder.__truediv__))


def test_class_counts_name_the_shortage(photos):
    assert "3 of 3 classes have under 100 photos" in texts(plots.class_counts(photos))
    many = pd.concat([photos] * 10)
    assert "Every class has at least 100" in texts(plots.class_counts(many))


def test_confusion_names_the_worst_pair_and_counts():
    table = pd.DataFrame([[8, 2], [5, 9]], index=[ODD, "lemon"], columns=[ODD, "lemon"])
    words = texts(plots.confusion(table))
    assert "lemon mistaken for <b>x</b>" in words
    assert "5 of 14" in words
    assert {"8", "2", "5", "9"} <= set(words.split("\n"))
    assert pixels_of(plots.confusion(table)).std() > 10


def test_confusion_without_mistakes():
    table = pd.DataFrame([[8, 0], [0, 9]], index=["a", "b"], columns=["a", "b"])
    assert "No validation photo is mistaken for another class" in texts(plots.confusion(table))


def test_c_curve_marks_the_chosen_c():
    table = pd.DataFrame({"C": [0.1, 1, 10], "train_accuracy": [0.8, 0.9, 1], "validation_accuracy": [0.7, 0.8, 0.75]})
    figure = plots.c_curve(table, chosen=10)
    assert "C = 10: 75.0% on validation; C = 1 is the best" in texts(figure)
    assert figure.axes[0].get_ylim()[0] == 0
    assert any(list(line.get_xdata()) == [10, 10] for line in figure.axes[0].lines)


@pytest.mark.parametrize(("last", "verdict"), [(0.95, "more would help"), (0.81, "within the interval")])
def test_learning_curve_says_whether_more_photos_help(last, verdict):
    table = pd.DataFrame({"train_photos": [50, 100, 200], "validation_accuracy": [0.6, 0.8, last]})
    table = table.assign(low=table["validation_accuracy"] - 0.05, high=table["validation_accuracy"] + 0.05)
    assert verdict in texts(plots.learning_curve(table))


def test_training_curves_show_gap_baseline_and_both_kinds_of_line():
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "train_accuracy": [0.6, 0.9, 0.99],
            "validation_accuracy": [0.5, 0.8, 0.79],
            "train_loss": [1.0, 0.5, 0.1],
            "validation_loss": [1.2, 0.7, float("nan")],
        }
    )
    figure = plots.training_curves(history, baseline=0.7)
    assert "Best 80.0% on validation, epoch 2" in texts(figure)
    assert "+20.0 points" in texts(figure)
    train, validation, baseline = figure.axes[0].lines[:3]
    assert len({line.get_linestyle() for line in (train, validation, baseline)}) == 3
    assert train.get_marker() != validation.get_marker()
    assert figure.axes[0].get_ylim()[0] == 0
    assert pixels_of(figure).std() > 5


def test_the_gap_is_drawn_with_the_epoch_in_which_it_opened():
    history = pd.DataFrame(
        {
            "epoch": [0, 1, 2],
            "train_accuracy": [0.8, 0.9, 1.0],
            "validation_accuracy": [0.8, 0.88, 0.85],
            "train_loss": [1.0, 0.5, 0.1],
            "validation_loss": [1.2, 0.7, 0.7],
        }
    )
    figure = plots.training_curves(history, 0.8, gap(history, (1000, 400)))
    assert "The gap opened in epoch 2: train is 15.0 points" in texts(figure)
    below = figure.axes[2]
    assert below.get_ylim()[0] < 0 < 15 < below.get_ylim()[1]


def test_the_learning_rate_to_train_with_is_marked():
    rates = np.geomspace(1e-5, 1, 30)
    table = pd.DataFrame({"learning_rate": rates, "loss": 1 + rates, "smoothed": 1 + rates})
    figure = plots.rate_curve(table, 0.0003, "above 0.001 it forgets")
    assert "Train with 0.0003: above 0.001 it forgets" in texts(figure)
    assert figure.axes[0].get_xscale() == "log"


def test_the_preview_says_what_the_last_layer_alone_would_do():
    history = pd.DataFrame(
        {
            "epoch": [0, 1],
            "train_accuracy": [0.8, 0.9],
            "validation_accuracy": [0.75, 0.8],
            "train_loss": [1.0, 0.5],
            "validation_loss": [1.2, 0.7],
        }
    )
    assert "Last layer alone: 75.0% to 80.0%" in texts(plots.last_layer_curves(history))


def test_a_single_epoch_stands_on_a_whole_number():
    history = pd.DataFrame(
        {
            "epoch": [0],
            "train_accuracy": [0.8],
            "validation_accuracy": [0.8],
            "train_loss": [1.0],
            "validation_loss": [1.0],
        }
    )
    gaps = pd.DataFrame({"epoch": [0], "gap": [0.0], "low": [-0.1], "high": [0.1]})
    for axes in plots.training_curves(history, 0.7, gaps).axes:
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [0]


def test_training_curves_before_the_first_epoch():
    empty = pd.DataFrame(columns=["epoch", "train_accuracy", "validation_accuracy", "train_loss", "validation_loss"])
    assert pixels_of(plots.training_curves(empty)).size


def test_accuracy_against_time_joins_the_pareto_front():
    rungs = pd.DataFrame(
        {
            "rung": [1, 2, 3, 4],
            "backbone": "lite0",
            "image_size": 224,
            "seconds": [60, 200, 400, np.nan],
            "validation_accuracy": [0.8, 0.7, 0.9, np.nan],
            "low": [0.7, 0.6, 0.8, np.nan],
            "high": [0.85, 0.8, 0.95, np.nan],
        }
    )
    figure = plots.accuracy_against_time(rungs, baseline=0.75)
    assert "Highest: rung 3, 90.0% in 6.7 min" in texts(figure)
    front = next(line for line in figure.axes[0].lines if line.get_label() == "best for its time")
    assert list(front.get_ydata()) == [0.8, 0.9]


def test_accuracy_against_time_before_any_rung():
    columns = ["rung", "backbone", "image_size", "seconds", "validation_accuracy", "low", "high"]
    assert "No rung has finished yet" in texts(plots.accuracy_against_time(pd.DataFrame(columns=columns)))


RUNGS = pd.DataFrame(
    {
        "rung": [1, 2, 3],
        "run": ["001-a", "002-b", "003-c"],
        "backbone": "lite0",
        "image_size": 224,
        "predicted_seconds": [50, 250, 390],
        "seconds": [60, 200, 400],
        "train_accuracy": [0.99, 0.98, 0.97],
        "validation_accuracy": [0.8, 0.85, 0.95],
        "low": [0.75, 0.8, 0.9],
        "high": [0.85, 0.9, 0.98],
        "expected": [0.82, np.nan, 0.9],
    }
)


def test_published_figures_stand_beside_the_rungs():
    reference = pd.DataFrame({"rung": [1, 2], "time_low": [1.0, 2.0], "time_high": [1.0, 5.0], "accuracy": [0.7, 0.9]})
    axes = plots.accuracy_against_time(RUNGS, 0.75, reference).axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert any(label.startswith("2018, other photos") for label in labels)
    assert "expected before it ran" in labels
    assert axes.get_xscale() == "log"
    assert axes.get_ylim()[0] <= 0.65
    assert "(axis begins at 60%)" in axes.get_ylabel()


def test_gaps_by_rung_names_the_widest():
    figure = plots.gaps_by_rung(RUNGS)
    assert "Train is furthest from validation in rung 1: +19.0 points" in texts(figure)
    assert figure.axes[0].get_xlim() == (0, 1)


def test_predicted_against_real_time():
    figure = plots.predicted_against_real(RUNGS)
    assert "Estimates are off by 20% (median of 3)" in texts(figure)
    assert pixels_of(figure).std() > 10


def test_gains_that_can_not_be_told_from_none_are_hatched():
    table = pd.DataFrame(
        {"title": ["more photos", ODD], "gain": [0.02, 0.01], "low": [0.01, -0.01], "high": [0.03, 0.03]}
    )
    real = pd.DataFrame({"title": ["more photos"], "predicted": [0.02], "real": [0.015]})
    figure = plots.gains(table, real)
    assert "more photos: +2.0 points" in texts(figure)
    assert [bool(bar.get_hatch()) for bar in figure.axes[0].patches[:2]] == [True, False]
    assert "Nothing brings a reliable gain" in texts(plots.gains(table.iloc[1:]))


def test_a_sweep_shows_each_parameter():
    trials = RUNGS.assign(learning_rate=[1e-4, 3e-4, 1e-3], dropout=[0, 0.2, 0.4], weight_decay=[0.01, 0.02, 0.03])
    swept = ("learning_rate", "dropout", "weight_decay")
    figure = plots.sweep(trials, swept)
    assert "Best of 3 trials: 95.0%" in texts(figure)
    assert [axes.get_xlabel() for axes in figure.axes] == ["Learning rate", "Dropout", "L2 weight decay"]
    assert pixels_of(plots.sweep(trials.head(0), swept)).size


def test_before_and_after_writes_both_figures():
    before, after = (
        SimpleNamespace(value=0.8, low=0.7, high=0.9),
        SimpleNamespace(value=0.85, low=0.75, high=0.92),
    )
    words = texts(plots.before_and_after(before, after, "5 points, within luck"))
    assert "80.0%" in words
    assert "85.0%" in words
    assert "within luck" in words


def test_answer_shows_the_photo_and_bars_from_zero_to_one(photo_folder):
    table = pd.DataFrame({"label": [ODD, "lemon"], "probability": [0.95, 0.05]})
    figure = plots.answer(next(photo_folder.rglob("*.jpg")), table)
    photo, bars = figure.axes
    assert len(photo.images) == 1
    assert [patch.get_width() for patch in bars.patches] == [0.95, 0.05]
    assert bars.get_xlim() == (0, 1)
    assert pixels_of(figure).std() > 20


def test_certainty_says_what_calibration_brought_and_what_the_threshold_costs():
    rows = {"confidence": [0.4, 0.9], "accuracy": [0.5, 0.8], "low": [0.3, 0.7], "high": [0.7, 0.9], "photos": [20, 80]}
    bins = pd.concat([pd.DataFrame(rows).assign(when=when) for when in ("before", "after")])
    table = pd.DataFrame(
        {
            "threshold": [0.0, 0.5, 0.9],
            "coverage": [1, 0.8, 0.0],
            "accuracy": [0.9, 0.95, 0.0],
            "low": [0.8, 0.9, 0],
            "high": [0.95, 0.99, 1],
            "answered": [100, 80, 0],
        }
    )
    words = texts(plots.certainty(bins, (0.12, 0.03), table, 0.5))
    assert "Calibration error 3.0% (100 photos),\n12.0% before calibration" in words
    words = texts(plots.certainty(bins, (0.03, 0.03 + 1e-9), table, 0.5))
    assert "Calibration error 3.0% (100 photos):\ntoo few photos to calibrate" in words
    assert "At 50% it answers 80% of the photos,\n95.0% of them correctly" in words


def test_likeness_says_how_many_photos_are_unlike_all_classes():
    validation = pd.DataFrame({"label": ["a $x$", "b"] * 20, "known": np.arange(1, 41) / 41})
    given = pd.DataFrame({"label": ["b"] * 3, "known": [0.0, 0.02, 0.7], "unlike": [True, True, False]})
    figure = plots.likeness(validation, given, 0.05)
    words = texts(figure)
    assert "2 of 3 photos of yours are unlike all classes" in words
    assert [mark.get_text() for mark in figure.axes[0].get_yticklabels()] == ["a $x$", "b", "yours"]
    assert pixels_of(figure).std() > 10
    assert "No photo is called unlike all classes" in texts(plots.likeness(validation, given, 0.0))
    many = pd.DataFrame({"label": [str(number) for number in range(40)], "known": np.arange(1, 41) / 41})
    figure = plots.likeness(many, given[:0], 0.05)
    assert [mark.get_text() for mark in figure.axes[0].get_yticklabels()] == ["validation photos", "yours"]
    assert "Below 0.050 a photo is unlike all classes: none is given yet" in texts(figure)


def test_an_answer_can_show_which_places_mattered(photo_folder):
    path = next(photo_folder.rglob("*.jpg"))
    table = pd.DataFrame({"label": [ODD, "b"], "probability": [0.7, 0.3]})
    heat = np.zeros((64, 64))
    heat[10:20, 10:20] = 1
    made = plots.answer(path, table, np.zeros((64, 64, 3), np.uint8), heat)
    assert "evidence for <b>x" in texts(made)
    assert len(plots.answer(path, table).axes) == 2
    assert len(made.axes) == 3
