"""What every test may ask for: made photos, and a home folder of its own."""

import shutil
from pathlib import Path

import pytest

from tests.photos import ODD, make_photos

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def home_of_the_tests(tmp_path_factory):
    """No test reads or writes what a person keeps in the checkout's data/ folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CVTUNE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory) -> Path:
    """72 small photos, a folder for each of three classes. Shared by all tests: read it, never write to it."""
    folder = make_photos(tmp_path_factory.mktemp("photos") / "shapes")
    for path in folder.rglob("*.jpg"):
        path.chmod(0o444)
    return folder


@pytest.fixture(scope="session")
def planted(tmp_path_factory) -> Path:
    """Photos of three classes, one of them oddly named: one wrong label, one copy, one broken file."""
    folder = make_photos(tmp_path_factory.mktemp("planted") / "photos", ("circle", ODD, "stripes"), per_class=20)
    discs = sorted((folder / "circle").glob("*.jpg"))
    shutil.move(discs[3], folder / "stripes" / "wrong.jpg")
    shutil.copy(discs[4], folder / "circle" / "copy.jpg")
    (folder / "circle" / "broken.jpg").write_bytes(discs[5].read_bytes()[:500])
    return folder


@pytest.fixture(scope="session")
def opened(photo_folder, tmp_path_factory):
    """The workspace of `photo_folder`, with the baseline of efficientnet_lite0 at 64 pixels. Shared: only read it."""
    from cvtune_nb.classification.baseline import baseline
    from cvtune_nb.classification.features import FeatureSpec
    from cvtune_nb.data import open_workspace
    from cvtune_nb.data.preprocessing import Preprocessing

    workspace = open_workspace(photo_folder, tmp_path_factory.mktemp("opened"))
    shutil.rmtree(workspace.cache / "pixels-256")  # 14 MB; the tests' size gets a store of its own, of 1 MB
    baseline(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(64)))
    return workspace


@pytest.fixture
def workspace(opened, tmp_path):
    """A copy of `opened` to work in; the photos themselves stay shared."""
    from cvtune_nb.workspace import Workspace

    shutil.copytree(opened.folder, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def no_network(monkeypatch):
    """No server answers."""
    from cvtune_nb.models import downloads

    monkeypatch.setattr(downloads, "answers", lambda url: False)


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    """An empty TORCH_HOME; returns where torchvision keeps weights in it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def pytest_collection_modifyitems(items):
    """The browser last: what fails in a second fails first."""
    items.sort(key=lambda item: "browser" in Path(item.path).relative_to(CHECKOUT / "tests").parts)
