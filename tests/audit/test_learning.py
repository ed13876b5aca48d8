import warnings

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.audit.learning import FEWEST, outlook


def made(sizes, spread, width=24, seed=0):
    """Photos of classes of these sizes, as points around a centre of their own; the wider, the more alike."""
    random = np.random.default_rng(seed)
    labels = np.repeat(list(sizes), list(sizes.values()))
    centres = {label: random.normal(size=width) for label in sizes}
    features = np.array([centres[label] for label in labels]) + spread * random.normal(size=(len(labels), width))
    return pd.DataFrame({"label": labels}), features, np.arange(len(labels)), np.arange(len(labels))


def test_more_photos_help_where_classes_are_hard_to_tell():
    photos, features, groups, training = made({"a": 24, "b": 24, "c": 200}, spread=2.0)
    found = outlook(photos, features, groups, training, ["a", "b"], wanted=100)
    assert set(found) == {"a", "b"}
    for one in found.values():
        assert one.now < one.then <= one.high and one.low < one.then
        assert one.then - one.now > 0.02


def test_what_is_recognised_already_gains_nothing():
    photos, features, groups, training = made({"a": 24, "b": 60}, spread=0.1)
    found = outlook(photos, features, groups, training, ["a"], wanted=100)["a"]
    assert found.now == found.then == 1 and found.high == pytest.approx(1, abs=0.01) and found.low > 0.8


def test_the_prediction_comes_near_the_truth():
    errors = []
    for seed in range(4):
        photos, features, groups, training = made({"a": 100, "b": 100, "c": 100}, spread=2.0, seed=seed)
        everything = outlook(photos, features, groups, training, ["a", "b", "c"], wanted=100)
        few = np.flatnonzero(np.arange(300) % 100 < 25)
        thinned = outlook(photos, features, groups, few, ["a", "b", "c"], wanted=100)
        errors += [thinned[label].then - everything[label].now for label in "abc"]
    assert abs(np.mean(errors)) < 0.06


def test_what_can_not_be_told_is_left_out():
    photos, features, groups, training = made({"a": FEWEST - 1, "b": 40}, spread=1.0)
    assert outlook(photos, features, groups, training, ["a"], wanted=100) == {}
    assert outlook(photos, features, groups, training[:5], ["a"], wanted=100) == {}
    copies = np.zeros_like(groups)
    assert outlook(photos, features, copies, training, ["b"], wanted=100) == {}


def test_copies_stay_on_one_side():
    photos, features, groups, training = made({"a": 20, "b": 60}, spread=3.0)
    twice = np.r_[training, training]
    doubled = outlook(photos.iloc[twice], features[twice], groups[twice], np.arange(len(twice)), ["a"], wanted=100)
    assert doubled["a"].now < 0.9, "a photo recognised by its own copy would count as right"


@pytest.mark.parametrize("counts", [(28, 2), (12, 3, 9), (8, 8, 1, 1, 1)])
def test_classes_of_a_few_photos_are_left_out_without_a_warning(counts):
    labels = np.repeat([f"class {number}" for number in range(len(counts))], counts)
    features = np.random.default_rng(0).normal(size=(len(labels), 16))
    rows = np.arange(len(labels))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = outlook(pd.DataFrame({"label": labels}), features, rows, rows, sorted(set(labels)), 100)
    assert set(found) == {f"class {number}" for number, count in enumerate(counts) if count >= 8}


def test_whole_scenes_are_drawn_and_the_range_allows_for_them():
    photos, features, _, training = made({"a": 64, "b": 200}, spread=2.0)
    groups = np.arange(len(photos)) // 4
    alone, whole = (
        outlook(photos, features, groups, training, ["a"], 200, together)["a"] for together in (False, True)
    )
    assert whole.now == alone.now and whole.high - whole.low != alone.high - alone.low
