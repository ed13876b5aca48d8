"""Fixtures for tests in a real browser: `open_notebook("02_frozen_dnn_svm_baseline", DATA=...)` gives a Lab."""

import json
import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from cvtune_nb import classification
from cvtune_nb.audit import audit
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace
from tests.browser import jlab
from tests.browser.steps import NETWORK

expect.set_options(timeout=60_000)  # milliseconds: panels compute, and a busy machine takes its time


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """pytest-playwright starts the system's Chromium. Without one these tests are skipped; in CI they fail."""
    program = jlab.chromium()
    if program is None:
        advice = "no browser found: install chromium (Debian: apt-get install chromium), or set CHROMIUM to its path"
        if os.environ.get("CI"):
            pytest.fail(advice, pytrace=False)
        pytest.skip(advice)
    return {**browser_type_launch_args, "executable_path": program, "args": jlab.CHROMIUM_FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    """A window of a laptop's size, without animations."""
    return {**browser_context_args, "viewport": {"width": 1280, "height": 1000}, "reduced_motion": "reduce"}


@pytest.fixture(scope="session")
def lab_server(browser_type_launch_args, tmp_path_factory):
    """One JupyterLab for all browser tests, in a folder of its own: (address, token, root)."""
    root = tmp_path_factory.mktemp("lab")
    shutil.copytree(jlab.CHECKOUT / "notebooks", root / "notebooks")
    with jlab.jupyterlab(root, tmp_path_factory.mktemp("jupyter")) as (address, token):
        yield address, token, root


@pytest.fixture
def open_notebook(page, lab_server, request):
    """A function that opens a copy of a notebook, with the parameters given, and gives the Lab to drive it.

    Afterwards the kernel is ended, and a JavaScript error on the page fails the test.
    """
    address, token, root = lab_server
    opened = []

    def open_copy(name: str, **parameters) -> jlab.Lab:
        folder = root / Path(request.node.name.split("[")[0])
        folder.mkdir(exist_ok=True)
        notebook = json.loads((jlab.CHECKOUT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
        cell = next(cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", []))
        source = "".join(cell["source"])
        for parameter, value in parameters.items():
            if f"{parameter} = " not in source:
                raise ValueError(f"{name} has no parameter {parameter}")
            source += f"\n{parameter} = {value!r}"
        cell["source"] = source.splitlines(keepends=True)
        path = folder / f"{name}.ipynb"
        path.write_text(json.dumps(notebook), encoding="utf-8")
        opened.append(jlab.Lab(page, address, token, root, path).open())
        return opened[-1]

    yield open_copy
    for lab in opened[-1:]:  # one page: only the last notebook is still on it
        lab.close()
        assert lab.page_errors == []


@pytest.fixture(scope="session")
def done(planted, tmp_path_factory):
    """A workspace in which audit, baseline and one run are done, so that every notebook can be opened alone."""
    workspace = open_workspace(planted, tmp_path_factory.mktemp("done") / "workspace")
    audit(workspace, FeatureSpec(NETWORK))
    baseline(workspace, FeatureSpec(NETWORK, Preprocessing(64)))
    classification.fit(workspace, Config(backbone=NETWORK, image_size=64, epochs=0))
    return workspace.folder


@pytest.fixture
def workspace(done, tmp_path):
    """A copy of it, to do anything with."""
    return Workspace(shutil.copytree(done, tmp_path / "workspace"))


@pytest.fixture
def untrained(workspace):
    """The same without a run."""
    shutil.rmtree(workspace.runs)
    return workspace
