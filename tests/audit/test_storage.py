import time

import pandas as pd
import pytest

from cvtune_nb.audit import storage
from cvtune_nb.audit.storage import Storage
from cvtune_nb.classification.features import FeatureSpec, features, network_speed
from cvtune_nb.data import open_workspace
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import Preprocessing
from tests.audit.contexts import issues, known
from tests.photos import make_photos

SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(64))


def said(speed):
    return issues(known(photos=pd.DataFrame(), storage=speed), "slow-storage")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("storage")
    space = open_workspace(make_photos(folder / "photos", ("a", "b"), per_class=12, size=96), folder / "w")
    photos = space.photos()
    return space, photos, pixels(space, photos, Preprocessing(64))


def test_slow_files_are_said_with_the_factor_of_the_remedy(opened):
    space, photos, packed = opened

    def read(path):
        time.sleep(0.05)
        return path.read_bytes()

    speed = storage.measure(space, photos, packed, 5_000.0, read)
    assert speed.files < speed.packed and speed.reading > 0.5
    found = said(Storage(20.0, 4_000.0, 300.0, speed.reading, True)).iloc[0]
    assert found["issue"] == "slow-storage" and found["path"] == ""
    assert "20 a second" in found["detail"] and "takes 300" in found["detail"]
    assert "200 times faster" in found["suggestion"] and "copy the photos" in found["suggestion"]


def test_slow_decoding_is_no_reason_to_copy_photos():
    found = said(Storage(100.0, 4_000.0, 300.0, 0.1, True)).iloc[0]
    assert "10% of that time is reading" in found["detail"] and "copy" not in found["suggestion"]


def test_a_slow_workspace_is_said_first():
    found = said(Storage(20.0, 30.0, 300.0, 0.9, False)).iloc[0]
    assert "packed pixels come at 30" in found["detail"] and "workspace" in found["suggestion"]
    assert "first time" not in found["detail"]


@pytest.mark.parametrize("speed", [None, Storage(1.0, 2.0, None, 0.5, True), Storage(200.0, 900.0, 300.0, 0.5, True)])
def test_nothing_to_say(speed):
    assert said(speed).empty


def test_files_that_are_gone_are_passed_over(opened):
    space, photos, packed = opened

    def read(path):
        raise FileNotFoundError(path)

    assert storage.measure(space, photos, packed, 1.0, read) is None
    assert storage.measure(space, photos.iloc[:0], pixels(space, photos.iloc[:0], Preprocessing(64)), 1.0) is None


def test_the_speed_of_the_network_is_written_down(opened):
    space, photos, _ = opened
    assert network_speed(space, SPEC) is None
    features(space, photos, SPEC)
    speed = network_speed(space, SPEC)
    assert speed > 0
    features(space, photos, SPEC)
    assert network_speed(space, SPEC) == speed
