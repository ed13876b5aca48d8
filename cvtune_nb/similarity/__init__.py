"""Look-alikes: photos ranked by how much they look like another one, from what the workspace has already."""

from typing import TYPE_CHECKING

from cvtune_nb.lazy_imports import lazily

if TYPE_CHECKING:
    from cvtune_nb.similarity.active_learning import label_next as label_next
    from cvtune_nb.similarity.active_learning import select as select
    from cvtune_nb.similarity.cost import estimate_cost as estimate_cost
    from cvtune_nb.similarity.embeddings import embed as embed
    from cvtune_nb.similarity.evaluation import evaluate as evaluate
    from cvtune_nb.similarity.evaluation import evaluate_split as evaluate_split
    from cvtune_nb.similarity.evaluation import paired_gain as paired_gain
    from cvtune_nb.similarity.export import export_similarity as export_similarity
    from cvtune_nb.similarity.map_layout import METHODS as METHODS
    from cvtune_nb.similarity.map_layout import layout as layout
    from cvtune_nb.similarity.map_layout import map_photos as map_photos
    from cvtune_nb.similarity.metric import COMPONENTS as COMPONENTS
    from cvtune_nb.similarity.metric import DISTANCES as DISTANCES
    from cvtune_nb.similarity.metric import Metric as Metric
    from cvtune_nb.similarity.model import find_embedder as find_embedder
    from cvtune_nb.similarity.model import list_embedders as list_embedders
    from cvtune_nb.similarity.outliers_and_copies import find_copies as find_copies
    from cvtune_nb.similarity.outliers_and_copies import find_outliers as find_outliers
    from cvtune_nb.similarity.outliers_and_copies import find_outliers_and_copies as find_outliers_and_copies
    from cvtune_nb.similarity.search import build_index as build_index
else:
    __all__, __getattr__ = lazily(__name__)
