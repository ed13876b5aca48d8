"""Small objects: boxes round them, a detector that finds them, and how well it does."""

from importlib import import_module
from typing import Any

_HOMES = {
    "Annotations": "annotations", "read_annotations": "annotations", "write_coco": "annotations",
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
    "Verdict": "judging", "findings": "judging", "verdict": "judging", "verdict_on_test": "judging",
}  # fmt: skip

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Imported when first asked for: boxes can be read and drawn without torch."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
