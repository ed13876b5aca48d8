"""Every interval and every paired test is given the groups of its photos, or it says here why there are none."""

import ast
import inspect

import pytest

from cvtune_nb import metrics
from tests.test_directions import PACKAGE

TAKES = ("accuracy", "best_of", "coverage", "cross_validated", "paired", "per_class", "rate", "reliability")
"""Functions of metrics with an argument `groups`."""

ALONE = {
    "detection": "photos of detectors have no groups",
    "classification/thresholds.py": "a corrected share, which is made as wide as that of its groups by `alike`",
    "classification/run.py": "of runs without groups, and of training photos by `alike`",
    "metrics": "what these functions are made of",
}
"""Where metrics.share is called, which takes numbers of photos and no groups."""


def calls():
    """(file, name of the function of metrics, call) of each in the package."""
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        own = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "cvtune_nb.metrics"
            for alias in node.names
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            match node.func:
                case ast.Attribute(ast.Name("metrics"), name):
                    yield file.relative_to(PACKAGE).as_posix(), name, node
                case ast.Name(name) if name in own:
                    yield file.relative_to(PACKAGE).as_posix(), own[name], node


def test_each_function_takes_groups():
    assert all("groups" in inspect.signature(getattr(metrics, name)).parameters for name in TAKES)


@pytest.mark.parametrize("name", TAKES)
def test_groups_are_given_wherever_photos_are_counted(name):
    place = list(inspect.signature(getattr(metrics, name)).parameters).index("groups")
    without = [
        f"{file}:{call.lineno}"
        for file, called, call in calls()
        if called == name
        and not file.startswith(("metrics/", "detection/"))
        and len(call.args) <= place
        and not any(keyword.arg == "groups" for keyword in call.keywords)
        and not any(isinstance(argument, ast.Starred) for argument in call.args)
    ]
    assert without == []


def test_shares_of_numbers_are_taken_only_where_groups_do_not_matter():
    found = {file for file, name, _ in calls() if name == "share"}
    assert {file for file in found if not file.startswith(tuple(ALONE))} == set()
    assert all(any(file.startswith(place) for file in found) for place in ALONE if place != "metrics")
