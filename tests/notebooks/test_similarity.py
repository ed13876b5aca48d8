"""What notebook 07 starts with are the defaults that are declared in the package."""

import ast
import inspect
from pathlib import Path

import nbformat
import pytest

from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.similarity import Metric, label_next

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "07_image_similarity.ipynb"


@pytest.fixture(scope="module")
def values():
    cell = next(cell for cell in nbformat.read(NOTEBOOK, 4).cells if "parameters" in cell.metadata.get("tags", []))
    return {line.targets[0].id: ast.literal_eval(line.value) for line in ast.parse(cell.source).body}


def test_of_training(values):
    names = {name for name in PARAMETERS if name.upper() in values} - {"loss"}
    assert names == {"backbone", "weights", "image_size", "learning_rate", "epochs", "batch_size", "seed"}
    chosen = {name for name in names if values[name.upper()] not in ("", 0, None)}  # those are what suits the network
    assert {name: values[name.upper()] for name in chosen} == {name: PARAMETERS[name].default for name in chosen}
    assert values["LOSS"] in PARAMETERS["loss"].choices
    assert values["LOSS"] != PARAMETERS["loss"].default, "here a loss that draws classes together is what is wanted"


def test_of_the_metric_and_of_labelling(values):
    assert Metric(values["COMPONENTS"], values["DISTANCE"]) == Metric()
    assert values["RERANK"] is False
    assert values["TO_LABEL"] == inspect.signature(label_next).parameters["count"].default
