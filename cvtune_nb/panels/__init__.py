"""What a notebook shows: one panel a notebook, made of core widgets. Nothing is computed here."""

from cvtune_nb.lazy_imports import lazily

__all__, __getattr__ = lazily(
    __name__,
    {
        "StartPanel": "start",
        "AuditPanel": "audit",
        "ObjectsPanel": "object_size",
        "BaselinePanel": "baseline",
        "TrainingPanel": "training",
        "EscalationPanel": "escalation",
        "GainsPanel": "gains",
        "SweepPanel": "sweep",
        "ExportPanel": "export",
        "BoxesPanel": "annotation",
        "DetectorPanel": "detector",
        "DetectorExportPanel": "detector_export",
        "SimilarityPanel": "similarity",
        "TuningPanel": "similarity",
        "OutliersPanel": "outliers",
        "ToLabelPanel": "to_label",
        "SimilarityExportPanel": "similarity_export",
    },
)
