"""Rules for the tests themselves: short files, and what they show is shown from outside."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
MODULES = sorted(TESTS.rglob("*.py"))
LONGEST = 400

OTHERS = {"_handle_custom_msg"}
"""How ipywidgets calls what a browser's message arrives at: a test sends one so."""


def private(name: str) -> bool:
    """Whether a name is one's own business: _so, but not __so__ or _so_, which Python and IPython ask for."""
    return name.startswith("_") and not name.endswith("_") and name not in OTHERS


def reached(source: str) -> set[str]:
    """The private names of others that `source` uses: imported, as attributes, or patched by name."""
    names, own = set(), {"_"}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", "")
            imported = [f"{module}.{alias.name}".strip(".") for alias in node.names]
            names |= {
                part for name in imported if name.startswith(("cvtune_nb.", "tests.")) for part in name.split(".")
            }
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "cls"):
            own.add(node.attr)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("setattr", "getattr", "delattr", "patch")):
            given = [word.value for word in node.args[:2] if isinstance(word, ast.Constant)]
            names |= {part for word in given if isinstance(word, str) for part in word.split(".")}
    return {name for name in names - own if private(name)}


def named(paths: list[Path]) -> set[str]:
    return {path.relative_to(TESTS).as_posix() for path in paths}


def test_no_file_is_long():
    long = [path for path in MODULES if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST]
    assert named(long) == set()


def test_no_test_reaches_into_private_names():
    reaching = [path for path in MODULES if reached(path.read_text(encoding="utf-8"))]
    assert named(reaching) == set()


@pytest.mark.parametrize(
    "source",
    [
        "from cvtune_nb.data.split import _names",
        "import cvtune_nb._hidden",
        "split._names(3)",
        "module.Class()._value = 3",
        "monkeypatch.setattr(split, '_names', None)",
        "monkeypatch.setattr('cvtune_nb.data.split._names', None)",
    ],
)
def test_the_check_sees_a_private_name(source):
    assert reached(source)


def test_the_check_lets_ones_own_and_pythons_names_pass():
    assert not reached(
        "class Own:\n    def _go(self): self._at = 1\nown = Own()\nown._go()\nprint(own._at, own.__dict__)"
    )
    assert not reached("error._render_traceback_()\nfor _ in range(3): pass\n_local = 1\nprint(_local)")
