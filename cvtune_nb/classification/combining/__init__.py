"""Several classifiers as one: soups of weights, interpolation, weighted means of probabilities, distillation."""

from typing import TYPE_CHECKING

from cvtune_nb.lazy_imports import lazily

if TYPE_CHECKING:
    from cvtune_nb.classification.combining.combination import COMBINATION as COMBINATION
    from cvtune_nb.classification.combining.combination import Combination as Combination
    from cvtune_nb.classification.combining.combination import delete_combination as delete_combination
    from cvtune_nb.classification.combining.combination import load_combination as load_combination
    from cvtune_nb.classification.combining.combination import stored_combinations as stored_combinations
    from cvtune_nb.classification.combining.distillation import distil as distil
    from cvtune_nb.classification.combining.distillation import distillation_seconds as distillation_seconds
    from cvtune_nb.classification.combining.search import combine as combine
    from cvtune_nb.classification.combining.search import expected_seconds as expected_seconds
else:
    __all__, __getattr__ = lazily(__name__)
