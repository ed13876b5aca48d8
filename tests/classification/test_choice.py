"""What later steps start with: what they are told, else the person's choice, else the default."""

import pytest

from cvtune_nb.classification.candidates import listed
from cvtune_nb.classification.choice import choice, choose, choose_framing, start_with
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.similarity import find_embedder

CHOSEN = FeatureSpec("efficientnet_lite1", Preprocessing(96))


@pytest.fixture
def chosen(workspace):
    choose(workspace, CHOSEN, "recommended for speed")
    return workspace


def test_before_a_choice_it_is_the_default(workspace):
    assert choice(workspace) is None
    assert start_with(workspace) == start_with(None) == FeatureSpec("efficientnet_lite0", Preprocessing(224))


def test_the_choice_is_kept_and_said(chosen):
    assert str(choice(chosen)) == "efficientnet_lite1 at 96 pixels, recommended for speed"
    assert start_with(chosen) == CHOSEN
    assert start_with(None).backbone == "efficientnet_lite0"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"pooling": "stages"}, ("efficientnet_lite1", 96, "stages")),
        ({"backbone": "efficientnet_lite2"}, ("efficientnet_lite2", 224)),  # the size was chosen for another network
        ({"backbone": "efficientnet_lite1"}, ("efficientnet_lite1", 96)),
        ({"image_size": 64}, ("efficientnet_lite1", 64)),
        ({"backbone": "efficientnet_lite2", "image_size": 64, "epochs": 3}, ("efficientnet_lite2", 64)),
        ({"backbone": "", "image_size": 0}, ("efficientnet_lite1", 96)),
    ],
)
def test_what_a_step_is_told_counts_more(chosen, told, expected):
    assert start_with(chosen, told) == FeatureSpec(
        expected[0], Preprocessing(expected[1]), pooling="stages" if "stages" in expected else "last"
    )


def test_look_alikes_start_with_it(chosen):
    assert find_embedder(chosen).spec == CHOSEN


def test_a_framing_is_chosen_beside_the_network_and_stays_with_another_one(workspace, chosen):
    assert str(choose_framing(chosen, "whole", "recommended")) == (
        "efficientnet_lite1 at 96 pixels, whole, recommended for speed; whole: recommended"
    )
    assert start_with(chosen) == FeatureSpec("efficientnet_lite1", Preprocessing(96, framing="whole"))
    other = start_with(chosen, {"backbone": "efficientnet_lite2"})
    assert other == FeatureSpec("efficientnet_lite2", Preprocessing(224, framing="whole"))
    assert start_with(chosen, {"framing": "squash"}).preprocessing.framing == "squash"
    assert choose(chosen, other, "chosen by hand").framing_why == "recommended"
    assert choice(chosen).spec == other
    choose(chosen, CHOSEN, "chosen by hand")
    assert str(choice(chosen)) == (
        "efficientnet_lite1 at 96 pixels, whole, chosen by hand (measured with crop); whole: recommended"
    )


def test_a_framing_can_be_chosen_first(workspace):
    choose_framing(workspace, "squash", "recommended")
    assert str(choice(workspace)) == "efficientnet_lite0 at 224 pixels, squash, the default; squash: recommended"
    assert {one.spec.preprocessing.framing for one in listed(workspace, ["efficientnet_lite0"])} == {"squash"}


def test_an_aspect_ratio_is_chosen_with_the_framing(workspace, chosen):
    made = choose_framing(chosen, "crop at 4:3", "recommended")
    assert str(made) == "efficientnet_lite1 at 96 pixels, 4:3, recommended for speed; crop at 4:3: recommended"
    assert start_with(chosen, {"backbone": "efficientnet_lite2"}).preprocessing.shape == (224, 300)
    choose(chosen, CHOSEN, "chosen by hand")
    assert choice(chosen).spec.preprocessing.shape == (96, 128) and choice(chosen).measured_with == "crop"
    assert choose_framing(chosen, "whole", "").spec == FeatureSpec("efficientnet_lite1", Preprocessing(96, "whole"))
