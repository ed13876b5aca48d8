"""A panel computes nothing: it shows what the rooms of its task have computed. Held as far as its source can tell."""

import ast

import pytest

from tests.test_directions import PACKAGE, imported

COMPUTING = {"numpy", "scipy", "sklearn", "torch"}
"""Packages that compute."""
CALLS = {
    "agg",
    "crosstab",
    "drop_duplicates",
    "dropna",
    "groupby",
    "idxmax",
    "idxmin",
    "isin",
    "mean",
    "median",
    "merge",
    "mode",
    "nlargest",
    "nsmallest",
    "nunique",
    "pivot_table",
    "quantile",
    "sort_values",
    "sum",
    "unique",
    "value_counts",
}
"""Methods of tables that compute."""


def computed(source: str) -> set[str]:
    """What a module computes with."""
    called = {
        node.func.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    return {name.partition(".")[0] for name in imported(source)} & COMPUTING | called & CALLS


@pytest.mark.parametrize("path", sorted((PACKAGE / "panels").glob("*.py")), ids=lambda path: path.stem)
def test_a_panel_computes_nothing(path):
    assert computed(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import numpy as np", {"numpy"}),
        ("if TYPE_CHECKING:\n    from torch import nn", {"torch"}),
        ("def show(rows):\n    return rows[rows['a'] > 1].groupby('b').agg('sum')", {"groupby", "agg"}),
        ("found = pd.crosstab(a, b)", {"crosstab"}),
        ("len(rows['a'].unique()) / sum(counts)", {"unique"}),
        ("self.best().sort_values('a').itertuples()", {"sort_values"}),
        ("from cvtune_nb.runs import merge\nrows.assign(a=1).itertuples()", set()),
    ],
)
def test_the_check_sees_what_is_computed(source, what):
    assert computed(source) == what
