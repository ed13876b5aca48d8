"""What every notebook looks like: short cells, one place for parameters, fixed ids, nothing left from a run."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
NAMES = [
    "00_start_here",
    "01_data_quality_audit",
    "02_frozen_dnn_svm_baseline",
    "03_dnn_fine_tuning",
    "04_parameter_escalation",
    "05_export_and_use",
    "06_small_objects",
    "07_image_similarity",
]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, 4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_all_are_there():
    assert [path.stem for path in NOTEBOOKS] == NAMES


def test_it_is_valid_and_holds_no_outputs(notebook):
    nbformat.validate(notebook)
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code(notebook))
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"kernelspec"}


def test_ids_are_words_of_ours_and_unique(notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)?", name) for name in ids)


def test_one_cell_has_the_parameters_and_derives_nothing(notebook):
    cells = [cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", [])]
    assert len(cells) == 1
    body = ast.parse(cells[0].source).body
    assert all(isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant) for line in body)
    assert {"DATA", "WORKSPACE"} <= {line.targets[0].id for line in body}


def test_cells_are_short_and_define_nothing(notebook):
    for cell in code(notebook):
        if "parameters" not in cell.metadata.get("tags", []):
            assert len([line for line in cell.source.splitlines() if line.strip()]) <= 9
        forbidden = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Lambda)
        assert not any(isinstance(node, forbidden) for node in ast.walk(ast.parse(cell.source)))


def test_dd_on_a_focused_slider_deletes_no_panel(notebook):
    panel = next(cell for cell in notebook.cells if cell.id == "panel")
    assert panel.metadata.deletable is False


def test_headings_are_numbered_in_order(notebook, path):
    texts = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    numbers = [int(number) for number in re.findall(r"^## (\d+) ", texts, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(re.findall(r"^## ", texts, re.MULTILINE)) == len(numbers)
    assert notebook.cells[0].source.startswith(f"# {path.stem[:2]} ")


def test_a_line_on_what_to_look_for_follows_every_picture(notebook):
    quiet = {"parameters", "map", "use", "learned"}  # no picture and no figures to judge
    for cell, following in zip(notebook.cells, notebook.cells[1:], strict=False):
        if cell.cell_type == "code" and cell.id not in quiet:
            assert following.source.startswith("*What to look for:*"), cell.id


def test_it_ends_with_what_we_learned_and_a_link_that_exists(notebook):
    assert notebook.cells[-2].source == "panel.learned()"
    assert "What we learned" in notebook.cells[-3].source
    links = re.findall(r"\]\(([\w.]+\.ipynb)\)", "\n".join(cell.source for cell in notebook.cells))
    assert links
    assert all(link.removesuffix(".ipynb") in NAMES for link in links)
    assert re.search(r"\]\([\w.]+\.ipynb\)", notebook.cells[-1].source)
