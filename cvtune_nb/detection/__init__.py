"""Small objects: boxes round them, a detector that finds them, and how well it does."""

from typing import TYPE_CHECKING

from cvtune_nb.lazy_imports import lazily

if TYPE_CHECKING:
    from cvtune_nb.detection.advice import advise as advise
    from cvtune_nb.detection.anchors import suggested_size as suggested_size
    from cvtune_nb.detection.annotations import Annotations as Annotations
    from cvtune_nb.detection.annotations import read_annotations as read_annotations
    from cvtune_nb.detection.annotations import require_boxes as require_boxes
    from cvtune_nb.detection.annotations import write_coco as write_coco
    from cvtune_nb.detection.box_sizes import Sizes as Sizes
    from cvtune_nb.detection.box_sizes import sizes as sizes
    from cvtune_nb.detection.config import DetectorConfig as DetectorConfig
    from cvtune_nb.detection.cost import predict_cost as predict_cost
    from cvtune_nb.detection.dataset import Dataset as Dataset
    from cvtune_nb.detection.dataset import open_dataset as open_dataset
    from cvtune_nb.detection.evaluation import Verdict as Verdict
    from cvtune_nb.detection.evaluation import beside_classifier as beside_classifier
    from cvtune_nb.detection.evaluation import require_tested as require_tested
    from cvtune_nb.detection.evaluation import verdict as verdict
    from cvtune_nb.detection.evaluation import verdict_on_test as verdict_on_test
    from cvtune_nb.detection.export import DetectorExport as DetectorExport
    from cvtune_nb.detection.export import export_detector as export_detector
    from cvtune_nb.detection.hard_negatives import look as look
    from cvtune_nb.detection.hard_negatives import one_round as one_round
    from cvtune_nb.detection.hard_negatives import outcome as outcome
    from cvtune_nb.detection.model import default as default
    from cvtune_nb.detection.run import DetectorRun as DetectorRun
    from cvtune_nb.detection.run import earlier_run as earlier_run
    from cvtune_nb.detection.run import load_run as load_run
    from cvtune_nb.detection.run import runs as runs
    from cvtune_nb.detection.train import fit as fit
    from cvtune_nb.detection.train import require_learnable as require_learnable
else:
    __all__, __getattr__ = lazily(__name__)
