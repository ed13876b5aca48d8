"""Look-alikes: photos ranked by how much they look like another one, from what the workspace has already."""

from typing import TYPE_CHECKING

from cvtune_nb.lazy_imports import lazily

if TYPE_CHECKING:
    from cvtune_nb.similarity.active_learning import most_useful as most_useful
    from cvtune_nb.similarity.active_learning import to_label as to_label
    from cvtune_nb.similarity.embeddings import COMPONENTS as COMPONENTS
    from cvtune_nb.similarity.embeddings import choices as choices
    from cvtune_nb.similarity.embeddings import embedder as embedder
    from cvtune_nb.similarity.embeddings import projection as projection
    from cvtune_nb.similarity.embeddings import vectors as vectors
    from cvtune_nb.similarity.evaluation import compare as compare
    from cvtune_nb.similarity.evaluation import measure as measure
    from cvtune_nb.similarity.export import export_similarity as export_similarity
    from cvtune_nb.similarity.index import DISTANCES as DISTANCES
    from cvtune_nb.similarity.map_layout import METHODS as METHODS
    from cvtune_nb.similarity.map_layout import layout as layout
    from cvtune_nb.similarity.map_layout import methods as methods
    from cvtune_nb.similarity.outliers_and_copies import copies as copies
    from cvtune_nb.similarity.outliers_and_copies import outliers as outliers
    from cvtune_nb.similarity.search import look_up as look_up
else:
    __all__, __getattr__ = lazily(__name__)
