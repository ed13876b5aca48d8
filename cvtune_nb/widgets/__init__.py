"""What a notebook shows: one panel a notebook, made of core widgets. Nothing is computed here."""

from cvtune_nb.lazily import lazily

__all__, __getattr__ = lazily(__name__, {
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
})
