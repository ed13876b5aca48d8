"""A workspace of small photos, with things planted for the audit to find, and panels that behave as with a person."""

import shutil

import pytest

from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.panels import AuditPanel
from cvtune_nb.panels.panel import WORKER
from cvtune_nb.workspace import Workspace
from tests.watched import at_rest, somebody_watches  # noqa: F401 - fixtures


@pytest.fixture(scope="session", autouse=True)
def worker_in_this_process():
    """What panels give to the worker is done here, where tests can replace parts of it (but see test_in_worker.py)."""

    def run(function, *arguments, progress, live=None, record=None, give=True, **named):
        return function(*arguments, progress=progress, **(live or {}), **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WORKER, "run", run)
        patch.setattr(WORKER, "warm", lambda module: None)
        yield


@pytest.fixture(scope="session")
def prepared(planted, tmp_path_factory):
    """A workspace in which the audit was run, by its panel, and features at 64 pixels are cached."""
    workspace = open_workspace(planted, tmp_path_factory.mktemp("prepared") / "workspace")
    panel = AuditPanel(workspace)
    panel.start(block=True)
    SvmExplorer(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(64)))
    return workspace.folder


@pytest.fixture
def workspace(prepared, tmp_path):
    """A copy of the prepared workspace, to do anything with."""
    return Workspace(shutil.copytree(prepared, tmp_path / "workspace"))
