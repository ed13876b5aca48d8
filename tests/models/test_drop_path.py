"""Drop path is given to networks that take it; others refuse it."""

import pytest
import torch
from timm.layers import DropPath

from cvtune_nb.errors import InputError
from cvtune_nb.models import networks
from cvtune_nb.models.drop_path import require_drop_path, takes_drop_path
from cvtune_nb.runs.fitting import train_mode


def drop_paths(network) -> list[float]:
    return [module.drop_prob for module in network.modules() if isinstance(module, DropPath) and module.drop_prob]


@pytest.mark.parametrize("name", ["test_vit:random", "test_convnext:random", "efficientnet_lite0"])
def test_it_grows_with_depth_skips_blocks_in_training_and_changes_nothing_else(name):
    plain, network = networks.load(name, image_size=64), networks.load(name, image_size=64, drop_path=0.5)
    found = drop_paths(network)
    assert found == sorted(found) and found[-1] > 0.3 and not drop_paths(plain)
    images = torch.randint(256, (4, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = plain.eval()(images)
        assert torch.equal(network.eval()(images), expected)
        train_mode(network)
        torch.manual_seed(0)
        assert not torch.allclose(network(images), expected)
    assert plain.state_dict().keys() == network.state_dict().keys()


def test_a_network_without_it_refuses_it_in_one_sentence():
    assert not takes_drop_path("resnet18") and not takes_drop_path("vgg11") and takes_drop_path("convnext_tiny")
    require_drop_path("resnet18", 0.0)
    for call in (lambda: networks.load("resnet18:random", drop_path=0.1), lambda: require_drop_path("vgg11", 0.1)):
        with pytest.raises(InputError, match=r"(resnet18:random|vgg11) is built without drop path: choose drop_path 0"):
            call()
    with pytest.raises(InputError, match="there is no backbone called 'resnet_18'"):
        require_drop_path("resnet_18", 0.1)
