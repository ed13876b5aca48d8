"""Pictures of results: tables and small dataclasses in, a matplotlib Figure out. Nothing is shown here."""

from cvtune_nb.plots.accuracy import (
    before_and_after,
    c_curve,
    folds,
    last_layer_curves,
    learning_curve,
    rate_curve,
    training_curves,
)
from cvtune_nb.plots.augmentation import varied_photos
from cvtune_nb.plots.certainty import certainty
from cvtune_nb.plots.classes import class_counts, confusion
from cvtune_nb.plots.combining import combined
from cvtune_nb.plots.comparison import framings_compared, networks_compared, remedies_compared
from cvtune_nb.plots.detection import against_threshold, box_sizes, boxed, detector_curves, precision_recall
from cvtune_nb.plots.escalation import accuracy_against_time, gains, gaps_by_rung, predicted_against_real, sweep
from cvtune_nb.plots.likeness import likeness
from cvtune_nb.plots.photos import answer, contact_sheet, cut_off, mistakes, rows_of_photos
from cvtune_nb.plots.similarity import recall, recall_by_class
from cvtune_nb.plots.slices import MOST as SLICES
from cvtune_nb.plots.slices import slices
from cvtune_nb.plots.style import png

__all__ = [
    "SLICES",
    "accuracy_against_time",
    "against_threshold",
    "answer",
    "before_and_after",
    "box_sizes",
    "boxed",
    "c_curve",
    "certainty",
    "class_counts",
    "combined",
    "confusion",
    "contact_sheet",
    "cut_off",
    "detector_curves",
    "folds",
    "framings_compared",
    "gains",
    "gaps_by_rung",
    "last_layer_curves",
    "learning_curve",
    "likeness",
    "mistakes",
    "networks_compared",
    "png",
    "precision_recall",
    "predicted_against_real",
    "rate_curve",
    "recall",
    "recall_by_class",
    "remedies_compared",
    "rows_of_photos",
    "slices",
    "sweep",
    "training_curves",
    "varied_photos",
]
