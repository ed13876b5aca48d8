"""Would more photos help? The accuracy with parts of them."""

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
