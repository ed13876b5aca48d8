"""Photos with boxes: what a box was round, it is round afterwards."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from cvtune_nb.augmentation.boxes import MOVES, varied_with_boxes
from cvtune_nb.augmentation.minibatch import VARIATIONS
from cvtune_nb.augmentation.policies import OF_DETECTORS, policies_in
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.train import augmented

BOXES = np.array([[0.125, 0.25, 0.375, 0.5], [0.625, 0.5, 0.875, 0.75]], np.float32)


def scene():
    """Two bright rectangles, one red and one blue, on black: 64 x 80."""
    picture = np.zeros((64, 80, 3), np.uint8)
    for box, channel in zip(BOXES, (0, 2), strict=True):
        left, top, right, bottom = (box * [80, 64, 80, 64]).astype(int)
        picture[top:bottom, left:right, channel] = 200
    return picture


def found(picture):
    """The boxes round red and blue, as fractions."""
    height, width = picture.shape[:2]
    boxes = []
    for channel in (0, 2):
        other = picture[..., 2 - channel].astype(int)
        rows, columns = np.nonzero(picture[..., channel].astype(int) - other > 60)
        boxes.append(
            [columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height]
        )
    return np.array(boxes)


def test_all_that_detectors_take_moves_boxes_or_is_a_variation_of_colours():
    assert set(OF_DETECTORS) <= {*MOVES, *VARIATIONS}


@pytest.mark.parametrize(
    "text", ["scale-flip", "vertical-flip", "d4", "scale-flip+vertical-flip+d4", "flip+colour:.1+blur:.5+noise:.02"]
)
def test_boxes_move_with_the_photo(text):
    random, sizes, seen = np.random.default_rng(0), set(), set()
    before = BOXES.copy()
    for _ in range(80):
        picture, boxes = varied_with_boxes(scene(), BOXES, policies_in(text), random)
        assert (picture.dtype, boxes.dtype) == (np.uint8, np.float32)
        assert np.allclose(boxes, found(picture), atol=0.035)
        sizes.add(picture.shape)
        seen.add((boxes * 8).round().tobytes())
    assert np.array_equal(BOXES, before)
    assert len(seen) == {"vertical-flip": 2, "d4": 8, "scale-flip+vertical-flip+d4": 8}.get(text, 2)
    assert len(sizes) > (20 if "scale" in text else 2 if "d4" in text else 1) - 1
    assert "scale" in text or len(sizes) == (2 if text == "d4" else 1)
    assert any(height > width for height, width, _ in sizes) == ("d4" in text)


def test_colours_change_and_boxes_do_not():
    picture, boxes = varied_with_boxes(scene(), BOXES, policies_in("colour"), np.random.default_rng(0))
    assert np.array_equal(boxes, BOXES) and not np.array_equal(picture, scene())


def test_a_longer_list_leaves_scale_and_mirror_as_they_were():
    first, second = (
        varied_with_boxes(scene(), BOXES, policies_in(text), np.random.default_rng(3))
        for text in ("scale-flip", "scale+flip+noise")
    )
    assert first[0].shape == second[0].shape and np.array_equal(first[1], second[1])


def test_runs_of_earlier_versions_go_on_with_the_same_photos():
    """Drawn as before there were lists; the digest was made by the version before them (commit 8adf028)."""
    random, digest = np.random.default_rng(5), hashlib.sha256()
    shown = SimpleNamespace(pictures=[scene()], boxes=[BOXES], class_ids=[np.array([1, 2])])
    for text in ("scale-flip", "scale", "none") * 4:
        picture, target = augmented(shown, 0, DetectorConfig("efficientnet_lite0_fpn", augmentation=text), random)
        digest.update(str(picture.shape).encode() + picture.tobytes() + target["boxes"].numpy().tobytes())
    assert digest.hexdigest() == "747cc55b5aa9d23eb95a8809766bbb3a364f480fc025c1715d2195c18d3d29a1"
