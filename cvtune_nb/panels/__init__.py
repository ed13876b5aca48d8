"""What a notebook shows: one panel a notebook, made of core widgets. Nothing is computed here."""

from typing import TYPE_CHECKING

from cvtune_nb.lazy_imports import lazily

if TYPE_CHECKING:
    from cvtune_nb.panels.annotation import BoxesPanel as BoxesPanel
    from cvtune_nb.panels.at_test_time import AtTestTimePanel as AtTestTimePanel
    from cvtune_nb.panels.audit import AuditPanel as AuditPanel
    from cvtune_nb.panels.baseline import BaselinePanel as BaselinePanel
    from cvtune_nb.panels.combining import CombinePanel as CombinePanel
    from cvtune_nb.panels.comparison import ComparisonPanel as ComparisonPanel
    from cvtune_nb.panels.detector import DetectorPanel as DetectorPanel
    from cvtune_nb.panels.detector_export import DetectorExportPanel as DetectorExportPanel
    from cvtune_nb.panels.escalation import EscalationPanel as EscalationPanel
    from cvtune_nb.panels.export import ExportPanel as ExportPanel
    from cvtune_nb.panels.folds import FoldsPanel as FoldsPanel
    from cvtune_nb.panels.framing import FramingPanel as FramingPanel
    from cvtune_nb.panels.gains import GainsPanel as GainsPanel
    from cvtune_nb.panels.imbalance import ImbalancePanel as ImbalancePanel
    from cvtune_nb.panels.object_size import ObjectsPanel as ObjectsPanel
    from cvtune_nb.panels.outliers import OutliersPanel as OutliersPanel
    from cvtune_nb.panels.presets import PresetsPanel as PresetsPanel
    from cvtune_nb.panels.self_training import SelfTrainingPanel as SelfTrainingPanel
    from cvtune_nb.panels.similarity import SimilarityPanel as SimilarityPanel
    from cvtune_nb.panels.similarity import TuningPanel as TuningPanel
    from cvtune_nb.panels.similarity_export import SimilarityExportPanel as SimilarityExportPanel
    from cvtune_nb.panels.slices import SlicesPanel as SlicesPanel
    from cvtune_nb.panels.start import StartPanel as StartPanel
    from cvtune_nb.panels.sweep import SweepPanel as SweepPanel
    from cvtune_nb.panels.to_label import ToLabelPanel as ToLabelPanel
    from cvtune_nb.panels.training import TrainingPanel as TrainingPanel
else:
    __all__, __getattr__ = lazily(__name__)
