"""What a person has not chosen is what is recommended for the network."""

import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.models import backbones, recipes
from cvtune_nb.models.families import FAMILIES
from cvtune_nb.models.recipes import changes, in_words, recommended, switched
from cvtune_nb.parameters import PARAMETERS, Config

CONVNEXT, LITE = "convnext_tiny", "efficientnet_lite0"


def test_what_is_not_given_is_recommended_for_the_network():
    config = recommended(CONVNEXT, epochs=3, dropout=None)
    recipe = backbones.recipe(CONVNEXT)
    assert recipe["learning_rate"] != PARAMETERS["learning_rate"].default
    assert config == Config(CONVNEXT, **{**recipe, "epochs": 3})
    assert recommended(LITE) == Config(LITE)
    assert recommended("").backbone == backbones.default()[0]
    assert recommended("test_vit:random").ema > 0


def test_the_image_size_is_one_that_the_network_takes():
    assert recommended("vit_small_patch14_dinov2").image_size % 14 == 0
    assert recommended("mixer_s32_224", image_size=256).image_size == 256, "what is given stays, to be refused"


def test_what_is_given_is_checked():
    with pytest.raises(InputError, match=r"ema is 1: choose a value from 0 to 0\.9999"):
        recommended(LITE, ema=1)
    with pytest.raises(InputError, match="depth is not a parameter"):
        recommended(LITE, depth=3)


def test_the_parameters_that_differ_by_network_are_those_of_the_recipes():
    recipes = [{**family.recipe, **family.recipe_large} for family in FAMILIES.values()]
    assert {name for recipe in recipes for name in recipe} == {
        one.name for one in PARAMETERS.values() if one.by_network
    }


def test_another_network_brings_its_own_recipe_but_what_a_person_changed_stays():
    assert switched(Config(LITE), CONVNEXT) == recommended(CONVNEXT)
    assert switched(recommended(CONVNEXT), LITE) == Config(LITE)
    changed = switched(Config(LITE, learning_rate=0.001, epochs=3, seed=5, image_size=96), CONVNEXT)
    assert changed == recommended(CONVNEXT, learning_rate=0.001, epochs=3, seed=5, image_size=96)
    typed = switched(Config(LITE, schedule="[0.01]*2"), CONVNEXT)
    assert (typed.rates, typed.epochs, typed.layer_decay) == ([0.01, 0.01], 2, recommended(CONVNEXT).layer_decay)


def test_a_rate_that_was_halved_with_the_minibatch_stays_halved():
    assert switched(Config(LITE).halved().halved(), CONVNEXT) == recommended(CONVNEXT).halved().halved()


def test_a_large_transformer_can_climb_two_rungs():
    first = recommended("vit_base_patch16_224", image_size=224)
    assert [first.halved().learning_rate, first.halved().halved().learning_rate] == [1.5e-5, 7.5e-6]


def test_a_minibatch_set_by_hand_leaves_the_rate_to_the_network():
    assert switched(Config(LITE, batch_size=8), CONVNEXT) == recommended(CONVNEXT, batch_size=8)


def test_only_what_changes_is_named_the_network_first():
    change = changes(Config(LITE), CONVNEXT)
    assert next(iter(change)) == "backbone"
    assert set(change) == {"backbone", *backbones.recipe(CONVNEXT)}
    assert changes(Config("resnet18"), LITE) == {"backbone": LITE}


def test_in_words():
    assert in_words({"learning_rate": 5e-05, "layer_decay": 0.8}) == "learning rate 5e-05, layer decay 0.8"
    assert in_words({"weight_decay": 0.05, "epochs": 12}) == "L2 weight decay 0.05, epochs 12"
    assert recipes.in_words({}) == ""
