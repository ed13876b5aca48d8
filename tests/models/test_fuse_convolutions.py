"""Networks whose convolutions are computed in one step with their padding and activation."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from cvtune_nb.models import networks
from cvtune_nb.models.depthwise import with_fast_depthwise
from cvtune_nb.models.fold_batch_norm import folded
from cvtune_nb.models.fuse_convolutions import Fused, Unless, fused

NETWORKS = {
    "padding as TensorFlow's": lambda: timm.create_model("tf_efficientnet_lite0", num_classes=0),
    "the same, as it is trained": lambda: with_fast_depthwise(timm.create_model("tf_efficientnet_lite0")),
    "SiLU": lambda: timm.create_model("efficientnet_b0"),
    "Hardswish": lambda: timm.create_model("mobilenetv3_small_050"),
    "ReLU after an addition in place": lambda: torchvision.models.resnet18(weights=None),
    "no batch norm": lambda: torchvision.models.squeezenet1_1(weights=None),
}


def images(size, n=3):
    random = torch.Generator().manual_seed(0)
    return torch.rand((n, 3, size, size), generator=random).to(memory_format=torch.channels_last)


def parts(network, kind):
    return [module for module in network.modules() if isinstance(module, kind)]


@pytest.mark.parametrize("size", [64, 75])
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
def test_a_fused_network_says_the_same(make, size):
    torch.manual_seed(0)
    network = folded(make().eval(), size)
    convolutions = len(parts(network, nn.Conv2d))
    copy = fused(network, images(size), torch.float32)
    assert len(parts(copy, Fused)) == convolutions and not parts(copy, nn.Conv2d)
    assert any(part.activated for part in parts(copy, Fused))
    with torch.inference_mode():
        expected, found = network(images(size, 5)), copy(images(size, 5))
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_in_bfloat16_it_says_what_autocast_says():
    network = folded(timm.create_model("tf_efficientnet_lite0").eval(), 64)
    try:
        copy = fused(network, images(64), torch.bfloat16)
    except RuntimeError as error:  # a processor without the instructions, where it is not asked for
        if "bf16 path needs the cpu support" not in str(error):
            raise
        return
    with torch.inference_mode():
        exact = network(images(64))
        with torch.autocast("cpu", torch.bfloat16):
            expected, found = network(images(64)), copy(images(64))
    assert found.dtype == torch.bfloat16
    assert (found.float() - exact).abs().max() <= 1.5 * (expected.float() - exact).abs().max()


def test_the_network_itself_stays_as_it_is():
    network = networks.load("efficientnet_lite0").eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fused(network, torch.zeros(1, 64, 64, 3, dtype=torch.uint8), torch.float32)
    assert not parts(network, (Fused, Unless))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


class Awkward(nn.Module):
    """One convolution for two sizes, one activation used twice, and an addition in place between."""

    def __init__(self):
        super().__init__()
        self.twice, self.first, self.last = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1)
        self.reflecting = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.activation = nn.ReLU6()

    def forward(self, images):
        small = self.twice(nn.functional.avg_pool2d(self.twice(images), 2))
        found = self.activation(self.first(small))
        found -= 3
        found = self.activation(found)  # not the same as before
        found = self.last(found)
        found += 1
        return self.reflecting(self.activation(found)).mean((2, 3))


def test_what_can_not_be_fused_is_left_as_it_is():
    torch.manual_seed(0)
    network = Awkward().eval()
    copy = fused(network, images(32), torch.float32)
    assert [isinstance(part, Fused) for part in (copy.twice, copy.first, copy.last, copy.reflecting)] == [
        False,
        True,
        True,
        False,
    ]
    assert copy.first.activated and not copy.last.activated
    with torch.inference_mode():
        assert torch.allclose(copy(images(32)), network(images(32)), atol=1e-5)
