"""What an export holds, that it computes what PyTorch does, and that its figures are those of its own files."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from cvtune_nb import classification
from cvtune_nb.classification import calibration, export_run, load_bundle
from cvtune_nb.classification.model import Classifier
from cvtune_nb.data import open_workspace
from cvtune_nb.data.photo import FULL
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.export import onnx_model, open_export
from cvtune_nb.export.onnx_preprocessing import scaling
from cvtune_nb.export.parity import odd_kinds, require_same
from cvtune_nb.export.predict import Model, photo
from cvtune_nb.models import networks
from cvtune_nb.parameters import Config
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
    return classification.fit(workspace, Config("test_resnet:random", image_size=64, epochs=1, batch_size=16))


@pytest.fixture(scope="module")
def made(workspace, run):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "ENOUGH", 10)
        return export_run(workspace, run.id)


def test_an_export_holds_everything(made, workspace, run):
    assert made.folder == workspace.exports / run.id
    programs = {"file_types.py", "colour_spaces.py", "photo.py", "predict.py", "walk.py"}
    models = {"model.onnx", "model-fp16.onnx", "model-int8.onnx", "model.safetensors", "model.pt2"}
    data = {"config.json", "labels.json", "data.csv", "test_predictions.csv", "curves.svg", "hashes.json"}
    assert set(made.files) == {"README.md", *programs, *models, *data}
    assert json.loads((made.folder / "labels.json").read_text())["labels"] == sorted(CLASSES)
    assert sorted(path.name for path in workspace.exports.iterdir()) == [run.id, f"{run.id}.zip"]
    with zipfile.ZipFile(made.zip) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == {
            file.name: file.read_bytes() for file in made.folder.iterdir()
        }
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
    again = export_run(workspace, "last", variants=())
    assert again.folder.name == f"{made.folder.name}-2", "an export is never overwritten"
    assert again.openings == workspace.test_openings() == 2
    assert again.test == made.test


def test_pytorch_and_onnx_runtime_agree_for_any_batch_and_any_size(made, run):
    assert 0 < made.parity < 1e-5
    assert made.parity_photos == 12 + 8, "the validation photos and the odd kinds"
    images = np.random.default_rng(0).integers(0, 256, (5, 90, 120, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(str(made.folder / "model.onnx"))
    together = session.run(["probabilities"], {"photos": images})[0]
    assert together.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    ours = onnx_model.Probabilities(classification.load_best(run), made.temperature).eval()
    for image, theirs in zip(images, together, strict=True):
        square = Preprocessing(64).square(io.BytesIO(as_file(image)), FULL)
        with torch.inference_mode():
            assert theirs == pytest.approx(ours(torch.from_numpy(square[None].copy())).numpy()[0], abs=1e-5)


def as_file(pixels) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize(
    ("height", "width"),
    [(73, 73), (64, 64), (7, 3), (1, 900), (900, 1), (400, 711), (711, 400), (74, 73), (72, 73), (1500, 900)],
)
@pytest.mark.parametrize("framing", photo.FRAMINGS)
def test_the_graph_scales_photos_to_the_very_pixels_that_pillow_gives(framing, height, width):
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    shown, padding = Preprocessing(64, framing=framing), (100, 7, 250)
    session = onnxruntime.InferenceSession(
        scaling(shown, padding).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {"photos": pixels[None]})[0][0]
    assert np.array_equal(found, shown.square(io.BytesIO(as_file(pixels)), FULL, padding))


def test_a_model_that_computes_something_else_is_not_exported(workspace, run, monkeypatch):
    openings, exports = workspace.test_openings(), list(workspace.exports.iterdir())
    right = onnx_model.probabilities
    monkeypatch.setattr(onnx_model, "probabilities", lambda classes, temperature: right(classes, temperature * 2))
    with pytest.raises(InputError, match=r"differ by .* in the probabilities on .*so nothing was exported"):
        export_run(workspace, run.id, variants=())
    assert workspace.test_openings() == openings, "the test set stays closed"
    assert list(workspace.exports.iterdir()) == exports


def test_photos_of_odd_kinds_are_what_they_say(workspace):
    upright = photo.read_photo(workspace.path_of(workspace.photos()["path"].iloc[0]))
    kinds = {name: Image.open(io.BytesIO(content)) for name, content in odd_kinds(upright)}
    assert [image.mode for image in kinds.values()][:2] == ["L", "CMYK"]
    assert kinds["a photo on its side (EXIF)"].size == upright.size[::-1]
    turned = dict(odd_kinds(upright))["a photo on its side (EXIF)"]
    assert photo.read_photo(io.BytesIO(turned)).size == upright.size
    assert kinds["a tiny photo"].size == (7, 5)
    assert min(kinds["a huge photo"].size) >= 3000


def test_variants_are_judged_on_the_same_photos(made, workspace, run):
    rows = made.variants.set_index("variant")
    assert list(rows.index) == ["fp32", "fp16", "int8"]
    assert rows.at["fp16", "megabytes"] < 0.7 * rows.at["fp32", "megabytes"]
    assert (rows["milliseconds"] > 0).all()
    held_back = workspace.photos().query("split != 'train'")
    paths = [workspace.path_of(path) for path in held_back["path"]]
    for variant in rows.index:
        answers = open_export(made.folder, variant).predict(paths)
        right = [row["label"] == label for row, label in zip(answers, held_back["label"], strict=True)]
        assert rows.at[variant, "accuracy"] == pytest.approx(np.mean(right))
    assert (rows["verdict"].iloc[1:].str.contains("no reliable difference|better|worse")).all()


def test_no_room_for_the_quantiser(workspace, run, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000))
    with pytest.raises(InputError, match=r"has 0 MB free and .* MB are needed: free some space"):
        export_run(workspace, run.id, tmp_path / "small", variants=("int8",))
    assert not list(tmp_path.iterdir())


def test_without_variants_there_is_one_model(workspace, run, tmp_path):
    small = export_run(workspace, run.id, tmp_path / "small", variants=())
    assert [name for name in small.files if name.endswith(".onnx")] == ["model.onnx"]
    with pytest.raises(InputError, match="has no int8 variant: export it again with --variants int8"):
        open_export(small.folder, "int8")
    with pytest.raises(InputError, match="no variant 'int4': choose from fp16, int8"):
        export_run(workspace, run.id, variants=("int4",))


def test_the_temperature_changes_no_answer_and_lowers_the_loss(made, workspace, run):
    rows = workspace.photos().query("split == 'validation'")
    images = np.stack([Preprocessing(64).square(workspace.path_of(path), FULL) for path in rows["path"]])
    with torch.inference_mode():
        logits = classification.load_best(run)(torch.from_numpy(images))
    truth = torch.tensor([run.classes.index(label) for label in rows["label"]])

    def loss(temperature):
        return float(nn.functional.cross_entropy(logits / temperature, truth))

    assert loss(made.temperature) <= min(loss(t) for t in (0.5, 1.0, 2.0, made.temperature * 1.05)) + 1e-4
    answers = Model(made.folder).predict([workspace.path_of(path) for path in rows["path"]])
    assert [row["label"] for row in answers] == [run.classes[i] for i in logits.argmax(1)]
    chances = (logits / made.temperature).softmax(1).max(1).values
    assert [row["probability"] for row in answers] == pytest.approx(chances.tolist(), abs=1e-5)


def test_below_the_threshold_it_is_not_sure(workspace, run, tmp_path):
    with pytest.raises(InputError, match="threshold is 1"):
        export_run(workspace, run.id, threshold=1)
    made = export_run(workspace, run.id, tmp_path / "careful", variants=(), threshold=0.9)
    paths = [workspace.path_of(path) for path in workspace.photos().query("split == 'validation'")["path"]]
    rows = Model(made.folder).predict(paths)
    assert [row["sure"] for row in rows] == [row["probability"] >= 0.9 for row in rows]
    assert {row["sure"] for row in rows} == {True, False}
    at = made.coverage.set_index("threshold").loc[0.9]
    assert at["coverage"] == pytest.approx(np.mean([row["sure"] for row in rows]))
    assert "below a probability of 0.9" in (made.folder / "README.md").read_text().lower()


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
        ours, theirs = classification.load_best(run)(images), load_bundle(made.folder)(images)
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
    with pytest.raises(InputError, match=r"holds no model\.onnx"):
        open_export(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"holds no model\.onnx of cvtune's"):
        Model(tmp_path)
    with pytest.raises(InputError, match="incomplete"):
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
    begun = classification.fit(workspace, Config("test_resnet:random", image_size=64, epochs=0, head="random"))
    with pytest.raises(InputError, match="no finished epoch"):
        export_run(workspace, begun.id)


def test_a_network_with_padding_that_depends_on_size_is_exported_too(tmp_path):
    torch.manual_seed(0)
    classifier = Classifier(networks.load("efficientnet_lite0"), 3, 0.5, normalise=True).eval()
    graph = onnx_model.network(onnx_model.program(classifier, 96))
    onnx_model.save(
        onnx_model.whole(graph, ["a", "b", "c"], Preprocessing(96), 1.0, threshold=0), tmp_path / "model.onnx"
    )
    images = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    with torch.inference_mode():
        ours = onnx_model.Probabilities(classifier)(torch.from_numpy(images)).numpy()
    side = photo.short_side(96)
    framed = np.zeros((3, side, side, 3), np.uint8)
    photo.crop_centre(framed, 96)[:] = images
    assert require_same(ours, Model(tmp_path).probabilities(framed), "noise") < 1e-5
    with pytest.raises(InputError, match="differ"):
        require_same(ours[::-1], Model(tmp_path).probabilities(framed), "noise")
