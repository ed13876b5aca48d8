import itertools

import pandas as pd
import pytest

from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.escalation import ladder, ladder_of, ladders, own_rungs, read_rungs, reference_2018, resized, save_rungs
from cvtune_nb.models import backbones
from cvtune_nb.models.families import FAMILIES
from cvtune_nb.models.recipes import recommended
from cvtune_nb.parameters import PARAMETERS, RECIPE_2018, Config
from tests.other_values import OTHERS


def test_a_family_climbs_from_its_cheapest_network():
    assert ladders() == ["resnet", "efficientnet_lite"]
    for family in ladders():
        rungs = ladder(family)
        assert len(rungs) > 4
        assert rungs[0].backbone == FAMILIES[family].networks[0].name
        assert {backbones.family_of(rung.backbone).name for rung in rungs} == {family}


def test_a_ladder_with_other_sizes_and_epochs():
    own = ladder("efficientnet_lite")
    changed = resized(own, [64, 96], 3)
    assert [rung.image_size for rung in changed] == [64] + [96] * (len(own) - 1)
    assert {(rung.epochs, rung.schedule) for rung in changed} == {(3, "")}
    assert [rung.backbone for rung in changed] == [rung.backbone for rung in own]
    assert resized(own, range(64, 640, 32))[1].image_size == 96, "more sizes than rungs"


@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenetv3_small_050"])
def test_what_was_chosen_about_photos_and_features_holds_on_every_rung(name):
    rungs = ladder_of(FeatureSpec(name, Preprocessing(128, "whole"), pooling="stages"))
    assert len(rungs) > 1 and {(rung.framing, rung.pooling) for rung in rungs} == {("whole", "stages")}


def test_a_network_of_no_ladder_climbs_alone():
    rungs = ladder_of(FeatureSpec("mobilenetv3_small_050"))
    assert [(rung.image_size, rung.batch_size) for rung in rungs] == [(224, 32), (224, 32), (320, 16), (448, 8)]
    assert {rung.backbone for rung in rungs} == {"mobilenetv3_small_050"}
    assert [rung.learning_rate for rung in rungs] == [0.0003, 0.0003, 0.00015, 0.000075]
    assert [rung.loss for rung in rungs] == ["cross-entropy", *["supervised-contrastive"] * 3]
    assert [rung.progressive for rung in rungs] == [0, 0, 0.6, 0.6]
    assert ladder_of(FeatureSpec("resnet50")) == ladder("resnet")
    alone = ladder_of(FeatureSpec("resnet18:random"))
    assert {rung.backbone for rung in alone} == {"resnet18:random"}
    assert {(rung.loss, rung.progressive) for rung in alone} == {("cross-entropy", 0.0)}, "2018's recipe"


def test_what_a_network_does_not_take_its_rungs_do_without():
    one = ladder_of(FeatureSpec("mixer_s32_224"))
    assert {rung.image_size for rung in one} == {224}, "it is made for one size"
    positions = ladder_of(FeatureSpec("vit_tiny_patch16_224"))
    assert len(positions) == 4 and {rung.progressive for rung in positions} == {0.0}


def test_the_resnet_rungs_are_those_of_2018():
    rungs = ladder("resnet")
    assert [(c.backbone, c.image_size, c.batch_size) for c in rungs[:4]] == [
        ("resnet18", 224, 32),
        ("resnet18", 500, 16),
        ("resnet50", 224, 16),
        ("resnet50", 500, 8),
    ]
    for config, rates in zip(rungs, ([0.05, 0.005, 0.0005], [0.025, 0.0025, 0.00025]), strict=False):
        assert config.rates == pytest.approx([rates[0]] * 7 + [rates[1]] * 7 + [rates[2]])
    assert ladder("resnet")[3].rates[0] == 0.01
    assert rungs[0] == Config.from_values(backbone="resnet18", image_size=224, **RECIPE_2018)
    known = reference_2018()
    assert known["accuracy"].tolist() == [0.826, 0.902, 0.875, 0.928]
    assert known[["time_low", "time_high"]].to_numpy().tolist() == [[1, 1], [2, 5], [2, 5], [5, 15]]


def test_beyond_rung_4_networks_get_deeper_or_photos_larger_and_steps_smaller():
    for family in ladders():
        rungs = ladder(family)
        for below, rung in itertools.pairwise(rungs[3:]):
            assert (rung.backbone, rung.image_size) != (below.backbone, below.image_size)
            assert rung.image_size >= below.image_size
            assert rung.batch_size <= below.batch_size
            assert rung.learning_rate <= below.learning_rate
    assert {rung.backbone for rung in ladder("resnet")[4:]} == {"resnet101", "resnet152"}


def test_the_rungs_for_installed_weights_climb_the_same_way():
    rungs = ladder("efficientnet_lite")
    assert [(c.backbone, c.image_size) for c in rungs[:4]] == [
        ("efficientnet_lite0", 224),
        ("efficientnet_lite0", 224),
        ("efficientnet_lite0", 320),
        ("efficientnet_lite2", 260),
    ]
    assert rungs[0] == recommended("efficientnet_lite0"), "the first is a run as recommended"
    assert {rung.loss for rung in rungs[1:]} == {"supervised-contrastive"}
    assert [rung.progressive for rung in rungs] == [0, 0, 0.6, 0, 0.6]
    assert all(backbones.on_disk(config.backbone) for config in rungs)
    for config in rungs:
        assert config.learning_rate / config.batch_size == pytest.approx(0.0003 / 32)


def test_a_family_without_a_ladder():
    with pytest.raises(InputError, match="there is no ladder for 'vgg': choose resnet or efficientnet_lite"):
        ladder("vgg")


def test_edited_rungs_are_kept_and_given_back(workspace):
    assert own_rungs(workspace) == []
    rungs = [Config("efficientnet_lite0", image_size=96, schedule="[0.01]*2 + [0.001]"), *ladder("resnet")]
    save_rungs(workspace, rungs)
    assert own_rungs(workspace) == rungs
    save_rungs(workspace, [])
    assert own_rungs(workspace) == []


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name not in ("seed", "backbone")])
def test_every_parameter_of_a_rung_is_kept(workspace, name):
    rungs = [Config("resnet18"), Config("resnet18", **{name: OTHERS[name]})]
    save_rungs(workspace, rungs)
    assert own_rungs(workspace) == rungs
    file = workspace.folder / "rungs.csv"
    pd.read_csv(file).drop(columns=name).to_csv(file, index=False)  # as a version that did not know the parameter
    assert {getattr(rung, name) for rung in own_rungs(workspace)} == {Config.BEFORE.get(name, PARAMETERS[name].default)}


def test_a_table_of_rungs_needs_no_more_than_what_differs(tmp_path):
    file = tmp_path / "rungs.csv"
    file.write_text("rung,backbone,image_size,learning_rate\n1,resnet18,224,\n2,resnet18,320,0.001\n")
    assert read_rungs(file) == [Config("resnet18"), Config("resnet18", image_size=320, learning_rate=0.001)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image_size\n224\n", "has no column backbone"),
        ("backbone,image_size\nresnet18,224\nresnet18,20\n", "rungs.csv, rung 2: image_size is 20"),
        ("backbone,image_size\nresnet18,224\n,320\n", "rungs.csv, rung 2: it names no backbone"),
        ("backbone,depth\nresnet18,3\n", "rungs.csv, rung 1: depth is not a parameter"),
        ("", "can't be read as a table of rungs"),
    ],
)
def test_a_bad_table_of_rungs_is_one_sentence(tmp_path, text, says):
    file = tmp_path / "rungs.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=says):
        read_rungs(file)


def test_a_table_of_rungs_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"no\.csv can't be read"):
        read_rungs(tmp_path / "no.csv")


def test_rungs_without_a_remedy_have_the_chosen_one(tmp_path):
    file = tmp_path / "rungs.csv"
    file.write_text("backbone\nresnet18\n")
    assert read_rungs(file, "balanced")[0].imbalance == "balanced"
    file.write_text("backbone,imbalance\nresnet18,square-root\nresnet18,none\n")
    assert [rung.imbalance for rung in read_rungs(file, "balanced")] == ["square-root", "none"]
