"""The house has one direction: a room imports what stands before it in ROOMS, never what comes after."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cvtune_nb"

ROOMS = [
    "lazy_imports",
    "errors",
    "quiet",
    "files",
    "worker",
    "metrics",
    "objectives",
    "console",
    "augmentation",
    "imbalance",
    "parameters",
    "models",
    "workspace",
    "data",
    "runs",
    "tracking",
    "export",
    "classification",
    "audit",
    "advice",
    "similarity",
    "self_training",
    "detection",
    "escalation",
    "workbook",
    "pipeline",
    "jupyter",
    "commands",
    "cli",
    "__main__",
    "plots",
    "widgets",
    "panels",
]
FOR_THE_EYE = {"matplotlib", "ipywidgets", "anywidget", "IPython"}
EXPORTED = (
    PACKAGE / "export" / "predict.py",
    *(PACKAGE / "data" / name for name in ("photo.py", "file_types.py", "colour_spaces.py", "walk.py")),
)
"""The program in an exported folder: these files side by side."""
ELSEWHERE = {"numpy", "PIL", "onnxruntime", "photo", "walk"}
"""What that program may import on the machine that it is carried to; photo and walk are the other files."""
FOR_SOME_FILES = {"pi_heif", "pydicom"}
"""What it imports only where a photo needs it, and says so where that is missing (tests/data/test_file_types.py)."""


def imported(source: str) -> set[str]:
    """Dotted names of all that `source` imports, inside functions too; relative imports count as "."."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            names.add(".")
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def mistakes(room: str, source: str) -> list[str]:
    """What a module of `room` imports and should not, each as one sentence."""
    found = []
    for name in sorted(imported(source)):
        top, *inner = name.split(".")
        if name == ".":
            found.append("a relative import: write cvtune_nb. in front")
        elif top == "cvtune_nb" and set(inner[:1]) & set(ROOMS[ROOMS.index(room) + 1 :]):
            found.append(f"{room} imports {inner[0]}, which comes after it")
        elif top in FOR_THE_EYE - {"matplotlib"} and room not in ("widgets", "panels"):
            found.append(f"{room} imports {top}: only widgets and panels may")
        elif top == "matplotlib" and room not in ("plots", "widgets", "panels"):
            found.append(f"{room} imports matplotlib: only plots, widgets and panels may")
        elif name.startswith("matplotlib.pyplot"):
            found.append(f"{room} imports pyplot, which is not safe outside the main thread: use Figure")
        elif top == "torch" and room == "plots":
            found.append("plots imports torch: it gets tables, not tensors")
    return found


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_stands_before_it(path):
    assert room_of(path) in ROOMS, f"{path.name} is a room that ROOMS does not list: give it its place"
    assert mistakes(room_of(path), path.read_text(encoding="utf-8")) == []


def files_behind(path: Path) -> set[Path]:
    """`path` and every module of ours that importing it runs."""
    seen, todo = set(), [path]
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        for name in imported(file.read_text(encoding="utf-8")):
            parts = name.split(".")
            if parts[0] == "cvtune_nb":
                steps = [PACKAGE.joinpath(*parts[1:end]) for end in range(1, len(parts) + 1)]
                candidates = [step / "__init__.py" for step in steps] + [step.with_suffix(".py") for step in steps]
                todo += [candidate for candidate in candidates if candidate.is_file()]
    return seen


def test_plots_need_no_torch_even_behind_their_imports():
    for path in (PACKAGE / "plots").rglob("*.py"):
        for file in files_behind(path):
            tops = {name.split(".")[0] for name in imported(file.read_text(encoding="utf-8"))}
            assert "torch" not in tops, f"plots/{path.name} needs torch through {file.relative_to(PACKAGE)}"


def test_the_exported_program_needs_three_packages_only():
    for file in EXPORTED:
        needed = {name.split(".")[0] for name in imported(file.read_text(encoding="utf-8"))}
        assert needed - set(sys.stdlib_module_names) <= ELSEWHERE | FOR_SOME_FILES
        at_once = {node for node in ast.parse(file.read_text(encoding="utf-8")).body if hasattr(node, "names")}
        assert not FOR_SOME_FILES & {alias.name.split(".")[0] for node in at_once for alias in node.names}


@pytest.mark.parametrize(
    ("room", "source", "complaint"),
    [
        ("data", "from cvtune_nb.classification import fit", "classification, which comes after"),
        ("runs", "def f():\n    from cvtune_nb import classification", "classification, which comes after"),
        ("metrics", "import matplotlib", "only plots, widgets and panels"),
        ("classification", "import ipywidgets as w", "only widgets"),
        ("plots", "from IPython.display import display", "only widgets"),
        ("widgets", "from cvtune_nb.panels import panel", "panels, which comes after"),
        ("plots", "import torch.nn", "tables, not tensors"),
        ("widgets", "from matplotlib import pyplot", "not safe"),
        ("cli", "from cvtune_nb import plots", "plots, which comes after"),
        ("audit", "from ..classification import fit", "relative"),
    ],
)
def test_the_check_sees_a_wrong_import(room, source, complaint):
    assert any(complaint in mistake for mistake in mistakes(room, source))


def test_the_check_lets_the_right_imports_pass():
    good = "import torch\nfrom cvtune_nb.models import backbones\nfrom cvtune_nb.data import thumbnail\n"
    assert mistakes("classification", good) == []
    assert mistakes("widgets", "import ipywidgets, matplotlib\nfrom cvtune_nb import classification, plots") == []
