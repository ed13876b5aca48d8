from dataclasses import fields, replace

import numpy as np
import pytest
from PIL import Image

from cvtune_nb.classification.features import shown_in
from cvtune_nb.data.photo import FULL, centre_square, crop_centre, read_photo
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.parameters import PARAMETERS, Config


def test_a_network_is_shown_the_crop_of_what_is_decoded(opened):
    shown, path = Preprocessing(64), opened.path_of(opened.photos()["path"][0])
    kept = shown.decode(path, shown.side, FULL)
    assert kept.shape == (shown.side, shown.side, 3) and shown.side > 64
    assert np.array_equal(shown.crop(kept[None])[0], crop_centre(centre_square(path, 73), 64))
    assert np.array_equal(shown.square(path, FULL), shown.crop(kept))


@pytest.mark.parametrize("name", [field.name for field in fields(Preprocessing) if field.name != "step"])
def test_each_field_is_a_parameter_of_runs_that_the_key_tells_apart(name):
    parameter = PARAMETERS[name]
    other = next(value for value in (*parameter.choices, parameter.high) if value != parameter.default)
    config = Config("resnet18", **{name: other})
    shown = Preprocessing.from_dict(config.to_dict())
    assert getattr(shown, name) == getattr(shown_in(config), name) == other
    assert shown.key == shown_in(config).key != Preprocessing().key
    assert Preprocessing.from_dict(shown.to_dict()) == Preprocessing.from_key(shown.key) == shown


def test_the_key_of_what_has_always_been_is_the_image_size():
    assert Preprocessing(96).key == "96"  # caches of earlier versions stay valid


@pytest.mark.parametrize("key", ["", "x", "7", "064", "64.0", "64-", "64-nothing=1", "64-epochs=3", "64-image_size=64"])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ValueError, match=r"image_size is|is no key"):
        Preprocessing.from_key(key)


def test_a_run_says_what_its_network_is_shown():
    assert shown_in(Config("resnet18", image_size=96)) == Preprocessing(96)


@pytest.mark.parametrize(
    ("aspect", "step", "shape", "side"),
    [
        ("1:1", 16, (224, 224), 256),
        ("4:3", 4, (224, 300), (256, 343)),
        ("4:3", 16, (224, 304), (256, 347)),
        ("3:4", 16, (304, 224), (347, 256)),
        ("16:9", 32, (224, 384), (256, 439)),
        ("5:4", 224, (224, 224), 256),  # never below the image size
    ],
)
def test_the_longer_side_is_what_the_network_takes(aspect, step, shape, side):
    shown = Preprocessing(224, "crop", aspect, step=step)
    assert (shown.shape, shown.side) == (shape, side)
    assert replace(shown, framing="squash").prepared_side == shown.size == (224 if shape == (224, 224) else shape)
    assert ":" not in shown.key  # which names files


def test_a_shape_is_shown_without_distortion(tmp_path):
    photo = np.zeros((600, 800, 3), np.uint8)
    photo[:, 400:] = 255
    Image.fromarray(photo).save(tmp_path / "a.png")
    seen = Preprocessing(60, aspect="4:3").square(tmp_path / "a.png", FULL)
    assert seen.shape == (60, 80, 3) and seen[:, 41:].min() > 200 > 50 > seen[:, :39].max()
    upright = Preprocessing(60, "whole", "3:4").square(tmp_path / "a.png", FULL, (9, 9, 9))
    assert upright.shape == (80, 60, 3) and (upright[[0, -1]] == 9).all() and (upright[40] != 9).any()


def test_a_turned_jpeg_is_decoded_at_the_scale_of_its_own_sides(tmp_path):
    held = Image.Exif()
    held[0x0112] = 6
    image = Image.effect_mandelbrot((800, 600), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    image.save(tmp_path / "lying.jpg", exif=held)
    assert read_photo(tmp_path / "lying.jpg", (160, 120)).size == (150, 200)
    assert read_photo(tmp_path / "lying.jpg", (120, 160)).size == (300, 400)
