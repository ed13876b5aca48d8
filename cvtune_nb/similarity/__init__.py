"""Look-alikes: photos ranked by how much they look like another one, from what the workspace has already."""

from importlib import import_module
from typing import Any

_HOMES = {
    "choices": "embeddings", "embedder": "embeddings", "vectors": "embeddings",
    "COMPONENTS": "embeddings", "projection": "embeddings",
    "DISTANCES": "ranking",
    "look_up": "lookup",
    "compare": "measures", "measure": "measures",
    "METHODS": "plane", "layout": "plane", "methods": "plane",
    "copies": "oddities", "outliers": "oddities",
    "most_useful": "choice", "to_label": "choice",
    "export_similarity": "bundle",
}  # fmt: skip

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Imported when first asked for: some bring torch, which takes seconds."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
