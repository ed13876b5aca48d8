import numpy as np
import pandas as pd
import pytest

from cvtune_nb.audit import forecast as module


def forecast(photos, features, groups, suspects):
    return module.forecast(photos, features, groups, np.ones(len(photos), bool), suspects)


@pytest.fixture
def flipped():
    """150 photos of three classes that lie close together, a quarter of the labels wrong: photos, features, paths of
    the wrong ones."""
    random = np.random.default_rng(0)
    true = np.tile(np.arange(3), 50)
    features = 3 * np.eye(8)[true] + random.normal(size=(150, 8))
    labels = true.copy()
    wrong = random.choice(150, 38, replace=False)
    labels[wrong] = (true[wrong] + 1) % 3
    photos = pd.DataFrame({"path": [f"{i}.jpg" for i in range(150)], "label": np.array(["a", "b", "c"])[labels]})
    return photos, features, set(photos["path"][wrong])


def test_leaving_wrong_labels_out_helps_with_the_right_ones(flipped):
    photos, features, wrong = flipped
    told = forecast(photos, features, np.arange(150), wrong)
    assert told.photos == 38 and told.before.n == told.after.n == 112
    assert told.after.value > told.before.value
    assert told.paired.difference == pytest.approx(told.after.value - told.before.value)
    assert told.words.startswith("Review the 38 photos") and "estimate" in told.words


def test_leaving_good_photos_out_is_expected_to_bring_nothing(flipped):
    photos, features, wrong = flipped
    good = set(photos["path"]) - wrong
    told = forecast(photos, features, np.arange(150), set(sorted(good)[:30]))
    assert told.paired.p > 0.05 and "no reliable difference" in told.words


def test_copies_do_not_vouch_for_each_other():
    random = np.random.default_rng(1)
    features = np.repeat(random.normal(size=(30, 64)), 2, axis=0)  # nothing to learn, only to memorise
    photos = pd.DataFrame({"path": [f"{i}.jpg" for i in range(60)], "label": np.repeat(["a", "b"], 30)})
    assert forecast(photos, features, np.arange(60) // 2, {"0.jpg"}).before.value < 0.75
    assert forecast(photos, features, np.arange(60), {"0.jpg"}).before.value > 0.75


def test_nothing_is_told_where_nothing_can_be(flipped):
    photos, features, _ = flipped
    assert forecast(photos, features, np.arange(150), set()) is None
    left = set(photos.query("label == 'a'")["path"][:-2])
    assert forecast(photos, features, np.arange(150), left) is None, "a class would be nearly gone"
    photos["label"] = np.where(np.arange(150) < 5, "a", "b")
    one = np.where(np.arange(150) < 5, 0, np.arange(150))
    assert forecast(photos, features, one, {"9.jpg"}) is None, "one class is five copies of one photo"


def test_of_many_photos_some_are_drawn_with_all_their_copies(flipped, monkeypatch):
    photos, features, wrong = flipped
    monkeypatch.setattr(module, "ENOUGH", 100)
    groups = np.arange(150) // 2
    told = forecast(photos, features, groups, wrong)
    assert told.photos == 38 and told.before.n < 100 and "on 100 photos" in told.words
    drawn = module.subsample(groups, np.ones(150, bool))
    assert all(((drawn == row).any() == (drawn == row ^ 1).any()) for row in range(150))


def test_a_forecast_of_frames_is_as_unsure_as_one_of_scenes(flipped):
    photos, features, wrong = flipped
    groups = np.arange(150) // 15 * 3 + np.arange(150) % 3  # five photos of a class
    alone, whole = (
        module.forecast(photos, features, groups, np.ones(150, bool), wrong, together) for together in (False, True)
    )
    assert whole.before.value == alone.before.value
    assert whole.before.groups == 30 and not alone.before.groups
    assert whole.paired.p != alone.paired.p and whole.paired.high - whole.paired.low > 0.1
