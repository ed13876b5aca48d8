"""What the person's decisions were worth: the same small model trained before and after them."""

from dataclasses import dataclass

import numpy as np

from cvtune_nb import metrics
from cvtune_nb.audit.forecast import FORECAST_C
from cvtune_nb.audit.report import load_audit
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data.groups import dependent
from cvtune_nb.files import Progress, silent
from cvtune_nb.metrics import Accuracy, Paired
from cvtune_nb.workspace import Workspace


@dataclass(frozen=True)
class Payoff:
    """What the decisions in force brought.

    Attributes
    ----------
    relabelled, excluded : int
        How many photos.
    before, after : Accuracy
        Of a linear SVM trained on the photos as they were found, and as decided, both on the same validation photos and
        labels: those decided.
    paired : Paired
        The comparison of the two.
    words : str
        All of it in one sentence.
    """

    relabelled: int
    excluded: int
    before: Accuracy
    after: Accuracy
    paired: Paired
    words: str


def payoff(workspace: Workspace, progress: Progress = silent) -> Payoff:
    """Compare training before and after the standing decisions, with the last audit's features (cached).

    The test photos are not looked at. Raises InputError when the backbone's weights can't be had.
    """
    last = load_audit(workspace)
    spec = FeatureSpec.from_dict(last.summary) if last else FeatureSpec.default()
    actions = [act["action"] for act in workspace.standing().values()]
    relabelled, excluded = actions.count("relabel"), actions.count("exclude")

    found, after = workspace.manifest(), workspace.photos()
    matrix = features(workspace, found, spec, progress).matrix
    row_of = dict(zip(found["path"], range(len(found)), strict=True))
    undisputed = found.groupby("sha256")["label"].transform("nunique") == 1
    before = found[undisputed & (found["split"] == "train")]
    validation = after[after["split"] == "validation"]
    asked = matrix[validation["path"].map(row_of).to_numpy(dtype=int)]
    truth = validation["label"].to_numpy(dtype=object)

    accuracies, right, groups = [], [], dependent(validation)
    for training in (before, after[after["split"] == "train"]):
        rows = training["path"].map(row_of).to_numpy(dtype=int)
        said = Svm(FORECAST_C).fit(matrix[rows], training["label"].to_numpy(dtype=object)).predict(asked)
        accuracies.append(metrics.accuracy(truth, said, groups))
        right.append(np.asarray(truth == said))
    comparison = metrics.paired(right[0], right[1], groups)
    words = (
        f"{relabelled} relabelled and {excluded} excluded: {accuracies[0].value:.1%} before, "
        f"{accuracies[1].value:.1%} after on {len(truth)} validation photos; {comparison.words}"
    )
    if not relabelled + excluded:
        words = "nothing was relabelled or excluded yet, so there is no difference to measure"
    return Payoff(relabelled, excluded, accuracies[0], accuracies[1], comparison, words)
