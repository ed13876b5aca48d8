import numpy as np
import pandas as pd
import pytest

from cvtune_nb.audit import shortcuts
from cvtune_nb.audit.quality import MEASURES
from cvtune_nb.audit.shortcuts import PROPERTIES, telling
from tests.audit.contexts import issues, known


def made(count=240, classes=4, seed=0):
    """Photos whose files and light have nothing to do with their class or split."""
    random = np.random.default_rng(seed)
    photos = pd.DataFrame(
        {
            "label": np.arange(count) % classes,
            "split": random.choice(["train", "validation", "test"], count),
            "width": random.integers(300, 600, count),
            "height": random.integers(300, 600, count),
            "bytes": random.integers(20_000, 60_000, count),
        }
    ).astype({"label": str})
    light = [name for name in MEASURES if name != "colour"]  # of which no property is made
    return photos, pd.DataFrame(random.uniform(0, 1, (count, len(light))), columns=light)


def find(photos, measures):
    return issues(known(photos=photos, measures=measures), "shortcut", "split-drift")


def test_a_class_of_dark_photos_is_found_by_its_brightness():
    photos, measures = made()
    dark = (photos["label"] == "2") & (np.random.default_rng(1).uniform(size=len(photos)) < 0.75)
    measures.loc[dark, "mean"] *= 0.1
    found = find(photos, measures)
    assert found["issue"].tolist() == ["shortcut"]
    assert found["path"].tolist() == [""]
    assert 0.8 < found["score"][0] < 1
    assert 'class "2": brightness alone' in found["detail"][0]
    assert "lower than in the others" in found["detail"][0]


@pytest.mark.parametrize(("column", "words"), [("bytes", "bytes a pixel"), ("width", "of the file")])
def test_files_of_another_camera_are_found(column, words):
    photos, measures = made()
    photos.loc[photos["label"] == "1", column] *= 5
    found = find(photos, measures)
    assert found["issue"].tolist() == ["shortcut"]
    assert words in found["detail"][0]
    assert "alone gives it away" in found["detail"][0]


def test_splits_from_different_days_are_found():
    photos, measures = made()
    measures.loc[photos["split"] == "test", "mean"] += 0.5
    found = find(photos, measures)
    assert set(found["issue"]) == {"split-drift"}
    assert any('split "test": brightness is higher' in detail for detail in found["detail"])


def test_chance_raises_no_alarm():
    alarms = 0
    for seed in range(100):
        photos, measures = made(120, 12, seed)  # ten photos a class: chance reaches far
        alarms += bool(telling(shortcuts.properties(photos, measures), photos["label"], 0.5))
    assert alarms <= 10, "one in thirty by design when nothing but chance is asked for"
    assert not any(len(find(*made(120, 12, seed))) for seed in range(20))


def test_small_classes_and_a_single_one_say_nothing():
    photos, measures = made(40, 8)
    assert find(photos, measures).empty
    assert find(photos.assign(label="a", split="train"), measures).empty
    assert find(photos.iloc[:0], measures.iloc[:0]).empty


def test_auroc_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    photos, measures = made()
    values = shortcuts.properties(photos, measures)
    assert list(values) == list(PROPERTIES)
    measures.loc[photos["label"] == "3", "contrast"] += 0.6
    values = shortcuts.properties(photos, measures)
    (found,) = telling(values, photos["label"], 0.8)
    assert (found["name"], found["property"]) == ("3", "contrast")
    assert found["auroc"] == pytest.approx(roc_auc_score(photos["label"] == "3", values["contrast"]))
