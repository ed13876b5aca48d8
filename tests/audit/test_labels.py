import numpy as np
import pandas as pd
import pytest

from cvtune_nb.audit import labels
from tests.audit.contexts import OF_LABELS, issues, known

NAMES = ["<b>lemon</b>", "Mütze", "tennis ball"]


def blobs(per_class: int, classes: int = 3, width: int = 16, spread: float = 0.35, seed: int = 0):
    """Features (n, width) in one clump a class, and class numbers."""
    random = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(classes), per_class)
    return 5 + np.eye(width)[numbers] + spread * random.normal(size=(len(numbers), width)), numbers


def table_of(numbers: np.ndarray, names: list[str] = NAMES) -> pd.DataFrame:
    return pd.DataFrame({"path": [f"{i:03d}.jpg" for i in range(len(numbers))], "label": np.array(names)[numbers]})


def judge(features, photos, groups=None, judges=None, **options):
    groups = np.arange(len(photos)) if groups is None else groups
    judges = np.ones(len(photos), bool) if judges is None else judges
    judged = labels.judge(photos, features, groups, judges, **options)
    return judged.opinions, issues(known(photos=photos, judgement=judged), *OF_LABELS)


def flagged(found: pd.DataFrame, kind: str) -> set[str]:
    return set(found.loc[found["issue"] == kind, "path"])


@pytest.fixture(scope="module")
def flipped():
    """90 photos, 6 of them with a wrong label: features, photos, paths of the wrong ones."""
    features, numbers = blobs(30, spread=0.1)
    wrong = [2, 11, 33, 47, 62, 80]
    numbers[wrong] = (numbers[wrong] + 1) % 3
    photos = table_of(numbers)
    return features, photos, set(photos["path"][wrong])


@pytest.mark.parametrize("landmarks", [3_000, 30], ids=["all", "some"])
def test_flipped_labels_are_found_and_right_ones_left_alone(flipped, landmarks):
    features, photos, wrong = flipped
    scores, found = judge(features, photos, landmarks=landmarks)
    found = flagged(found, "mislabelled")
    assert found == wrong
    bad = photos["path"].isin(wrong)
    assert scores.loc[bad, "label_quality"].max() < scores.loc[~bad, "label_quality"].min()
    old = {
        path: (number - 1) % 3 for path, number in zip(photos["path"], photos["label"].map(NAMES.index), strict=True)
    }
    for path, suggested in zip(photos["path"][bad], scores.loc[bad, "suggested_label"], strict=True):
        assert suggested == NAMES[old[path]]


def test_scores_are_probabilities_in_the_order_of_photos(flipped):
    features, photos, _ = flipped
    scores, found = judge(features, photos)
    assert len(scores) == len(photos)
    assert scores[["label_quality", "suggested_probability", "second_probability"]].stack().between(0, 1).all()
    assert (scores["suggested_probability"] >= scores["label_quality"]).all()
    assert found["score"].between(0, 1).all()
    shuffled = np.random.default_rng(1).permutation(len(photos))
    again, _ = judge(features[shuffled], photos.iloc[shuffled].reset_index(drop=True))
    np.testing.assert_allclose(again["label_quality"], scores["label_quality"].to_numpy()[shuffled], atol=2e-4)


def test_twice_the_same(flipped):
    features, photos, _ = flipped
    for landmarks in (3_000, 30):
        first, second = (judge(features, photos, landmarks=landmarks) for _ in range(2))
        pd.testing.assert_frame_equal(first[0], second[0])
        pd.testing.assert_frame_equal(first[1], second[1])


def test_left_out_means_fitted_without():
    """The closed form equals fitting anew without each group, for single photos, copies and test photos."""
    features, numbers = blobs(8)
    groups = np.arange(24)
    groups[[3, 9, 17]] = 3  # copies among the judges
    groups[[5, 20]] = 5  # a judge and a photo that does not judge
    judges = np.ones(24, bool)
    judges[[20, 22]] = False
    found = labels.leave_one_out(labels.View(features, judges), numbers, groups, judges, 3)

    x = labels.View(features, judges)[np.arange(24)]
    squared = np.square(x[:, None] - x[None]).sum(axis=2)
    scale = np.median(squared[np.ix_(judges, judges)][~np.eye(22, dtype=bool)])
    gram = np.exp(-squared / scale)
    targets = np.where(numbers[:, None] == np.arange(3), 1.0, -1.0)
    mean = targets[judges].mean(axis=0)
    for row in range(24):
        fit = np.flatnonzero(judges & (groups != groups[row]))
        weights = np.linalg.solve(gram[np.ix_(fit, fit)] + np.eye(len(fit)), targets[fit] - mean)
        np.testing.assert_allclose(found[row], mean + gram[row, fit] @ weights, atol=1e-6)


def test_copies_do_not_vouch_for_each_other():
    features, numbers = blobs(20, spread=0.2)
    features[25:30] = features[24] + 0.001 * np.random.default_rng(0).normal(size=(5, 16))
    numbers[24:30] = 0  # six copies of one photo of class 1, all labelled 0
    groups = np.arange(60)
    photos = table_of(numbers)
    alone, _ = judge(features, photos, groups)
    groups[24:30] = 24
    together, found = judge(features, photos, groups)
    assert set(photos["path"][24:30]) <= flagged(found, "mislabelled")
    assert (together["label_quality"][24:30] < alone["label_quality"][24:30]).all()


@pytest.mark.parametrize("landmarks", [3_000, 30], ids=["all", "some"])
def test_photos_that_do_not_judge_change_nobody_elses_score(flipped, landmarks):
    features, photos, _ = flipped
    judges = np.arange(len(photos)) % 5 != 0
    before, _ = judge(features, photos, judges=judges, landmarks=landmarks)
    changed = photos.copy()
    changed.loc[0, "label"] = NAMES[2]
    after, _ = judge(features, changed, judges=judges, landmarks=landmarks)
    assert after["label_quality"][0] < 0.05 < before["label_quality"][0]
    np.testing.assert_array_equal(before["label_quality"][1:], after["label_quality"][1:])


def test_a_photo_between_two_classes_is_ambiguous():
    features, numbers = blobs(30, spread=0.15)
    features[7] = 0.485 * features[8:30].mean(axis=0) + 0.515 * features[30:60].mean(axis=0)
    _, found = judge(features, table_of(numbers))
    assert flagged(found, "ambiguous") == {"007.jpg"}
    assert flagged(found, "mislabelled") == set()
    detail = found["detail"].iloc[0]
    assert NAMES[0] in detail and NAMES[1] in detail and NAMES[2] not in detail


def test_a_photo_of_no_class_is_an_outlier():
    features, numbers = blobs(30, spread=0.1)
    features[7] = 5 + np.eye(16)[9]  # a direction of its own
    photos = table_of(numbers)
    _, found = judge(features, photos)
    assert flagged(found, "outlier") == {"007.jpg"}
    (row,) = found[found["issue"] == "outlier"].to_dict("records")
    assert "looks like none of the classes" in row["detail"]
    assert NAMES[0] in row["suggestion"]
    _, found = judge(features[:60], photos[:60])
    assert not flagged(found, "outlier"), "of two classes one is always the nearer"


def test_five_photos_a_class():
    features, numbers = blobs(5, spread=0.1)
    _, clean = judge(features, table_of(numbers))
    assert clean.empty
    numbers[6] = 2
    scores, found = judge(features, table_of(numbers))
    assert flagged(found, "mislabelled") == {"006.jpg"}
    assert scores["suggested_label"][6] == NAMES[1]


def test_no_opinion_about_a_class_of_one_or_a_single_class():
    features, numbers = blobs(10, spread=0.1)
    lone = features[:21]
    scores, found = judge(lone, table_of(numbers[:21]))
    assert "020.jpg" not in flagged(found, "mislabelled")
    assert len(scores) == 21
    scores, found = judge(features[:10], table_of(numbers[:10]))
    assert found.empty and (scores["label_quality"] == 1).all()


def test_the_photo_beside_a_doubted_one_is_the_nearest_that_surely_shows_what_it_looks_like(flipped):
    features, photos, wrong = flipped
    scores, found = judge(features, photos)
    label, row = dict(zip(photos["path"], photos["label"], strict=True)), {p: i for i, p in enumerate(photos["path"])}
    suggested = dict(zip(photos["path"], scores["suggested_label"], strict=True))
    doubted = found.query("issue == 'mislabelled'")
    assert len(doubted)
    x = labels.View(features, np.ones(len(photos), bool))[np.arange(len(photos))]
    for path, beside in zip(doubted["path"], doubted["other"], strict=True):
        assert label[beside] == suggested[path] and beside not in wrong
        alike = [p for p in photos["path"] if label[p] == suggested[path] and p not in wrong]
        assert x[row[beside]] @ x[row[path]] == max(x[row[p]] @ x[row[path]] for p in alike)


def test_a_copy_is_not_shown_as_an_example(flipped):
    features, photos, _ = flipped
    beside = judge(features, photos)[1].query("issue == 'mislabelled'").set_index("path")["other"]
    path = beside.index[0]
    groups = np.arange(len(photos))
    groups[photos["path"] == beside[path]] = groups[(photos["path"] == path).argmax()]
    after = judge(features, photos, groups)[1].query("issue == 'mislabelled'").set_index("path")["other"]
    assert after[path] and after[path] != beside[path]
