"""Levels: which values of photos of more than 8 bits are shown black and white, decided once for a data set."""

import json
import os
import shutil
import time

import numpy as np
import pytest
from PIL import Image

from cvtune_nb.data import levels, open_workspace
from cvtune_nb.data.levels import in_words, levels_for
from cvtune_nb.data.photo import FULL
from cvtune_nb.data.pixels import kept_bytes, pixels, thumbnail
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_json, write_json
from cvtune_nb.workspace import Workspace, photos_id
from tests.deep import colours, make_deep, png, ramp, tiff
from tests.photos import make_photos


def brightness(space):
    return pixels(space, space.photos(), Preprocessing(64))[:].mean(axis=(1, 2, 3))


@pytest.mark.parametrize(
    ("lowest", "highest", "floating", "found"),
    [
        (0, 255, False, (0, 255)),
        (0, 200, False, (0, 255)),
        (0, 256, False, (0, 1023)),
        (3, 1023, False, (0, 1023)),
        (0, 1024, False, (0, 4095)),
        (0, 3000, False, (0, 4095)),
        (0, 4096, False, (0, 16383)),
        (0, 16383, False, (0, 16383)),
        (0, 16384, False, FULL),
        (0, 65535, False, FULL),
        (0, 65536, False, (0, 2**20 - 1)),
        (0, 2**32 - 1, False, (0, 2**32 - 1)),
        (0, 0, False, FULL),
        (0, 1, False, (0, 255)),
        (-1024, 3071, False, (-1024, 4095)),
        (-1000, 2000, False, (-1024, 2047)),
        (-1, 255, False, (-1, 255)),
        (-32768, 32767, False, (-32768, 32767)),
        (-500, 0, False, (-512, 0)),
        (0, 1, True, FULL),
        (0, 0.2, True, FULL),
        (-1, 1, True, (-1, 1)),
        (-0.3, 0.8, True, (-1, 1)),
        (0, 6.97, True, (0, 7)),
        (0, 20, True, (0, 20)),
        (0, 200, True, (0, 255)),
        (0, 4000.5, True, (0, 4095)),
        (0, 65535, True, (0, 65535)),
        (-1024, 3071, True, (-1100, 3100)),
        (-5, 1, True, (-5, 1)),
        (0, 0, True, FULL),
    ],
)
def test_the_least_bits_that_hold_all_values_are_taken(lowest, highest, floating, found):
    assert levels_for(lowest, highest, floating) == found


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_a_set_of_any_bits_looks_as_its_8_bit_twin(tmp_path, kind, channels):
    seen = {}
    for bits in (8, 10, 12, 14, 16):
        make_deep(tmp_path / f"{bits}", 2**bits - 1, 4, kind, channels)
        space = open_workspace(tmp_path / f"{bits}", tmp_path / f"w{bits}")
        assert space.levels == (FULL if bits == 16 else (0, 2**bits - 1))
        assert f"photos of more than 8 bits a channel hold {bits} bits: 0 is shown black, {2**bits - 1} white" in (
            in_words(space)
        )
        seen[bits] = brightness(space)
    for bits in (10, 12, 14, 16):
        assert np.abs(seen[bits] - seen[8]).max() < 1


def test_a_picture_is_not_brighter_than_its_neighbour_because_it_is_darker(tmp_path):
    for place, top in enumerate((254, 255, 256, 257, 300, 4000)):
        (tmp_path / "p" / "ab"[place % 2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / "ab"[place % 2] / f"{top}.png").write_bytes(png(ramp(top)))
    space = open_workspace(tmp_path / "p", tmp_path / "w")
    order = space.photos()["path"].str.extract(r"(\d+)")[0].astype(int).to_numpy()
    assert (np.diff(brightness(space)[np.argsort(order)]) >= 0).all()
    assert "half of them stay below 1023 and come out dark: --white 1023 shows these brighter" in in_words(space)


def test_8_bit_photos_have_no_levels_and_nothing_changes_for_them(tmp_path):
    photos = make_photos(tmp_path / "p", ("a", "b"), per_class=5, size=64)
    space = open_workspace(photos, tmp_path / "w")
    assert space.depth is None and space.settled and in_words(space) == ""
    assert space.cache == space.folder / "cache" and "levels" not in space.photos()
    with pytest.raises(InputError, match=r"none of the photos in .* has more than 8 bits a channel: leave black"):
        open_workspace(photos, tmp_path / "w", white=4095)
    with pytest.raises(InputError, match="none of the photos"):
        open_workspace(photos, tmp_path / "new", white=4095)
    assert open_workspace(photos, tmp_path / "w").depth is None


def test_8_bit_photos_among_others_are_shown_as_they_are(tmp_path):
    make_deep(tmp_path / "p", 4095, 4)
    Image.fromarray(np.full((40, 40), 200, np.uint8)).save(tmp_path / "p" / "a" / "eight.png")
    space = open_workspace(tmp_path / "p", tmp_path / "w")
    assert space.levels == (0, 4095) and space.depth["photos"] == 8
    seen = pixels(space, space.photos(), Preprocessing(64))[:]
    assert (seen[space.photos()["path"].tolist().index("a/eight.png")] == 200).all()


def test_levels_stay_when_photos_are_added_and_what_lies_outside_is_said(tmp_path):
    make_deep(tmp_path / "p", 4095, 4)
    before = open_workspace(tmp_path / "p", tmp_path / "w")
    first, runs = set(before.photos()["path"]), photos_id(before.photos())
    (tmp_path / "p" / "a" / "dark.png").write_bytes(png(ramp(200, 7)))
    after = open_workspace(tmp_path / "p", tmp_path / "w")
    assert after.levels == (0, 4095) and "outside" not in in_words(after)
    (tmp_path / "p" / "a" / "new.png").write_bytes(png(ramp(60000, 8)))
    after = open_workspace(tmp_path / "p", tmp_path / "w")
    assert after.levels == (0, 4095) and len(after.photos()) == 10
    words = in_words(after)
    assert "some values, first in a/new.png, lie outside of that (from 0 to 60000) and are cut off" in words
    assert "--white and --black" in words
    assert in_words(open_workspace(tmp_path / "p", tmp_path / "w")) == words
    assert photos_id(after.photos()[after.photos()["path"].isin(first)]) == runs


def test_a_person_may_choose_and_go_back(tmp_path):
    make_deep(tmp_path / "p", 4095, 4)
    space = open_workspace(tmp_path / "p", tmp_path / "w")
    usual, runs, seen = space.cache, photos_id(space.photos()), brightness(space)
    chosen = open_workspace(tmp_path / "p", tmp_path / "w", white="8190")
    assert chosen.levels == (0, 8190) and chosen.cache != usual and photos_id(chosen.photos()) != runs
    assert brightness(chosen) == pytest.approx(seen / 2, abs=0.6)
    assert "values from 0 to 4095: 0 is shown black, 8190 white, as you chose; what lies outside is cut off" in (
        in_words(chosen)
    )
    assert kept_bytes(chosen) == kept_bytes(space) > 0
    assert Workspace(tmp_path / "w").levels == (0, 8190)
    window = open_workspace(tmp_path / "p", tmp_path / "w", black=1000)
    assert window.levels == (1000, 8190)
    back = open_workspace(tmp_path / "p", tmp_path / "w", white="auto")
    assert back.levels == (0, 4095) and back.cache == usual and photos_id(back.photos()) == runs
    assert not back.depth["chosen"] and back.depth["photos"] == 8


def test_levels_may_be_chosen_at_the_first_opening(tmp_path):
    make_deep(tmp_path / "p", 900, 4)
    space = open_workspace(tmp_path / "p", tmp_path / "w", black="100", white=900)
    assert space.levels == (100, 900) and space.depth["chosen"] and space.depth["photos"] == 8


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"white": "bright"}, "white is 'bright': give a number, such as 4095, or auto"),
        ({"black": "nan"}, "black is 'nan': give a number"),
        ({"white": "inf"}, "white is 'inf': give a number"),
        ({"white": 0}, "black is 0 and white 0: choose a white above the black"),
        ({"black": 9000}, "black is 9000 and white 4095"),
        ({"black": 5, "white": 4}, "black is 5 and white 4"),
    ],
)
def test_levels_that_are_none_are_refused_and_change_nothing(tmp_path, given, words):
    make_deep(tmp_path / "p", 4095, 4)
    space = open_workspace(tmp_path / "p", tmp_path / "w")
    with pytest.raises(InputError, match=words):
        open_workspace(tmp_path / "p", tmp_path / "w", **given)
    assert Workspace(space.folder).depth == space.depth


def test_floating_point_photos_among_whole_numbers_are_left_out_with_the_reason(tmp_path):
    make_deep(tmp_path / "p", 4095, 4)
    (tmp_path / "p" / "a" / "unit.tif").write_bytes(tiff(ramp(1, dtype=np.float32)))
    (tmp_path / "p" / "a" / "same.tif").write_bytes(tiff(ramp(4000, 3, dtype=np.float32)))
    space = open_workspace(tmp_path / "p", tmp_path / "w")
    assert space.levels == (0, 4095) and len(space.photos()) == 9
    assert space.skipped().to_dict("list") == {
        "path": ["a/unit.tif"],
        "label": ["a"],
        "reason": ["floating-point values up to 1, where the other photos have whole numbers; save it as these are"],
    }


def test_whole_numbers_among_floating_point_photos_are_left_out_with_the_reason(tmp_path):
    make_deep(tmp_path / "p", 1, 4, "tif", dtype=np.float32)
    space = open_workspace(tmp_path / "p", tmp_path / "w")
    assert space.levels == FULL and brightness(space).min() > 50
    (tmp_path / "p" / "a" / "whole.png").write_bytes(png(ramp(4095)))
    (tmp_path / "p" / "b" / "large.tif").write_bytes(tiff(ramp(90, dtype=np.float32)))
    skipped = open_workspace(tmp_path / "p", tmp_path / "w").skipped().set_index("path")["reason"]
    assert "whole numbers, where the other photos have floating-point values up to 1" in skipped["a/whole.png"]
    assert "floating-point values up to 90, and nothing says which is white" in skipped["b/large.tif"]


def test_metres_and_ct_have_levels_of_their_own(tmp_path):
    make_deep(tmp_path / "depth", 8.3, 4, "tif", dtype=np.float32)
    assert open_workspace(tmp_path / "depth", tmp_path / "w1").levels == (0, 8.3)
    for label in "ab":
        (tmp_path / "ct" / label).mkdir(parents=True)
        for number in range(4):
            values = ramp(3000, number, dtype=np.int32).astype(np.int16) - 1000
            (tmp_path / "ct" / label / f"{number}.tif").write_bytes(tiff(values[:, :: 1 if label == "a" else -1]))
    space = open_workspace(tmp_path / "ct", tmp_path / "w2")
    assert space.levels == (-1024, 2047)
    assert "values from -1000 to 2000: -1024 is shown black, 2047 white" in in_words(space)


def test_a_damaged_photo_is_left_out_and_has_no_say(tmp_path):
    make_deep(tmp_path / "p", 4095, 4)
    whole = png(ramp(65535, 9, 200))
    (tmp_path / "p" / "a" / "half.png").write_bytes(whole[: len(whole) // 2])
    space = open_workspace(tmp_path / "p", tmp_path / "w")
    assert space.levels == (0, 4095)
    assert space.skipped()["path"].tolist() == ["a/half.png"] and "damaged" in space.skipped()["reason"][0]


def test_a_workspace_of_before_is_settled_once(tmp_path, monkeypatch):
    make_deep(tmp_path / "p", 4095, 4)
    space = open_workspace(tmp_path / "p", tmp_path / "w")
    splits = space.manifest()
    file = tmp_path / "w" / "workspace.json"
    write_json(file, {name: value for name, value in read_json(file).items() if name != "levels"})
    shutil.rmtree(tmp_path / "w" / "cache")
    old = Workspace(tmp_path / "w")
    assert not old.settled and old.levels == FULL
    again = open_workspace(tmp_path / "p", tmp_path / "w")
    assert again.levels == (0, 4095) and again.settled and again.manifest().equals(splits)
    monkeypatch.setattr(levels, "high_depth", lambda *_: pytest.fail("looked at again"))
    open_workspace(tmp_path / "p", tmp_path / "w")


def test_opening_again_writes_nothing(tmp_path):
    make_deep(tmp_path / "p", 4095, 4)
    open_workspace(tmp_path / "p", tmp_path / "w")
    old = time.time() - 1000
    for file in ("workspace.json", "manifest.csv"):
        os.utime(tmp_path / "w" / file, (old, old))
    past = time.time() - 2000
    for file in (tmp_path / "p").rglob("*.png"):
        os.utime(file, (past, past))
    open_workspace(tmp_path / "p", tmp_path / "w")
    assert all((tmp_path / "w" / file).stat().st_mtime == old for file in ("workspace.json", "manifest.csv"))


def test_what_is_kept_is_plain(tmp_path):
    make_deep(tmp_path / "p", 3000, 4)
    open_workspace(tmp_path / "p", tmp_path / "w")
    kept = json.loads((tmp_path / "w" / "workspace.json").read_text())["levels"]
    assert kept == {
        "black": 0,
        "white": 4095,
        "chosen": False,
        "floating": False,
        "typical": 3000,
        "photos": 8,
        "lowest": 0,
        "highest": 3000,
        "outside": 0,
        "first_outside": "",
    }


def test_thumbnails_are_as_bright_as_the_pixels(tmp_path):
    make_deep(tmp_path / "p", 4095, 4, channels=3)
    space = open_workspace(tmp_path / "p", tmp_path / "w")
    (tmp_path / "one.jpg").write_bytes(thumbnail(space.path_of("a/0.png"), 48, space.levels))
    assert np.asarray(Image.open(tmp_path / "one.jpg")).mean() == pytest.approx(
        np.mean(colours(*[ramp(4095, 0)] * 3) / 16), abs=5
    )
