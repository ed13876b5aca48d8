"""What later steps start with: what they are told, else the person's choice, else the default."""

import pytest

from cvtune_nb.classification.choice import choice, choose, start_with
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
