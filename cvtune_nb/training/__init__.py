"""Fine-tuning: from the frozen network and the SVM to a network trained as a whole on the person's photos."""

from cvtune_nb.training import processes
from cvtune_nb.training.cost import Cost, predict_cost
from cvtune_nb.training.finder import Finder, find_learning_rate
from cvtune_nb.training.loop import fit
from cvtune_nb.training.model import Classifier, build, load_best
from cvtune_nb.training.run import Run, earlier_run, load_run, runs

__all__ = [
    "Classifier", "Cost", "Finder", "Run", "build", "earlier_run", "find_learning_rate", "fit", "load_best", "load_run",
    "predict_cost", "processes", "runs",
]  # fmt: skip
