"""The order of a network's layers, and which of its weights decay."""

from collections import defaultdict

import pytest
import timm
import torch
from timm.models import group_parameters
from torch import nn

from cvtune_nb.classification.model import build
from cvtune_nb.errors import InputError
from cvtune_nb.models import layers, networks
from cvtune_nb.models.families import Colours
from cvtune_nb.models.layers import decaying, distances
from cvtune_nb.parameters import Config
from cvtune_nb.runs.optimizer import optimizer_for, set_learning_rate

INSIDE = "backbone.network."
RATE, DECAY = 0.001, 0.8


def classifier(name: str) -> nn.Module:
    return build(Config(f"{name}:random", image_size=64), ["a", "b"])


def by_distance(network: nn.Module) -> dict[int, set[str]]:
    """The modules at each distance from the last layer."""
    found = defaultdict(set)
    for name, distance in distances(network).items():
        found[distance].add(name.removeprefix(INSIDE).rpartition(".")[0])
    return found


def test_the_layers_of_a_vit_are_its_blocks():
    found = by_distance(classifier("test_vit"))
    depth = len(timm.create_model("test_vit").blocks)
    assert sorted(found) == list(range(depth + 2))
    assert found[0] == {"last"}
    assert {name.split(".")[0] for name in found[1]} == {"blocks", "norm"}, "the last norm belongs to the last block"
    for distance in range(1, depth + 1):
        blocks = {name.split(".")[1] for name in found[distance] if name.startswith("blocks")}
        assert blocks == {str(depth - distance)}
    assert found[depth + 1] == {"patch_embed.proj", ""}, "beside the stem its tokens and table of positions"


def test_the_layers_of_a_convnext_are_its_blocks_with_the_steps_between_stages():
    found = by_distance(classifier("test_convnext"))
    stages = [len(stage.blocks) for stage in timm.create_model("test_convnext").stages]
    assert sorted(found) == list(range(sum(stages) + 2))
    assert found[0] == {"last", "head.norm"}, "as in timm, what comes after the last block is the last layer"
    last = len(stages) - 1
    assert {name.split(".blocks.")[0] for name in found[1]} == {f"stages.{last}"}
    assert any(name.startswith(f"stages.{last}.downsample") for name in found[stages[last]])
    assert {name.split(".")[0] for name in found[sum(stages) + 1]} == {"stem"}


@pytest.mark.parametrize(("name", "depth"), [("resnet18", 8), ("poolformer_s12", 12), ("pit_ti_224", 12)])
def test_networks_that_do_not_state_their_layers_have_them_too(name, depth):
    network = networks.load(f"{name}:random")
    found = distances(nn.Sequential(network, nn.Linear(network.width, 2)))
    assert set(found.values()) == set(range(depth + 2))
    away = [distance for each, distance in found.items() if each.endswith("weight")]
    assert away == sorted(away, reverse=True)


ARCHITECTURES = [
    "test_byobnet",
    "test_efficientnet",
    "test_mambaout",
    "test_nfnet",
    "test_resnet",
    "test_vit2",
    "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256",
    "caformer_s18",
    "tiny_vit_5m_224",
    "eva02_tiny_patch14_224",
    "vit_small_patch14_dinov2",
    "vit_base_patch16_siglip_gap_224",
    "mobilenetv4_conv_small",
    "fastvit_t8",
    "tf_efficientnetv2_s",
    "regnety_002",
    "csatv2",
]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_has_layers_and_a_folded_norm_leaves_its_bias_in_the_layer_of_its_convolution(name):
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=0)
    matcher = network.group_matcher() if hasattr(network, "group_matcher") else layers.ORDER
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.bias is None:
            module.bias = nn.Parameter(torch.empty(1, device="meta"))
    found = group_parameters(network, matcher, reverse=True)
    assert len(set(found.values())) > 4
    for module in [each for each, module in network.named_modules() if isinstance(module, nn.Conv2d)]:
        assert found[f"{module}.bias"] == found[f"{module}.weight"]


def test_a_network_whose_layers_are_not_known_is_refused_in_one_sentence():
    unknown = networks.Backbone(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1)), 4, Colours((0,) * 3, (1,) * 3)
    )
    with pytest.raises(InputError, match="the order of this backbone's layers is not known: choose layer_decay 1"):
        distances(unknown)


@pytest.mark.parametrize("name", ["test_vit", "test_convnext"])
def test_the_rate_of_each_layer_is_the_rate_times_a_power_of_layer_decay(name):
    network = classifier(name)
    optimizer = optimizer_for(network, Config(name, layer_decay=DECAY, weight_decay=0.05))
    set_learning_rate(optimizer, RATE)
    away, decayed = distances(network), decaying(network)
    names = {id(parameter): each for each, parameter in network.named_parameters()}
    seen = set()
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            each = names[id(parameter)]
            seen.add(each)
            assert group["lr"] == pytest.approx(RATE * DECAY ** away[each])
            assert group["weight_decay"] == (0.05 if each in decayed else 0.0)
    assert seen == set(names.values())
    assert max(away.values()) >= 4


@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "test_vit3"])
def test_norms_biases_embeddings_and_tokens_do_not_decay(name):
    network = classifier(name)
    decayed = decaying(network)
    for owner, module in network.named_modules():
        for leaf, _ in module.named_parameters(recurse=False):
            linear = isinstance(module, nn.Linear | nn.Conv2d) and leaf == "weight"
            assert (f"{owner}.{leaf}".removeprefix(".") in decayed) == linear, (owner, leaf)
    if "vit" in name:
        assert {f"{INSIDE}pos_embed"} <= {each for each, _ in network.named_parameters()} - decayed


def test_what_timm_lists_does_not_decay_wherever_the_network_lies():
    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.table = nn.Linear(2, 2), nn.Linear(2, 2), nn.Embedding(2, 2)

        def no_weight_decay(self):
            return {"two.*"}

    assert decaying(nn.Sequential(nn.Linear(2, 2), Listed())) == {"0.weight", "1.one.weight"}


def test_without_layer_decay_the_groups_are_weights_and_the_rest_in_the_network_s_order():
    network = classifier("test_efficientnet")
    optimizer = optimizer_for(network, Config("test_efficientnet", weight_decay=0.05))
    matrices, others = ([p for p in network.parameters() if (p.ndim > 1) == wanted] for wanted in (True, False))
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.05, 0.0]
    for group, expected in zip(optimizer.param_groups, (matrices, others), strict=True):
        assert list(map(id, group["params"])) == list(map(id, expected))
    (everything,) = optimizer_for(network, Config("x", optimizer="sgd", weight_decay=0.05)).param_groups
    assert list(map(id, everything["params"])) == list(map(id, network.parameters()))
    assert everything["weight_decay"] == 0.05, "as in 2018"
