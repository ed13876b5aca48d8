"""Classifiers: features of a frozen network, an SVM on them, fine-tuning from there, and their exports."""

from typing import TYPE_CHECKING

from cvtune_nb.lazy_imports import lazily

if TYPE_CHECKING:
    from cvtune_nb.classification.cost import predict_cost as predict_cost
    from cvtune_nb.classification.export import Export as Export
    from cvtune_nb.classification.export import export_run as export_run
    from cvtune_nb.classification.export import load_bundle as load_bundle
    from cvtune_nb.classification.exportable import SVM as SVM
    from cvtune_nb.classification.lr_finder import Finder as Finder
    from cvtune_nb.classification.lr_finder import find_learning_rate as find_learning_rate
    from cvtune_nb.classification.model import Classifier as Classifier
    from cvtune_nb.classification.model import build as build
    from cvtune_nb.classification.model import load_best as load_best
    from cvtune_nb.classification.run import Run as Run
    from cvtune_nb.classification.run import best_run as best_run
    from cvtune_nb.classification.run import earlier_run as earlier_run
    from cvtune_nb.classification.run import load_run as load_run
    from cvtune_nb.classification.run import ranked as ranked
    from cvtune_nb.classification.run import runs as runs
    from cvtune_nb.classification.train import fit as fit
else:
    __all__, __getattr__ = lazily(__name__)
