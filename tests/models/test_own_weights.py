"""A person's own weights: what is in a file, how its tensors are matched, and what is refused."""

import pickle

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from cvtune_nb.errors import InputError
from cvtune_nb.files import pinned
from cvtune_nb.models import backbones, networks, own_weights
from cvtune_nb.models.sources.package import Package

SIZE = 64


def features(backbone, size=SIZE):
    torch.manual_seed(1)
    with torch.inference_mode():
        return backbone.eval()(torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8))


def tuned(name, seed=3, **given):
    """A network with other weights than it is made with, and its state dict."""
    torch.manual_seed(seed)
    network = timm.create_model(name, **given)
    for value in network.state_dict().values():
        if value.is_floating_point():
            value += 0.01 * torch.rand_like(value)
    return network


def load(name, file, size=SIZE):
    return networks.load(name, image_size=size, weights=pinned(str(file)))


@pytest.mark.parametrize(("name", "made_at", "size"), [("vit_tiny_patch16_224", 224, 96), ("test_vit3", 64, 160)])
def test_a_vit_at_another_image_size_is_what_timm_makes_of_the_file(tmp_path, name, made_at, size):
    """Its table of positions is resampled exactly as timm resamples it."""
    file, given = tmp_path / "vit.safetensors", {"img_size": made_at}
    saved = tuned(name, num_classes=7, **given).state_dict()
    save_file(saved, file)
    ours = load(name, file, size)
    timms = timm.create_model(
        name, pretrained=True, num_classes=0, img_size=size, pretrained_cfg_overlay={"file": str(file)}
    )
    mine, theirs = ours.network.state_dict(), timms.state_dict()
    assert list(mine) == list(theirs)
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    assert mine["pos_embed"].shape != saved["pos_embed"].shape
    total = len(theirs)
    assert ours.matching == f"{total} of {total} tensors matched"


def wrapped(kept, kind):
    """A network's tensors as training programs save them."""
    other = {key: torch.zeros_like(value) for key, value in kept.items()}
    return {
        "plain": kept,
        "lightning": {"epoch": 3, "state_dict": {f"model.{key}": value for key, value in kept.items()}},
        "parallel and compiled": {f"module._orig_mod.{key}": value for key, value in kept.items()},
        "teacher and student": {
            "student": {f"module.backbone.{key}": value for key, value in other.items()},
            "teacher": {
                **{f"backbone.{key}": value for key, value in kept.items()},
                **{f"head.mlp.{layer}.weight": torch.ones(9, 9) for layer in range(500)},
            },
        },
        "two encoders": {
            "state_dict": {
                **{f"module.encoder_k.{key}": value for key, value in other.items()},
                **{f"module.encoder_q.{key}": value for key, value in kept.items()},
                "module.queue": torch.zeros(5),
            }
        },
        "average": {"model": other, "model_ema": kept},
        "no average": {"epoch": 3, "model_ema": {}, "model": {"module": kept, "args": {"lr": 0.1}}},
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["plain", "lightning", "parallel and compiled", "teacher and student", "two encoders", "average", "no average"],
)
def test_what_programs_wrap_round_a_network_is_taken_off(tmp_path, kind):
    network = tuned("test_resnet", num_classes=5)
    torch.save(wrapped(network.state_dict(), kind), tmp_path / "run.pth")
    found = load("test_resnet", tmp_path / "run.pth")
    save_file(network.state_dict(), tmp_path / "plain.safetensors")
    assert torch.equal(features(found), features(load("test_resnet", tmp_path / "plain.safetensors")))
    assert not torch.equal(features(found), features(networks.load("test_resnet:random", image_size=SIZE)))


def test_a_resnet_of_torchvision_and_a_lite_of_either_naming(tmp_path):
    torch.manual_seed(3)
    save_file(torchvision.models.resnet18(num_classes=4).state_dict(), tmp_path / "resnet.safetensors")
    assert load("resnet18", tmp_path / "resnet.safetensors").matching == "100 of 100 tensors matched"
    shipped = torch.load(Package().file("efficientnet_lite0"), weights_only=True)
    save_file({key: value.contiguous() for key, value in shipped.items()}, tmp_path / "package.safetensors")  # sorted
    own = timm.create_model("tf_efficientnet_lite0")
    torch.save(dict(zip(own.state_dict(), shipped.values(), strict=True)), tmp_path / "timm.pt")
    usual = features(networks.load("efficientnet_lite0", image_size=SIZE))
    for file in ("package.safetensors", "timm.pt"):
        assert torch.equal(features(load("efficientnet_lite0", tmp_path / file)), usual)


def test_a_network_that_we_have_trained_is_taken_with_its_batch_norms_folded(tmp_path):
    usual = networks.load("efficientnet_lite0", image_size=SIZE)
    kept = {f"backbone.{key}": value.contiguous() for key, value in usual.state_dict().items()}
    save_file({**kept, "last.weight": torch.zeros(3, 1280)}, tmp_path / "model.safetensors")
    assert torch.equal(features(load("efficientnet_lite0", tmp_path / "model.safetensors")), features(usual))


@pytest.mark.parametrize("name", ["tiny_vit_5m_224", "xcit_nano_12_p16_224"])
def test_one_of_which_the_batch_norms_are_a_small_part_too(tmp_path, name):
    save_file(tuned(name).state_dict(), tmp_path / "untrained.safetensors")
    usual = load(name, tmp_path / "untrained.safetensors", 224)
    kept = {f"backbone.{key}": value.contiguous() for key, value in usual.state_dict().items()}
    save_file(kept, tmp_path / "model.safetensors")
    again = load(name, tmp_path / "model.safetensors", 224)
    assert torch.equal(features(again, 224), features(usual, 224))
    assert "missing" not in usual.matching + again.matching


def test_a_smaller_network_of_the_same_kind_is_refused(tmp_path):
    save_file(torchvision.models.resnet18().state_dict(), tmp_path / "resnet18.safetensors")
    with pytest.raises(InputError, match=r"not of resnet34: 100 of its 180 tensors are in the file"):
        load("resnet34", tmp_path / "resnet18.safetensors")


def test_a_deeper_network_of_the_same_kind_is_refused(tmp_path):
    save_file(torchvision.models.resnet34().state_dict(), tmp_path / "resnet34.safetensors")
    with pytest.raises(InputError, match=r"a deeper network than resnet18: 80 tensors are of layers .*layer1\.2\.bn1"):
        load("resnet18", tmp_path / "resnet34.safetensors")
    deep = timm.create_model("test_vit", depth=8).state_dict()
    torch.save({"model": {**deep, "decoder_blocks.0.norm1.weight": torch.ones(3)}}, tmp_path / "deep.pth")
    with pytest.raises(InputError, match=r"than test_vit: 24 tensors .*blocks\.6"):
        load("test_vit", tmp_path / "deep.pth", 160)


def test_what_does_not_match_is_listed(tmp_path):
    kept = tuned("test_resnet").state_dict()
    del kept["layer1.0.conv1.weight"], kept["layer1.0.bn1.weight"]
    kept["conv1.0.weight"] = torch.zeros(1, 1)
    kept |= {f"projector.{number}.weight": torch.zeros(2) for number in range(5)}
    save_file(kept, tmp_path / "part.safetensors")
    words = load("test_resnet", tmp_path / "part.safetensors").matching
    assert "2 missing in the file (layer1.0.conv1.weight, layer1.0.bn1.weight)" in words
    assert "5 unknown to the network (projector.0.weight, projector.1.weight, projector.2.weight ...)" in words
    assert "1 of another shape (conv1.0.weight)" in words


def test_weights_of_another_network_are_refused_with_names_of_both(tmp_path):
    save_file(tuned("test_vit").state_dict(), tmp_path / "vit.safetensors")
    with pytest.raises(InputError) as caught:
        load("test_resnet", tmp_path / "vit.safetensors")
    words = str(caught.value)
    assert "\n" not in words and f"the weights in {tmp_path}/vit.safetensors are not of test_resnet" in words
    assert "the file has blocks.0.attn" in words and "the network conv1.0.weight" in words
    with pytest.raises(InputError, match="asks for random weights, and weights names a file"):
        load("test_resnet:random", tmp_path / "vit.safetensors")


class Runs:
    """Would run a program where a pickle is loaded."""

    def __reduce__(self):
        return print, ("a program ran",)


def test_what_can_not_be_read_is_refused_and_no_program_in_it_is_run(tmp_path, capsys):
    (tmp_path / "pickle.pth").write_bytes(pickle.dumps({"state_dict": Runs()}, protocol=2))
    torch.save({"state_dict": {}, "program": Runs()}, tmp_path / "program.pth")
    (tmp_path / "garbage.safetensors").write_bytes(b"<html>not found</html>")
    (tmp_path / "newer.pth").write_bytes(pickle.dumps({"state_dict": Runs()}, protocol=4))
    (tmp_path / "PAGE.SAFETENSORS").write_bytes(b"<html>not found</html>")
    for number, damaged in enumerate([b"", b"}q\x00(X\x05", b"0", b"K\x01K\x02s.", b"hello", b"<html>"]):
        (tmp_path / f"damaged{number}.pt").write_bytes(damaged)
    torch.save({"epoch": 3}, tmp_path / "none.bin")
    said = {
        "pickle.pth": "is not opened because that could run any program",
        "program.pth": "is not opened because that could run any program",
        "none.bin": "holds no tensors",
        **dict.fromkeys(
            ["newer.pth", "garbage.safetensors", "PAGE.SAFETENSORS", *(f"damaged{number}.pt" for number in range(6))],
            r"is not a file of weights, or is damaged: give a \.safetensors",
        ),
    }
    for name, words in said.items():
        with pytest.raises(InputError, match=words):
            own_weights.read(pinned(str(tmp_path / name)))
    assert "a program ran" not in capsys.readouterr().out


def test_a_file_that_has_changed_or_is_gone_is_noticed(tmp_path):
    file = tmp_path / "own.safetensors"
    save_file(tuned("test_resnet", seed=3).state_dict(), file)
    pin = pinned(str(file))
    save_file(tuned("test_resnet", seed=4).state_dict(), file)
    with pytest.raises(InputError, match=r"own\.safetensors has changed since it was chosen: give it again"):
        networks.load("test_resnet", weights=pin)
    assert pinned(str(file)) != pin
    networks.load("test_resnet", weights=pinned(str(file)))
    file.unlink()
    with pytest.raises(InputError, match=r"own\.safetensors any more: put the file back, or give it again"):
        networks.load("test_resnet", weights=pin)


def test_a_file_has_no_licence_but_whose_it_is():
    pin = f"/home/me/plants.pth@sha256:{'ab' * 32}"
    assert backbones.terms("test_vit", pin) == (
        f"weights of test_vit from plants.pth (sha256 {'ab' * 32}), as given by whoever trained it"
    )
    assert backbones.download("test_vit", pin) is None
