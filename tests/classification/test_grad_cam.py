"""The places that spoke for a class are where the thing is."""

import numpy as np
import pytest
import torch
from torch import nn

from cvtune_nb.classification.grad_cam import heat
from cvtune_nb.classification.model import Classifier
from cvtune_nb.errors import InputError
from cvtune_nb.models import networks

SIDE, PATCH = 64, 8


class Corner(nn.Module):
    """Class 1 for bright photos, class 0 for dark ones, told from a map of 8 x 8 places, channels first."""

    def __init__(self):
        super().__init__()
        self.map = nn.Conv2d(3, 2, PATCH, stride=PATCH)
        with torch.no_grad():
            self.map.weight[0], self.map.weight[1] = -1, 1
            self.map.bias.zero_()

    def forward(self, images):
        places = torch.relu(self.map(images.permute(0, 3, 1, 2).float() / 255))
        return places.mean((2, 3))


class Patches(nn.Module):
    """The same told from places that come as tokens or as NHWC; there is no convolution to look at."""

    def __init__(self, prefix=0, channels_last=False):
        super().__init__()
        self.channels_last, self.activation = channels_last, nn.ReLU()
        self.weight = nn.Parameter(torch.stack([-torch.ones(3 * PATCH**2), torch.ones(3 * PATCH**2)], dim=1))
        self.prefix = nn.Parameter(torch.ones(1, prefix, 2))

    def places(self, images):
        grid = images.float().div(255).unflatten(1, (-1, PATCH)).unflatten(3, (-1, PATCH)).transpose(2, 3)
        return grid.flatten(3) @ self.weight  # (n, 8, 8, 2)

    def forward(self, images):
        places = self.places(images)
        if self.channels_last:
            return self.activation(places).mean((1, 2))
        tokens = torch.cat([self.prefix.expand(len(images), -1, -1), places.flatten(1, 2)], dim=1)
        return self.activation(tokens).mean(1)


class FirstToken(Patches):
    """As a vision transformer: only the class token is asked, which has looked at the places before."""

    def __init__(self, prefix):
        super().__init__(prefix)
        self.last = nn.Identity()

    def forward(self, images):
        tokens = torch.cat([self.prefix.expand(len(images), -1, -1), self.places(images).flatten(1, 2)], dim=1)
        seen = self.activation(tokens)
        mixed = seen + seen.mean(1, keepdim=True)
        return self.last(mixed)[:, 0]  # the tokens of places are there still, but the answer does not depend on them


def lit(quarter, side=SIDE, seed=0):
    """A dark photo with a bright square in one of its quarters."""
    photo = np.random.default_rng(seed).integers(20, 80, (side, side, 3)).astype(np.uint8)
    row, column, eighth = quarter // 2 * side // 2, quarter % 2 * side // 2, side // 8
    photo[row + eighth : row + 3 * eighth, column + eighth : column + 3 * eighth] = 240
    return photo


def hottest(found):
    """The quarter with most of the heat."""
    half = len(found) // 2
    rows = (found[:half], found[half:])
    return int(np.argmax([part.mean() for row in rows for part in (row[:, :half], row[:, half:])]))


def test_the_bright_corner_spoke_for_bright():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:16, 48:] = 255
    found = heat(Corner(), image, 1)
    assert found.shape == (64, 64)
    assert found.max() == pytest.approx(1)
    assert found.min() >= 0
    assert found[:16, 48:].mean() > 0.5
    assert found[32:].max() < 0.01


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize(
    "network",
    [Corner(), Patches(), Patches(prefix=1), Patches(prefix=5), Patches(channels_last=True), FirstToken(1)],
    ids=["channels first", "tokens", "class token", "registers", "channels last", "answer from the class token"],
)
def test_the_heat_is_where_the_light_is_however_places_are_laid_out(network, quarter):
    found = heat(network.eval(), lit(quarter), 1)
    assert hottest(found) == quarter
    others = [number for number in range(4) if number != quarter]
    half = SIDE // 2
    rows = [found[other // 2 * half :][:half, other % 2 * half :][:, :half] for other in others]
    assert max(part.mean() for part in rows) < found.mean()


@pytest.mark.parametrize(
    "name",
    [
        "efficientnet_lite0",
        "test_vit:random",
        "test_vit2:random",
        "test_vit3:random",
        "test_vit4:random",
        "test_convnext:random",
    ],
)
def test_networks_of_every_kind_find_the_light(name):
    """The last layer is the direction from dark photos to such with a light, wherever it is."""
    network = Classifier(networks.load(name, image_size=96), 2, 0.0, normalise=True).eval()
    bright = [lit(number % 4, 96, number) for number in range(16)]
    dark = [np.random.default_rng(99 + number).integers(20, 80, (96, 96, 3)).astype(np.uint8) for number in range(16)]
    with torch.no_grad():
        features = nn.functional.normalize(network.backbone(torch.from_numpy(np.stack(bright + dark))))
        way = features[:16].mean(0) - features[16:].mean(0)
        network.last.weight.copy_(torch.stack([-way, way]))
    assert [hottest(heat(network, lit(quarter, 96), 1)) for quarter in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18:random", "test_resnet:random", "test_vit:random"])
def test_every_family_keeps_a_map(name):
    torch.manual_seed(0)
    network = Classifier(networks.load(name, image_size=96), 3, 0.0, normalise=True).eval()
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    found = heat(network, image, 2)
    assert found.shape == (96, 96)
    assert 0 <= found.min() <= found.max() <= 1
    assert not any(parameter.grad is not None for parameter in network.parameters())


class Mixed(nn.Module):
    """What looks like a map of 8 x 8 places but is none: every number of it sees the whole photo."""

    def __init__(self):
        super().__init__()
        self.mix, self.shape = nn.Linear(3 * SIDE**2, 2 * 64), nn.Unflatten(1, (2, 8, 8))

    def forward(self, images):
        return self.shape(self.mix(images.float().flatten(1))).mean((2, 3))


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.inside = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE**2, 2))

    def forward(self, images):
        return self.inside(images.float())


@pytest.mark.parametrize("network", [Flat(), Mixed()], ids=["no map", "a map of no places"])
def test_a_network_without_places_is_named(network):
    with pytest.raises(InputError, match="keeps no map of positions"):
        heat(network.eval(), lit(0), 0)
