import pytest

from cvtune_nb.data import open_workspace
from cvtune_nb.parameters import Config
from tests.photos import make_photos


@pytest.fixture
def workspace(tmp_path):
    """Photos that a small network can learn."""
    return open_workspace(make_photos(tmp_path / "photos", per_class=12, size=64), tmp_path / "my photos")


@pytest.fixture
def config():
    """Two epochs of it."""
    return Config("test_efficientnet:random", image_size=64, epochs=2, batch_size=16)
