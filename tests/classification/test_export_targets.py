"""Thresholds of single classes in an export: chosen on validation, told, and followed by program, JSON and tables."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from cvtune_nb import classification
from cvtune_nb.classification import export as export_module
from cvtune_nb.classification import export_run
from cvtune_nb.classification.known import Known
from cvtune_nb.classification.model import Classifier
from cvtune_nb.classification.model_card import limits, none_of_these
from cvtune_nb.classification.objective import choose
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export import open_export
from cvtune_nb.export.predict import Model, decided
from cvtune_nb.parameters import Config


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


def test_validation_and_sureness_are_of_the_answers_with_thresholds(made):
    workspace, label, export = made
    photos = workspace.photos().query("split == 'validation'")
    rows = Model(export.folder).predict([str(workspace.path_of(path)) for path in photos["path"]])
    right = [row["label"] == truth for row, truth in zip(rows, photos["label"], strict=True)]
    assert export.validation.value == pytest.approx(np.mean(right))
    at = export.coverage.set_index("threshold")["coverage"]
    for threshold in (0.0, 0.5, 0.99):
        sure = [row["label"] == label or row["probability"] >= threshold for row in rows]
        assert at[threshold] == pytest.approx(np.mean(sure)), "its own threshold decides for that class"
    assert "measured with the thresholds of single classes" in (export.folder / "README.md").read_text()


def test_costs_are_kept_beside_thresholds(workspace, tmp_path):
    own = open_workspace(workspace.source, tmp_path / "workspace")
    run = classification.fit(own, Config("test_resnet:random", image_size=64, epochs=0, batch_size=16))
    first, second = run.classes[:2]
    choose(own, f"costs:{first}>{second}=9")
    export = export_run(own, run.id, tmp_path / "one", variants=(), targets=[f"{first}:recall=.6"])
    model = Model(export.folder)
    photos = own.photos().query("split == 'validation'")
    chances = np.array([model.infer([model.prepared(own.path_of(path))])[0][0] for path in photos["path"]])
    names = np.array(model.labels, dtype=object)
    before = names[decided(chances, None, model.costs)] == photos["label"]
    assert export.targets.iloc[-1]["before"] == pytest.approx(before.mean())
    after = names[model.decide(chances)] == photos["label"]
    assert export.targets.iloc[-1]["found"] == pytest.approx(after.mean()) == pytest.approx(export.validation.value)
    card = (export.folder / "README.md").read_text()
    assert "without the thresholds of single classes" in card and "and the answers are those" not in card


def test_a_training_photo_that_is_gone_costs_known_alone(workspace, tmp_path):
    photos = shutil.copytree(workspace.source, tmp_path / "photos")
    own = open_workspace(photos, tmp_path / "workspace")
    run = classification.fit(own, Config("test_resnet:random", image_size=64, epochs=0, batch_size=16))
    shutil.rmtree(own.folder / "cache")
    own.path_of(own.photos().query("split == 'train'")["path"].iloc[0]).unlink()
    export = export_run(own, run.id, tmp_path / "one", variants=("fp16",))
    assert export.known is None and "does not say how much a photo is like" in " ".join(export.notes)
    assert "known" not in Model(export.folder).predict([str(own.path_of(own.photos()["path"].iloc[-1]))])[0]
    assert "`probabilities` and `known`" not in (export.folder / "README.md").read_text()


def test_without_a_rank_there_is_no_known(workspace, tmp_path, monkeypatch):
    own = open_workspace(workspace.source, tmp_path / "workspace")
    run = classification.fit(own, Config("test_resnet:random", image_size=64, epochs=0, batch_size=16))
    measure = export_module.measure

    def broken(*given):
        found = measure(*given)
        return replace(found, known={name: np.full_like(values, np.nan) for name, values in found.known.items()})

    monkeypatch.setattr(export_module, "measure", broken)
    export = export_run(own, run.id, tmp_path / "one", variants=("fp16",))
    assert export.known is None and Model(export.folder).known_below is None
    assert open_export(export.folder, "fp16").known_below is None


def test_the_plain_network_is_compared_too(workspace, tmp_path, monkeypatch):
    own = open_workspace(workspace.source, tmp_path / "workspace")
    run = classification.fit(own, Config("test_resnet:random", image_size=64, epochs=0, batch_size=16))
    seen = Classifier.seen

    def other(self, images, pooling):
        logits, features = seen(self, images, pooling)
        return logits + torch.arange(logits.shape[1]), features

    monkeypatch.setattr(Classifier, "seen", other)
    with pytest.raises(InputError, match="beside the network without `known`"):
        export_run(own, run.id, tmp_path / "one", variants=())


def test_limits_and_none_of_these_say_what_holds():
    photos = pd.DataFrame({"split": ["train"], "label": ["a"]})
    export = SimpleNamespace(test=None, known=None)
    said = [
        " ".join(limits(photos, export, Preprocessing(64, *how))) for how in (("crop",), ("crop", "4:3"), ("whole",))
    ]
    assert ["middle square" in one for one in said] == [True, False, False]
    assert "4:3 in shape" in said[1] and "only the middle" not in said[2]
    few = Known(0.93, 0.0, pd.DataFrame({"known": [0.5]}), None, pd.DataFrame({"label": []}))
    assert "takes at least 14 validation photos" in none_of_these(few), "0.93 / 0.07 = 13.3, and 13 are too few"
    scenes = Known(0.93, 0.0, pd.DataFrame({"known": [0.5] * 80}), None, pd.DataFrame({"label": []}), groups=10)
    assert "takes at least 14 groups of validation photos; there are 10." in none_of_these(scenes)
