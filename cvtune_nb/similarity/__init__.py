"""Look-alikes: photos ranked by how much they look like another one, from what the workspace has already."""

from cvtune_nb.lazy_imports import lazily

__all__, __getattr__ = lazily(
    __name__,
    {
        "COMPONENTS": "metric",
        "DISTANCES": "metric",
        "Metric": "metric",
        "find_embedder": "model",
        "list_embedders": "model",
        "embed": "embeddings",
        "estimate_cost": "cost",
        "build_index": "search",
        "evaluate": "evaluation",
        "evaluate_split": "evaluation",
        "paired_gain": "evaluation",
        "METHODS": "map_layout",
        "layout": "map_layout",
        "map_photos": "map_layout",
        "find_copies": "outliers_and_copies",
        "find_outliers": "outliers_and_copies",
        "find_outliers_and_copies": "outliers_and_copies",
        "label_next": "active_learning",
        "select": "active_learning",
        "export_similarity": "export",
    },
)
