"""Would more photos help? The accuracy with parts of them."""

from itertools import chain, repeat

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.learning_curve import learning_curve
from cvtune_nb.data.preprocessing import Preprocessing


@pytest.fixture(scope="module")
def explorer(opened):
    return SvmExplorer(opened, FeatureSpec("efficientnet_lite0", Preprocessing(64)))


def test_the_learning_curve_grows_with_the_photos(explorer):
    curve = learning_curve(explorer)
    train = (explorer.photos["split"] == "train").sum()
    assert list(curve.columns) == ["train_photos", "validation_accuracy", "low", "high"]
    assert curve["train_photos"].iloc[-1] == train
    assert curve["train_photos"].is_monotonic_increasing
    assert len(curve) == 5
    assert curve["validation_accuracy"].iloc[-1] == explorer.accuracy(1.0, "linear", "validation").value
    assert ((curve["low"] <= curve["validation_accuracy"]) & (curve["validation_accuracy"] <= curve["high"])).all()
    pd.testing.assert_frame_equal(curve, learning_curve(explorer))


def test_the_interval_allows_for_groups_in_every_draw(explorer, monkeypatch):
    """Of three draws one is right in whole groups, the others are in all: the order of draws changes nothing."""
    photos = explorer.photos
    grouped = photos.assign(group=[f"{label}-{n % 2}" for n, label in enumerate(photos["label"])])
    monkeypatch.setattr(explorer, "photos", grouped)
    _, truth = explorer.part("validation")
    wrong = grouped.loc[grouped["split"] == "validation", "group"].str.endswith("1").to_numpy()

    def curve(*draws):
        answers = chain((np.where(each, "none", truth) for each in draws), repeat(truth))
        monkeypatch.setattr("cvtune_nb.classification.svm.Svm.predict", lambda *_: next(answers))
        return learning_curve(explorer).iloc[0][["low", "high"]].tolist()

    none = np.zeros_like(wrong)
    assert curve(wrong, none, none) == curve(none, none, wrong) != curve(none, none, none)
