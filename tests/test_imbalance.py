"""Remedies for classes of different size: their text, their weights, and how far classes are from balance."""

import numpy as np
import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.imbalance import Balance, Remedy, counted, log_shares, remedy_of
from cvtune_nb.parameters import Config

COUNTS = {"lemon": 90, "lime": 10}


@pytest.mark.parametrize(
    "text",
    [
        "none",
        "balanced",
        "square-root",
        "sampling",
        "logit-adjustment",
        "logit-adjustment:1.5",
        "weights:lemon=3,lime=1.5",
    ],
)
def test_a_remedy_is_read_as_it_is_written(text):
    assert remedy_of(text).text == text
    assert Config("resnet18", imbalance=text).imbalance == text


def test_names_of_classes_may_hold_anything():
    remedy = Remedy("weights", own=(("a=b, c", 2.0), ("100%", 0.5)))
    assert remedy_of(remedy.text) == remedy


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("balance", "choose none, balanced"),
        ("weights:lemon", "'lemon' is not of the form CLASS=NUMBER"),
        ("weights:", "not of the form"),
        ("weights:lemon=0", "from 0.001 to 1000"),
        ("weights:lemon=1.2.3", "from 0.001 to 1000"),
        ("logit-adjustment:0", "above 0 and at most 4"),
        ("logit-adjustment:nan", "above 0 and at most 4"),
        ("logit-adjustment:x", "above 0"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(text, says):
    with pytest.raises(InputError, match="imbalance is") as refused:
        Config("resnet18", imbalance=text)
    assert says in str(refused.value)


def test_weights_are_1_on_average_over_photos():
    for text in ("balanced", "square-root", "weights:lime=5"):
        weights = remedy_of(text).weights(COUNTS)
        assert weights @ np.array([90, 10]) / 100 == pytest.approx(1)
    assert remedy_of("balanced").weights(COUNTS) == pytest.approx([100 / 180, 5])
    lemon, lime = remedy_of("square-root").weights(COUNTS)
    assert lime / lemon == pytest.approx(3)
    lemon, lime = remedy_of("weights:lime=5").weights(COUNTS)
    assert lime / lemon == pytest.approx(5)
    for text in ("none", "sampling", "logit-adjustment"):
        assert remedy_of(text).weights(COUNTS) is None


def test_an_svm_takes_what_comes_to_the_same():
    of_svm = lambda text, adjustable=True: remedy_of(text).weights_of_svm(COUNTS, adjustable)  # noqa: E731
    assert of_svm("sampling") == pytest.approx(of_svm("balanced"))
    assert of_svm("none") is None and of_svm("logit-adjustment") is None
    assert of_svm("logit-adjustment", False) == pytest.approx(of_svm("balanced"))
    assert of_svm("logit-adjustment:0.5", False) == pytest.approx(of_svm("square-root"))


def test_only_logit_adjustment_has_a_prior():
    assert remedy_of("balanced").prior(COUNTS) is None
    assert remedy_of("logit-adjustment:2").prior(COUNTS) == pytest.approx(2 * np.log([0.9, 0.1]))
    assert np.exp(log_shares(COUNTS)).sum() == pytest.approx(1)


def test_weights_of_a_class_that_there_is_not():
    with pytest.raises(InputError, match="there is no class 'lim', but lemon, lime"):
        remedy_of("weights:lim=2").require(list(COUNTS))


def test_how_far_from_balance():
    even = Balance({"a": 50, "b": 50, "c": 50, "d": 50})
    assert (even.ratio, even.unbalanced) == (1, False) and even.effective_classes == pytest.approx(4)
    assert not Balance({"a": 30, "b": 10}).unbalanced and Balance({"a": 31, "b": 10}).unbalanced
    skewed = Balance({"a": 970, "b": 10, "c": 10, "d": 10})
    assert 1 < skewed.effective_classes < 1.3 and skewed.ratio == 97
    assert 'class "a" has 970 training photos, "b" 10 (97.0 times as many)' in str(skewed)
    assert Balance({"a": 9, "b": 0}).ratio == 9 and not Balance({"a": 9}).unbalanced
    assert counted(["b", "a", "b"], ["a", "b", "c"]) == {"a": 1, "b": 2, "c": 0}


def test_configs_of_earlier_versions_have_none():
    known = Config("resnet18").to_dict()
    del known["imbalance"]
    assert Config.from_file(known) == Config("resnet18")
