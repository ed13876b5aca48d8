"""What a notebook shows: one panel a notebook, made of core widgets. Nothing is computed here."""

from importlib import import_module
from typing import Any

_PANELS = {
    "StartPanel": "start",
    "AuditPanel": "audit",
    "ObjectsPanel": "objects",
    "BaselinePanel": "baseline",
    "TrainingPanel": "training",
    "EscalationPanel": "escalation",
    "GainsPanel": "gains",
    "SweepPanel": "sweep",
    "ExportPanel": "export",
    "BoxesPanel": "annotating",
    "DetectorPanel": "detector",
    "DetectorExportPanel": "detector_export",
    "SimilarityPanel": "similarity",
    "TuningPanel": "similarity",
    "OdditiesPanel": "oddities",
    "ToLabelPanel": "to_label",
    "SimilarityExportPanel": "similarity_export",
}

__all__ = list(_PANELS)


def __getattr__(name: str) -> Any:
    """A panel is imported when it is first asked for: a notebook needs one of them, and opens faster."""
    if name in _PANELS:
        return getattr(import_module(f"{__name__}.{_PANELS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
