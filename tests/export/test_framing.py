"""In each framing the store, the exported program, the ONNX graph and the service give the same pixels."""

import importlib.util
import io
import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

from cvtune_nb import classification
from cvtune_nb.classification import export_run
from cvtune_nb.classification.model import Classifier
from cvtune_nb.data import open_workspace, photo
from cvtune_nb.data.mean_colour import padding_for
from cvtune_nb.data.pixels import pixels, square
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export import onnx_model, open_export, verification
from cvtune_nb.export.onnx_preprocessing import scaling
from cvtune_nb.export.packaging import write_program
from cvtune_nb.export.serving.reading import Limits
from cvtune_nb.export.serving.service import Service
from cvtune_nb.files import write_json
from cvtune_nb.models import networks
from cvtune_nb.parameters import Config
from tests.photos import make_photos
from tests.torture import make_torture

SIZE = 32
LABELS = ["rose", "tulip"]


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """The torture folder: odd sizes, turned by EXIF, grey, transparent, 16 bits, palettes ..."""
    root = tmp_path_factory.mktemp("torture")
    make_torture(make_photos(root / "photos", LABELS, per_class=12, size=96), tuple(LABELS))
    return open_workspace(root / "photos", root / "w")


SHOWN = [
    *((framing, "1:1") for framing in photo.FRAMINGS),
    *itertools.product(photo.FRAMINGS, ("4:3", "9:16")),
]


@pytest.fixture(scope="module", params=SHOWN, ids=" ".join)
def shown(request):
    return Preprocessing(SIZE, *request.param)


@pytest.fixture(scope="module")
def exported(space, shown, tmp_path_factory):
    """A folder with the model for that framing, and the program in it."""
    made = tmp_path_factory.mktemp(shown.framing)
    torch.manual_seed(0)
    backbone = networks.load("test_resnet:random", image_size=shown.size)
    classifier = Classifier(backbone, len(LABELS), 0.0, normalise=True)
    network = onnx_model.network(onnx_model.program(classifier.eval(), shown.size))
    padding = padding_for(space, shown)
    graph = onnx_model.whole(network, LABELS, shown, 1.0, padding, threshold=0, levels=space.levels)
    onnx_model.save(graph, made / "model.onnx")
    write_json(made / "labels.json", {"labels": LABELS})
    write_program(made)
    verification.write_hashes(made)
    return made


def program(folder):
    """predict.py of an export, as its user imports it: with photo.py beside it."""
    found = importlib.util.spec_from_file_location("predict_of_export", folder / "predict.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.Model(folder)


def test_store_program_graph_and_service_give_the_same_pixels(space, shown, exported):
    photos = space.photos(contested=True)
    photos = photos[photos["width"] * photos["height"] < 1e6]
    assert len(photos) > 60 and (shown.aspect == "1:1") == (shown.shape == (SIZE, SIZE))
    store = pixels(space, photos, shown).centre(range(len(photos)))
    model, service = program(exported), Service(open_export(exported), Limits())
    graph = scaling(shown, padding_for(space, shown)).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for row, ours in zip(photos.itertuples(), store, strict=True):
        path = space.path_of(row.path)
        assert np.array_equal(ours, square(space, path, shown)), row.path
        assert np.array_equal(ours, photo.crop_centre(model.prepared(path), shown.size)), row.path
        assert np.array_equal(ours, photo.crop_centre(service.decode(path.read_bytes()), model.image_size)), row.path
        decoded = np.asarray(photo.read_photo(path, model.short_side, space.levels))
        for given in (decoded, model.prepared(path)):
            assert np.array_equal(ours, session.run(None, {"photos": given[None]})[0][0]), row.path
    service.close()


def test_answers_are_those_of_the_graph_on_the_undecoded_photo(space, exported):
    model, path = open_export(exported), space.path_of(space.photos()["path"][0])
    whole = np.asarray(photo.read_photo(path, model.short_side, space.levels))
    assert np.abs(model.infer([model.prepared(path)])[0][0] - model.probabilities(whole[None])[0]).max() < 1e-6


def test_a_run_trained_and_exported_whole(workspace, tmp_path, monkeypatch):
    config = Config("test_resnet:random", image_size=64, framing="whole", epochs=1, batch_size=16)
    run = classification.fit(workspace, config)
    assert run.config.framing == "whole" and run.padding == workspace.mean_colour != photo.BLACK
    made = export_run(workspace, run.id, tmp_path / "e", variants=())  # raises unless graph and PyTorch agree
    model = open_export(made.folder)
    assert (model.framing, model.padding, model.short_side) == ("whole", workspace.mean_colour, 64)
    card = (made.folder / "README.md").read_text()
    assert "the long side is scaled to 64 pixels and the rest of the 64 x 64 has the colour (" in card
    assert classification.load_run(workspace, run.id).padding == workspace.mean_colour
    monkeypatch.setattr(type(workspace), "mean_colour", (1, 2, 3))  # as if it had been measured anew
    with pytest.raises(InputError, match=r"has learned from photos with the colour .* around them, and the workspace"):
        export_run(workspace, run.id, tmp_path / "f", variants=())


def wide() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 90, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_an_export_without_a_framing_crops(exported, tmp_path):
    for file in exported.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    proto = onnx.load(tmp_path / "model.onnx")
    kept = [entry for entry in proto.metadata_props if entry.key not in ("framing", "padding")]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    onnx.save(proto, tmp_path / "model.onnx")
    verification.write_hashes(tmp_path)
    model = open_export(tmp_path)
    assert (model.framing, model.padding) == ("crop", (0, 0, 0))
    content = wide()
    ours = photo.centre_square(io.BytesIO(content), model.short_side)
    assert np.array_equal(model.prepared(io.BytesIO(content)), ours)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("framing", "zoom", "frames photos in a way that is not known here: 'zoom'"),
        ("padding", "[1, 2]", "its sizes make no sense"),
        ("padding", "[1, 2, 300]", "its sizes make no sense"),
        ("padding", "red", "its notes are missing or damaged"),
        ("image_size", "[64, 84, 3]", "its notes are missing or damaged"),
        ("image_size", "[28, 99999]", "its sizes make no sense"),
    ],
)
def test_a_framing_from_strangers_is_checked(exported, tmp_path, key, value, why):
    for file in exported.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    proto = onnx.load(tmp_path / "model.onnx")
    next(entry for entry in proto.metadata_props if entry.key == key).value = value
    onnx.save(proto, tmp_path / "model.onnx")
    verification.write_hashes(tmp_path)
    with pytest.raises(InputError, match=why):
        open_export(tmp_path)
