"""Lists of policies: what a person may type, and what is kept of it."""

import pytest

from cvtune_nb.augmentation.policies import OF_CLASSIFIERS, OF_DETECTORS, POLICIES, in_words, policies_in
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import Config


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        ("none", {}),
        ("crop-flip", {"crop": 1.0, "flip": 0.5}),
        ("flip + crop", {"crop": 1.0, "flip": 0.5}),
        ("flip+d4+colour", {"flip": 0.5, "d4": 1.0, "colour": 0.4}),
        ("rotation:20+colour:.5", {"rotation": 20.0, "colour": 0.5}),
        ("crop-flip+d4", {"crop": 1.0, "flip": 0.5, "d4": 1.0}),
    ],
)
def test_a_list_is_read_in_the_order_in_which_it_is_carried_out(typed, chosen):
    found = policies_in(typed)
    assert dict(found) == chosen
    assert list(found) == [name for name in POLICIES if name in chosen]
    assert policies_in(in_words(found)) == found


def test_what_is_kept_is_short_and_earlier_runs_keep_their_words():
    assert [Config("resnet18", augmentation=text).augmentation for text in ("crop-flip", "crop", "none")] == [
        "crop-flip",
        "crop",
        "none",
    ]
    assert Config("resnet18", augmentation="colour:.40+flip+crop").augmentation == "crop+flip+colour"
    kept = [
        DetectorConfig("resnet50_fpn", augmentation=text).augmentation for text in ("scale-flip", "scale", "flip+scale")
    ]
    assert kept == ["scale-flip", "scale", "scale-flip"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("zoom", "there is no 'zoom': choose from crop, resized-crop, flip"),
        ("flip+zoom:2", "there is no 'zoom'"),
        ("", "there is no ''"),
        ("flip+flip", "flip is there twice"),
        ("crop-flip+flip", "flip is there twice"),
        ("none+flip", "none stands alone"),
        ("rotation:far", "the strength of rotation is 'far': give 1 to 180 (degrees"),
        ("rotation:400", "give 1 to 180"),
        ("colour:nan", "give 0.01 to 1"),
        ("colour:", "the strength of colour is ''"),
        ("crop+resized-crop", "leave one of them out"),
        ("scale", "there is no 'scale'"),
    ],
)
def test_a_bad_list_is_refused_in_one_sentence(typed, words):
    with pytest.raises(InputError) as caught:
        Config("resnet18", augmentation=typed)
    assert str(caught.value).startswith(f"augmentation is {typed!r}: ")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_detectors_take_only_what_keeps_boxes():
    assert {"scale", "flip", "d4", "colour"} <= set(OF_DETECTORS)
    assert not {"crop", "rotation", "mixup", "erasing"} & set(OF_DETECTORS)
    assert "scale" not in OF_CLASSIFIERS
    with pytest.raises(InputError, match="there is no 'rotation': choose from scale, flip"):
        DetectorConfig("resnet50_fpn", augmentation="scale+rotation")


def test_labels_are_not_mixed_where_a_loss_compares_photos_of_a_class():
    with pytest.raises(InputError, match="mixup mixes classes: leave it out"):
        Config("resnet18", augmentation="crop-flip+mixup", loss="triplet")


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_policy_says_what_it_does_and_its_usual_strength_is_one_that_it_may_have(policy):
    assert policy.low <= policy.strength <= policy.high
    assert policy.label and policy.meaning and policy.unit
    assert policies_in(f"{policy.name}:{policy.low:g}") == {policy.name: policy.low}
