"""A person's copy of the notebooks: brought up to date, and never overwritten where it was changed."""

import json
import shutil

import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.jupyter import launch, notebooks
from tests.browser.jlab import CHECKOUT

EIGHT = sorted(path.name for path in (CHECKOUT / "notebooks").glob("*.ipynb"))
BASELINE = "02_frozen_dnn_svm_baseline.ipynb"


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """The notebooks as an installed package has them, which a test may change as a later version would."""
    package = tmp_path / "site-packages" / "cvtune_nb"
    shutil.copytree(CHECKOUT / "notebooks", package / "notebooks")
    monkeypatch.setattr(notebooks, "PACKAGE", package)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return package / "notebooks"


def edit(notebook, source, output=None):
    """Give the last code cell another source, or an output."""
    content = json.loads(notebook.read_text())
    cell = [cell for cell in content["cells"] if cell["cell_type"] == "code"][-1]
    if source is not None:
        cell["source"] = [source]
    if output is not None:
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [output]}]
    notebook.write_text(json.dumps(content))


def test_all_are_copied_with_their_content(shipped, tmp_path):
    folder = tmp_path / "mine"
    assert notebooks.copy_to(folder) == []
    assert notebooks.names(folder) == EIGHT
    assert (folder / BASELINE).read_text() == (shipped / BASELINE).read_text()


def test_a_later_version_replaces_what_the_person_has_only_run(shipped, tmp_path):
    notebooks.copy_to(tmp_path / "mine")
    copy = tmp_path / "mine" / BASELINE
    edit(copy, None, "85.0%")
    ran = copy.read_text()
    assert notebooks.copy_to(tmp_path / "mine") == [] and copy.read_text() == ran
    edit(shipped / BASELINE, "show(later=True)")
    assert notebooks.copy_to(tmp_path / "mine") == []
    assert "later=True" in copy.read_text() and "85.0%" not in copy.read_text()


def test_what_the_person_changed_stays_and_the_later_version_comes_beside_it(shipped, tmp_path):
    folder = tmp_path / "mine"
    notebooks.copy_to(folder)
    edit(folder / BASELINE, "my_own()")
    mine = (folder / BASELINE).read_text()
    assert notebooks.copy_to(folder) == [] and notebooks.names(folder) == EIGHT
    edit(shipped / BASELINE, "show(later=True)")
    [told] = notebooks.copy_to(folder)
    newer = f"{BASELINE.removesuffix('.ipynb')}.{notebooks.__version__}.ipynb"
    assert BASELINE in told and newer in told
    assert (folder / BASELINE).read_text() == mine and "later=True" in (folder / newer).read_text()
    assert notebooks.copy_to(folder) == []  # said once


def test_a_notebook_that_was_there_before_is_not_overwritten(shipped, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / notebooks.FIRST).write_text("not even a notebook")
    [told] = notebooks.copy_to(folder)
    assert notebooks.FIRST in told and (folder / notebooks.FIRST).read_text() == "not even a notebook"


def test_deleted_ones_come_back(shipped, tmp_path):
    notebooks.copy_to(tmp_path / "mine")
    (tmp_path / "mine" / BASELINE).unlink()
    assert notebooks.copy_to(tmp_path / "mine") == [] and notebooks.names(tmp_path / "mine") == EIGHT


def test_a_folder_that_is_a_file_is_said(shipped, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"can't be copied to .*file \(.*\): name another folder"):
        notebooks.copy_to(tmp_path / "file")


def test_an_installation_without_notebooks_is_said(shipped, tmp_path):
    shutil.rmtree(shipped)
    with pytest.raises(InputError, match=r"no notebooks in .*install it again"):
        notebooks.copy_to(tmp_path / "mine")


def test_in_a_checkout_its_own_are_opened(tmp_path, monkeypatch):
    shutil.copytree(CHECKOUT / "notebooks", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    assert notebooks.checkout() == tmp_path


def served(monkeypatch, **arguments):
    """What JupyterLab would be started with."""
    from jupyterlab.labapp import LabApp

    started = []
    monkeypatch.setattr(LabApp, "launch_instance", started.extend)
    for name in ("JUPYTER_CONFIG_PATH", "MALLOC_ARENA_MAX", "JUPYTER_PREFER_ENV_PATH"):
        monkeypatch.setenv(name, "")  # put back after the test
    launch.lab(open_browser=False, **arguments)
    return dict(line.split("=", 1) for line in started if "=" in line)


def test_elsewhere_copies_are_opened(shipped, tmp_path, monkeypatch):
    monkeypatch.setenv("CVTUNE_HOME", str(tmp_path / "home"))
    for arguments, folder in (
        ({}, tmp_path / "home" / "notebooks"),
        ({"folder": tmp_path / "mine"}, tmp_path / "mine"),
    ):
        started = served(monkeypatch, **arguments)
        assert started["--ServerApp.root_dir"] == str(folder)
        assert started["--LabApp.default_url"] == f"/lab/tree/{notebooks.FIRST}"
        assert notebooks.names(folder) == EIGHT
