"""Fixtures for tests in a real browser: `open_notebook("02_frozen_dnn_svm_baseline", DATA=...)` gives a Lab."""

import json
import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import jlab

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
