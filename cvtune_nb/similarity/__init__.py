"""Look-alikes: photos ranked by how much they look like another one, from what the workspace has already."""

from cvtune_nb.lazily import lazily

__all__, __getattr__ = lazily(__name__, {
    "choices": "embeddings", "embedder": "embeddings", "vectors": "embeddings",
    "COMPONENTS": "embeddings", "projection": "embeddings",
    "DISTANCES": "ranking",
    "look_up": "lookup",
    "compare": "measures", "measure": "measures",
    "METHODS": "plane", "layout": "plane", "methods": "plane",
    "copies": "oddities", "outliers": "oddities",
    "most_useful": "choice", "to_label": "choice",
    "export_similarity": "bundle",
})  # fmt: skip
