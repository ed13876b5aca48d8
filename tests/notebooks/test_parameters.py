"""The cells of parameters say what the declared parameters say, and the panels get all of them."""

import ast
from pathlib import Path

import nbformat
import pytest

from cvtune_nb.parameters import DETECTOR_PARAMETERS, PARAMETERS

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
OF_NOTEBOOK = {
    "02_frozen_dnn_svm_baseline": PARAMETERS,
    "03_dnn_fine_tuning": PARAMETERS,
    "04_parameter_escalation": PARAMETERS,
    "06_small_objects": DETECTOR_PARAMETERS,
    "07_image_similarity": PARAMETERS,
}
WHOLE = ("03_dnn_fine_tuning", "06_small_objects")
"""Those that set every parameter of a run."""
ON_PURPOSE = {("07_image_similarity", "loss"): "supervised-contrastive"}
"""Values that are not the default, since another suits what the notebook is about."""
CHOSEN = ("", 0, None)
"""Values that stand for: as it is suggested."""


def cells(name: str) -> tuple[dict[str, object], str]:
    """The parameters of a notebook by lower-case name, and the source of all other code cells."""
    code = [cell for cell in nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4).cells if cell.cell_type == "code"]
    (own,) = (cell for cell in code if "parameters" in cell.metadata.get("tags", []))
    values = {line.targets[0].id.lower(): ast.literal_eval(line.value) for line in ast.parse(own.source).body}
    return values, "\n".join(cell.source for cell in code if cell is not own)


@pytest.mark.parametrize("name", OF_NOTEBOOK)
def test_a_notebook_restates_the_declared_defaults(name):
    parameters, (values, _) = OF_NOTEBOOK[name], cells(name)
    for key in parameters.keys() & values.keys():
        expected = ON_PURPOSE.get((name, key), parameters[key].default)
        assert values[key] == expected or values[key] in CHOSEN, f"{name}: {key.upper()} should be {expected!r}"


@pytest.mark.parametrize("name", WHOLE)
def test_a_notebook_that_trains_has_every_parameter(name):
    assert OF_NOTEBOOK[name].keys() <= cells(name)[0].keys()


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_parameter_is_used_below(path):
    values, below = cells(path.stem)
    used = {node.id for node in ast.walk(ast.parse(below)) if isinstance(node, ast.Name)}
    assert {name.upper() for name in values} <= used
