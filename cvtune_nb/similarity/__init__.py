"""Look-alikes: photos ranked by how much they look like another one, from what the workspace has already."""

from cvtune_nb.lazy_imports import lazily

__all__, __getattr__ = lazily(
    __name__,
    {
        "choices": "embeddings",
        "embedder": "embeddings",
        "vectors": "embeddings",
        "COMPONENTS": "embeddings",
        "projection": "embeddings",
        "DISTANCES": "index",
        "look_up": "search",
        "compare": "evaluation",
        "measure": "evaluation",
        "METHODS": "map_layout",
        "layout": "map_layout",
        "methods": "map_layout",
        "copies": "outliers_and_copies",
        "outliers": "outliers_and_copies",
        "most_useful": "active_learning",
        "to_label": "active_learning",
        "export_similarity": "export",
    },
)
