"""Combining what is in a workspace: chosen, judged without what it was chosen on, stored, and used like a run."""

import json
import shutil

import numpy as np
import pytest
import torch

from cvtune_nb.advice.slices import find_slices
from cvtune_nb.classification import SVM, export_run, load_bundle
from cvtune_nb.classification.after_the_fact import adjusted
from cvtune_nb.classification.at_test_time import measure as at_test_time
from cvtune_nb.classification.combining import (
    combine,
    delete_combination,
    expected_seconds,
    load_combination,
    stored_combinations,
)
from cvtune_nb.classification.combining.combination import INTERPOLATION, LARGER, MEAN, MIRRORED, SINGLE, SOUP
from cvtune_nb.classification.combining.ingredients import Ingredients
from cvtune_nb.classification.combining.judging import Judged
from cvtune_nb.classification.combining.search import offered
from cvtune_nb.classification.exportable import COMBINED, candidate, choices, trained_with
from cvtune_nb.classification.grad_cam import heat
from cvtune_nb.classification.objective import objective_in
from cvtune_nb.data.pixels import pixels
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.export import open_export
from cvtune_nb.workspace import Workspace

FIRST, SECOND, THIRD = (f"00{n}-test_efficientnet-random-{size}" for n, size in ((1, 64), (2, 64), (3, 96)))


@pytest.fixture(scope="module")
def mean(several, tmp_path_factory):
    """(workspace, combination): a mean that is kept whether or not it is better. Shared: only read it."""
    folder = tmp_path_factory.mktemp("mean") / "workspace"
    shutil.copytree(several.folder, folder)
    workspace = Workspace(folder)
    return workspace, combine(workspace, [FIRST, SECOND, THIRD], use=MIRRORED)


def test_what_there_is_to_combine(several, workspace):
    assert set(offered(several)) == {SVM, FIRST, SECOND, THIRD}
    assert offered(workspace) == [SVM] and set(offered(several, [FIRST, SVM])) == {FIRST, SVM}
    with pytest.raises(InputError, match="nothing is no classifier of this workspace: choose among"):
        offered(several, ["nothing"])
    assert expected_seconds(several) > expected_seconds(several, [SVM]) > 0


def test_every_kind_is_judged_beside_the_best_single_classifier(mean):
    _, found = mean
    rows = found.kinds.set_index("kind")
    assert next(iter(rows.index)) == SINGLE and {SOUP, MEAN, MIRRORED, LARGER} <= set(rows.index)
    assert rows.at[SINGLE, "difference"] == 0 and rows.at[SINGLE, "times"] == 1
    assert rows.at[SOUP, "megabytes"] == pytest.approx(rows.at[SINGLE, "megabytes"], rel=0.01)
    assert found.kind == MIRRORED and found.kept and list(rows.index[rows["chosen"]]) == [MIRRORED]
    assert set(found.members["passes"]) == {2} and rows.at[MIRRORED, "megabytes"] == rows.at[MEAN, "megabytes"]
    assert found.members["weight"].sum() == pytest.approx(1)
    assert found.score.low <= found.score.value <= found.score.high <= 1


def test_it_is_kept_as_plain_files_and_found_again(mean):
    workspace, found = mean
    stored = load_combination(workspace)
    assert stored.id == found.id == "combination-1" == load_combination(workspace, "combination-1").id
    files = {file.name for file in stored.folder.iterdir()}
    arrays = {"probabilities.npy", "cross_fitted.npy"}
    assert files == {"combination.json", "model.safetensors", "photos.csv", "predictions.csv", *arrays}
    again = stored.combination
    assert again.to_dict() == json.loads(json.dumps(found.to_dict()))
    assert again.words == found.words and "Against" in "".join(found.words)


def test_what_was_measured_is_what_the_network_says(mean):
    workspace, _ = mean
    stored, made = load_combination(workspace), candidate(workspace, "combination")
    assert made.kind == COMBINED and made.id == stored.id and made.spec == trained_with(workspace, "combination")
    rows = stored.predictions()
    photos = workspace.photos().set_index("path").loc[rows["path"]].reset_index()
    images = torch.from_numpy(pixels(workspace, photos, made.shown).centre(range(len(photos))))
    with torch.inference_mode():
        chances = made.network(images).softmax(1).numpy()
    kept = np.load(stored.folder / "probabilities.npy")
    assert np.abs(chances - kept).max() < 0.02  # measured in mixed precision
    assert stored.answers(objective_in(workspace), corrected=False).chances.shape == kept.shape


def test_it_is_one_of_the_choices_by_what_was_corrected(mean):
    workspace, _ = mean
    known = choices(workspace).set_index("run")
    stored = load_combination(workspace)
    assert known.at[stored.id, "validation_accuracy"] == stored.validation.value
    assert known.at[stored.id, "data"] == "" and known.at[stored.id, "merit"] >= 0
    assert offered(workspace) and stored.id not in offered(workspace)  # no combination of combinations


def test_one_file_that_answers_as_pytorch_does(mean, tmp_path):
    workspace, found = mean
    made = export_run(workspace, "combination", tmp_path / "out", variants=())
    assert made.parity <= 1e-4 and made.run == found.id and made.known is not None
    facts = json.loads((tmp_path / "out" / "config.json").read_text())
    assert facts["kind"] == COMBINED and len(facts["config"]["networks"]) == found.members["network"].nunique()
    card = (tmp_path / "out" / "README.md").read_text()
    assert "corrected for the choice of what is combined" in card and "view of network 1" in card
    model, network = open_export(tmp_path / "out"), load_bundle(tmp_path / "out")
    path = workspace.path_of(workspace.photos()["path"].iloc[0])
    image = model.prepared(path)
    cut = (image.shape[0] - model.image_size) // 2
    square = np.ascontiguousarray(image[cut : cut + model.image_size, cut : cut + model.image_size])
    with torch.inference_mode():
        ours = (network(torch.from_numpy(square[None])) / facts["temperature"]).softmax(1).numpy()
    assert np.abs(ours - model.probabilities(image[None])).max() < 1e-4
    assert heat(network, square, 0).shape == square.shape[:2]


def test_what_works_with_it_and_what_says_why_not(mean):
    workspace, found = mean
    assert find_slices(workspace, "combination").model == found.id
    made = candidate(workspace, found.id)
    with pytest.raises(InputError, match="has its own sizes and mirror images"):
        at_test_time(workspace, made)
    with pytest.raises(InputError, match="a combination has no last layer"):
        adjusted(made, 0.5)


def test_the_svm_among_others(own):
    found = combine(own, [SVM, FIRST], use=MEAN)
    assert set(found.members["network"]) == {SVM, FIRST}
    made = candidate(own, found.id)
    kinds = {each["kind"] for each in made.parameters["networks"]}
    assert kinds == {"linear", "run"} and made.classes == own.classes
    images = torch.zeros((1, *made.shown.shape, 3), dtype=torch.uint8)
    assert made.network(images).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_between_the_start_and_the_best_epoch(own, monkeypatch):
    monkeypatch.setattr(Ingredients, "has_start", lambda *_: True)
    found = combine(own, [FIRST], use=INTERPOLATION)
    assert found.kind == INTERPOLATION and f"{FIRST}@start" in found.members["network"][0]
    assert found.megabytes == pytest.approx(found.kinds["megabytes"][0], rel=0.01)


def test_nothing_is_kept_that_is_worse(own, monkeypatch):
    monkeypatch.setattr(Judged, "best", lambda *_: SINGLE)
    found = combine(own, [FIRST, SECOND])
    assert not found.kept and found.id == "" and found.kind == SINGLE and found.score == found.single_score
    assert stored_combinations(own) == [] and found.words[0].startswith("Nothing was kept")
    with pytest.raises(InputError, match="combine runs first"):
        load_combination(own)


def test_a_stop_keeps_what_was_measured_and_deleting_takes_it_away(own):
    begun = set()

    def stop(_share, words):
        begun.update([words] * words.startswith("measuring 0"))
        if len(begun) > 1:
            raise Stopped

    with pytest.raises(Stopped):
        combine(own, [FIRST, SECOND], progress=stop)
    measured = {file.name: file.stat().st_mtime_ns for file in (own.cache / "combining").rglob("*.npy")}
    assert len(measured) >= 3 and stored_combinations(own) == []  # what two runs have recorded, and a pass
    found = combine(own, [FIRST, SECOND], use=SOUP)
    after = {file.name: file.stat().st_mtime_ns for file in (own.cache / "combining").rglob("*.npy")}
    assert measured.items() < after.items()
    assert found.kind == SOUP and found.milliseconds > 0
    assert delete_combination(own, "combination") == found.id
    assert stored_combinations(own) == [] and (own.runs / FIRST).exists()


def test_no_time_and_ways_that_are_not_to_be_had(own):
    with pytest.raises(InputError, match="time was over"):
        combine(own, [FIRST], budget_seconds=0)
    with pytest.raises(InputError, match="no way to combine called 'x'"):
        combine(own, use="x")
    with pytest.raises(InputError, match="not to be had"):
        combine(own, [SVM], use=INTERPOLATION)
