"""An exported detector: what PyTorch finds, found without it."""

import json
import shutil
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import onnx
import pandas as pd
import pytest
import torch

from cvtune_nb.data.photo import scaled
from cvtune_nb.detection import export, export_detector, load_run, open_dataset
from cvtune_nb.detection.export import compare
from cvtune_nb.detection.inference import found_in
from cvtune_nb.detection.model import load_best
from cvtune_nb.detection.onnx_graph import Graph
from cvtune_nb.errors import InputError
from cvtune_nb.export import open_export
from cvtune_nb.export.predict import Detector, lines_of
from tests.serving import MULTIPART, Running, form


@pytest.fixture(scope="module")
def exported(trained_detector, scene_folder, tmp_path_factory):
    shared, run = trained_detector
    folder = shutil.copytree(shared.workspace.folder, tmp_path_factory.mktemp("exported") / "workspace")
    dataset = open_dataset(scene_folder, folder)  # an export opens the test set
    return dataset, run, export_detector(dataset, run.id, tmp_path_factory.mktemp("export") / "mine")


def framed(picture, side):
    made = np.zeros((side, side, 3), np.uint8)
    made[: picture.shape[0], : picture.shape[1]] = picture
    return torch.from_numpy(made), torch.tensor(picture.shape[:2])


def test_the_graph_finds_what_torchvision_finds(trained_detector, monkeypatch):
    dataset, run = trained_detector
    detector, compared = load_best(run), 0
    graph = Graph(detector, 128).eval()
    full_precision = partial(torch.autocast, "cpu", enabled=False)
    monkeypatch.setattr("cvtune_nb.detection.inference.mixed_precision", lambda _: full_precision())
    for path in dataset.photos["path"]:  # all: how many a barely trained detector finds differs between processors
        picture = scaled(dataset.workspace.path_of(path), 128)
        whole = framed(picture, 128)[0].numpy()  # torchvision gets the frame too, so that the maps are the same
        with torch.inference_mode():
            boxes, labels, scores = (each.numpy() for each in graph(torch.from_numpy(whole), torch.tensor([128, 128])))
        theirs = found_in(detector, [whole])[0]
        n, compared = len(theirs["scores"]), compared + len(theirs["scores"])
        assert (scores[n:] == 0).all() and (scores[:n] > 0).all()
        assert np.allclose(scores[:n], theirs["scores"], atol=1e-4)
        boxes[:, 2:] -= boxes[:, :2]
        alike = (labels[:n] + 1 == theirs["labels"]) & (np.abs(boxes[:n] - theirs["boxes"]).max(axis=1) < 1e-3)
        assert (~alike).sum() <= 0.05 * n, "equal scores may change places"
    assert compared > 20


def test_what_lies_beside_the_photo_is_not_looked_at(trained_detector):
    dataset, run = trained_detector
    graph = Graph(load_best(run), 128).eval()
    photo, size = framed(scaled(dataset.workspace.path_of("001.jpg"), 128), 128)
    other = photo.clone()
    other[size[0] :] = 200
    with torch.inference_mode():
        first, second = graph(photo, size), graph(other, size)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert ((first[0] >= 0) & (first[0] <= 1)).all()


def test_an_export_is_whole_and_its_figures_are_those_of_its_files(exported):
    dataset, run, made = exported
    assert {
        "model.onnx",
        "model.safetensors",
        "labels.json",
        "config.json",
        "predict.py",
        "photo.py",
        "file_types.py",
        "colour_spaces.py",
        "walk.py",
        "README.md",
        "hashes.json",
        "data.csv",
        "boxes.csv",
        "test_detections.csv",
    } == set(made.files)
    assert made.parity < 1e-3 and made.parity_photos > 8
    assert dataset.workspace.test_openings() == made.openings == 1
    model = open_export(made.folder)
    assert isinstance(model, Detector) and model.labels == run.classes
    assert model.threshold == made.validation.threshold
    model.threshold = 0.0
    seen = pd.read_csv(made.folder / "test_detections.csv")
    for path, rows in seen.groupby("path"):
        again = model.predict([dataset.workspace.path_of(path)])[0]["boxes"]
        assert [box["label"] for box in again] == rows["label"].tolist()
        assert np.allclose([box["score"] for box in again], rows["score"], atol=1e-6)
    config = json.loads((made.folder / "config.json").read_text())
    assert config["test"]["ap"] == made.test.scores.ap and config["kind"] == "detector"
    card = (made.folder / "README.md").read_text()
    assert made.test.words in card and "{" not in card.replace("{label}", "")


def test_the_exported_program_runs_alone(exported, tmp_path):
    dataset, _, made = exported
    photos = [str(dataset.workspace.path_of(path)) for path in ("001.jpg", "008.jpg")]
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    command = [sys.executable, str(made.folder / "predict.py"), *photos, str(tmp_path / "broken.jpg")]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["predictions"]
    assert rows == open_export(made.folder).predict([*photos, tmp_path / "broken.jpg"])
    assert "not a photo" in rows[2]["error"]
    text = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path).stdout
    assert text.splitlines() == lines_of(rows, Detector)


def test_the_zip_is_the_same(exported):
    dataset, _, made = exported
    path = dataset.workspace.path_of("001.jpg")
    assert open_export(made.zip).predict([path]) == open_export(made.folder).predict([path])


def test_it_is_served_with_the_same_answers(exported):
    dataset, run, made = exported
    paths = [dataset.workspace.path_of(path) for path in ("001.jpg", "002.jpg")]
    server = Running(made.zip)
    try:
        assert server.ask("GET", "/labels")[2] == {
            "labels": run.classes,
            "image_size": 128,
            "threshold": made.validation.threshold,
            "kind": "detector",
        }
        body = form(*((path.name, path.read_bytes()) for path in paths), ("broken.jpg", b"no photo"))
        status, _, value = server.ask("POST", "/predict", body, **MULTIPART)
    finally:
        assert server.end()[0] == 0
    assert status == 200
    expected = open_export(made.folder).predict(paths)
    assert [row.get("boxes") for row in value["predictions"]] == [*(row["boxes"] for row in expected), None]
    assert "not a photo" in value["predictions"][2]["error"]


def test_a_model_that_says_something_else_is_not_exported(trained_detector, tmp_path, monkeypatch):
    dataset, run = trained_detector
    real = export.onnx_model

    def wrong(graph, labels, **notes):
        made = real(graph, labels, **notes)
        weight = next(each for each in made.graph.initializer if each.dims == [3, 512])
        values = onnx.numpy_helper.to_array(weight) * 1.5
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        return made

    monkeypatch.setattr(export, "onnx_model", wrong)
    opened = dataset.workspace.test_openings()
    with pytest.raises(InputError, match="so nothing was exported"):
        export_detector(dataset, run.id, tmp_path / "mine")
    assert not (tmp_path / "mine").exists() and dataset.workspace.test_openings() == opened


def test_a_changed_file_is_refused(exported, tmp_path):
    import shutil

    folder = shutil.copytree(exported[2].folder, tmp_path / "changed")
    made = onnx.load(folder / "model.onnx")
    made.graph.output[2].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    onnx.save(made, str(folder / "model.onnx"))
    with pytest.raises(InputError, match="hash differs"):
        open_export(folder)
    from cvtune_nb.export import verification

    verification.write_hashes(folder)
    with pytest.raises(InputError, match="scores must be float32"):
        open_export(folder)


def test_an_export_that_is_there_is_never_overwritten(exported):
    dataset, run, made = exported
    with pytest.raises(InputError, match="is not empty"):
        export_detector(dataset, run.id, made.folder)


def test_a_detector_that_is_not_there_is_named(dataset):
    with pytest.raises(InputError, match="no trained detector yet"):
        export_detector(dataset, "best")


def test_compare_counts_odd_kinds_of_photos(exported):
    dataset, run, made = exported
    graph = Graph(load_best(load_run(dataset, run.id)), 128).eval()
    difference, photos = compare(graph, open_export(made.folder), dataset, dataset.part("validation"))
    assert photos == len(dataset.part("validation").photos) + 8
    assert difference < 1e-3


@pytest.mark.parametrize("output", [0, 2])
def test_a_box_or_score_that_is_no_number_is_not_the_same(exported, output):
    dataset, run, made = exported
    model = open_export(made.folder)
    real = model.session

    def run_with_nan(names, given):
        answers = real.run(names, given)
        answers[output] = np.full_like(answers[output], np.nan)
        return answers

    model.session = SimpleNamespace(run=run_with_nan)
    with pytest.raises(InputError, match=r"differ by nan .* in the boxes on"):
        compare(Graph(load_best(run), 128).eval(), model, dataset, dataset.part("validation"))
