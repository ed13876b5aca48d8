"""A workspace with classifiers to combine: the SVM, two runs of one network, one of larger photos."""

import shutil

import pytest

from cvtune_nb.classification import fit
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace

SMALL = {"image_size": 64, "epochs": 1, "batch_size": 16, "learning_rate": 0.01}
RANDOM = {"head": "random"}  # whose best epoch is no start


@pytest.fixture(scope="session")
def several(opened, tmp_path_factory):
    """Shared: copy it (`own`) before anything is written into it."""
    folder = tmp_path_factory.mktemp("several") / "workspace"
    shutil.copytree(opened.folder, folder)
    workspace = Workspace(folder)
    for other in (RANDOM, {**RANDOM, "seed": 1}, {"image_size": 96, "epochs": 0}):
        fit(workspace, Config("test_efficientnet:random", **{**SMALL, **other}))
    return workspace


@pytest.fixture
def own(several, tmp_path):
    """A copy of `several` to work in."""
    shutil.copytree(several.folder, tmp_path / "several")
    return Workspace(tmp_path / "several")
