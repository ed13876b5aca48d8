"""Packages whose parts are imported when they are first asked for: some bring torch, which takes seconds."""

import ast
import inspect
import sys
from collections.abc import Callable
from importlib import import_module


def lazily(package: str) -> tuple[list[str], Callable[[str], object]]:
    """`__all__` and `__getattr__` (PEP 562) of `package`: all that it imports under `if TYPE_CHECKING:`.

    A type checker and an editor read these imports as they stand; here they are carried out one by one, when asked for.
    """
    homes = {}
    for node in ast.parse(inspect.getsource(sys.modules[package])).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            imports = [line for line in node.body if isinstance(line, ast.ImportFrom)]
            homes |= {alias.name: str(line.module) for line in imports for alias in line.names}

    def attribute(name: str) -> object:
        if name in homes:
            return getattr(import_module(homes[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return list(homes), attribute
