"""Which framing is recommended, and that it is measured on the same training photos."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.framing import (
    compare_framings,
    concluded,
    expected_seconds,
    last_framings,
    most_cut_off,
    specs,
)
from cvtune_nb.classification.judge import Judge, Said
from cvtune_nb.data import open_workspace
from cvtune_nb.data.mean_colour import padding_for
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.data.summary import common_aspect
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.workspace import Workspace
from tests.photos import draw_photo

SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(64))


def hits(n: int, right: int, shift: int = 0) -> Said:
    """n photos, `right` of them right, beginning with photo `shift`."""
    return Said(np.roll(np.arange(n) < right, shift))


@pytest.mark.parametrize(
    ("crop", "whole", "squash", "expected"),
    [
        (80, 80, 80, "crop"),
        (80, 83, 80, "crop"),  # 3 photos of 100 may be luck
        (60, 80, 60, "whole"),
        (60, 60, 80, "squash"),
        (60, 80, 82, "whole"),  # squash is ahead, but not reliably
        (40, 60, 80, "squash"),
        (80, 60, 60, "crop"),
    ],
)
def test_the_crop_stays_unless_another_is_reliably_better(crop, whole, squash, expected):
    right = {"crop": hits(100, crop), "whole": hits(100, whole), "squash": hits(100, squash)}
    found = concluded(SPEC, right, "")
    assert found.recommended == expected
    assert found.table["accuracy"].tolist() == [crop / 100, whole / 100, squash / 100]
    assert found.table["difference"].tolist() == pytest.approx([0, (whole - crop) / 100, (squash - crop) / 100])
    assert f"Recommended: {expected}." in found.sentences[1]
    assert f"({whole - crop:+.1f} points from crop, 95% interval " in found.sentences[0]


def test_of_two_tries_one_is_ahead_by_chance_more_often():
    right = {"crop": hits(100, 50), "whole": hits(100, 57), "squash": hits(100, 50)}
    row = concluded(SPEC, right, "").table.set_index("framing").loc["whole"]
    assert 0.01 < row["p"] < 0.025
    right["whole"].right[56] = False  # 6 gained and none lost: p = .031, reliable for one comparison, not for two
    found = concluded(SPEC, right, "")
    assert 0.025 < found.table["p"][1] < 0.05 and found.recommended == "crop"


@pytest.mark.parametrize(
    ("crop", "whole", "squash", "wider", "expected"),
    [
        (60, 60, 60, 80, "crop at 16:9"),
        (60, 80, 60, 84, "whole"),  # ahead, but not reliably, and it costs more
        (40, 60, 60, 80, "crop at 16:9"),
        (60, 80, 80, 60, "whole"),
        (60, 60, 60, 66, "crop"),  # 6 of 100: reliable for one that is tried, not for three
    ],
)
def test_another_aspect_ratio_has_to_be_worth_its_pixels(crop, whole, squash, wider, expected):
    right = {"crop": crop, "whole": whole, "squash": squash, "crop at 16:9": wider}
    found = concluded(SPEC, {name: hits(100, n) for name, n in right.items()}, "")
    assert found.recommended == expected
    assert found.table["pixels"].tolist() == [64 * 64] * 3 + [64 * 112]
    assert "; 1.75 times the pixels)" in found.sentences[0]
    assert ("for 1.75 times the pixels" in found.why) == (expected == "crop at 16:9")
    chosen = found.to_dict()
    assert (chosen["framing"], chosen["aspect"]) == (expected.split()[0], "16:9" if "16:9" in expected else "1:1")


def test_the_photos_own_aspect_ratio_is_tried(wide):
    assert list(specs(wide, SPEC)) == ["crop", "whole", "squash", "crop at 16:9"]
    assert list(specs(wide, FeatureSpec("mixer_s32_224", Preprocessing(224)))) == ["crop", "whole", "squash"]
    by_hand = FeatureSpec(SPEC.backbone, Preprocessing(64, "whole", "3:4"))
    assert specs(wide, by_hand) == specs(wide, SPEC), "compared are these, whatever was chosen"
    assert common_aspect(pd.DataFrame({"width": [300, 100, 30], "height": [100, 134, 40]})) == "3:4"
    assert common_aspect(pd.DataFrame({"width": [110], "height": [100]})) == "1:1"


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Shapes at the left or right end of wide photos, of which a centre square holds nothing."""
    root, random = tmp_path_factory.mktemp("wide"), np.random.default_rng(0)
    for number, label in enumerate(("circle", "square", "stripes")):
        for index in range(24):
            shape = draw_photo(number, 90, np.random.default_rng([number, index])).resize((80, 80))
            frame = Image.fromarray(random.integers(40, 160, (4, 12, 3), np.uint8)).resize((300, 100))
            frame.paste(shape, (0 if index % 2 else 220, 10))
            (root / "photos" / label).mkdir(parents=True, exist_ok=True)
            frame.save(root / "photos" / label / f"{index}.png")
    return open_workspace(root / "photos", root / "w")


def test_objects_at_the_sides_ask_for_whole_photos(wide):
    seconds = expected_seconds(wide, SPEC)
    assert seconds > 0 and last_framings(wide) is None
    found = compare_framings(wide, SPEC)
    rows = found.table.set_index("framing")
    assert found.recommended in ("whole", "squash") and rows["difference"][found.recommended] > 0.1
    assert rows["photos"].nunique() == 1 and rows["photos"].iloc[0] == (wide.photos()["split"] == "train").sum()
    again = last_framings(wide)
    assert again.sentences == found.sentences and again.to_dict() == found.to_dict()
    assert expected_seconds(wide, SPEC) < seconds, "features are kept"
    worst = most_cut_off(wide, 6)
    assert worst["cut_off"].tolist() == pytest.approx([2 / 3] * 6) and worst["label"].nunique() == 3


def test_a_stop_and_too_few_photos(wide, tmp_path):
    def stop(_share, words):
        if words.startswith("squash"):
            raise Stopped

    other = FeatureSpec(SPEC.backbone, Preprocessing(48))
    with pytest.raises(Stopped):
        compare_framings(wide, other, progress=stop)
    with pytest.raises(InputError, match="too few to compare"):
        compare_framings(wide, other, photos=5)


def test_the_mean_colour_is_measured_once_and_stays(wide):
    before = wide.mean_colour
    assert before is not None and all(40 < value < 200 for value in before)
    colours = [
        np.asarray(Image.open(wide.path_of(path)).convert("RGB")).mean((0, 1))
        for path in wide.photos().query("split == 'train'")["path"]
    ]
    assert np.abs(np.mean(colours, axis=0) - before).max() <= 1
    for path in wide.photos().query("split == 'train'")["path"][:9]:
        wide.decide(path, "exclude")
    assert open_workspace(wide.source, wide.folder).mean_colour == before
    content = io.BytesIO()
    Image.new("RGB", (100, 20), (255, 0, 0)).save(content, "PNG")
    shown = Preprocessing(50, framing="whole").square(content, (0, 0), before)
    assert (shown[:20] == before).all() and (shown[30:] == before).all() and (shown[21:29] == (255, 0, 0)).all()


def test_two_that_are_open_at_once_agree_on_the_mean_colour(workspace):
    first, second, third = (Workspace(workspace.folder) for _ in range(3))
    whole = Preprocessing(64, framing="whole")
    second.keep_mean_colour((1, 2, 3))
    assert padding_for(first, whole) == (1, 2, 3), "measured while this one was open already"
    third.keep_mean_colour((9, 9, 9))
    assert third.mean_colour == Workspace(workspace.folder).mean_colour == (1, 2, 3), "the first one measured stays"


def test_frames_of_few_scenes_recommend_no_framing():
    right = {"crop": Said(np.zeros(60, bool)), "whole": Said(np.repeat([True, True, True, False, False], 12))}
    assert concluded(SPEC, right, "").recommended == "whole"
    scenes = concluded(SPEC, right, "", Judge(groups=np.repeat(np.arange(5), 12)))
    assert scenes.recommended == "crop" and scenes.table["low"][1] < concluded(SPEC, right, "").table["low"][1]
