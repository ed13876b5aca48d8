"""Thresholds of single classes in an export: chosen on validation, told, and followed by program, JSON and tables."""

import json

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification import export_run
from cvtune_nb.errors import InputError
from cvtune_nb.export import open_export
from cvtune_nb.export.predict import Model, decided


@pytest.fixture(scope="module")
def made(trained, tmp_path_factory):
    workspace, run = trained
    label = run.classes[0]
    out = tmp_path_factory.mktemp("targets") / "export"
    return workspace, label, export_run(workspace, run.id, out, variants=("fp16",), targets=[f"{label}:recall=.6"])


def test_the_program_follows_them(made):
    workspace, label, export = made
    model = Model(export.folder)
    limit = model.thresholds[model.labels.index(label)]
    assert 0 < limit < 1 and np.isnan(np.delete(model.thresholds, model.labels.index(label))).all()
    photos = [str(workspace.path_of(path)) for path in workspace.photos()["path"][:20]]
    rows = model.predict(photos, top=3)
    for row in rows:
        chances = np.array([dict(row["top"])[name] for name in model.labels])
        assert row["label"] == model.labels[int(decided(chances, model.thresholds))]
        assert row["sure"] == (row["probability"] >= (limit if row["label"] == label else 0))
    assert any(dict(row["top"])[label] >= limit for row in rows)
    assert Model(export.folder, "model-fp16.onnx").thresholds.tolist() == pytest.approx(
        model.thresholds.tolist(), nan_ok=True
    )
    assert open_export(export.folder).about()["thresholds"] == {label: limit}


def test_recall_on_validation_reaches_the_target(made):
    workspace, label, export = made
    photos = workspace.photos()
    own = photos[(photos["split"] == "validation") & (photos["label"] == label)]
    answers = Model(export.folder).predict([str(workspace.path_of(path)) for path in own["path"]])
    assert np.mean([row["label"] == label for row in answers]) >= 0.6


def test_what_they_change_is_told_everywhere(made):
    _, label, export = made
    facts = json.loads((export.folder / "config.json").read_text())
    assert [row["label"] for row in facts["targets"]] == [label, ""]
    assert export.to_dict()["targets"] == facts["targets"]
    card = (export.folder / "README.md").read_text()
    assert "Single classes have thresholds" in card and "for a recall of 60%" in card
    tested = pd.read_csv(export.folder / "test_predictions.csv")
    assert export.test.value == pytest.approx((tested["label"] == tested["predicted"]).mean())


def test_targets_that_cannot_be_met_leave_no_folder(trained, tmp_path):
    workspace, run = trained
    with pytest.raises(InputError, match=r"are too few for a recall of 0\.99"):
        export_run(workspace, run.id, tmp_path / "one", variants=(), targets=[f"{run.classes[0]}:recall=.99"])
    with pytest.raises(InputError, match="there is no class 'unicorn'"):
        export_run(workspace, run.id, tmp_path / "two", variants=(), targets=["unicorn:recall=.9"])
    assert not (tmp_path / "one").exists() and not (tmp_path / "two").exists()


def test_without_targets_nothing_is_said(trained, tmp_path):
    workspace, run = trained
    export = export_run(workspace, run.id, tmp_path / "plain", variants=())
    assert export.targets is None and Model(export.folder).thresholds is None
    assert "Single classes have thresholds" not in (export.folder / "README.md").read_text()
