"""Small objects: boxes round them, a detector that finds them, and how well it does."""

from cvtune_nb.lazily import lazily

__all__, __getattr__ = lazily(__name__, {
    "Annotations": "annotations", "read_annotations": "annotations", "require_boxes": "annotations",
    "write_coco": "annotations",
    "Sizes": "statistics", "sizes": "statistics",
    "suggested_size": "anchors",
    "DetectorConfig": "config",
    "Dataset": "dataset", "open_dataset": "dataset",
    "default": "network",
    "predict_cost": "cost",
    "look": "hard", "one_round": "hard", "outcome": "hard",
    "fit": "loop", "require_learnable": "loop",
    "DetectorRun": "run", "earlier_run": "run", "load_run": "run", "runs": "run",
    "DetectorExport": "bundle", "export_detector": "bundle",
    "beside_classifier": "judging",
    "Verdict": "judging", "findings": "judging", "require_tested": "judging", "verdict": "judging",
    "verdict_on_test": "judging",
})  # fmt: skip
