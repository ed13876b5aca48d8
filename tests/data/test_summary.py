"""A set of photos in numbers."""

import pandas as pd

from cvtune_nb.data.summary import class_sizes, classes_by_split, one_to_try, short_sides

PHOTOS = pd.DataFrame(
    [
        ("0.jpg", "b", "train", 100, 40),
        ("1.jpg", "a", "train", 30, 50),
        ("2.jpg", "a", "test", 60, 60),
        ("3.jpg", "a", "test", 80, 90),
    ],
    columns=["path", "label", "split", "width", "height"],
)


def test_classes_are_counted_the_largest_first():
    assert list(class_sizes(PHOTOS).items()) == [("a", 3), ("b", 1)]


def test_classes_are_counted_by_split():
    assert classes_by_split(PHOTOS).to_dict("records") == [
        {"label": "a", "train": 1, "test": 2, "all": 3},
        {"label": "b", "train": 1, "test": 0, "all": 1},
        {"label": "all", "train": 2, "test": 2, "all": 4},
    ]


def test_short_sides():
    assert short_sides(PHOTOS) == (30, 80, 50.0)


def test_a_model_is_tried_on_a_test_photo_where_there_is_one():
    assert one_to_try(PHOTOS) == "2.jpg"
    assert one_to_try(PHOTOS[PHOTOS["split"] == "train"]) == "0.jpg"


def test_a_class_may_be_called_all():
    photos = pd.DataFrame({"label": ["all", "b", "b"], "split": ["train", "train", "test"]})
    table = classes_by_split(photos)
    assert table["label"].tolist() == ["all", "b", "all"]
    assert table["all"].tolist() == [1, 2, 3] and table["train"].tolist() == [1, 1, 2]
