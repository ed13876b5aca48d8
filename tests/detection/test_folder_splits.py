"""Splits that the folders of photos state."""

import pytest

from cvtune_nb.detection.folder_splits import stated_splits
from cvtune_nb.errors import InputError

T, V, E, N = "train", "validation", "test", ""
LAYOUTS = {
    "by split": (["train/a", "val/a", "test/a"], [T, V, E]),
    "by kind": (["images/train/a", "images/val/a"], [T, V]),
    "split first": (["train/images/a", "valid/images/a", "test/images/a"], [T, V, E]),
    "COCO": (["train2017/a", "val2017/a"], [T, V]),
    "COCO, deeper": (["images/train2017/a", "images/val2017/a", "images/test2017/a"], [T, V, E]),
    "in one word": (["images_train/a", "imagesTest/a"], [T, E]),
    "with fillers": (["training_set/a", "test_set/a"], [T, E]),
    "with a base": (["cells_train/a", "cells_test/a"], [T, E]),
    "twice": (["train/train/a", "test/test/a"], [T, E]),
    "class first": (["cats/train/a", "cats/test/a", "dogs/train/a", "dogs/test/a"], [T, E, T, E]),
    "not all": (["train/a", "val/a", "extra/a"], [T, V, N]),
    "nothing to train with": (["test/a", "other/a"], [N, N]),
    "a name that only holds a word": (["test-rig/a", "training wheels/a", "train/a"], [N, N, T]),
    "inside that of another": (["train/test/a", "train/good/a", "val/good/a"], [T, T, V]),
    "at the root": (["a", "train/a"], [N, T]),
    "none": (["a", "b/c"], [N, N]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    folders, splits = LAYOUTS[layout]
    assert stated_splits([f"{folder}.jpg" for folder in folders]) == splits


def test_two_splits_at_once_are_refused():
    with pytest.raises(InputError, match=r"train/val lie in folders for train and for validation: rename"):
        stated_splits(["train/train/a.jpg", "train/val/a.jpg", "test/a.jpg"])
