"""Self-training from a folder to a baseline and a run: the folder stays as it is, decisions hold, tests stay fair."""

from pathlib import Path

import pytest

from cvtune_nb import self_training
from cvtune_nb.classification import earlier_run, load_run
from cvtune_nb.classification.baseline import SvmExplorer, last_baseline
from cvtune_nb.classification.exportable import SVM, candidate
from cvtune_nb.classification.extra_photos import BESIDE, in_folder
from cvtune_nb.classification.features import FeatureSpec, missing
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.files import sha256_of
from cvtune_nb.parameters import Config
from cvtune_nb.runs.provenance import groups_of
from cvtune_nb.self_training.decisions import Decisions
from tests.photos import make_photos

CONFIG = Config("efficientnet_lite0", image_size=64, epochs=1, batch_size=16, learning_rate=0.001)
NAMES = ("test_efficientnet:random",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_photos(tmp_path_factory.mktemp("unlabelled") / "photos", per_class=8, seed=5)


def test_the_svm_learns_from_them_and_a_person_corrects(workspace, folder):
    before = {path: sha256_of(path) for path in folder.rglob("*.jpg")}
    found = self_training.self_train(workspace, folder, CONFIG, names=NAMES, least=0.0)
    assert {path: sha256_of(path) for path in folder.rglob("*.jpg")} == before
    assert found.state == "done" and found.pool == 24
    assert len(found.labels) > 6 and set(found.labels["weight"]) == {1.0}
    assert set(found.labels["agreed"]) == {"efficientnet_lite0, test_efficientnet:random"}
    assert 1 <= len(found.rounds) <= 3 and found.kept
    known = last_baseline(workspace)
    assert known is not None and known[BESIDE]["photos"] > 6
    chosen = candidate(workspace, SVM)
    assert "photos were labelled by machine" in chosen.origin or "labelled by machine" in chosen.origin
    listed = chosen.provenance.listed()
    assert set(found.labels["sha256"]) <= set(listed.loc[listed["split"] == "train", "sha256"])
    again = self_training.last(workspace)
    assert again is not None and again.words == found.words
    assert again.labels["label"].tolist() == found.labels["label"].tolist()

    first, second = found.labels.iloc[0], found.labels.iloc[1]
    other = next(label for label in workspace.classes if label != first["label"])
    decisions = Decisions(workspace)
    decisions.decide(first["path"], first["sha256"], "relabel", other)
    decisions.decide(second["path"], second["sha256"], "exclude", "")
    found = self_training.self_train(workspace, folder, CONFIG, 1, names=NAMES, least=0.0, weight=0.5)
    labels = found.labels.set_index("sha256")
    assert labels.at[first["sha256"], "label"] == other
    assert (
        labels.at[first["sha256"], "weight"] == 1.0
        and labels.at[first["sha256"], "decision"] == f"relabelled to {other}"
    )
    assert second["sha256"] not in labels.index
    assert set(labels["weight"]) == {0.5, 1.0}


def test_a_network_is_trained_in_each_round_and_knows_what_it_saw(workspace, folder):
    found = self_training.self_train(workspace, folder, CONFIG, 1, train=True, names=NAMES, least=0.0)
    plain = earlier_run(workspace, CONFIG)
    assert plain is not None and plain.beside == {}  # the one with more photos is no run of this config alone
    run = load_run(workspace, found.rounds[0].run_id)
    assert run.config == CONFIG and run.beside[BESIDE]["photos"] == len(found.labels)
    extra = in_folder(run.folder)
    assert extra is not None and extra.key == run.beside[BESIDE]["key"]
    seen = run.provenance.listed()
    assert set(extra.table["sha256"]) <= set(seen.loc[seen["split"] == "train", "sha256"])
    photos = workspace.photos()
    leaked = photos[photos["split"] == "test"].assign(
        sha256=lambda rows: [extra.table["sha256"][0], *rows["sha256"][1:]]
    )
    present = plain.provenance
    assert run.provenance.unseen(leaked, present, groups_of(workspace)).left_out == 1
    assert f"{len(extra)} more training photos were labelled by machine" in candidate(workspace, run.id).origin


def test_stop_keeps_what_was_done(workspace, folder):
    def stop(_share, words):
        if words.startswith("round 1: the SVM"):
            raise Stopped

    found = self_training.self_train(workspace, folder, CONFIG, names=NAMES, least=0.0, progress=stop)
    assert found.state == "stopped" and "goes on from there" in found.words
    assert self_training.last(workspace) is not None


def test_a_folder_is_read_before_anything_that_takes_long(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(SvmExplorer, "__init__", lambda *_, **__: pytest.fail("features come after the folder"))
    with pytest.raises(InputError, match="no photo that can be read"):
        self_training.self_train(workspace, tmp_path, CONFIG, names=NAMES)


def test_a_stop_while_c_is_chosen_keeps_what_was_computed(workspace, folder):
    def stop(_share, words):
        if words.startswith("fitting the SVM"):
            raise Stopped

    keys = [sha256_of(path) for path in folder.rglob("*.jpg")]
    assert missing(workspace, FeatureSpec.of(CONFIG), keys) == keys
    with pytest.raises(Stopped):
        self_training.self_train(workspace, folder, CONFIG, names=NAMES, progress=stop)
    assert not missing(workspace, FeatureSpec.of(CONFIG), keys)


def test_what_it_will_take_and_what_can_not_be_used(workspace, folder):
    svm = self_training.expected_seconds(workspace, folder, CONFIG, names=NAMES)
    both = self_training.expected_seconds(workspace, folder, CONFIG, train=True, names=NAMES)
    assert 0 < svm < both
    with pytest.raises(InputError, match=r"most is 20\.0: choose a value"):
        self_training.self_train(workspace, folder, CONFIG, most=20.0)
    with pytest.raises(InputError, match="resnet50 can't be used"):
        self_training.self_train(workspace, folder, CONFIG, names=("resnet50",))
