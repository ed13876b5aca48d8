"""A workspace of small photos, with things planted for the audit to find, and panels that behave as with a person."""

import shutil

import pytest

from cvtune_nb.classification.svm import SvmExplorer
from cvtune_nb.data import open_workspace
from cvtune_nb.panels import AuditPanel
from cvtune_nb.widgets import debounce
from cvtune_nb.workspace import Workspace


@pytest.fixture(autouse=True)
def somebody_watches(monkeypatch):
    """Callbacks show their errors in the panel, as in JupyterLab; without it they would raise them. Predictions wait
    for the test to ask for them: beside it, and beside the next ones, they would take most of the time."""
    monkeypatch.setenv("CVTUNE_HEADLESS", "0")
    monkeypatch.setattr(debounce, "PAUSE", 3600)
    yield
    debounce.let_all_end()


@pytest.fixture
def at_rest(monkeypatch):
    """Controls come to rest at once, so that what waits for it is done."""
    monkeypatch.setattr(debounce, "PAUSE", 0.1)


@pytest.fixture(scope="session")
def prepared(planted, tmp_path_factory):
    """A workspace in which the audit was run, by its panel, and features at 64 pixels are cached."""
    workspace = open_workspace(planted, tmp_path_factory.mktemp("prepared") / "workspace")
    panel = AuditPanel(workspace)
    panel.start(block=True)
    SvmExplorer(workspace, "efficientnet_lite0", 64)
    return workspace.folder


@pytest.fixture
def workspace(prepared, tmp_path):
    """A copy of the prepared workspace, to do anything with."""
    return Workspace(shutil.copytree(prepared, tmp_path / "workspace"))
