"""Packages whose parts are imported when they are first asked for: some bring torch, which takes seconds."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazily(package: str, homes: dict[str, str]) -> tuple[list[str], Callable[[str], Any]]:
    """`__all__` and `__getattr__` (PEP 562) of `package`. homes: what it offers, and the module that each is in, by its
    name in the package, or by its whole name where it lies elsewhere."""

    def found(name: str) -> Any:
        if name in homes:
            home = homes[name]
            return getattr(import_module(home if "." in home else f"{package}.{home}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return list(homes), found
