import pytest

from cvtune_nb import backbones
from cvtune_nb.errors import InputError
from cvtune_nb.escalation import LADDERS, ladder
from cvtune_nb.parameters import RECIPE_2018, Config


def test_each_family_of_backbones_has_a_ladder_of_four_rungs():
    assert set(LADDERS) == {entry.family for entry in backbones.KNOWN.values()}
    for family, table in LADDERS.items():
        assert table["rung"].tolist() == [1, 2, 3, 4]
        assert (
            not table[["backbone", "image_size", "batch_size", "learning_rate", "epochs", "head"]].isna().any(axis=None)
        )
        assert {backbones.KNOWN[name].family for name in table["backbone"]} == {family}


def test_the_resnet_rungs_are_those_of_2018():
    rungs = ladder("resnet")
    assert [(c.backbone, c.image_size, c.batch_size) for c in rungs] == [
        ("resnet18", 224, 32),
        ("resnet18", 500, 16),
        ("resnet50", 224, 16),
        ("resnet50", 500, 8),
    ]
    for config, rates in zip(rungs, ([0.05, 0.005, 0.0005], [0.025, 0.0025, 0.00025]), strict=False):
        assert config.rates == pytest.approx([rates[0]] * 7 + [rates[1]] * 7 + [rates[2]])
    assert ladder("resnet")[3].rates[0] == 0.01
    assert rungs[0] == Config.from_values(backbone="resnet18", image_size=224, **RECIPE_2018)
    assert LADDERS["resnet"]["accuracy_2018"].tolist() == [0.826, 0.902, 0.875, 0.928]


def test_the_rungs_for_installed_weights_climb_the_same_way():
    rungs = ladder("efficientnet_lite")
    assert [(c.backbone, c.image_size) for c in rungs] == [
        ("efficientnet_lite0", 224),
        ("efficientnet_lite0", 320),
        ("efficientnet_lite2", 224),
        ("efficientnet_lite2", 320),
    ]
    assert all(backbones.on_disk(config.backbone) for config in rungs)
    for config in rungs:
        assert config.learning_rate / config.batch_size == pytest.approx(0.0003 / 32)


def test_a_family_without_a_ladder():
    with pytest.raises(InputError, match="there is no ladder for 'vgg': choose resnet or efficientnet_lite"):
        ladder("vgg")
