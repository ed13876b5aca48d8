"""Parts of a package that are imported when they are first asked for."""

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize("name", ["classification", "detection", "export", "panels", "similarity"])
def test_a_package_has_all_that_it_offers_and_nothing_else(name):
    package = importlib.import_module(f"cvtune_nb.{name}")
    assert len(set(package.__all__)) == len(package.__all__) > 0
    assert all(getattr(package, offered) for offered in package.__all__)
    with pytest.raises(AttributeError, match=f"'cvtune_nb.{name}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_what_a_person_sees_first_comes_without_torch():
    code = "import sys, cvtune_nb.panels.start; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_menu_of_networks_comes_without_what_builds_them():
    code = (
        "import sys, cvtune_nb.panels.comparison, cvtune_nb.panels.baseline\n"
        "from cvtune_nb.widgets.controls import Control\n"
        "assert len(Control('backbone').widget.options) > 20\n"
        "sys.exit(bool({'torch', 'torchvision', 'timm'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
