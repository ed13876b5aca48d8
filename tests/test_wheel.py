"""What is installed: the wheel, unpacked into an empty folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    [made] = folder.glob("*.whl")
    return zipfile.ZipFile(made)


def test_it_holds_the_package_whole_and_the_notebooks(wheel):
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = (path for path in (CHECKOUT / "cvtune_nb").rglob("*.*") if "__pycache__" not in path.parts)
    there = {path.relative_to(CHECKOUT).as_posix() for path in sources}
    there |= {f"cvtune_nb/notebooks/{path.name}" for path in (CHECKOUT / "notebooks").glob("*.ipynb")}
    assert packed == there
    assert "cvtune_nb/py.typed" in packed


def test_its_description_is_the_readme(wheel):
    [metadata] = [name for name in wheel.namelist() if name.endswith("/METADATA")]
    said = wheel.read(metadata).decode()
    assert "\nName: cvtune-nb\n" in said and "License-Expression: MIT" in said
    assert (CHECKOUT / "README.md").read_text().splitlines()[0] in said


def test_what_is_unpacked_from_it_brings_its_notebooks(wheel, tmp_path):
    wheel.extractall(tmp_path / "site-packages")
    program = (
        "from pathlib import Path; from cvtune_nb.jupyter import notebooks as n;"
        "n.copy_to(Path('mine')); print(n.__file__, *n.names(Path('mine')), sep='\\n')"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site-packages")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    module, *copied = done.stdout.splitlines()
    assert module.startswith(str(tmp_path)) and copied == sorted(
        path.name for path in CHECKOUT.glob("notebooks/*.ipynb")
    )
