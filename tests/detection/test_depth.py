"""Detectors see photos of more than 8 bits with the levels of their set."""

import numpy as np
import pytest

from cvtune_nb.data import levels
from cvtune_nb.data.photo import scaled
from cvtune_nb.detection import DetectorConfig, load_run, open_dataset
from cvtune_nb.detection.anchors import USUAL_RATIOS, USUAL_SIZES, Anchors
from cvtune_nb.detection.pixels import pictures
from cvtune_nb.detection.run import new_run
from cvtune_nb.errors import InputError
from tests.deep import png, ramp


@pytest.fixture
def photos(tmp_path):
    """Ten photos of 12 bits with a box each."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "classes.txt").write_text("thing\n")
    for number in range(10):
        (folder / f"{number}.png").write_bytes(png(ramp(4095, number)))
        (folder / f"{number}.txt").write_text("0 .5 .5 .3 .3\n")
    return folder


def test_pictures_are_as_bright_as_the_set_says(photos, tmp_path):
    dataset = open_dataset(photos, tmp_path / "w")
    assert dataset.workspace.levels == (0, 4095)
    found = pictures(dataset.workspace, dataset.photos, 48)
    path = dataset.workspace.path_of(dataset.photos["path"][0])
    assert np.array_equal(found[0], scaled(path, 48, (0, 4095))) and found[0].max() == 255
    dataset.workspace.pixels_gb = 0.0
    elsewhere = pictures(dataset.workspace, dataset.photos, 40)  # no room: decoded at each reading
    assert np.array_equal(elsewhere[0], scaled(path, 40, (0, 4095)))


def test_a_run_remembers_the_levels_of_its_photos(photos, tmp_path):
    dataset = open_dataset(photos, tmp_path / "w")
    run = new_run(dataset, DetectorConfig("efficientnet_lite0_fpn"), Anchors(USUAL_SIZES, USUAL_RATIOS, 1.0), 100, 1.0)
    levels.require_same(dataset.workspace, load_run(dataset, run.id).levels, run.id)
    assert run.levels == (0, 4095)


def test_other_levels_are_other_data(photos, tmp_path):
    before = open_dataset(photos, tmp_path / "w")
    known, seen = before.id, pictures(before.workspace, before.photos, 48)[0].mean()
    after = open_dataset(photos, tmp_path / "w", white=8190)
    assert after.id != known and pictures(after.workspace, after.photos, 48)[0].mean() == pytest.approx(seen / 2, abs=1)
    assert open_dataset(photos, tmp_path / "w", white="auto").id == known
    (photos / "new.png").write_bytes(png(ramp(60000)))
    (photos / "new.txt").write_text("0 .5 .5 .3 .3\n")
    words = levels.in_words(open_dataset(photos, tmp_path / "w").workspace)
    assert "some values, first in new.png, lie outside" in words


def test_8_bit_photos_take_no_levels(photos, tmp_path):
    from PIL import Image

    for path in photos.glob("*.png"):
        Image.fromarray((ramp(255, int(path.stem))).astype(np.uint8)).save(path)
    assert open_dataset(photos, tmp_path / "w").workspace.depth is None
    with pytest.raises(InputError, match="more than 8 bits a channel: leave black and white out"):
        open_dataset(photos, tmp_path / "w", white=9)
