"""Small objects: boxes round them, a detector that finds them, and how well it does."""

from cvtune_nb.lazy_imports import lazily

__all__, __getattr__ = lazily(
    __name__,
    {
        "Annotations": "annotations",
        "read_annotations": "annotations",
        "require_boxes": "annotations",
        "write_coco": "annotations",
        "Sizes": "box_sizes",
        "sizes": "box_sizes",
        "suggested_size": "anchors",
        "DetectorConfig": "config",
        "Dataset": "dataset",
        "open_dataset": "dataset",
        "default": "model",
        "predict_cost": "cost",
        "look": "hard_negatives",
        "one_round": "hard_negatives",
        "outcome": "hard_negatives",
        "fit": "train",
        "require_learnable": "train",
        "DetectorRun": "run",
        "earlier_run": "run",
        "load_run": "run",
        "runs": "run",
        "DetectorExport": "export",
        "export_detector": "export",
        "advise": "advice",
        "beside_classifier": "evaluation",
        "Verdict": "evaluation",
        "require_tested": "evaluation",
        "verdict": "evaluation",
        "verdict_on_test": "evaluation",
    },
)
