"""Remedies for imbalance compared on features: what helps is found, and what does not is not recommended."""

from dataclasses import replace

import numpy as np
import pytest

from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.objective import choose
from cvtune_nb.classification.remedies import (
    TRIED,
    choose_remedy,
    chosen_remedy,
    compare_remedies,
    compared,
    concluded,
    expected_seconds,
    holds,
    last_remedies,
)
from cvtune_nb.data.groups import grouped_id
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.imbalance import Balance
from cvtune_nb.objectives import objective_of
from tests.classification.test_balance import skewed  # noqa: F401 - a fixture

SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(64))


def blobs(counts, seed=0):
    """Overlapping classes of so many photos: features, labels, groups."""
    random = np.random.default_rng(seed)
    centres = random.normal(0, 1, (len(counts), 8))
    labels = np.repeat(np.array(list(counts), dtype=object), list(counts.values()))
    rows = np.repeat(centres, list(counts.values()), axis=0) + random.normal(0, 1.2, (len(labels), 8))
    return rows, labels, np.arange(len(labels))


def test_where_classes_differ_much_a_remedy_is_found_to_help():
    matrix, labels, groups = blobs({"a": 400, "b": 40, "c": 20})
    found = compared(matrix, labels, groups, objective_of("balanced-accuracy", ["a", "b", "c"]))
    rows = found.table.set_index("remedy")
    assert list(rows.index) == list(TRIED) and rows["difference"]["none"] == 0
    assert found.recommended != "none"
    assert rows["difference_low"][found.recommended] > 0
    assert "of balanced accuracy, and accuracy changes by -" in found.why and "points" in found.gain(found.recommended)
    assert (rows["difference_low"] <= rows["difference"]).all()


def test_by_accuracy_nothing_is_recommended_that_costs_it():
    matrix, labels, groups = blobs({"a": 400, "b": 40, "c": 20})
    found = compared(matrix, labels, groups, objective_of("accuracy", ["a", "b", "c"]))
    assert found.recommended == "none" and "No remedy" in found.why


def test_remedies_that_differ_by_chance_are_seldom_recommended():
    """None where all are the same classifier with a coin of its own: at most 5 of 100, as the test promises."""
    objective, random = objective_of("balanced-accuracy", ["a", "b"]), np.random.default_rng(0)
    truth, wrong = np.repeat([0, 1], [150, 30]), 0
    for _ in range(40):
        answers = {}
        for name in TRIED:
            said = np.where(random.random(180) < 0.8, truth, 1 - truth)
            answers[name] = np.eye(2)[said]
        wrong += concluded(answers, truth, objective, Balance({"a": 150, "b": 30})).recommended != "none"
    assert wrong <= 4


def test_lower_is_better_for_losses():
    truth = np.repeat([0, 1], 100)
    chances = {"none": np.full((200, 2), 0.5), "balanced": np.eye(2)[truth] * 0.8 + 0.1}
    found = concluded(chances, truth, objective_of("log-loss", ["a", "b"]), Balance({"a": 100, "b": 100}))
    assert found.recommended == "balanced" and found.gain("balanced").startswith("-0.")


def test_it_is_kept_with_the_workspace_and_the_choice_is_remembered(skewed):  # noqa: F811
    assert last_remedies(skewed) is None and chosen_remedy(skewed) == "none"
    assert expected_seconds(skewed, SPEC) > 0
    said = []
    found = compare_remedies(skewed, SPEC, own=["weights:stripes=3"], progress=lambda share, words: said.append(share))
    assert "weights:stripes=3" in found.table["remedy"].tolist()
    assert said == sorted(said) and said[-1] <= 1
    again = last_remedies(skewed)
    assert again is not None and again.sentences == found.sentences and again.measured_on == found.measured_on
    assert found.to_dict()["remedies"][0]["remedy"] == "none"
    choose_remedy(skewed, "logit-adjustment:1.0", "")
    assert chosen_remedy(skewed) == "logit-adjustment"
    choose_remedy(skewed, "none", "")
    with pytest.raises(InputError, match="imbalance is 'half'"):
        choose_remedy(skewed, "half", "")


def test_too_few_photos_are_refused(skewed):  # noqa: F811
    with pytest.raises(InputError, match="too few to compare remedies"):
        compare_remedies(skewed, SPEC, photos=6)


def test_a_comparison_holds_for_what_counts_and_for_the_photos_of_today(workspace):
    truth = np.repeat([0, 1], 50)
    answers = {"none": np.eye(2)[truth]}
    found = concluded(answers, truth, objective_of("recall:a@.9", ["a", "b"]), Balance({"a": 50, "b": 50}))
    assert found.label == "recall of a at 90% precision" and found.share
    found = replace(found, objective="balanced-accuracy", measured_on=grouped_id(workspace.photos()))
    assert holds(workspace, found)
    choose(workspace, "log-loss")
    assert not holds(workspace, found)
