"""Exported look-alikes: what the workspace finds, found without it; and `cvtune similar`."""

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

from cvtune_nb import classification, cli
from cvtune_nb.classification import load_bundle
from cvtune_nb.data import open_workspace
from cvtune_nb.data.photo import read_photo
from cvtune_nb.errors import InputError
from cvtune_nb.export import open_export, verification
from cvtune_nb.export.predict import Similar, lines_of
from cvtune_nb.parameters import Config
from cvtune_nb.similarity import embedder, export, export_similarity, index, measure, projection, vectors
from cvtune_nb.workspace import Workspace

LITE = "efficientnet_lite0@64"


@pytest.fixture(scope="module")
def space(opened, tmp_path_factory):
    return Workspace(shutil.copytree(opened.folder, tmp_path_factory.mktemp("similarity") / "workspace"))


@pytest.fixture(scope="module")
def made(space, tmp_path_factory):
    """An export of the frozen network, by cosine distance. Shared: only read it."""
    return export_similarity(space, LITE, tmp_path_factory.mktemp("similar") / "mine")


@pytest.fixture(scope="module")
def run(space):
    return classification.fit(space, Config("test_resnet:random", image_size=64, epochs=1, batch_size=16)).id


@pytest.fixture(scope="module")
def tiny(space, run):
    """One of a run, whitened, by Euclidean distance."""
    return export_similarity(space, run, components="pca-whitened", distance="euclidean")


@pytest.fixture
def again(space, run, tiny, monkeypatch):
    """A function that exports the same once more, without the seconds that its graph takes."""
    monkeypatch.setattr(export, "onnx_graph", lambda *_, **__: onnx.load(tiny.folder / "model.onnx"))
    return lambda out=None: export_similarity(space, run, out, components="pca-whitened", distance="euclidean")


@pytest.fixture
def folder(tiny, tmp_path):
    """A copy of an export to do harm to."""
    return shutil.copytree(tiny.folder, tmp_path / "export")


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
        "walk.py",
        "README.md",
        "hashes.json",
        "thumbnails.zip",
    } == set(made.files)
    assert made.parity < 1e-3 and made.parity_photos > 8
    assert made.to_dict()["test_openings"] == made.openings >= 1
    photos = space.photos()
    pd.testing.assert_frame_equal(pd.read_csv(made.folder / "gallery.csv"), photos[["path", "label", "split"]])
    assert made.validation.to_dict() == measure(space, embedder(space, LITE)).to_dict()
    about = json.loads((made.folder / "labels.json").read_text())
    assert about["kind"] == "similarity" and about["labels"] == space.classes and about["distance"] == "cosine"
    config = json.loads((made.folder / "config.json").read_text())
    assert config["test"]["recall_1"] == made.test.recall[1].value and config["photos"] == len(photos) == made.photos
    card = (made.folder / "README.md").read_text()
    assert str(made.test.mean_precision) in card and str(made.validation.recall[10]) in card and "{" not in card


def test_the_vectors_are_those_of_the_workspace(made, tiny, space):
    photos = space.photos()
    for each in (made, tiny):
        rows = vectors(space, photos, each.embedder)
        components = "pca-whitened" if each is tiny else "pca"
        rows = projection(rows[(photos["split"] == "train").to_numpy()], components)(rows)
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


@pytest.mark.parametrize("distance", list(index.DISTANCES))
def test_the_distances_are_those_of_the_workspace(made, space, distance):
    model = open_export(made.folder)
    model.distance, rows = distance, np.asarray(model.index, np.float32)
    vector = own(model, space, 5)
    places, far = model.nearest(vector, 12)
    found = index.Gallery(rows, distance).search(vector[None], 12)
    assert np.allclose(far, found.distances[0], atol=1e-2 if distance == "euclidean" else 1e-4)
    assert set(places[1:11]) <= set(found.places[0])


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
    with pytest.raises(InputError, match="distance is 'far'"):
        export_similarity(space, LITE, distance="far")
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


def test_thumbnails_are_small_and_leave_out_what_is_gone(made, space, tmp_path, monkeypatch):
    with zipfile.ZipFile(made.folder / "thumbnails.zip") as packed:
        assert packed.namelist() == [f"{number}.jpg" for number in range(72)]
        assert {entry.compress_type for entry in packed.infolist()} == {zipfile.ZIP_STORED}
        assert max(Image.open(io.BytesIO(packed.read("5.jpg"))).size) == 96
    photos = space.photos().head(3)
    photos.loc[1, "path"] = "gone.jpg"
    export._write_thumbnails(space, photos, tmp_path / "t.zip", lambda *_: None)
    with zipfile.ZipFile(tmp_path / "t.zip") as packed:
        assert packed.namelist() == ["0.jpg", "2.jpg"]


# -- cvtune similar -------------------------------------------------------------------------------------------


def called(capsys, *arguments) -> tuple[int, dict, str]:
    """Exit status, the JSON object on stdout and stderr of one command."""
    status = cli.main([*map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return status, json.loads(out) if out else {}, err


def test_similar_by_an_export(made, space, tmp_path, capsys):
    photo, broken = space.path_of(space.photos()["path"][9]), tmp_path / "broken.jpg"
    broken.write_text("<html>")
    status, found, _ = called(capsys, "similar", made.folder, photo, broken, "--k", 3)
    assert status == 0
    first, second = found["similar"]
    assert first["similar"] == open_export(made.folder).predict([photo], 3)[0]["similar"]
    assert first["path"] == str(photo) and {"path", "label", "distance"} <= set(first["similar"][0])
    assert second == {"path": str(broken), "error": "not a photo: a web page"}
    status, again, _ = called(capsys, "similar", made.zip, "--k", 3, photo)
    assert (status, again["similar"]) == (0, [first]), "photos may stand behind options"
    assert cli.main(["similar", str(made.folder), str(photo), str(broken)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"nearest to {photo}\ndistance  label") and f"{broken}: not a photo" in out
    status, answers, _ = called(capsys, "predict", made.folder, photo)
    assert status == 0 and len(answers["predictions"][0]["similar"]) == 10
    assert cli.main(["predict", str(made.folder), str(photo)]) == 0
    assert capsys.readouterr().out.startswith("nearest to ")


def test_similar_by_an_export_needs_neither_torch_nor_pandas(made, space):
    absent = ["torch", "torchvision", "timm", "pandas", "sklearn", "scipy", "safetensors", "matplotlib"]
    call = ["similar", str(made.folder), str(space.path_of(space.photos()["path"][9])), "--json"]
    absent = f"import sys; sys.modules.update(dict.fromkeys({absent}))"
    code = f"{absent}; from cvtune_nb import cli; sys.exit(cli.main({call}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["similar"][0]["similar"]) == 10


@pytest.mark.parametrize(
    ("name", "ways"),
    [(LITE, ()), (LITE, ("--rerank",)), ("test_resnet:random@64", ("--components", "none", "--distance", "manhattan"))],
)
def test_similar_in_a_workspace_leaves_out_the_photo_itself(workspace, tmp_path, capsys, name, ways):
    path = workspace.photos()["path"][9]
    copy = shutil.copy(workspace.path_of(path), tmp_path / "copy.jpg")
    (tmp_path / "cut.jpg").write_bytes(copy.read_bytes()[:900])
    other = tmp_path / "other.png"
    Image.open(copy).save(other)  # the same pixels in another file
    call = ["similar", workspace.folder, copy, tmp_path / "cut.jpg", other, "--k", 5, "--embedder", name, *ways]
    status, found, err = called(capsys, *call)
    assert status == 0 and f"embedder: {embedder(workspace, name).words}" in err
    own, broken, saved = found["similar"]
    assert [len(row["similar"]) for row in (own, saved)] == [5, 5]
    assert path not in [each["path"] for each in own["similar"]]
    assert saved["similar"][0]["path"] == path and saved["similar"][0]["label"] == "circle"
    assert "its end is missing" in broken["error"]
    assert workspace.test_openings() == 0


def test_similar_measures_a_run_beside_the_frozen_network(space, run, capsys):
    before = space.test_openings()
    status, found, _ = called(capsys, "similar", space.folder)
    assert status == 0 and set(found) == {"measured", "frozen", "compared"}
    assert found["measured"]["embedder"] == run and found["frozen"]["embedder"] == "test_resnet:random@64"
    assert 0 <= found["measured"]["recall_1"] <= found["measured"]["recall_10"] <= 1
    assert found["compared"].startswith("recall@1: ")
    status, found, _ = called(capsys, "similar", space.folder, "--embedder", LITE, "--rerank", "--open-test")
    assert status == 0 and found["frozen"] is None and found["measured"]["reranked"]
    assert found["test"]["split"] == "test" and found["test_openings"] == before + 1
    assert cli.main(["similar", str(space.folder), "--embedder", "last"]) == 0
    assert "what training brought: recall@1" in capsys.readouterr().out


def test_export_from_the_command_line(space, run, again, tmp_path, capsys):
    call = [
        "export",
        "--workspace",
        space.folder,
        "--run",
        "last",
        "--similarity",
        "--components",
        "pca-whitened",
        "--distance",
        "euclidean",
        "--out",
        tmp_path / "mine",
    ]
    assert cli.main([str(word) for word in call]) == 0
    out = capsys.readouterr().out
    assert embedder(space, run).words in out and "72 photos in the index" in out and "validation: recall@1" in out
    assert f"test set opened {space.test_openings()} time(s)" in out
    assert open_export(tmp_path / "mine").distance == "euclidean"


def test_similar_lists_what_to_label_next(workspace, tmp_path, capsys):
    photos = workspace.photos()
    (tmp_path / "new").mkdir()
    for number, path in enumerate(photos["path"][[0, 30, 60]]):
        turned = Image.open(workspace.path_of(path)).transpose(Image.Transpose.ROTATE_90)
        turned.save(tmp_path / "new" / f"{number}.png")
    (tmp_path / "new" / "broken.jpg").write_text("<html>")
    like = workspace.path_of(photos["path"][1])
    call = [
        "similar",
        workspace.folder,
        "--label-next",
        tmp_path / "new",
        "--count",
        2,
        "--like",
        like,
        "--embedder",
        LITE,
    ]
    status, found, _ = called(capsys, *call)
    assert status == 0 and len(found["photos"]) == 2
    assert len(pd.read_csv(found["file"])) == 2
    assert [row["reason"] for row in found["left_out"]] == ["not a photo: a web page"]
    assert cli.main([str(word) for word in call]) == 0
    assert "photos to label" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["EXPORT"], "no photos are given"),
        (["EXPORT", "PHOTO", "--rerank"], "--rerank has no meaning with an export"),
        (["EXPORT", "PHOTO", "--embedder", "best"], "--embedder has no meaning with an export"),
        (["EXPORT", "PHOTO", "--k", "0"], "--k is 0"),
        (["EXPORT", "none.jpg"], "the file is gone"),
        (["WORKSPACE", "--k", "5"], "--k has no meaning without photos to look up"),
        (["WORKSPACE", "PHOTO", "--open-test"], "--open-test has no meaning with photos to look up"),
        (["WORKSPACE", "PHOTO", "--count", "0"], "--count has no meaning with photos to look up"),
        (["WORKSPACE", "PHOTO", "--k", "-1"], "--k is -1"),
        (["WORKSPACE", "none.jpg"], "the file is gone"),
        (["WORKSPACE", "PHOTO", "--label-next", "."], "photos have no meaning with --label-next"),
        (["WORKSPACE", "--label-next", ".", "--count", "0"], "0 photos to label"),
        (["WORKSPACE", "--embedder", "no such"], "there is no run or backbone 'no such'"),
        (["WORKSPACE", "PHOTO", "--distance", "far"], "distance is 'far'"),
        (["PHOTO"], "no photos are given"),
        (["."], "is neither an export nor a workspace"),
    ],
)
def test_what_similar_refuses_is_one_sentence(tiny, space, capsys, monkeypatch, tmp_path, words, says):
    monkeypatch.chdir(tmp_path)
    names = {"EXPORT": tiny.folder, "WORKSPACE": space.folder, "PHOTO": space.path_of(space.photos()["path"][0])}
    status, _, err = called(capsys, "similar", *(names.get(word, word) for word in words))
    assert status == 2
    last = err.strip().splitlines()[-1]
    assert last.startswith("cvtune similar: ") and says in last


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--components", "pca"], "--components says how look-alikes are found"),
        (["--distance", "cosine"], "--distance says how look-alikes are found"),
        (["--similarity", "--detector"], "not as both"),
        (["--similarity", "--distance", "far"], "distance is 'far'"),
    ],
)
def test_what_export_refuses(space, capsys, words, says):
    assert cli.main(["export", "--workspace", str(space.folder), "--run", LITE, *words]) == 2
    assert says in capsys.readouterr().err


def test_an_export_of_another_kind_is_no_gallery(folder, space, capsys):
    (folder / "labels.json").write_text(json.dumps({"labels": space.classes}))
    verification.write_hashes(folder)
    photo = space.path_of(space.photos()["path"][0])
    assert cli.main(["similar", str(folder), str(photo)]) == 2
    assert "its output is vectors, not probabilities" in capsys.readouterr().err


def test_a_reopened_workspace_is_the_same(space):
    assert len(open_workspace("", space.folder).photos()) == 72
