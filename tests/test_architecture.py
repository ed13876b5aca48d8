"""The map in ARCHITECTURE.md is that of the code: the rooms in the order in which they may import each other, each with
the first sentence of its docstring. `python -m tests.test_architecture` prints it."""

import ast

from tests.test_directions import PACKAGE, ROOMS


def rooms() -> str:
    """The rooms as the rows of a table."""
    rows = []
    for room in ROOMS:
        file = PACKAGE / room / "__init__.py" if (PACKAGE / room).is_dir() else PACKAGE / f"{room}.py"
        words = " ".join(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))).split())
        name = f"{room}/" if file.name == "__init__.py" else file.name
        rows.append(f"| `{name}` | {words.partition('. ')[0].removesuffix('.')} |")
    return "\n".join(rows)


def test_the_map_is_that_of_the_code():
    assert rooms() in (PACKAGE.parent / "ARCHITECTURE.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    print(rooms())
