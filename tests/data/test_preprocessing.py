from dataclasses import fields

import numpy as np

from cvtune_nb.data.photo import FULL, square
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.parameters import Config


def test_a_network_is_shown_the_crop_of_what_is_decoded(opened):
    shown, path = Preprocessing(64), opened.path_of(opened.photos()["path"][0])
    kept = shown.decode(path, shown.side, FULL)
    assert kept.shape == (shown.side, shown.side, 3) and shown.side > 64
    assert np.array_equal(shown.crop(kept[None])[0], square(path, 64, FULL))


def test_the_key_tells_every_field_apart():
    keys = {Preprocessing(size).key for size in (64, 96, 224)}
    assert len(keys) == 3 and {field.name for field in fields(Preprocessing)} == {"image_size"}, "key has them all"


def test_a_run_says_what_its_network_is_shown():
    assert Preprocessing.of(Config("resnet18", image_size=96)) == Preprocessing(96)
