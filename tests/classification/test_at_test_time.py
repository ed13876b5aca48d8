"""What is shown at test time: measured on validation, chosen by a person, and exported as chosen."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from cvtune_nb import classification, cli, metrics
from cvtune_nb.classification import at_test_time, export_run, load_bundle
from cvtune_nb.classification.at_test_time import (
    AtTestTime,
    Mirrored,
    best,
    choose,
    chosen_for,
    expected_seconds,
    in_words,
    measure,
    tried,
)
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.exportable import candidate
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import photo
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export import open_export
from cvtune_nb.panels import AtTestTimePanel
from cvtune_nb.parameters import Config
from tests.pressing import press

LARGE = pd.DataFrame({"width": [400], "height": [300]})


@pytest.fixture
def made(workspace):
    run = classification.fit(workspace, Config("test_resnet:random", image_size=64, epochs=1, batch_size=16))
    return candidate(workspace, run.id)


def test_what_is_tried_fits_network_photos_and_framing():
    spec = FeatureSpec("test_resnet:random", Preprocessing(64))
    options = tried(spec, LARGE)
    assert len(options) == len(set(options)) == 8 and options[0] == AtTestTime(64)
    found = {(one.image_size, one.side) for one in options}
    assert found == {(64, 73), (64, 64), (80, 91), (80, 80)}
    whole = tried(FeatureSpec("test_resnet:random", Preprocessing(64, framing="whole")), LARGE)
    assert {one.crop_ratio for one in whole} == {0.875} and {one.prepared_side for one in whole} == {64, 80}
    assert {one.image_size for one in tried(FeatureSpec("test_vit:random", Preprocessing(160)), LARGE)} == {160}
    assert {one.image_size for one in tried(replace(spec, preprocessing=Preprocessing(448)), LARGE)} == {448}


def test_what_is_shown_has_a_key_and_words_as_in_training():
    usual, other = AtTestTime(224), AtTestTime(224, "whole", mirrored=True)
    assert (usual.key, usual.words) == ("224", [])
    assert (other.key, other.words) == ("224-framing=whole-mirrored=True", ["whole", "mirrored=True"])
    assert AtTestTime(224, crop_ratio=1.0).key == "224-crop_ratio=1.0"
    assert AtTestTime.from_dict({**other.to_dict(), "trained": "x"}) == other


def test_mirrored_is_the_average_of_probabilities(made):
    images = torch.randint(256, (3, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        one, other = (made.network(shown).softmax(1) for shown in (images, images.flip(2)))
        both = Mirrored(made.network)(images).softmax(1)
    assert torch.allclose(both, (one + other) / 2, atol=1e-6) and not torch.allclose(one, other, atol=1e-3)


def test_the_first_row_is_the_run_and_costs_are_beside_it(made, workspace):
    options, rows = measure(workspace, made)
    assert len(options) == len(rows) == 8
    assert rows["accuracy"][0] == pytest.approx(made.validation.value)
    assert rows["photos"].unique() == [made.validation.n]
    assert rows["difference"][0] == 0 and rows["times"][0] == 1 and not rows["better"][0]
    assert rows["times"][1] == pytest.approx(2) and (rows["milliseconds"] > 0).all()


@pytest.mark.parametrize(("gained", "expected"), [(4, 0), (30, 3)])
def test_only_what_is_reliable_among_so_many_is_recommended(gained, expected):
    options = tried(FeatureSpec("test_resnet:random", Preprocessing(64)), LARGE)
    rows = pd.DataFrame({"accuracy": 0.7, "difference": 0.0, "times": 1.0, "better": False}, index=range(8))
    rows.loc[3, ["accuracy", "difference", "better"]] = 0.7 + gained / 100, gained / 100, gained > 10
    rows.loc[5, ["accuracy", "difference"]] = 0.99, 0.29  # more, and not reliably
    assert best(options, rows) == options[expected]
    said = in_words(options, rows)
    assert ("30.0 points more than in training" if expected else "Nothing is reliably better") in said


def test_what_is_chosen_is_exported(made, workspace, tmp_path, monkeypatch):
    trained = replace(made, validation=metrics.share(1, 7))  # told apart from what is measured at the export
    monkeypatch.setattr("cvtune_nb.classification.export.candidate", lambda *_: trained)
    option = AtTestTime(80, crop_ratio=1.0, mirrored=True)
    choose(workspace, made, option)
    assert chosen_for(workspace, made.id, made.spec) == option
    assert chosen_for(workspace, made.id, FeatureSpec("resnet18:random")) is None, "that is another one"
    export = export_run(workspace, made.id, tmp_path / "e", variants=())  # raises unless graph and PyTorch agree
    model = open_export(export.folder)
    assert (model.image_size, model.short_side) == (80, 80)
    path = workspace.path_of(workspace.photos()["path"][0])
    shown = model.prepared(path)
    assert np.array_equal(shown, photo.centre_square(path, 80))
    with torch.inference_mode():
        pair = torch.from_numpy(np.stack([shown, shown[:, ::-1]]))
        both = made.network(pair).softmax(1).mean(0).log() / export.temperature
        again = load_bundle(export.folder)(pair[:1])[0] / export.temperature
    expected = both.softmax(0).numpy()
    assert np.abs(model.probabilities(shown[None])[0] - expected).max() < 1e-5
    assert np.abs(again.softmax(0).numpy() - expected).max() < 1e-5
    assert json.loads((export.folder / "config.json").read_text())["at_test_time"]["image_size"] == 80
    card = (export.folder / "README.md").read_text()
    assert "at test time it is shown 80 pixels, 100% of the short side, mirrored too" in card.replace("\n", " ")
    photos = workspace.photos().query("split == 'validation'")
    told = [one["label"] for one in model.predict([workspace.path_of(path) for path in photos["path"]])]
    assert export.validation == metrics.accuracy(photos["label"], told), "with what it is shown at test time"
    known = json.loads((export.folder / "config.json").read_text())["accuracy"]
    assert known["validation"] == export.validation.to_dict() and known["train"] == made.train.to_dict()
    assert f"Training accuracy: {made.train}, as trained\n" in card
    assert f"Validation accuracy: {export.validation}; optimistic, because the model was chosen by it, and so was" in (
        card.replace("\n ", "")
    )
    assert "how it is used (see how it was made), among 8 ways that were tried" in card.replace("\n ", "")
    choose(workspace, made, AtTestTime(64))
    assert chosen_for(workspace, made.id, made.spec) is None
    export = export_run(workspace, made.id, tmp_path / "f", variants=())
    assert open_export(export.folder).image_size == 64 and export.validation == trained.validation


def test_the_command_and_the_panel(made, workspace, capsys):
    told = ["tta", "--workspace", str(workspace.folder), "--run", "last"]
    assert cli.main([*told, "--json", "--use", "4"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["tried"]) == 8 and found["chosen"] == "64 pixels, 100% of the short side, mirrored too"
    assert cli.main([*told, "--use", "9"]) == 2 and "give a line from 1 to 8" in capsys.readouterr().err
    assert cli.main([*told, "--use", "all"]) == 2 and "give best, none or the number" in capsys.readouterr().err
    panel = press(AtTestTimePanel.of(workspace, run=made.id))
    assert "validation" in panel.text.value
    assert "show photos at 64 pixels, 100% of the short side, mirrored too" in panel.chosen.value
    panel.options.value = 0
    panel.use.click()
    assert chosen_for(workspace, made.id, made.spec) is None and "show photos at 64 pixels, 88%" in panel.chosen.value


def test_a_choice_is_shown_when_one_comes_back_and_can_be_taken_back_at_once(made, workspace):
    choose(workspace, made, AtTestTime(80, mirrored=True))
    panel = AtTestTimePanel(workspace, run=made.id)
    assert f"Exports of {made.id} show photos at 80 pixels" in panel.chosen.value and not panel.back.disabled
    panel.back.click()
    assert chosen_for(workspace, made.id, made.spec) is None
    assert "show photos at 64 pixels, 88%" in panel.chosen.value and panel.back.disabled
    baseline(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(32)), C=1.0)
    panel = AtTestTimePanel(workspace, run=made.id)
    panel.run.value = "svm"
    assert "Exports of svm show photos at 32 pixels" in panel.chosen.value


def test_a_line_that_is_not_there_is_refused_before_anything_is_measured(made, workspace, capsys, monkeypatch):
    monkeypatch.setattr(at_test_time, "measure", None)
    told = ["tta", "--workspace", str(workspace.folder), "--run", "last", "--use", "99"]
    assert cli.main(told) == 2 and "give a line from 1 to 8" in capsys.readouterr().err


def test_it_is_priced_before_it_is_measured_and_runs_that_come_later_are_offered(made, workspace):
    one, twice = (expected_seconds(workspace, replace(made.spec, preprocessing=Preprocessing(n))) for n in (64, 128))
    assert 0 < one < twice
    panel = AtTestTimePanel.of(workspace, run=made.id)
    panel.predict()
    assert "About <b>" in panel.price.value
    later = classification.fit(workspace, Config("test_resnet:random", image_size=64, epochs=1, batch_size=8)).id
    assert later not in panel.run.options
    panel._ipython_display_()
    assert later in panel.run.options and panel.run.value == made.id


def test_without_validation_photos_nothing_is_measured(made, workspace):
    manifest = workspace.manifest()
    workspace.save_manifest(manifest[manifest["split"] != "validation"], workspace.skipped())
    with pytest.raises(InputError, match="no validation photos to measure"):
        measure(workspace, made)
