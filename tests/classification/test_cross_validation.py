"""Cross-validation: folds that keep groups together, answers from models that have not seen the photo, the interval."""

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification.baseline import C_VALUES, SvmExplorer
from cvtune_nb.classification.cross_validation import counts, cross_validate, folds_of, out_of_fold
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError


def manifest(per_class=20, group_of=lambda number: f"g{number}"):
    rows = [
        (f"{label}/{number}.jpg", label, ("train", "validation", "test")[number % 3], f"{label}{group_of(number)}")
        for label in ("cat", "dog")
        for number in range(per_class)
    ]
    photos = pd.DataFrame(rows, columns=["path", "label", "split", "group"])
    return photos.assign(sha256=[f"{hash_of(path):08x}" for path in photos["path"]])


def hash_of(text):
    return sum(ord(letter) * 31**place for place, letter in enumerate(text)) % 2**32


def test_every_photo_but_those_of_test_is_in_one_fold():
    photos = manifest()
    fold = folds_of(photos, 5)
    assert ((fold == -1) == (photos["split"] == "test")).all()
    counts = pd.crosstab(fold, photos["label"]).drop(index=-1)
    assert counts.index.tolist() == [0, 1, 2, 3, 4]
    assert counts.to_numpy().max() - counts.to_numpy().min() <= 1


def test_groups_are_not_divided():
    photos = manifest(60, lambda number: f"g{number // 6}")
    fold = pd.Series(folds_of(photos, 4))
    used = fold >= 0
    assert (fold[used].groupby(photos["group"][used]).nunique() == 1).all()


def test_folds_depend_on_content_and_seed_alone():
    photos = manifest(40)
    fold = pd.Series(folds_of(photos, 5), index=photos["sha256"])
    turned = photos.iloc[::-1].assign(path=[f"renamed/{number}" for number in range(len(photos))])
    assert pd.Series(folds_of(turned, 5), index=turned["sha256"]).reindex(fold.index).equals(fold)
    assert not np.array_equal(folds_of(photos, 5, seed=1), fold.to_numpy())


@pytest.mark.parametrize("folds", [1, 21])
def test_numbers_of_folds_that_make_no_sense_are_refused(folds):
    with pytest.raises(InputError, match="choose a whole number from 2 to 20"):
        folds_of(manifest(), folds)


def test_too_few_photos_for_so_many_folds_are_told():
    with pytest.raises(InputError, match=r"class 'cat' has 4 different photos outside the test set"):
        folds_of(manifest(6), 5)


def test_answers_come_from_models_that_have_not_seen_the_photo():
    random = np.random.default_rng(0)
    matrix, labels = random.normal(size=(60, 80)), np.array(["a", "b"] * 30, dtype=object)  # nothing to learn
    fold = np.arange(60) % 5
    answers = out_of_fold(matrix, labels, fold, C_values=(100.0,))
    assert 0.25 < (answers["100.0"] == labels).mean() < 0.75  # by heart it would be 1


def test_all_training_and_validation_photos_count(opened):
    explorer = SvmExplorer(opened, FeatureSpec("efficientnet_lite0", Preprocessing(64)))
    steps = []
    found = cross_validate(explorer, 3, progress=lambda share, _: steps.append(share))
    used = explorer.photos[explorer.photos["split"] != "test"]
    assert found.accuracy.n == len(used) == len(found.predicted)
    assert set(found.predicted["path"]) == set(used["path"])
    assert found.C in C_VALUES
    assert found.by_fold["photos"].sum() == len(used)
    assert found.accuracy.low <= found.accuracy.value <= found.accuracy.high
    assert 0 <= min(steps) <= max(steps) < 1
    plain = found.to_dict()
    assert (plain["folds"], plain["photos"]) == (3, len(used))
    assert "3 folds" in found.words


def test_groups_are_counted_where_photos_belong_together():
    photos = manifest(60)
    photos = photos.assign(copies=photos["group"])
    assert counts(photos) == (80, 40, "photos")
    frames = photos.assign(group=[f"{row.label}-{row.split}-{row.Index // 6 % 10}" for row in photos.itertuples()])
    assert counts(frames) == (40, 20, "groups")
