from copy import deepcopy

import pytest
import timm
import torch
import torchvision
from torch import nn

from cvtune_nb.models import networks
from cvtune_nb.models.fold_batch_norm import folded


def with_statistics(network):
    """As after training: batch norms that do something."""
    random = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.running_var, module.weight, module.bias):
                values.data.copy_(0.5 + torch.rand(values.shape, generator=random))
    return network.eval()


@pytest.mark.parametrize(
    "make",
    [
        lambda: torchvision.models.resnet18(weights=None),
        lambda: timm.create_model("tf_efficientnet_lite0"),
        lambda: timm.create_model("mobilenetv3_small_050"),
    ],
)
def test_a_folded_network_says_the_same_without_batch_norms(make):
    network = with_statistics(make())
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        before = network(images)
        changed = folded(network)
        after = changed(images)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in changed.modules())
    assert (before - after).abs().max() <= 1e-4 * before.abs().max()


class Shared(nn.Module):
    """A convolution whose output is used twice: the batch norm can't be folded into it."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images):
        found = self.conv(images)
        return (found + self.norm(found)).mean((2, 3))


def test_where_folding_would_change_the_answer_nothing_is_folded():
    network = Shared()  # its statistics do nothing yet: that the fold is wrong shows only later
    before = deepcopy(network.state_dict())
    changed = folded(network)
    assert isinstance(changed.norm, nn.BatchNorm2d) and changed.conv.bias is not None
    assert all(torch.equal(changed.state_dict()[name], value) for name, value in before.items())


def test_a_batch_norm_without_weights_of_its_own_stays():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
    changed = folded(network)
    assert [isinstance(module, nn.BatchNorm2d) for module in changed] == [False, True, False, False]


def test_networks_are_built_alike_with_and_without_their_weights():
    first, second = networks.load("efficientnet_lite0"), networks.load("efficientnet_lite0", pretrained=False)
    assert list(first.state_dict()) == list(second.state_dict())
