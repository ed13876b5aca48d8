"""What an export holds, that it computes what PyTorch does, and that its figures are those of its own files."""

import hashlib
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from torch import nn

from cvtune_nb import networks, training
from cvtune_nb.data import open_workspace
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.export import bundle, export_run, load_bundle, onnx_model
from cvtune_nb.export.predict import Model, NotAnExport
from cvtune_nb.parameters import Config
from cvtune_nb.training.model import Classifier
from tests.photos import draw_photo

CLASSES = ("ball & <b>box", "käse|brot", "stripes")
"""Names that HTML and Markdown would trip over."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A quarter of the photos of each class show something else, so that the test accuracy is not 1."""
    folder = tmp_path_factory.mktemp("export")
    for number, name in enumerate(CLASSES):
        (folder / "photos" / name).mkdir(parents=True)
        for index in range(24):
            random = np.random.default_rng([7, number, index])
            shape = number if index % 4 else int(random.integers(0, 5))
            draw_photo(shape, 112, random).save(folder / "photos" / name / f"{index:03d}.jpg")
    return open_workspace(folder / "photos", folder / "workspace")


@pytest.fixture(scope="module")
def run(workspace):
    """A small network that is trained in a blink."""
    return training.fit(workspace, Config("test_resnet:random", image_size=64, epochs=1, batch_size=16))


@pytest.fixture(scope="module")
def made(workspace, run):
    return export_run(workspace, run.id)


def test_an_export_holds_everything(made, workspace, run):
    assert made.folder == workspace.exports / run.id
    programs = {"photo.py", "predict.py"}
    data = {"config.json", "labels.json", "model.onnx", "model.safetensors", "test_predictions.csv"}
    assert set(made.files) == {"README.md", *programs, *data}
    assert json.loads((made.folder / "labels.json").read_text())["labels"] == sorted(CLASSES)
    assert [path.name for path in workspace.exports.iterdir()] == [run.id], "nothing temporary is left"
    assert (made.folder.stat().st_mode & 0o777) == 0o755


def test_the_test_accuracy_is_that_of_the_files_in_the_folder(made, workspace):
    rows = workspace.photos().query("split == 'test'")
    answers = Model(made.folder).predict([workspace.path_of(path) for path in rows["path"]])
    right = sum(answer["label"] == label for answer, label in zip(answers, rows["label"], strict=True))
    assert made.test.n == len(rows) == 12
    assert made.test.value == right / len(rows)
    assert 1 / 3 < made.test.value < 1
    written = pd.read_csv(made.folder / "test_predictions.csv")
    assert list(written["predicted"]) == [answer["label"] for answer in answers]
    assert list(written["probability"]) == pytest.approx([answer["probability"] for answer in answers])


def test_opening_the_test_set_is_counted(made, workspace):
    assert made.openings == 1
    again = export_run(workspace, "last")
    assert again.folder.name == f"{made.folder.name}-2", "an export is never overwritten"
    assert again.openings == workspace.test_openings() == 2
    assert again.test == made.test


def test_pytorch_and_onnx_runtime_agree_for_any_batch(made, workspace):
    assert 0 < made.parity < 1e-5
    assert made.parity_photos == 12
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(str(made.folder / "model.onnx"))
    together = session.run(["probabilities"], {"images": images})[0]
    assert together.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert Model(made.folder).probabilities(images) == pytest.approx(together, abs=1e-5)


def test_a_model_that_computes_something_else_is_not_exported(workspace, run, monkeypatch):
    openings, exports = workspace.test_openings(), list(workspace.exports.iterdir())
    monkeypatch.setattr(onnx_model.Probabilities, "forward", lambda self, images: self.classifier(images).sigmoid())
    original = onnx_model.parity

    def parity_with_softmax(*arguments):
        monkeypatch.undo()
        return original(*arguments)

    monkeypatch.setattr(bundle, "parity", parity_with_softmax)
    with pytest.raises(InputError, match="differ from PyTorch's"):
        export_run(workspace, run.id)
    assert workspace.test_openings() == openings, "the test set stays closed"
    assert list(workspace.exports.iterdir()) == exports


def test_the_onnx_file_says_what_it_is_and_nothing_of_this_machine(made, run):
    proto = onnx.load(made.folder / "model.onnx")
    notes = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(notes["labels"]) == run.classes
    assert notes["image_size"] == "64"
    assert notes["run"] == run.id
    assert proto.opset_import[0].version >= 18
    assert str(Path(__file__).parents[2]).encode() not in (made.folder / "model.onnx").read_bytes()


def test_the_weights_rebuild_the_network_in_pytorch(made, run):
    images = torch.randint(256, (4, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        ours, theirs = training.load_best(run)(images), load_bundle(made.folder)(images)
    assert torch.equal(ours, theirs)


def test_the_model_card_says_what_must_be_known(made, workspace, run):
    card = (made.folder / "README.md").read_text()
    manifest = hashlib.sha256((workspace.folder / "manifest.csv").read_bytes()).hexdigest()
    figures = [str(made.test), str(run.validation), str(run.train), "opened 1 time(s)"]
    rate = f"learning_rate | {run.config.learning_rate}"
    origins = [manifest, "seed 0", rate, "random weights", f"torch {version('torch')}"]
    for known in figures + origins:
        assert known in card, known
    assert "<b>" not in card
    assert "käse\\|brot" in card
    assert card.count("\n| 1 | ") == 1, "the history has a row an epoch"


def test_an_export_works_alone(made, workspace, tmp_path):
    photo = workspace.path_of(workspace.photos()["path"].iloc[0])
    arguments = ["predict.py", str(photo), __file__, "--json"]
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(['torch', 'pandas', 'sklearn', 'cvtune_nb'])); "
        f"sys.argv = {arguments!r}; runpy.run_path({str(made.folder / 'predict.py')!r}, run_name='__main__')"
    )
    path = {"PYTHONPATH": str(made.folder)}  # what `python predict.py` puts first on the path by itself
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=path)
    assert done.returncode == 0, done.stderr
    good, broken = json.loads(done.stdout)["predictions"]
    assert good == Model(made.folder).predict([photo])[0]
    assert broken == {"path": str(Path(__file__)), "error": broken["error"]}
    assert broken["error"].startswith("not a photo")


def test_a_photo_that_is_gone_or_broken_does_not_stop_the_others(made, workspace, tmp_path):
    photo = workspace.path_of(workspace.photos()["path"].iloc[0])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "half.jpg").write_bytes(photo.read_bytes()[:1500])
    rows = Model(made.folder).predict([tmp_path / "gone.jpg", tmp_path / "empty.jpg", photo, tmp_path / "half.jpg"])
    assert ["error" in row for row in rows] == [True, True, False, True]
    assert rows[0]["error"] == "the file is gone"
    assert rows[2]["label"] == rows[2]["top"][0][0]
    assert sum(chance for _, chance in rows[2]["top"]) == pytest.approx(1, abs=1e-5)


def test_what_is_no_export_is_refused(made, tmp_path):
    with pytest.raises(NotAnExport, match=r"holds no model\.onnx"):
        Model(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(NotAnExport, match="no model that cvtune exported"):
        Model(tmp_path)
    with pytest.raises(InputError, match="no whole export"):
        load_bundle(tmp_path)


def test_out_is_a_new_folder(workspace, run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="not empty"):
        export_run(workspace, run.id, tmp_path / "mine")
    with pytest.raises(InputError, match="is a file"):
        export_run(workspace, run.id, tmp_path / "mine" / "letter.txt")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_a_stop_leaves_nothing_half_done(workspace, run, tmp_path):
    def stop(share, words):
        assert words == "writing the model"
        raise Stopped

    with pytest.raises(Stopped):
        export_run(workspace, run.id, tmp_path / "out", stop)
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_an_epoch_is_refused(workspace):
    begun = training.fit(workspace, Config("test_resnet:random", image_size=64, epochs=0, head="random"))
    with pytest.raises(InputError, match="no finished epoch"):
        export_run(workspace, begun.id)


def test_a_network_with_padding_that_depends_on_size_is_exported_too(tmp_path):
    torch.manual_seed(0)
    classifier = Classifier(networks.load("efficientnet_lite0"), 3, 0.5, normalise=True).eval()
    onnx_model.write_onnx(classifier, tmp_path / "model.onnx", ["a", "b", "c"], 96)
    images = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    assert onnx_model.parity(classifier, Model(tmp_path), images) < 1e-5
    classifier.last = nn.Linear(1280, 3)
    with pytest.raises(InputError, match="differ"):
        onnx_model.parity(classifier, Model(tmp_path), images)
