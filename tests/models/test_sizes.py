"""Which image sizes a network takes, and that it is built for the one asked for."""

import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import timm
import torch
from safetensors.torch import save_file

from cvtune_nb import cli
from cvtune_nb.classification import load_bundle
from cvtune_nb.classification.model import build
from cvtune_nb.errors import InputError
from cvtune_nb.export import onnx_model, open_export
from cvtune_nb.models import networks, sizes
from cvtune_nb.models.families import FAMILIES
from cvtune_nb.models.sources.timm import Timm
from cvtune_nb.parameters import PARAMETERS, Config
from tests.photos import make_photos

CONVOLUTIONAL = [entry.name for family in FAMILIES.values() if family.any_size for entry in family.networks]


@pytest.mark.parametrize("name", [*CONVOLUTIONAL, "resnet18:random"])
@pytest.mark.parametrize("size", [28, 64, 100, 225, 500, 1000])
def test_convolutional_networks_of_the_menu_take_any_size(name, size):
    sizes.require(name, size)
    assert sizes.step(name) == sizes.ANY


def test_they_are_not_asked_which_would_bring_torch():
    code = (
        "import sys; from cvtune_nb.models import sizes; sizes.require('resnet50', 100); "
        "sizes.default('efficientnet_lite0'); "
        "sys.exit('torch' in sys.modules or 'timm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code])
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("name", "taken", "refused", "near"),
    [
        ("test_vit", (32, 96, 160, 224), 100, "96 or 112"),  # positions are resampled while it runs
        ("test_vit3", (96, 224), 100, "96 or 112"),  # built anew for the size
        ("vit_tiny_patch16_384", (64, 224, 384), None, ""),
        ("vit_small_patch14_dinov2", (28, 224, 518), 512, "504 or 518"),
        ("swin_tiny_patch4_window7_224", (64, 224, 256), None, ""),
        ("test_coatnet", (96, 160, 192), 100, "96 or 128"),
        ("test_convnext", (64, 99, 160), 28, "32"),  # too small for its fourth stage
        ("mixer_s32_224", (224,), 256, "224"),  # its weights mix a fixed number of places
        ("mixer_s32_224:random", (224, 256), 100, "96 or 128"),
        ("levit_128s", (224,), 128, "224"),
        ("efficientformer_l1:random", (224,), 256, "224"),
        ("efficientnet_b0", (28, 100, 225), None, ""),
    ],
)
def test_what_a_network_takes_and_what_is_said_of_the_rest(name, taken, refused, near):
    assert [sizes.takes(name, size) for size in taken] == [True] * len(taken)
    if refused:
        words = f"^{name} can't be used at image_size {refused}.*: choose {near}, or"
        with pytest.raises(InputError, match=words) as caught:
            sizes.require(name, refused)
        assert "\n" not in str(caught.value)
        for size in map(int, near.split(" or ")):
            sizes.require(name, size)


@pytest.mark.parametrize(
    ("name", "step"),
    [("test_vit", 16), ("vit_small_patch14_dinov2", 14), ("mixer_s32_224", 0), ("test_convnext", 1), ("resnet50", 4)],
)
def test_the_step_of_the_slider(name, step):
    assert sizes.step(name) == step


def test_the_size_to_start_with():
    assert sizes.default("") == sizes.default("resnet18") == PARAMETERS["image_size"].default == 224
    assert sizes.default("vit_tiny_patch16_384") == 224
    assert sizes.default("cait_s24_384") == 384, "its positions can't be resampled"
    assert sizes.default("no_such_network") == 224


@pytest.mark.parametrize("name", ["test_vit3", "test_vit_relpos", "test_maxvit", "swin_tiny_patch4_window7_224"])
def test_a_network_built_for_another_size_sees_the_whole_photo(name):
    network = networks.load(f"{name}:random", image_size=96).eval()
    photos = np.zeros((2, 96, 96, 3), np.uint8)
    photos[1, -4:, -4:] = 255
    with torch.inference_mode():
        rows = network(torch.from_numpy(photos))
    assert rows.shape == (2, network.width) == (2, sizes.width(name))
    assert not torch.equal(rows[0], rows[1])


def test_pretrained_positions_are_resampled(monkeypatch, tmp_path):
    """What is fetched is replaced by weights that are here; a smooth table of positions stays one."""
    own = timm.create_model("test_vit3", pretrained=False)
    with torch.no_grad():
        side = torch.linspace(0, 1, own.patch_embed.grid_size[0])
        own.pos_embed[:, -(len(side) ** 2) :] = side.repeat_interleave(len(side))[None, :, None]
    save_file(own.state_dict(), tmp_path / "model.safetensors")
    monkeypatch.setattr(Timm, "file", lambda self, name: tmp_path / "model.safetensors")
    loaded = networks.load("test_vit3", image_size=96)
    positions = loaded.network.pos_embed[0, -36:, 0].reshape(6, 6)
    assert torch.allclose(positions[:, 0], positions[:, -1], atol=1e-2)
    assert (positions[1:, 0] > positions[:-1, 0]).all()
    assert torch.equal(loaded.network.blocks[0].attn.qkv.weight, own.blocks[0].attn.qkv.weight)


def test_a_refused_size_is_not_taken_for_weights_that_are_missing(no_network):
    words = "mixer_s32_224 can't be used at image_size 256, as it is made for one size: choose 224"
    with pytest.raises(InputError, match=words):
        networks.load("mixer_s32_224", image_size=256)


def test_random_weights_are_the_same_whether_or_not_the_size_was_asked_for_before():
    sizes.arguments.cache_clear()
    first = networks.load("test_vit3:random", image_size=96).state_dict()
    second = networks.load("test_vit3:random", image_size=96).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_config_is_built_at_its_size_without_weights_too():
    config = Config("test_vit3:random", image_size=96)
    with torch.inference_mode():
        assert build(config, ["a", "b"], pretrained=False).eval()(torch.zeros(1, 96, 96, 3).byte()).shape == (1, 2)


@pytest.mark.parametrize("name", ["test_vit_relpos", "test_maxvit"])
def test_networks_that_add_positions_to_attention_become_onnx(name):
    network = build(Config(f"{name}:random", image_size=96), ["a", "b"]).eval()
    photos = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    graph = onnx_model.network(onnx_model.program(network, 96)).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = network(torch.from_numpy(photos)).numpy()
    assert np.allclose(session.run(None, {"images": photos})[0], expected, atol=1e-4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A transformer trained at a size that is not its own, and exported; a baseline of another, exported."""
    root = tmp_path_factory.mktemp("sizes")
    photos, folder = make_photos(root / "photos", per_class=10), str(root / "work")
    small = ["--backbone", "test_vit3:random", "--image-size", "96"]
    assert cli.main(["train", "--data", str(photos), "--workspace", folder, *small, "--epochs", "1"]) == 0
    assert cli.main(["baseline", "--workspace", folder, "--backbone", "test_vit2:random", "--image-size", "48"]) == 0
    for run in ("best", "svm"):
        assert cli.main(["export", "--workspace", folder, "--run", run, "--variants", "none"]) == 0
    return photos, root / "work"


@pytest.mark.parametrize(("run", "size"), [("001-test_vit3-random-96", 96), ("svm", 48)])
def test_it_is_trained_exported_and_loaded_again(trained, run, size):
    photos, folder = trained
    export = folder / "exports" / run
    file = str(next(photos.rglob("*.jpg")))
    [answer] = open_export(export).predict([file])
    network = load_bundle(export)
    assert answer["label"] in ("circle", "square", "stripes")
    assert network(torch.zeros(1, size, size, 3, dtype=torch.uint8)).shape == (1, 3)


def test_a_size_is_refused_before_a_photo_is_decoded(tmp_path, capsys, monkeypatch):
    photos = make_photos(tmp_path / "photos", per_class=4)
    monkeypatch.setattr("cvtune_nb.classification.features.pixels", lambda *_: pytest.fail("photos were decoded"))
    for command in (["audit"], ["baseline"], ["train", "--epochs", "1"], ["run", "--budget", "5m"]):
        status = cli.main(
            [
                command[0],
                "--data",
                str(photos),
                "--workspace",
                str(tmp_path / "work"),
                *command[1:],
                "--backbone",
                "test_vit:random",
                "--image-size",
                "100",
            ]
        )
        assert status == 2
        words = capsys.readouterr().err.splitlines()[-1]
        assert words.endswith("at image_size 100, as it needs a multiple of 16: choose 96 or 112, or another backbone")
