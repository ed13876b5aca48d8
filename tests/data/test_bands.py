"""Which bands of TIFFs of many are shown: chosen once for a set, remembered, and never guessed."""

import os

import numpy as np
import pytest
from PIL import Image

from cvtune_nb.data import levels, open_workspace
from cvtune_nb.data.photo import read_photo
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_json
from tests.file_types import bands_tiff
from tests.photos import make_photos

SMALL = Preprocessing(16)


@pytest.fixture
def photos(tmp_path):
    """Eight photos of five bands of 8 bits, and two of 12 bits in bands 4 and 5 alone."""
    for number in range(10):
        values = np.random.default_rng(number).integers(0, 256, (24, 24, 5), np.uint16)
        if number >= 8:
            values[..., 3:] *= 16
        file = tmp_path / "photos" / "ab"[number % 2] / f"{number}.tif"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bands_tiff(values if number >= 8 else values.astype(np.uint8)))
    return tmp_path / "photos"


def test_without_a_choice_each_photo_is_refused_by_name(photos, tmp_path):
    with pytest.raises(InputError, match=r"a TIFF of 5 bands.*--bands"):
        open_workspace(photos, tmp_path / "w")


def test_a_choice_is_remembered_and_taken_back(photos, tmp_path):
    space = open_workspace(photos, tmp_path / "w", bands="3, 2,1")
    assert len(space.photos()) == 10 and space.levels == (0, 255, 3, 2, 1)
    assert read_json(space.folder / "workspace.json")["bands"] == [3, 2, 1]
    assert set(space.photos()["levels"]) == {"0 255 3 2 1"}
    assert space.cache.name == "levels-0-255-bands-3-2-1"
    again = open_workspace(photos, tmp_path / "w")
    assert again.levels == space.levels and "bands 3, 2 and 1" in levels.in_words(again)
    seen = pixels(again, again.photos(), SMALL)[:]
    file = again.path_of(again.photos()["path"].iloc[0])
    assert (seen[0] == SMALL.decode(file, SMALL.side, again.levels)).all()
    with pytest.raises(InputError, match="a TIFF of 5 bands"):
        open_workspace(photos, tmp_path / "w", bands="auto")


def test_another_choice_gives_other_pixels_and_other_levels(photos, tmp_path):
    first = open_workspace(photos, tmp_path / "w", bands="3,2,1")
    file = first.path_of(first.photos()["path"].iloc[0])
    before, known = np.asarray(read_photo(file, levels=first.levels)), first.photos()
    second = open_workspace(photos, tmp_path / "w", bands="3,4,5")
    assert second.levels == (0, 4095, 3, 4, 5) and second.cache != first.cache
    after = np.asarray(read_photo(file, levels=second.levels))
    assert (after[..., 0] == before[..., 0]).all() and (after[..., 1] != before[..., 1]).any()
    assert (second.photos()["split"] == known["split"]).all(), "the split is frozen"
    with pytest.raises(InputError, match="bands 3, 2 and 1 as red"):
        levels.require_same(second, first.levels, "some-run")
    manifest = second.folder / "manifest.csv"
    written = manifest.stat().st_mtime_ns
    assert written > 10**18
    open_workspace(photos, tmp_path / "w")
    assert manifest.stat().st_mtime_ns == written, "nothing is looked at again"


@pytest.mark.parametrize("wrong", [{"white": "x"}, {"black": 9, "white": 3}, {"black": "auto", "white": "x"}])
def test_bands_are_not_kept_where_something_else_is_refused(photos, tmp_path, wrong):
    first = open_workspace(photos, tmp_path / "w", bands="3,2,1")
    kept = read_json(first.folder / "workspace.json")
    with pytest.raises(InputError, match=r"give a number|above the black"):
        open_workspace(photos, tmp_path / "w", bands="3,4,5", **wrong)
    assert read_json(first.folder / "workspace.json") == kept


def test_a_disk_whose_time_starts_in_1980_is_no_reason_to_look_at_all_photos_for_ever(photos, tmp_path):
    manifest = open_workspace(photos, tmp_path / "w", bands="3,2,1").folder / "manifest.csv"
    os.utime(manifest, (315532800, 315532800))
    open_workspace(photos, tmp_path / "w")
    assert manifest.stat().st_mtime > 1e9


def test_a_photo_with_too_few_bands_is_named(photos, tmp_path):
    (photos / "a" / "four.tif").write_bytes(bands_tiff(np.zeros((24, 24, 4), np.uint8)))
    space = open_workspace(photos, tmp_path / "w", bands="5,2,1")
    reasons = dict(space.skipped()[["path", "reason"]].itertuples(index=False, name=None))
    assert reasons == {"a/four.tif": "a TIFF of 4 bands, where bands 5, 2, 1 are to be shown"}


@pytest.mark.parametrize("given", ["3", "3,2", "0,1,2", "a,b,c", "1,2,3,4", "1,,2"])
def test_what_is_no_choice_is_refused(photos, tmp_path, given):
    with pytest.raises(InputError, match="give three numbers from 1 up"):
        open_workspace(photos, tmp_path / "w", bands=given)


def test_bands_are_refused_where_no_photo_has_many(photos, tmp_path):
    few = make_photos(tmp_path / "few", ("a", "b"), per_class=4, size=24)
    Image.new("RGB", (24, 24), "red").save(few / "a" / "three.tif")
    with pytest.raises(InputError, match="is a TIFF of more than three bands: leave bands out"):
        open_workspace(few, tmp_path / "f", bands="3,2,1")
    assert open_workspace(few, tmp_path / "f").bands == ()
    (few / "b" / "five.tif").write_bytes((photos / "a" / "0.tif").read_bytes())
    assert open_workspace(few, tmp_path / "f", bands="3,2,1").bands == (3, 2, 1)
