"""Small objects: boxes round them, a detector that finds them, and how well it does."""

from cvtune_nb.detection.annotations import Annotations, read_annotations, write_coco
from cvtune_nb.detection.statistics import Sizes, sizes

__all__ = ["Annotations", "Sizes", "read_annotations", "sizes", "write_coco"]
