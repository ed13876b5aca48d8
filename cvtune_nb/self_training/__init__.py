"""Self-training: photos without labels that several classifiers agree about are labelled by machine, and trained on."""

from typing import TYPE_CHECKING

from cvtune_nb.lazy_imports import lazily

if TYPE_CHECKING:
    from cvtune_nb.self_training.agreement import Agreement as Agreement
    from cvtune_nb.self_training.decisions import Decisions as Decisions
    from cvtune_nb.self_training.pool import read_pool as read_pool
    from cvtune_nb.self_training.result import Round as Round
    from cvtune_nb.self_training.result import SelfTraining as SelfTraining
    from cvtune_nb.self_training.result import last as last
    from cvtune_nb.self_training.rounds import expected_seconds as expected_seconds
    from cvtune_nb.self_training.rounds import self_train as self_train
else:
    __all__, __getattr__ = lazily(__name__)
