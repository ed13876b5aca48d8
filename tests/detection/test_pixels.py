"""Whole photos at the size that a detector sees."""

import numpy as np
import pytest
from PIL import Image

from cvtune_nb.data.photo import scaled, scaled_size
from cvtune_nb.detection.pixels import pictures
from cvtune_nb.errors import InputError
from tests.boxes import make_scenes


def test_the_longer_side_is_the_image_size():
    assert scaled_size(640, 480, 320) == (320, 240)
    assert scaled_size(480, 640, 320) == (240, 320)
    assert scaled_size(1000, 1, 320) == (320, 1)


def test_they_are_decoded_once_and_are_what_scaling_gives(dataset, monkeypatch):
    photos = dataset.photos
    first = pictures(dataset.workspace, photos, 128)
    assert len(first) == 24
    assert first[3].shape == (96, 128, 3) and first[3].dtype == np.uint8
    assert np.array_equal(first[3], scaled(dataset.workspace.path_of(photos["path"][3]), 128))
    monkeypatch.setattr("cvtune_nb.detection.pixels.scaled", lambda *_, **__: pytest.fail("decoded again"))
    again = pictures(dataset.workspace, photos, 128)
    assert all(np.array_equal(again[n], first[n]) for n in range(24))


def test_what_there_is_no_room_for_is_decoded_when_it_is_read(dataset):
    dataset.workspace.limit_pixels(10.5 * 128 * 128 * 3 / 1e9)
    some = pictures(dataset.workspace, dataset.photos, 128)
    whole = [scaled(dataset.workspace.path_of(path), 128) for path in dataset.photos["path"]]
    assert all(np.array_equal(some[n], whole[n]) for n in range(24))
    stored = list((dataset.workspace.cache / "whole-128").glob("*.npy"))
    assert sum(len(np.load(file)) for file in stored) == 10


def test_turned_photos_are_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 100), "red").save(tmp_path / "a.jpg", exif=exif)
    assert scaled(tmp_path / "a.jpg", 100).shape == (100, 50, 3)


def test_sides_are_those_of_the_table_for_photos_of_every_odd_size(tmp_path):
    for width, height in ((1003, 751), (997, 333), (2001, 1999)):  # decoded at a reduced scale, whose sides are rounded
        Image.new("RGB", (width, height)).save(tmp_path / "a.jpg")
        assert scaled(tmp_path / "a.jpg", 128).shape[1::-1] == scaled_size(width, height, 128)


def test_a_photo_that_vanished_is_named(tmp_path):
    from cvtune_nb.detection import open_dataset

    folder = make_scenes(tmp_path / "photos", 12)
    dataset = open_dataset(folder, tmp_path / "workspace")
    (folder / "005.jpg").unlink()
    with pytest.raises(InputError, match=r"005\.jpg can no longer be read"):
        pictures(dataset.workspace, dataset.photos, 128)
