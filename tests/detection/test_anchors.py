"""Image size and anchors, told from the boxes."""

import pandas as pd
import pytest

from cvtune_nb.detection.anchors import USUAL_RATIOS, USUAL_SIZES, sides_in_pixels, suggest, suggested_size


def tables(*sides, width=1000, height=500):
    boxes = pd.DataFrame([("a.jpg", "thing", *side) for side in sides], columns=["path", "label", "width", "height"])
    return boxes, pd.DataFrame([("a.jpg", width, height)], columns=["path", "width", "height"])


def test_sides_are_of_the_scaled_photo():
    boxes, photos = tables((0.1, 0.2), (0.5, 0.5))
    assert sides_in_pixels(boxes, photos, 500).tolist() == [[50, 50], [250, 125]]


def test_the_smaller_the_objects_the_larger_the_photos():
    assert suggested_size(*tables((0.2, 0.4)))[0] == 320
    size, words = suggested_size(*tables((0.03, 0.06)))
    assert size == 544  # 16 pixels of 3%, in steps of 32
    assert "nine of ten boxes of every class have a side of 16 pixels or more" in words


@pytest.mark.parametrize(("width", "words"), [(600, "have no more to show"), (4000, "takes too long")])
def test_it_ends_where_the_photos_do(width, words):
    boxes, photos = tables((0.002, 0.004), width=width, height=width // 2)
    size, said = suggested_size(boxes, photos)
    assert size == min(1024, -(-width // 32) * 32)
    assert words in said


def test_a_rare_class_of_small_things_counts_as_much():
    boxes, photos = tables(*[(0.2, 0.4)] * 50, (0.03, 0.06))
    assert suggested_size(boxes, photos)[0] == 320
    boxes.loc[50, "label"] = "speck"
    assert suggested_size(boxes, photos)[0] == 544


def test_usual_anchors_stay_where_they_fit():
    found = suggest(*tables((0.064, 0.128), (0.2, 0.4)), 500)
    assert (found.sizes, found.ratios, found.covered) == (USUAL_SIZES, USUAL_RATIOS, 1.0)
    empty, photos = tables()
    assert suggest(empty, photos, 500).sizes == USUAL_SIZES


def test_small_objects_get_small_anchors():
    found = suggest(*tables((0.02, 0.04), (0.025, 0.05)), 500)  # 10 and 12.5 pixels
    assert found.sizes[0] < 16
    assert found.covered == 1.0


def test_long_objects_get_long_anchors():
    found = suggest(*tables((0.4, 0.08), (0.3, 0.06), (0.5, 0.1)), 500)  # ten times as wide as high
    assert max(found.ratios) < 0.3
    assert found.covered == 1.0


def test_without_boxes_the_smallest_size():
    empty, photos = tables()
    assert suggested_size(empty, photos) == (320, "there are no boxes yet to choose an image size by")
