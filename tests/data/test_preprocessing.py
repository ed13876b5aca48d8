from dataclasses import fields

import numpy as np
import pytest

from cvtune_nb.data.photo import FULL, centre_square, crop_centre
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.parameters import PARAMETERS, Config


def test_a_network_is_shown_the_crop_of_what_is_decoded(opened):
    shown, path = Preprocessing(64), opened.path_of(opened.photos()["path"][0])
    kept = shown.decode(path, shown.side, FULL)
    assert kept.shape == (shown.side, shown.side, 3) and shown.side > 64
    assert np.array_equal(shown.crop(kept[None])[0], crop_centre(centre_square(path, 73), 64))
    assert np.array_equal(shown.square(path, FULL), shown.crop(kept))


@pytest.mark.parametrize("name", [field.name for field in fields(Preprocessing)])
def test_each_field_is_a_parameter_of_runs_that_the_key_tells_apart(name):
    parameter = PARAMETERS[name]
    other = next(value for value in (*parameter.choices, parameter.high) if value != parameter.default)
    config = Config("resnet18", **{name: other})
    assert getattr(Preprocessing.of(config), name) == other
    assert Preprocessing.of(config).key != Preprocessing().key
    assert Preprocessing.from_dict(Preprocessing.of(config).to_dict()) == Preprocessing.of(config)
    assert Preprocessing.from_key(Preprocessing.of(config).key) == Preprocessing.of(config)


def test_the_key_of_what_has_always_been_is_the_image_size():
    assert Preprocessing(96).key == "96"  # caches of earlier versions stay valid


@pytest.mark.parametrize("key", ["", "x", "7", "064", "64.0", "64-", "64-nothing=1", "64-epochs=3", "64-image_size=64"])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ValueError, match=r"image_size is|is no key"):
        Preprocessing.from_key(key)


def test_a_run_says_what_its_network_is_shown():
    assert Preprocessing.of(Config("resnet18", image_size=96)) == Preprocessing(96)
