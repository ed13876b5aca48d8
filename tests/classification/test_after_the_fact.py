"""Logit adjustment of a finished classifier: measured, chosen by a person, and in the bias of what is exported."""

import numpy as np
import pytest
import torch

from cvtune_nb.classification import export_run, fit, load_bundle
from cvtune_nb.classification.after_the_fact import adjusted, choose, chosen_for, measure, shares_of, strength
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.exportable import as_chosen, candidate
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.imbalance import log_shares
from cvtune_nb.parameters import Config
from tests.classification.test_balance import own, skewed  # noqa: F401 - fixtures

SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(64))


@pytest.fixture
def made(own):  # noqa: F811
    return candidate(own, fit(own, Config("efficientnet_lite0", image_size=64, epochs=0)).id)


def test_the_adjustment_is_in_the_bias_alone(made):
    counts = shares_of(made)
    assert counts["stripes"] < counts["circle"]
    changed = adjusted(made, 1.5)
    photos = torch.randint(256, (3, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        apart = changed.network(photos) - made.network(photos)
    assert np.allclose(apart.numpy(), -1.5 * log_shares(counts), atol=1e-4)
    assert made.logit_adjustment == 0 and changed.logit_adjustment == 1.5 and changed.changed


def test_it_is_measured_beside_none_on_validation_photos(own, made):  # noqa: F811
    found = measure(own, made)
    assert found.table["remedy"].tolist()[0] == "none" and found.table["accuracy"][0] == made.validation.value
    assert found.photos == made.validation.n and found.objective == "balanced-accuracy"
    assert [strength(name) for name in found.table["remedy"]] == [0, 0.25, 0.5, 1, 1.5]
    assert measure(own, made, "macro-f1").label == "macro-F1"


def test_what_was_chosen_is_exported(own, made):  # noqa: F811
    assert as_chosen(own, made) is made
    choose(own, made, 1.0)
    assert chosen_for(own, made) == 1.0
    export = export_run(own, made.id, variants=())
    assert export.parity <= 1e-4
    photos = torch.randint(256, (2, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        exported, expected = load_bundle(export.folder)(photos), adjusted(made, 1.0).network(photos)
    assert torch.allclose(exported, expected, atol=1e-4)
    assert "adjusted to the classes' shares" in (export.folder / "README.md").read_text()
    choose(own, made, 0.0)
    assert chosen_for(own, made) == 0 and as_chosen(own, made) is made


def test_a_choice_for_another_baseline_is_none_for_this_one(own):  # noqa: F811
    baseline(own, SPEC, C=1.0)
    first = candidate(own, "svm")
    choose(own, first, 0.5)
    assert chosen_for(own, candidate(own, "svm")) == 0.5
    baseline(own, SPEC, C=1.0, imbalance="balanced")
    assert chosen_for(own, candidate(own, "svm")) == 0


def test_a_choice_for_a_linear_kernel_is_none_for_another_and_can_be_taken_back(own):  # noqa: F811
    baseline(own, SPEC, C=1.0)
    choose(own, candidate(own, "svm"), 0.5)
    baseline(own, SPEC, C=1.0, kernel="rbf")
    curved = candidate(own, "svm")
    assert chosen_for(own, curved) == 0 and as_chosen(own, curved) is curved
    choose(own, curved, 0.0)
    baseline(own, SPEC, C=1.0)
    assert chosen_for(own, candidate(own, "svm")) == 0


def test_what_cannot_be_adjusted_is_refused(own, made):  # noqa: F811
    with pytest.raises(InputError, match=r"choose 0 \(none\) to 4"):
        choose(own, made, 5)
    baseline(own, SPEC, C=1.0, kernel="rbf")
    with pytest.raises(InputError, match="nor has an SVM with an RBF kernel"):
        measure(own, candidate(own, "svm"))
