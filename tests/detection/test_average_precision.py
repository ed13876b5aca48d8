"""Average precision, intervals, and every mistake by its kind."""

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.detection.average_precision import (
    DETECTION_COLUMNS,
    against_threshold,
    best_threshold,
    judged,
    overlaps,
    scores,
)
from cvtune_nb.detection.dataset import Part

BOX = (0.2, 0.2, 0.2, 0.2)


def part(*boxes, photos=4):
    """boxes: path number, label, left, top, width, height."""
    table = pd.DataFrame({"path": [f"{n}.jpg" for n in range(photos)], "width": 200, "height": 100})
    rows = [(f"{path}.jpg", label, *sides) for path, label, *sides in boxes]
    return Part(table, pd.DataFrame(rows, columns=DETECTION_COLUMNS[:-1]))


def found(*rows):
    """rows: path number, label, left, top, width, height, score."""
    return pd.DataFrame([(f"{path}.jpg", *rest) for path, *rest in rows], columns=DETECTION_COLUMNS)


def test_all_found_is_1_and_nothing_found_is_0():
    truth = part((0, "a", *BOX), (1, "b", *BOX), (1, "a", 0.6, 0.6, 0.1, 0.1))
    everything = found((0, "a", *BOX, 0.9), (1, "b", *BOX, 0.8), (1, "a", 0.6, 0.6, 0.1, 0.1, 0.7))
    best = scores(truth, everything, ["a", "b"])
    assert (best.ap, best.ap50) == (pytest.approx(1), pytest.approx(1))
    assert best.by_class["boxes"].tolist() == [2, 1]
    assert best.ap_interval == (pytest.approx(1), pytest.approx(1))
    none = scores(truth, everything[:0], ["a", "b"])
    assert (none.ap, none.ap50, none.ap50_interval) == (0, 0, (0, 0))


def test_figures_worked_out_by_hand():
    truth = part((0, "a", *BOX), (1, "a", *BOX))
    # right, wrong, right: precision 1 up to recall .5, then 2/3
    seen = found((0, "a", *BOX, 0.9), (2, "a", *BOX, 0.8), (1, "a", *BOX, 0.7))
    best = scores(truth, seen, ["a"])
    assert best.ap50 == pytest.approx((51 * 1 + 50 * 2 / 3) / 101, abs=1e-6)
    curve = best.curve.set_index(best.curve["recall"].round(2))
    assert curve.at[0.5, "precision"] == pytest.approx(1)
    assert curve.at[0.51, "precision"] == pytest.approx(2 / 3)


def test_a_box_that_overlaps_by_six_tenths_counts_for_some_overlaps_only():
    truth = part((0, "a", 0.0, 0.0, 0.5, 0.5))
    seen = found((0, "a", 0.125, 0.0, 0.5, 0.5, 0.9))  # shares .375 of .625: .6
    best = scores(truth, seen, ["a"])
    assert best.ap50 == pytest.approx(1)
    assert best.ap == pytest.approx(0.3)  # .5, .55 and .6 of ten


def test_sizes_are_those_of_coco_in_pixels_of_the_photo():
    truth = part((0, "a", 0, 0, 0.1, 0.2), (1, "a", 0, 0, 0.3, 0.6), (2, "a", 0, 0, 0.9, 0.9))  # 20², 60², 180 x 90
    best = scores(truth, found((0, "a", 0, 0, 0.1, 0.2, 0.9)), ["a"])
    assert best.by_size["boxes"].tolist() == [1, 1, 1]
    assert best.by_size["ap"].tolist() == [pytest.approx(1), 0, 0]


def test_classes_without_a_box_count_for_nothing():
    best = scores(part((0, "a", *BOX)), found((0, "a", *BOX, 0.9), (1, "b", *BOX, 0.9)), ["a", "b"])
    assert best.ap == pytest.approx(1)
    assert np.isnan(best.by_class["ap"].tolist()[1])
    assert best.to_dict()["by_class"][1]["ap"] is None


def test_without_boxes_there_is_nothing_to_measure():
    best = scores(part(), found((0, "a", *BOX, 0.9)), ["a"])
    assert (best.ap, best.ap_interval, best.boxes) == (0, (0, 1), 0)


def test_more_than_100_detections_a_photo_are_counted():
    boxes = [(0, "a", (n % 40) / 40, (n // 40) / 4, 0.02, 0.2) for n in range(150)]
    seen = [(*box, 0.9 - n / 1000) for n, box in enumerate(boxes)]
    assert scores(part(*boxes), found(*seen), ["a"]).ap50 == pytest.approx(1)


def test_intervals_hold_the_figure_and_narrow_with_more_photos():
    rng = np.random.default_rng(0)

    def one(photos):
        truth = part(*[(n, "a", *BOX) for n in range(photos)], photos=photos)
        seen = [(n, "a", *BOX, rng.random()) for n in range(photos) if rng.random() < 0.7]
        seen += [(n, "a", 0.6, 0.6, 0.3, 0.3, rng.random()) for n in range(photos) if rng.random() < 0.3]
        return scores(truth, found(*seen), ["a"])

    few, many = one(20), one(300)
    for best in (few, many):
        assert best.ap50_interval[0] <= best.ap50 <= best.ap50_interval[1]
    width = [best.ap50_interval[1] - best.ap50_interval[0] for best in (few, many)]
    assert width[1] < 0.6 * width[0]
    assert scores(part((0, "a", *BOX)), found((0, "a", *BOX, 0.9)), ["a"], intervals=False).ap_interval == (0, 1)


def test_the_bootstrap_of_all_photos_once_is_pycocotools_own_figure():
    from cvtune_nb.detection.average_precision import weighted_precision

    weights = np.ones((1, 3), int)
    ours = weighted_precision(weights, np.array([True, False, True]), np.array([2.0]))
    assert ours[0] == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-6)


def test_overlaps():
    boxes = np.array([[0, 0, 2, 2], [1, 1, 2, 2], [5, 5, 1, 1]], float)
    assert overlaps(boxes, boxes)[0].tolist() == [1.0, pytest.approx(1 / 7), 0.0]


def test_every_mistake_has_its_kind():
    other = 0.6, 0.6, 0.2, 0.2
    truth = part((0, "a", *BOX), (0, "b", *other), (1, "a", *BOX), (2, "a", *BOX), (2, "b", *other))
    seen = found(
        (0, "a", *BOX, 0.9),
        (0, "a", 0.21, 0.2, 0.2, 0.2, 0.8),  # found, and found twice
        (0, "a", *other, 0.7),  # other class
        (1, "a", 0.33, 0.2, 0.2, 0.2, 0.9),  # badly placed: the box is missed
        (2, "a", *BOX, 0.3),  # below the threshold
        (3, "b", *BOX, 0.9),  # nothing there
    )
    table = judged(truth, seen, 0.5)
    kinds = table.groupby("path")["kind"].apply(sorted).to_dict()
    assert kinds == {
        "0.jpg": ["found", "found twice", "other class"],
        "1.jpg": ["badly placed", "missed"],
        "2.jpg": ["missed", "missed"],
        "3.jpg": ["nothing there"],
    }
    taken = table[table["kind"] == "other class"].iloc[0]
    assert (taken["label"], taken["true"]) == ("a", "b")
    assert table.loc[table["kind"] == "nothing there", "true"].tolist() == [""]


def test_a_box_goes_to_the_surest_detection_of_its_class():
    seen = found((0, "a", 0.22, 0.2, 0.2, 0.2, 0.6), (0, "a", *BOX, 0.9))
    table = judged(part((0, "a", *BOX)), seen, 0.5)
    assert table.loc[table["kind"] == "found", "score"].tolist() == [0.9]


def test_thresholds_trade_missed_for_wrong():
    truth = part((0, "a", *BOX), (1, "a", *BOX))
    seen = found((0, "a", *BOX, 0.9), (1, "a", *BOX, 0.4), (2, "a", *BOX, 0.3), (3, "a", *BOX, 0.2))
    table = against_threshold(truth, seen)
    rows = table.set_index("threshold")
    assert rows.loc[0.1, ["found", "missed", "wrong", "on_negatives"]].tolist() == [2, 0, 2, 2]
    assert rows.loc[0.35, ["found", "missed", "wrong"]].tolist() == [2, 0, 0]
    assert rows.loc[0.5, ["found", "missed", "wrong"]].tolist() == [1, 1, 0]
    assert rows.at[0.35, "f1"] == 1
    assert best_threshold(table) in (0.35, 0.4)
