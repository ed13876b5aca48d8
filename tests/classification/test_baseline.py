import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb import metrics
from cvtune_nb.classification.baseline import (
    C_VALUES,
    SvmExplorer,
    baseline,
    baseline_predictions,
    last_baseline,
)
from cvtune_nb.classification.cross_validation import cross_validate
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.models import networks

SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(64))


@pytest.fixture(scope="module")
def explorer(opened):
    return SvmExplorer(opened, SPEC)


def test_classes_by_name_and_the_hardest_of_them(explorer):
    found = explorer.fit(1.0)
    table = pd.DataFrame({"label": ["b", "c", "a"], "recall": [0.9, 0.2, 0.5]})
    found = replace(found, per_class=table)
    assert found.by_label["label"].tolist() == ["a", "b", "c"]
    assert found.hardest["label"] == "c"


def test_the_baseline_is_right_about_its_own_numbers(opened, explorer):
    result = explorer.fit()
    matrix, truth = explorer.part("validation")
    predicted = explorer.svm(result.C).predict(matrix)
    assert result.validation == metrics.accuracy(truth, predicted)
    assert result.validation.n == (opened.photos()["split"] == "validation").sum()
    assert result.train.n == (opened.photos()["split"] == "train").sum()
    assert result.test is None
    assert result.confusion.to_numpy().sum() == result.validation.n
    assert np.trace(result.confusion) == round(result.validation.value * result.validation.n)
    assert result.per_class["photos"].sum() == result.validation.n
    assert result.predicted["label"].tolist() == truth.tolist()
    assert result.predicted["path"].tolist() == opened.photos().query("split == 'validation'")["path"].tolist()
    assert result.validation.value > 0.8


def test_mistakes_are_the_wrong_ones_the_surest_first(opened):
    explorer = SvmExplorer(opened, SPEC)
    explorer.photos = explorer.photos.copy()
    validation = np.flatnonzero(explorer.photos["split"] == "validation")[:3]
    explorer.photos.loc[validation, "label"] = "stripes"
    result = explorer.fit(C=1.0)
    wrong = result.predicted.query("label != predicted")
    assert set(result.mistakes["path"]) == set(wrong["path"])
    assert len(result.mistakes) >= 3
    assert result.mistakes["score"].is_monotonic_decreasing
    assert (result.mistakes["score"] >= 0).all()


def test_c_is_chosen_on_validation(explorer):
    table = explorer.C_table()
    assert table["C"].tolist() == list(C_VALUES)
    for row in table.itertuples():
        assert row.validation_accuracy == explorer.accuracy(row.C, "linear", "validation").value
        assert row.train_accuracy == explorer.accuracy(row.C, "linear", "train").value
    best = explorer.fit().C
    assert table.set_index("C").at[best, "validation_accuracy"] == table["validation_accuracy"].max()


def test_of_equally_good_cs_the_one_nearest_1_is_taken(explorer, monkeypatch):
    table = pd.DataFrame({"C": C_VALUES, "train_accuracy": 1.0, "objective": [0.5] * 5 + [0.9] * 2 + [0.8] * 2})
    monkeypatch.setattr(explorer, "C_table", lambda *a: table)
    assert explorer.best_C() == 3.0


def test_the_test_set_stays_closed_unless_it_is_opened(workspace, monkeypatch):
    asked = []
    whole = SvmExplorer.part
    monkeypatch.setattr(SvmExplorer, "part", lambda self, split: asked.append(split) or whole(self, split))
    closed = baseline(workspace, SPEC)
    assert "test" not in asked
    assert workspace.test_openings() == 0
    assert "test_accuracy" not in closed.to_dict()
    opened = baseline(workspace, SPEC, open_test=True)
    assert "test" in asked
    assert workspace.test_openings() == 1
    assert opened.test.n == (workspace.photos()["split"] == "test").sum()
    assert opened.to_dict()["test_accuracy"] == opened.test.value
    assert (opened.C, opened.validation) == (closed.C, closed.validation)


def test_the_slider_is_answered_from_the_cache(opened, monkeypatch):
    explorer = SvmExplorer(opened, SPEC)
    monkeypatch.setattr(
        "cvtune_nb.classification.baseline.features", lambda *a: pytest.fail("features asked for again")
    )
    monkeypatch.setattr(networks, "load", lambda *a: pytest.fail("the network was loaded"))
    first = explorer.fit(0.3, "rbf")
    assert (first.C, first.kernel, first.cached) == (0.3, "rbf", True)
    fitted = []
    whole = Svm.fit
    monkeypatch.setattr(Svm, "fit", lambda self, *a: fitted.append(self.C) or whole(self, *a))
    assert explorer.fit(0.3, "rbf").validation == first.validation
    assert 0.3 not in fitted


def test_the_last_baseline_is_kept_in_plain_files(workspace):
    result = baseline(workspace, SPEC, C=0.1)
    kept = last_baseline(workspace)
    assert {name: value for name, value in kept.items() if name != "format"} == json.loads(json.dumps(result.to_dict()))
    assert kept["C"] == 0.1
    assert kept["interval"] == [result.validation.low, result.validation.high]
    pd.testing.assert_frame_equal(
        baseline_predictions(workspace), result.predicted, check_dtype=False, check_exact=False
    )


def test_another_objective_chooses_c_over_the_folds(opened):
    found = cross_validate(SvmExplorer(opened, SPEC, objective="macro-f1", imbalance="balanced"), 3)
    assert found.chosen_by == "chosen by macro-F1 over the folds" and found.chosen_by in found.words
    assert found.to_dict()["objective"] == "macro-f1" and found.to_dict()["imbalance"] == "balanced"


def test_before_any_baseline_there_is_none(tmp_path, opened):
    from cvtune_nb.workspace import Workspace

    fresh = Workspace.create(tmp_path / "w", opened.data, "x", 0)
    assert last_baseline(fresh) is None
    assert baseline_predictions(fresh) is None


def test_decisions_that_leave_nothing_to_learn_are_refused_in_words(workspace):
    photos = workspace.photos()
    one = photos.query("split == 'validation'")["path"].iloc[0]
    workspace.decide(one, "relabel", to="heart")
    with pytest.raises(InputError, match=r"class 'heart' has 1 photo\(s\), for example .*, but none for training"):
        baseline(workspace, SPEC)
    workspace.decide(one, "undo")
    for path in photos.query("label != 'circle'")["path"]:
        workspace.decide(path, "exclude")
    with pytest.raises(InputError, match="fewer than two classes"):
        baseline(workspace, SPEC)
