"""Exported look-alikes: what the workspace finds, found without it."""

import io
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import pandas as pd
import pytest
from PIL import Image

from cvtune_nb.classification import load_bundle
from cvtune_nb.data.photo import read_photo
from cvtune_nb.errors import InputError
from cvtune_nb.export import open_export, verification
from cvtune_nb.export.predict import Similar, lines_of
from cvtune_nb.similarity import (
    DISTANCES,
    Metric,
    embed,
    evaluate_split,
    export,
    export_similarity,
    find_embedder,
)
from cvtune_nb.similarity.index import VectorIndex
from cvtune_nb.similarity.model import load_network
from tests.similarity.conftest import FROZEN


def own(model, space, number):
    """The vector that the exported model gives for the photo with that number."""
    return model.infer([model.prepared(space.path_of(model.gallery[number][0]))])[0]


def test_an_export_is_whole_and_its_figures_are_those_of_the_workspace(made, space):
    assert {
        "model.onnx",
        "model.safetensors",
        "index.npy",
        "gallery.csv",
        "labels.json",
        "config.json",
        "predict.py",
        "photo.py",
        "file_types.py",
        "colour_spaces.py",
        "walk.py",
        "README.md",
        "hashes.json",
        "thumbnails.zip",
    } == set(made.files)
    assert made.parity < 1e-3 and made.parity_photos > 8
    assert made.to_dict()["test_openings"] == made.openings >= 1
    photos = space.photos()
    pd.testing.assert_frame_equal(pd.read_csv(made.folder / "gallery.csv"), photos[["path", "label", "split"]])
    assert made.validation.to_dict() == evaluate_split(space, find_embedder(space, FROZEN)).to_dict()
    about = json.loads((made.folder / "labels.json").read_text())
    assert about["kind"] == "similarity" and about["labels"] == space.classes and about["distance"] == "cosine"
    config = json.loads((made.folder / "config.json").read_text())
    assert config["test"]["recall_1"] == made.test.recall[1].value and config["photos"] == len(photos) == made.photos
    card = (made.folder / "README.md").read_text()
    assert str(made.test.mean_precision) in card and str(made.validation.recall[10]) in card and "{" not in card


def test_the_vectors_are_those_of_the_workspace(made, tiny, space):
    photos = space.photos()
    for each in (made, tiny):
        rows = embed(space, photos, each.embedder)
        rows = each.validation.metric.projection(rows[(photos["split"] == "train").to_numpy()])(rows)
        model = open_export(each.folder)
        assert np.array_equal(model.index, rows.astype(np.float16))
        for number in (0, 30, 71):
            vector = own(model, space, number)
            assert abs(np.linalg.norm(vector) - 1) < 1e-5
            assert rows[number] @ vector > 0.98


def test_photos_of_any_size_go_through_the_graph(made, space):
    model = open_export(made.folder)
    photo = np.asarray(read_photo(space.path_of(model.gallery[0][0])))
    assert np.allclose(model.infer([photo])[0], own(model, space, 0), atol=1e-4)


def test_the_exported_program_runs_alone_and_finds_the_photo_itself_first(made, space, tmp_path):
    folder = shutil.copytree(made.folder, tmp_path / "elsewhere")
    photos = [str(space.path_of(path)) for path in space.photos()["path"][[3, 40]]]
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    command = [sys.executable, str(folder / "predict.py"), *photos, str(tmp_path / "broken.jpg")]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["predictions"]
    for row, number in zip(rows, (3, 40), strict=False):
        first = row["similar"][0]
        assert first["number"] == number and row["path"].endswith(first["path"])
        assert first["distance"] < 0.02  # features may be computed in bfloat16
        far = [each["distance"] for each in row["similar"]]
        assert len(far) == 10 and far == sorted(far)
    assert "not a photo" in rows[2]["error"]
    text = subprocess.run(command[:3], capture_output=True, text=True, cwd=tmp_path).stdout
    assert text.splitlines() == lines_of(rows[:1], Similar)


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_distances_are_those_of_the_workspace(made, space, distance):
    model = open_export(made.folder)
    model.distance, rows = distance, np.asarray(model.index, np.float32)
    vector = own(model, space, 5)
    numbers, distances = model.nearest(vector, 12)
    found = VectorIndex(rows, Metric(distance=distance)).search(vector[None], 12)
    # rows are kept in float16, so their length is 1 to within .0005, and processors round differently
    assert np.allclose(distances, found.distances[0], atol=3e-2 if distance == "euclidean" else 1e-3)
    assert set(numbers[1:11]) <= set(found.indices[0])


def cut(file):
    file.write_bytes(file.read_bytes()[:-500])


def shortened(file):
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("index.npy", cut),
        ("index.npy", lambda file: file.write_text("hello")),
        ("index.npy", lambda file: file.write_bytes(b"")),
        ("index.npy", lambda file: file.unlink()),
        ("index.npy", lambda file: np.save(file, np.zeros((72, 3), np.float16))),
        ("index.npy", lambda file: np.save(file, np.load(file).astype(np.float64))),
        ("index.npy", lambda file: np.save(file, np.array([{}] * 72))),
        ("gallery.csv", shortened),
        ("gallery.csv", lambda file: file.write_bytes(b"path,label\n\xff\xfe,x\n")),
        ("gallery.csv", lambda file: file.write_text("a,b\n" + "1,2\n" * 72)),
        ("gallery.csv", lambda file: file.unlink()),
    ],
)
def test_a_damaged_index_is_named_in_one_sentence(folder, name, harm):
    harm(folder / name)
    with pytest.raises(ValueError, match=f"has no complete {name} .*: export it again$"):
        Similar(folder)
    with pytest.raises(InputError, match=f"{name}.* (is not the file|no plain file|in it)"):
        open_export(folder)
    verification.write_hashes(folder)
    with pytest.raises(InputError, match=name):
        open_export(folder)


def note(proto, key, value):
    next(entry for entry in proto.metadata_props if entry.key == key).value = value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda proto: note(proto, "distance", '"by feel"'), "'by feel', which is no distance"),
        (lambda proto: note(proto, "labels", '["a"]'), "its labels are not those"),
        (lambda proto: note(proto, "short_side", "0"), "its sizes make no sense"),
        (lambda proto: setattr(proto.graph.output[0], "name", "rows"), "its output is rows, not vectors"),
        (lambda proto: setattr(proto.graph.output[0].type.tensor_type, "elem_type", 11), "vectors must be float32"),
    ],
)
def test_a_model_that_is_not_what_it_says(folder, change, words):
    proto = onnx.load(folder / "model.onnx")
    change(proto)
    onnx.save(proto, str(folder / "model.onnx"))
    verification.write_hashes(folder)
    with pytest.raises(InputError, match=words):
        open_export(folder)


def test_it_is_no_classifier_to_go_on_with(tiny):
    with pytest.raises(InputError, match=r"holds no classifier \(similarity\)"):
        load_bundle(tiny.folder)


def test_an_index_that_no_hash_vouches_for(folder):
    hashes = json.loads((folder / "hashes.json").read_text())
    del hashes["sha256"]["index.npy"]
    (folder / "hashes.json").write_text(json.dumps(hashes))
    with pytest.raises(InputError, match=r"does not name index\.npy"):
        open_export(folder)


def test_the_zip_is_the_same_and_knows_no_smaller_form(made, space):
    path = space.path_of(space.photos()["path"][0])
    assert open_export(made.zip).predict([path]) == open_export(made.folder).predict([path])
    with pytest.raises(InputError, match="has no int8 variant"):
        open_export(made.folder, "int8")


def test_nothing_is_overwritten_and_the_test_set_is_opened_once_an_export(space, tiny, again):
    before = space.test_openings()
    with pytest.raises(InputError, match="is not empty"):
        again(tiny.folder)
    with pytest.raises(InputError, match="there is no run or backbone 'x'"):
        export_similarity(space, "x")
    assert space.test_openings() == before
    second = again()
    assert second.folder.name == f"{tiny.folder.name}-2" and second.zip.exists()
    assert second.openings == space.test_openings() == before + 1
    assert second.to_dict() | {"validation": 0} == tiny.to_dict() | {
        "validation": 0,
        "folder": str(second.folder),
        "zip": str(second.zip),
        "test_openings": second.openings,
        "seconds": round(second.seconds, 2),
    }


def test_what_onnx_runtime_computes_otherwise_is_not_exported(space, again, tmp_path, monkeypatch):
    made = export.onnx_graph()
    weight = next(each for each in made.graph.initializer if len(each.dims) == 4)
    values = onnx.numpy_helper.to_array(weight) * np.linspace(0, 2, weight.dims[0])[:, None, None, None]
    weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), weight.name))
    monkeypatch.setattr(export, "onnx_graph", lambda *_, **__: made)
    before = space.test_openings()
    with pytest.raises(InputError, match="so nothing was exported"):
        again(tmp_path / "mine")
    assert list(tmp_path.iterdir()) == [] and space.test_openings() == before


def test_a_vector_that_is_no_number_is_not_the_same(made, space, monkeypatch):
    model, network = open_export(made.folder), load_network(space, made.embedder)
    monkeypatch.setattr(model, "infer", lambda photos: [np.full(1, np.nan) for _ in photos])
    with pytest.raises(InputError, match=r"differ by nan .* in the vectors on"):
        export.compare(space, network, model, space.photos().head(1), made.embedder.spec.preprocessing)


def test_thumbnails_are_small_and_leave_out_what_is_gone(made, space, tmp_path, monkeypatch):
    with zipfile.ZipFile(made.folder / "thumbnails.zip") as packed:
        assert packed.namelist() == [f"{number}.jpg" for number in range(72)]
        assert {entry.compress_type for entry in packed.infolist()} == {zipfile.ZIP_STORED}
        assert max(Image.open(io.BytesIO(packed.read("5.jpg"))).size) == 96
    photos = space.photos().head(3)
    photos.loc[1, "path"] = "gone.jpg"
    export.write_thumbnails(space, photos, tmp_path / "t.zip", lambda *_: None)
    with zipfile.ZipFile(tmp_path / "t.zip") as packed:
        assert packed.namelist() == ["0.jpg", "2.jpg"]
