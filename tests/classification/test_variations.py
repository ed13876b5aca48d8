"""Which variations of photos do no harm: measured on validation photos, kept, and said in words."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageDraw

from cvtune_nb import metrics
from cvtune_nb.augmentation.policies import OF_CLASSIFIERS, POLICIES, policies_in
from cvtune_nb.classification import variations
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.variations import (
    COLUMNS,
    DOUBTFUL,
    DRAWS,
    HARMFUL,
    HARMLESS,
    MEASURED,
    Examples,
    cost_of,
    in_words,
    known_costs,
    measure_costs,
    predicted_seconds,
    verdict_on,
)
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import Stopped

SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(64))


@pytest.fixture(scope="module")
def arrows(tmp_path_factory):
    """Arrows that point to the left or to the right: mirrored, each is of the other class; upside down it is not."""
    folder, random = tmp_path_factory.mktemp("arrows") / "photos", np.random.default_rng(0)
    for label in ("left", "right"):
        (folder / label).mkdir(parents=True)
        for number in range(150):
            image = Image.new("RGB", (80, 80), tuple(int(value) for value in random.integers(150, 256, 3)))
            middle, size = 40 + int(random.integers(-4, 5)), int(random.integers(18, 26))
            dark = tuple(int(value) for value in random.integers(0, 90, 3))
            points = [(40 - size, middle), (40 + size, middle - size), (40 + size, middle + size)]
            ImageDraw.Draw(image).polygon([(x if label == "left" else 80 - x, y) for x, y in points], fill=dark)
            image.save(folder / label / f"{number}.png")
    return open_workspace(folder, folder.parent / "workspace")


def test_what_makes_another_class_of_a_photo_is_harmful_and_what_does_not_is_not(arrows):
    costs = measure_costs(arrows, SPEC, policies_in("flip+vertical-flip+mixup")).set_index("policy")
    assert list(costs.index) == ["flip", "vertical-flip"]
    assert costs.loc["flip", "verdict"] == HARMFUL and costs.loc["flip", "varied"] < 0.3
    assert costs.loc["vertical-flip", "verdict"] == HARMLESS
    assert (costs["accuracy"] > 0.9).all() and (costs["strength"] == 1).all()
    photos = int(costs.loc["flip", "photos"])
    assert f"Costs accuracy on {photos} validation photos varied so: -" in in_words(costs.loc["flip"])
    assert f"No reliable cost on {photos} " in in_words(costs.loc["vertical-flip"])


def test_what_was_measured_is_kept_for_its_photos_and_its_network(arrows, monkeypatch):
    first = measure_costs(arrows, SPEC, {"flip": 0.5, "rotation": 10.0})
    said = []
    more = measure_costs(
        arrows, SPEC, {"flip": 0.2, "rotation": 10.0, "blur": 1.0}, lambda _, words: said.append(words)
    )
    assert more[:2].equals(first) and {words.split(" by ")[1].split(":")[0] for words in said if " by " in words} == {
        "blur"
    }
    assert list(known_costs(arrows, SPEC)["policy"]).count("flip") == 1
    assert known_costs(arrows, FeatureSpec("efficientnet_lite0", Preprocessing(96))).empty

    def stopping(_, words):
        if "noise" in words:
            raise Stopped

    with pytest.raises(Stopped):
        measure_costs(arrows, SPEC, {"colour": 0.2, "noise": 0.05}, stopping)
    assert "colour" in list(known_costs(arrows, SPEC)["policy"])
    assert measure_costs(arrows, SPEC, {}).empty, "nothing is asked for"


def test_what_is_priced_is_what_was_not_measured_yet_and_the_features_that_are_lacking(workspace):
    one, two = (predicted_seconds(workspace, SPEC, chosen) for chosen in ({"blur": 1.0}, {"blur": 1.0, "noise": 0.05}))
    assert 0 < one < two
    measure_costs(workspace, SPEC, {"blur": 1.0})
    assert (
        predicted_seconds(workspace, SPEC, {"blur": 1.0, "mixup": 1.0}) == 0 == predicted_seconds(workspace, SPEC, {})
    )
    assert 0 < predicted_seconds(workspace, SPEC, {"blur": 1.0, "noise": 0.05}) < two
    other = FeatureSpec("efficientnet_lite0", Preprocessing(96))
    assert predicted_seconds(workspace, other, {"blur": 1.0}) > 2 * one, "its features are not there yet"


def test_every_policy_that_keeps_labels_is_measured(workspace):
    costs = measure_costs(workspace, SPEC)
    assert list(costs.columns) == COLUMNS and list(costs["policy"]) == list(MEASURED)
    assert set(MEASURED) == {name for name, policy in POLICIES.items() if policy.photos and not policy.mixes}
    assert (costs["low"] <= costs["difference"]).all() and (costs["difference"] <= costs["high"]).all()


def test_a_stronger_one_that_does_no_harm_speaks_for_a_weaker_one():
    rows = [("rotation", 15.0, HARMLESS), ("rotation", 90.0, HARMFUL), ("flip", 1.0, HARMLESS)]
    costs = pd.DataFrame(rows, columns=["policy", "strength", "verdict"])
    assert cost_of(costs, "rotation", 10.0)["verdict"] == HARMLESS
    assert cost_of(costs, "rotation", 90.0)["verdict"] == HARMFUL
    assert cost_of(costs, "rotation", 45.0) is None and cost_of(costs, "colour", 0.4) is None
    assert cost_of(costs, "flip", 0.2)["verdict"] == HARMLESS
    assert cost_of(pd.DataFrame(), "flip", 0.2) is None


def test_nine_photos_of_different_classes_are_shown_as_they_are_and_varied(workspace):
    examples = Examples(workspace, Preprocessing(64))
    plain, varied, again = (
        examples.varied(policies_in(text)) for text in ("none", "crop-flip+colour+mixup", "crop-flip+colour+mixup")
    )
    assert plain.shape == varied.shape == (1 + DRAWS, variations.SHOWN, 64, 64, 3)
    assert np.array_equal(plain[0], plain[1]) and np.array_equal(plain[0], varied[0])
    assert not np.array_equal(varied[1], varied[2]) and np.array_equal(varied, again)
    assert not np.array_equal(varied, examples.varied(policies_in("crop-flip+colour+mixup"), seed=1))


def test_to_look_at_photos_changes_nothing_that_a_run_draws(workspace):
    examples, every = Examples(workspace, Preprocessing(64)), {name: POLICIES[name].strength for name in OF_CLASSIFIERS}
    every.pop("crop")
    torch.manual_seed(1)
    before = torch.get_rng_state()
    shown = examples.varied(every)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert np.array_equal(examples.varied(every), shown)


@pytest.mark.parametrize(
    ("lost", "gained", "same", "verdict", "words"),
    [
        (30, 2, 68, HARMFUL, "Costs accuracy on 100"),
        (6, 3, 51, DOUBTFUL, "Too few validation photos (60) to tell"),
        (6, 1, 193, DOUBTFUL, "Too few validation photos (200) to tell"),
        (5, 0, 95, DOUBTFUL, "Too few validation photos (100) to tell"),
        (5, 0, 300, DOUBTFUL, "Too few validation photos (305) to tell"),
        (8, 3, 300, HARMLESS, "No reliable cost on 311"),
        (2, 2, 96, HARMLESS, "No reliable cost on 100"),
        (0, 0, 9, DOUBTFUL, "Too few validation photos (9) to tell"),
        (0, 9, 91, HARMLESS, "No reliable cost on 100"),
    ],
)
def test_only_what_is_shown_to_cost_little_is_harmless(lost, gained, same, verdict, words):
    before = np.array([True] * lost + [False] * gained + [True] * same)
    after = np.array([False] * lost + [True] * gained + [True] * same)
    compared = metrics.paired(before, after)
    assert verdict_on(compared) == verdict
    interval = {"difference": compared.difference, "low": compared.low, "high": compared.high, "p": compared.p}
    assert in_words(pd.Series({"photos": len(before), "verdict": verdict, **interval})).startswith(words)
