"""The places that spoke for a class are where the thing is."""

import numpy as np
import pytest
import torch
from torch import nn

from cvtune_nb import networks
from cvtune_nb.errors import InputError
from cvtune_nb.export.explain import heat
from cvtune_nb.training.model import Classifier


class Corner(nn.Module):
    """Class 1 for bright photos, class 0 for dark ones, told from a map of 8 x 8 places."""

    def __init__(self):
        super().__init__()
        self.map = nn.Conv2d(3, 2, 8, stride=8)
        with torch.no_grad():
            self.map.weight[0], self.map.weight[1] = -1, 1
            self.map.bias.zero_()

    def forward(self, images):
        places = torch.relu(self.map(images.permute(0, 3, 1, 2).float() / 255))
        return places.mean((2, 3))


def test_the_bright_corner_spoke_for_bright():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:16, 48:] = 255
    found = heat(Corner(), image, 1)
    assert found.shape == (64, 64)
    assert found.max() == pytest.approx(1)
    assert found.min() >= 0
    assert found[:16, 48:].mean() > 0.5
    assert found[32:].max() < 0.01


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18:random", "test_resnet:random"])
def test_every_family_keeps_a_map(name):
    torch.manual_seed(0)
    network = Classifier(networks.load(name), 3, 0.0, normalise=True).eval()
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    found = heat(network, image, 2)
    assert found.shape == (96, 96)
    assert 0 <= found.min() <= found.max() <= 1
    assert not any(parameter.grad is not None for parameter in network.parameters())


def test_a_network_without_places_is_named():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))

    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = flat

        def forward(self, images):
            return self.inside(images.float())

    with pytest.raises(InputError, match="keeps no map of places"):
        heat(Flat(), np.zeros((2, 2, 3), np.uint8), 0)
