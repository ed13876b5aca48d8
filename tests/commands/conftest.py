"""Photos and workspaces that commands are called with."""

import shutil
from pathlib import Path

import pytest

from cvtune_nb import cli
from tests.calling import SMALL
from tests.photos import make_photos


@pytest.fixture(scope="module")
def folder(photo_folder, tmp_path_factory):
    """A workspace with one baseline, shared by the tests that only add to it."""
    made = tmp_path_factory.mktemp("commands") / "workspace"
    assert cli.main(["baseline", "--data", str(photo_folder), "--workspace", str(made), *SMALL]) == 0
    return made


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> Path:
    """Two classes of six photos to copy from."""
    return make_photos(tmp_path_factory.mktemp("bad") / "photos", ("cat", "dog"), per_class=6, size=96)


@pytest.fixture
def photos(originals, tmp_path) -> Path:
    """A good folder of photos, for a test to spoil."""
    return shutil.copytree(originals, tmp_path / "photos")


@pytest.fixture
def workspace(tmp_path) -> Path:
    return tmp_path / "workspace"
