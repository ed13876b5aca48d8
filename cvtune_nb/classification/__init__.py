"""Classifiers: features of a frozen network, an SVM on them, fine-tuning from there, and their exports."""

from cvtune_nb.lazy_imports import lazily

__all__, __getattr__ = lazily(
    __name__,
    {
        "predict_cost": "cost",
        "Finder": "lr_finder",
        "find_learning_rate": "lr_finder",
        "fit": "train",
        "SVM": "exportable",
        "Export": "export",
        "export_run": "export",
        "load_bundle": "export",
        "Classifier": "model",
        "build": "model",
        "load_best": "model",
        "Run": "run",
        "best_run": "run",
        "earlier_run": "run",
        "load_run": "run",
        "ranked": "run",
        "runs": "run",
    },
)
