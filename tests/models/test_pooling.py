import numpy as np
import pytest
import timm
import torch
import torchvision
from torch.nn.functional import normalize

from cvtune_nb.errors import InputError
from cvtune_nb.models import networks, sizes
from cvtune_nb.models.pooling import LAST, STAGES, pooled

NETWORKS = ["test_vit", "test_vit3", "test_convnext", "test_efficientnet", "test_nfnet", "test_resnet", "test_maxvit"]


def images(size=96, n=2):
    return torch.rand((n, 3, size, size), generator=torch.Generator().manual_seed(0))


def of_timm(name):
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=0).eval()


@pytest.mark.parametrize("name", [*NETWORKS, "swin_tiny_patch4_window7_224", "efficientvit_m0", "xcit_nano_12_p16_224"])
def test_the_networks_own_features_come_first(name):
    network, size = of_timm(name), sizes.native(name)
    with torch.inference_mode():
        own, rows = (pooled(network, images(size), pooling) for pooling in (LAST, STAGES))
    assert rows.shape == (2, sizes.width(name, STAGES))
    assert own.shape == (2, sizes.width(name))
    assert torch.allclose(rows[:, : own.shape[1]], own, atol=1e-5)
    parts = (rows.norm(dim=1) / own.norm(dim=1)).square()
    assert torch.allclose(parts, parts.round(), atol=1e-4), "each part is as long as its own"
    assert parts[0] > 3.5


def test_a_stage_of_a_convolutional_network_is_the_mean_over_its_positions():
    network, maps = of_timm("test_efficientnet"), []
    for stage in network.blocks:
        stage.register_forward_hook(lambda _, __, found: maps.append(found))
    with torch.inference_mode():
        rows = pooled(network, images(), STAGES)
    last = maps[-1].mean((2, 3))
    assert torch.allclose(normalize(rows[:, -last.shape[1] :]), normalize(last), atol=1e-6)


def test_a_block_of_a_transformer_gives_its_class_token_and_the_mean_of_the_others():
    network, tokens = of_timm("test_vit"), []
    network.blocks[-1].register_forward_hook(lambda _, __, found: tokens.append(network.norm(found)))
    with torch.inference_mode():
        rows = pooled(network, images(160), STAGES)
    width = tokens[0].shape[2]
    assert torch.allclose(normalize(rows[:, -2 * width : -width]), normalize(tokens[0][:, 0]), atol=1e-5)
    assert torch.allclose(normalize(rows[:, -width:]), normalize(tokens[0][:, 1:].mean(1)), atol=1e-5)


def test_the_resnets_of_torchvision_have_the_stages_of_those_of_timm():
    theirs, ours = timm.create_model("resnet18", num_classes=0).eval(), torchvision.models.resnet18().eval()
    ours.fc = torch.nn.Identity()
    theirs.load_state_dict(ours.state_dict())
    with torch.inference_mode():
        first, second = (pooled(network, images(64), STAGES) for network in (theirs, ours))
    assert torch.allclose(first, second, atol=1e-5)
    assert first.shape == (2, sizes.width("resnet18", STAGES)) == (2, 512 + 64 + 128 + 256 + 512)


def test_a_network_whose_stages_are_not_known_is_refused_in_one_sentence():
    """Of timm's networks one, which takes a photo in another form when it is asked for its stages."""
    with pytest.raises(InputError, match="stages of gemma4_vit_167m are not known: choose pooling last"):
        sizes.width("gemma4_vit_167m", STAGES)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "test_vit:random", "resnet18:random"])
def test_a_backbone_with_its_stages_is_exported(name, tmp_path):
    """As ONNX, for any number of photos."""
    from cvtune_nb.models.inference import onnx_forward

    size = sizes.native(name.removesuffix(":random"))
    network = networks.load(name, image_size=size, pooling=STAGES).eval()
    squares = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = network(torch.from_numpy(squares)).numpy()
    found = onnx_forward(network, squares)
    assert expected.shape == (3, network.width)
    assert np.abs(found(squares) - expected).max() < 1e-4
    assert np.abs(found(squares[:1]) - expected[:1]).max() < 1e-4
