"""Pictures of boxes and of what a detector finds."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cvtune_nb import plots
from cvtune_nb.plots.detection import LOOKS

ODD = '<b>x</b> $1$ & "é"'


def texts(figure):
    words = [figure.get_suptitle()]
    for axes in figure.axes:
        words += [axes.get_title(), axes.get_title("left"), *(text.get_text() for text in axes.texts)]
    return "\n".join(words)


def drawn(figure):
    with Image.open(io.BytesIO(plots.png(figure))) as image:
        assert np.asarray(image.convert("RGB")).std() > 5
    return texts(figure)


def test_sizes_against_the_line_below_which_objects_are_small():
    classes = pd.DataFrame([("cell", 30, 0.1), (ODD, 10, 0.3)], columns=["label", "boxes", "extent"])
    words = drawn(plots.box_sizes(np.array([0.1] * 30 + [0.3] * 10), classes, 0.2))
    assert "75% of 40 boxes are small" in words
    assert "2 classes; largest 3 x the smallest" in words
    assert "30, median 10%" in words


def test_sizes_without_a_box():
    classes = pd.DataFrame(columns=["label", "boxes", "extent"])
    assert "No boxes yet" in drawn(plots.box_sizes(np.array([]), classes, 0.2))


def history(*rows):
    return pd.DataFrame(rows, columns=["epoch", "learning_rate", "loss", "validation_ap", "validation_ap50", "seconds"])


def test_curves_name_the_best_epoch():
    words = drawn(plots.detector_curves(history((1, 0.1, 2.0, 0.2, 0.4, 1), (2, 0.1, 1.0, 0.5, 0.8, 1)), 4))
    assert "Validation: AP 0.500 in epoch 2" in words
    assert "The loss falls: 2.00 to 1.00" in words


def test_curves_before_and_after_the_first_epoch():
    assert "Not trained yet" in drawn(plots.detector_curves(history(), 4))
    assert "AP 0.200 in epoch 1" in drawn(plots.detector_curves(history((1, 0.1, 2.0, 0.2, 0.4, 1)), 4))


def test_precision_recall_names_best_and_worst():
    recall = np.linspace(0, 1, 101)
    curve = pd.concat(
        [
            pd.DataFrame({"label": label, "recall": recall, "precision": 1 - recall * cut})
            for label, cut in (("cell", 0.2), (ODD, 0.9))
        ]
    )
    by_class = pd.DataFrame([("cell", 0.9), (ODD, 0.5), ("none", np.nan)], columns=["label", "ap50"])
    words = drawn(plots.precision_recall(curve, by_class))
    assert 'Found best: cell; worst: <b>x</b> $1$ & "é", 0.50' in words


def test_precision_recall_without_boxes():
    empty = pd.DataFrame(columns=["label", "recall", "precision"])
    assert "No boxes to measure on" in drawn(plots.precision_recall(empty, pd.DataFrame(columns=["label", "ap50"])))


def test_what_a_threshold_costs():
    table = pd.DataFrame(
        {
            "threshold": [0.3, 0.5],
            "found": [8, 6],
            "missed": [2, 4],
            "wrong": [9, 1],
            "on_negatives": [3, 0],
            "f1": [0.6, 0.7],
        }
    )
    figure = plots.against_threshold(table, 0.5)
    assert "At 0.5: 6 found, 4 missed, 1 wrong" in drawn(figure)
    assert figure.axes[0].get_ylim()[0] == 0


def test_photos_with_every_kind_of_box(photo_folder):
    paths = [path.relative_to(photo_folder).as_posix() for path in sorted(photo_folder.rglob("*.jpg"))[:2]]
    rows = [(paths[0], kind, ODD, "cell", 0.5, 0.1 * n, 0.1, 0.2, 0.3) for n, kind in enumerate(LOOKS)]
    judged = pd.DataFrame(rows, columns=["path", "kind", "label", "true", "score", "left", "top", "width", "height"])
    figure = plots.boxed(judged, paths, photo_folder.__truediv__)
    words = drawn(figure)
    assert "circle-000.jpg: 5 wrong" in words and "circle-001.jpg: 0 wrong" in words
    assert "cell as" in words
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [look[2] for look in LOOKS.values()]


@pytest.mark.parametrize("count", [0, 1])
def test_few_photos(photo_folder, count):
    paths = ["circle/circle-000.jpg"][:count]
    judged = pd.DataFrame(columns=["path", "kind", "label", "true", "score", "left", "top", "width", "height"])
    assert "What is found" in drawn(plots.boxed(judged, paths, photo_folder.__truediv__))


def test_a_photo_of_which_nothing_is_known_is_not_judged(photo_folder):
    sides = 0.1, 0.1, 0.2, 0.3
    rows = [("a.jpg", "found", ODD, ODD, 0.5, *sides), ("a.jpg", "found", "cell", "cell", 0.5, *sides)]
    judged = pd.DataFrame(rows, columns=["path", "kind", "label", "true", "score", "left", "top", "width", "height"])
    photo = photo_folder / "circle" / "circle-000.jpg"
    words = drawn(plots.boxed(judged, ["a.jpg"], lambda _: photo, known=False))
    assert "a.jpg: 2 found" in words and "wrong" not in words and "1 cell" in words
    assert "Nothing found" in drawn(plots.boxed(judged[:0], ["a.jpg"], lambda _: photo, known=False))
