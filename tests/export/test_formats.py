"""What holds of every variant, every other file of a network, and every kind of export."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from cvtune_nb.classification.model import Classifier
from cvtune_nb.commands.exported import AS_TEXT
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.export import exports_in, onnx_model, open_export, verification
from cvtune_nb.export.formats import FORMATS
from cvtune_nb.export.predict import KINDS, Model, kind_of, lines_of
from cvtune_nb.export.variants import VARIANTS, file_of
from cvtune_nb.files import write_json
from cvtune_nb.models import networks

CHECKOUT = Path(__file__).parents[2]
LABELS, SIZE = ["a", "b", "c"], 64


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    return Classifier(networks.load("test_resnet:random", image_size=SIZE), len(LABELS), 0.0, normalise=True).eval()


@pytest.fixture(scope="module")
def network(classifier):
    return onnx_model.network(onnx_model.program(classifier, SIZE))


@pytest.fixture(scope="module")
def photos():
    return np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3), np.uint8)


def signature(proto) -> list:
    values = [*proto.graph.input, *proto.graph.output]
    return [(v.name, v.type.tensor_type.elem_type, [d.dim_value for d in v.type.tensor_type.shape.dim]) for v in values]


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_variant_takes_and_gives_the_same_and_is_used_by_its_name(variant, network, photos, tmp_path):
    made = variant.make(network, photos)
    assert signature(made) == signature(network)
    assert variant.meaning and not variant.meaning.endswith(".")
    for graph, name in ((network, "fp32"), (made, variant.name)):
        onnx_model.save(
            onnx_model.whole(graph, LABELS, Preprocessing(SIZE), 1.0, threshold=0), tmp_path / file_of(name)
        )
    write_json(tmp_path / "labels.json", {"labels": LABELS})
    verification.write_hashes(tmp_path)
    full, small = open_export(tmp_path).probabilities(photos), open_export(tmp_path, variant.name).probabilities(photos)
    assert small.dtype == full.dtype and np.allclose(small.sum(axis=1), 1, atol=1e-3)
    assert 0 < np.abs(full - small).max() < 0.1, "another model, with nearly the same answers"
    assert (tmp_path / file_of(variant.name)).stat().st_size < (tmp_path / "model.onnx").stat().st_size


READ = {
    "model.safetensors": lambda file, network: (
        network.classifier.load_state_dict(safetensors.torch.load_file(file)) and network
    ),
    "model.pt2": lambda file, _: torch.export.load(file).module(),
}
"""How each file of FORMATS becomes a module in PyTorch again, given a network with other weights."""


@pytest.mark.parametrize("kept", FORMATS, ids=lambda kept: kept.file)
def test_a_file_of_the_network_gives_the_same_probabilities(kept, classifier, photos, tmp_path):
    network = onnx_model.Probabilities(classifier, 2.0).eval()
    kept.write(network, SIZE, tmp_path / kept.file)
    assert [file.name for file in tmp_path.iterdir()] == [kept.file]
    content = (tmp_path / kept.file).read_bytes()
    if zipfile.is_zipfile(tmp_path / kept.file):
        with zipfile.ZipFile(tmp_path / kept.file) as packed:
            content = b"".join(map(packed.read, packed.namelist()))
    assert str(CHECKOUT).encode() not in content, "a path of the machine that exported it"
    other = Classifier(networks.load("test_resnet:random", image_size=SIZE), len(LABELS), 0.0, normalise=True)
    again = READ[kept.file](tmp_path / kept.file, onnx_model.Probabilities(other.eval(), 2.0).eval())
    images = torch.from_numpy(photos)
    with torch.inference_mode():
        assert torch.allclose(again(images), network(images), atol=1e-6)
    assert "{" not in kept.use.format(height=SIZE, width=SIZE, known="") and not kept.use.endswith(".")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_is_known_by_its_labels_json_and_shown_everywhere(kind, tmp_path):
    write_json(tmp_path / "one" / "labels.json", {"labels": LABELS, "kind": kind.KIND})
    assert kind_of(tmp_path / "one") is kind
    assert exports_in(tmp_path) == {"one": kind.KIND}
    assert AS_TEXT.keys() == KINDS.keys()
    assert set(kind.NOTES) >= {"labels", "image_size"} and kind.TOP >= 1
    assert lines_of([{"path": "a.jpg", "error": "it is empty"}], kind) == ["     -  it is empty  a.jpg"]


def test_what_names_no_kind_is_a_classifier_and_an_unknown_one_is_refused(tmp_path):
    write_json(tmp_path / "old" / "labels.json", {"labels": LABELS})
    write_json(tmp_path / "new" / "labels.json", {"labels": LABELS, "kind": "segmenter"})
    assert kind_of(tmp_path / "old") is Model
    with pytest.raises(ValueError, match=r"of a kind that is not known here \(segmenter\)"):
        kind_of(tmp_path / "new")
    assert exports_in(tmp_path) == {"old": "classifier"}
