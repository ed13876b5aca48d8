"""Would more photos help? What an SVM reaches with a part of them."""

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.calibration import tempered
from cvtune_nb.classification.comparison import COUNTS
from cvtune_nb.classification.judge import Judge, Said
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data.groups import dependent


def learning_curve(explorer: SvmExplorer, C: float = 1.0, repeats: int = 3, seed: int = 0) -> pd.DataFrame:
    """Validation accuracy, and what counts, of a linear SVM trained on 10% to 100% of each class.

    Photos that belong together are drawn together: more frames of the scenes there are is not what more photos mean.

    Parameters
    ----------
    explorer
        Has the features.
    C
        Of the SVM.
    repeats
        Random draws of photos, whose mean is taken.
    seed
        Of the draws.

    Returns
    -------
    pd.DataFrame
        train_photos,validation_accuracy,low,high: the mean over the draws, with its 95% interval; and where the
        explorer's objective is another one, that: objective_value,objective_low,objective_high.
    """
    judge = _judge(explorer)
    matrix, labels = explorer.part("train")
    held_back, truth = explorer.part("validation")
    own = dependent(explorer.photos)
    groups, others = (
        None if own is None else own[explorer.photos["split"] == split].to_numpy() for split in ("train", "validation")
    )
    rows = []
    for fraction in (0.1, 0.2, 0.4, 0.7, 1.0):
        draws, scores, used = list[np.ndarray](), [], 0
        for repeat in range(repeats if fraction < 1 else 1):
            random = np.random.default_rng([seed, repeat, round(fraction * 100)])
            chosen = np.concatenate([_first_of(labels, label, groups, fraction, random) for label in explorer.classes])
            svm = Svm(C, remedy=explorer.remedy).fit(matrix[chosen], labels[chosen])
            right = svm.predict(held_back) == truth
            draws.append(right)
            if not judge.by_accuracy:
                score = judge.score(Said(right, tempered(svm.logits(held_back, explorer.classes), judge.truth)))
                scores.append((score.value, *score.interval))
            used = len(chosen)
        mean = metrics.rate(np.mean(draws, axis=0), others)
        counts = np.mean(scores, axis=0).tolist() if scores else []
        rows.append((used, mean.value, mean.low, mean.high, *counts))
    counted = () if judge.by_accuracy else COUNTS
    return pd.DataFrame(rows, columns=["train_photos", "validation_accuracy", "low", "high", *counted])


def _judge(explorer: SvmExplorer) -> Judge:
    """What counts, on the validation photos."""
    photos = explorer.photos[explorer.photos["split"] == "validation"]
    own = dependent(photos)
    truth = pd.Index(explorer.classes).get_indexer(photos["label"])
    return Judge(explorer.objective, truth, None if own is None else own.to_numpy())


def _first_of(
    labels: np.ndarray, label: str, groups: np.ndarray | None, fraction: float, random: np.random.Generator
) -> np.ndarray:
    """The rows of a fraction of a class, at least one, in a new order.

    Parameters
    ----------
    labels
        Of each photo (n,).
    label
        The class.
    groups
        Of each photo (n,), where photos belong together: those of one group follow each other in the order.
    fraction
        Of the class's photos.
    random
        Draws the order.
    """
    rows = random.permutation(np.flatnonzero(labels == label))
    if groups is not None:
        rows = rows[np.argsort(pd.factorize(groups[rows])[0], kind="stable")]
    return rows[: max(1, round(fraction * len(rows)))]
