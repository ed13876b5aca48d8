"""Photos of another shape than a square, from features to export: for a convolutional network and a transformer."""

import io

import numpy as np
import pytest
from PIL import Image

from cvtune_nb import classification
from cvtune_nb.classification import export_run
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.export import load_bundle
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.grad_cam import heat
from cvtune_nb.classification.model import load_best
from cvtune_nb.data import open_workspace
from cvtune_nb.data.pixels import pixels, store_of
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export import open_export
from cvtune_nb.models import networks, sizes
from cvtune_nb.parameters import Config
from tests.photos import make_photos

VARIED = "crop+flip+d4+rotation+trivialaugment+blur+erasing+mixup"
CONVOLUTIONAL, TRANSFORMER = "test_efficientnet:random", "test_vit3:random"


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Photos of 4:3."""
    root = tmp_path_factory.mktemp("wide")
    folder = make_photos(root / "photos", ["circle", "square"], per_class=16, size=128)
    for file in folder.rglob("*.jpg"):
        with Image.open(file) as image:
            image.resize((160, 120)).save(file, quality=95)
    return open_workspace(folder, root / "w")


@pytest.mark.parametrize(
    ("backbone", "shape"), [(CONVOLUTIONAL, (64, 84)), (TRANSFORMER, (64, 80))], ids=["convolutional", "transformer"]
)
def test_trained_exported_and_explained(wide, backbone, shape, tmp_path):
    config = Config(backbone, image_size=64, aspect="4:3", epochs=1, batch_size=16, augmentation=VARIED)
    run = classification.fit(wide, config)
    assert run.config.aspect == "4:3" and FeatureSpec.of(config).preprocessing.shape == shape
    made = export_run(wide, run.id, tmp_path / "e", variants=())
    assert made.parity <= 1e-4
    model = open_export(made.folder)
    assert (tuple(model.image_size), model.framing) == (shape, "crop")
    assert f"the middle {shape[1]} x {shape[0]} of it is cut out" in (made.folder / "README.md").read_text()
    path = wide.path_of(wide.photos()["path"][0])
    shown = FeatureSpec.of(config).preprocessing.square(path, wide.levels)
    ours = networks.forward(load_bundle(made.folder), shown[None])
    assert np.allclose(ours, networks.forward(load_best(run), shown[None]), atol=1e-4)
    seen = heat(load_best(run), shown, 0)
    assert seen.shape == shape and seen.max() == pytest.approx(1) and seen.min() >= 0
    assert model.infer([model.prepared(io.BytesIO(path.read_bytes()))])[0][0].argmax() == ours[0].argmax()


def test_the_svm_too(wide, tmp_path):
    baseline(wide, FeatureSpec(TRANSFORMER, Preprocessing(64, "whole", "3:2")), C=1.0)
    made = export_run(wide, "svm", tmp_path / "e", variants=())
    assert tuple(open_export(made.folder).image_size) == (64, 96)
    assert load_bundle(made.folder) is not None


def test_caches_of_squares_are_those_of_before(wide):
    names = {store_of(wide, Preprocessing(64, framing, "1:1")).folder.name for framing in ("crop", "squash")}
    assert names == {"pixels-73", "pixels-73-squash"}
    spec = FeatureSpec(CONVOLUTIONAL, Preprocessing(64, "crop", "4:3"))
    assert FeatureSpec(CONVOLUTIONAL, Preprocessing(64)).key == "test_efficientnet-random-64"
    assert spec.key == "test_efficientnet-random-64-aspect=4by3"
    assert store_of(wide, spec.preprocessing).folder.name == "pixels-73x96"
    assert pixels(wide, wide.photos(), spec.preprocessing)[:2].shape == (2, 73, 96, 3)


def test_a_network_made_for_squares_says_so():
    assert sizes.takes("mixer_s32_224", 224) and not sizes.takes("mixer_s32_224", (224, 320))
    with pytest.raises(InputError, match="photos 320 pixels wide and 224 high: choose aspect 1:1, or a convolutional"):
        sizes.require("mixer_s32_224", (224, 320))
