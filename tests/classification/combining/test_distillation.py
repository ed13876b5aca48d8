"""Distillation: a usual run that learned from a combination, resumed with its teacher, never taken for another."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch

from cvtune_nb.classification import earlier_run, fit, load_run
from cvtune_nb.classification.combining import combine, delete_combination, distil, distillation, distillation_seconds
from cvtune_nb.classification.combining.combination import SOUP, load_combination
from cvtune_nb.classification.combining.distillation import softened, student
from cvtune_nb.classification.run import run_store
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.runs import lock
from cvtune_nb.runs.provenance import BEFORE
from cvtune_nb.self_training.pool import new_photos
from cvtune_nb.workspace import Workspace
from tests.photos import make_photos

RUNS = [f"00{number}-test_efficientnet-random-64" for number in (1, 2)]


@pytest.fixture(scope="module")
def taught(several, tmp_path_factory):
    """A workspace with a soup of two runs. Shared: copy it before anything is written into it."""
    folder = tmp_path_factory.mktemp("taught") / "workspace"
    shutil.copytree(several.folder, folder)
    workspace = Workspace(folder)
    combine(workspace, RUNS, use=SOUP)
    return workspace


@pytest.fixture
def own(taught, tmp_path):
    shutil.copytree(taught.folder, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace")


def test_softened_probabilities_are_what_is_learned():
    taught = torch.tensor([[2.0, 0.0, -1.0]])
    assert softened(taught, taught) == pytest.approx(0, abs=1e-6)
    assert softened(taught + 5, taught) == pytest.approx(0, abs=1e-6)  # of logits only differences count
    one, other = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    expected = 4 * (torch.softmax(one / 2, 1) * (torch.log_softmax(one / 2, 1) - torch.log(torch.tensor(0.5)))).sum()
    assert softened(other, one) == pytest.approx(float(expected), rel=1e-5)


def test_the_student_has_the_parameters_of_the_best_single_run(taught):
    stored = load_combination(taught)
    config, start = student(taught, stored)
    assert start in RUNS and config.epochs == 2 * load_run(taught, start).config.epochs
    assert distillation_seconds(taught) > 0


def test_a_usual_run_that_says_what_its_teacher_was(own):
    run = distil(own)
    assert run.state == "done" and run.beside["teacher"] == "combination-1" and run.beside["start"] in RUNS
    assert list(run.history["epoch"]) == [0, 1, 2]
    start = load_run(own, run.beside["start"])
    assert run.history["validation_accuracy"][0] == pytest.approx(start.validation.value)  # it begins where that ended
    assert load_run(own, run.id).beside == run.beside
    assert json.loads((run.folder / "config.json").read_text())["beside"]["teacher"] == "combination-1"
    assert earlier_run(own, run.config) is None  # a usual run of these parameters would be another one
    assert distil(own).id == run.id  # and the same distillation would only repeat it


def test_of_two_at_once_the_second_is_refused_and_makes_no_run(own, monkeypatch):
    refused, make = [], distillation.new_run

    def second(*arguments, **named):
        """Begins while the first one is about to write its run."""
        with pytest.raises(lock.Held, match="is beginning to distil combination-1: start this one again") as held:
            distil(own)
        refused.append(held.value)
        return make(*arguments, **named)

    monkeypatch.setattr(distillation, "new_run", second)
    before = set(run_store(own).ids())
    run = distil(own)
    assert len(refused) == 1 and set(run_store(own).ids()) == {*before, run.id}


def test_a_stop_keeps_the_epochs_and_it_goes_on_with_its_teacher(own):
    def stop(run):
        if run.history["epoch"].max() == 1:
            raise Stopped

    stopped = distil(own, on_epoch=stop)
    assert stopped.state == "stopped" and list(stopped.history["epoch"]) == [0, 1]
    whole = fit(own, run=stopped.id)
    assert whole.state == "done" and list(whole.history["epoch"]) == [0, 1, 2]
    shutil.rmtree(own.runs / stopped.id)
    straight = distil(own)
    assert straight.history["train_loss"].tolist() == pytest.approx(whole.history["train_loss"].tolist(), rel=1e-4)


def test_without_its_teacher_it_does_not_go_on(own):
    def stop(_run):
        raise Stopped

    stopped = distil(own, on_epoch=stop)
    delete_combination(own, "combination")
    with pytest.raises(InputError, match="no combination"):
        fit(own, run=stopped.id)


def test_photos_without_labels_teach_too(own, tmp_path):
    folder = make_photos(tmp_path / "more", ("circle", "square"), per_class=6, size=96, seed=7)
    before = {path: path.read_bytes() for path in folder.rglob("*.jpg")}
    known = own.path_of(own.photos()["path"].iloc[0])
    shutil.copy(known, folder / "known.jpg")  # the workspace has it, whatever its split
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    found = new_photos(own, folder).photos
    assert len(found) == len(set(before.values()))
    run = distil(own, unlabelled=found)
    assert run.beside["unlabelled"] == len(found) and run.state == "done"
    seen = run.provenance.photos
    assert seen is not None and set(found["sha256"]) == set(seen.loc[seen["split"] == BEFORE, "sha256"])
    assert {path: path.read_bytes() for path in before} == before
    assert distil(own, unlabelled=found[1:]).id != run.id, "of other photos it is another one"


def test_a_combination_of_earlier_photos_teaches_nobody(own):
    """Its members may have trained on what is validation today."""
    file, swapped = own.folder / "manifest.csv", {"train": "validation", "validation": "train"}
    manifest = pd.read_csv(file)
    manifest.assign(split=manifest["split"].map(lambda name: swapped.get(name, name))).to_csv(file, index=False)
    with pytest.raises(InputError, match="of earlier photos or labels"):
        distil(own)


def test_a_student_of_a_run_with_a_loss_beside_has_the_cross_entropy_alone(taught, monkeypatch):
    loss = {"loss": "supervised-contrastive", "projection": 8}
    told = load_run(taught, RUNS[0])
    monkeypatch.setattr(distillation, "load_run", lambda *_: replace(told, config=replace(told.config, **loss)))
    config, _ = student(taught, load_combination(taught))
    assert (config.loss, config.projection) == ("cross-entropy", 0)
