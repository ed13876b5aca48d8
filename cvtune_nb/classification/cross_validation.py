"""Cross-validation: every photo is classified by a model that was trained without its fold, so that all count."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from cvtune_nb import metrics
from cvtune_nb.classification.baseline import C_VALUES, SVM_SECONDS, SvmExplorer
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data.groups import dependent, grouped_id
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent, write_csv, write_json
from cvtune_nb.imbalance import NONE, Remedy
from cvtune_nb.metrics import Accuracy
from cvtune_nb.objectives import USUAL, Objective
from cvtune_nb.workspace import Workspace

FOLDS = 5
"""As many as are usual: each model is trained on 80% of the photos (Kohavi 1995 recommends 5 to 10)."""
FEW_PHOTOS = 1_000
"""Photos, or groups, below which those of validation alone tell little: 15% of them give an interval of 5 points or
more."""
MOST_FOLDS = 20


def folds_of(photos: pd.DataFrame, folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """The fold of each photo; test photos have none.

    Each fold has about the same share of each class, and no group is divided. Which fold a photo is in depends on the
    content of the photos and the seed, not on their names or order.

    Parameters
    ----------
    photos
        Rows of Workspace.photos: label, split, group, sha256.
    folds
        How many, 2 to MOST_FOLDS.
    seed
        Of the draw.

    Returns
    -------
    array
        0 to folds - 1 (n,), -1 for test photos.

    Raises
    ------
    InputError
        There are less groups of a class than folds, so that a fold would have none of it.
    """
    if not 2 <= folds <= MOST_FOLDS:
        raise InputError(f"folds is {folds}: choose a whole number from 2 to {MOST_FOLDS}")
    used = photos[photos["split"] != "test"].sort_values(["sha256", "path"])
    groups = used["group"].where(used["group"] != "", used["sha256"])
    few = groups.groupby(used["label"]).nunique().sort_values()
    if few.iloc[0] < folds:
        raise InputError(
            f"class {few.index[0]!r} has {few.iloc[0]} different photos outside the test set, less than one for each "
            f"of {folds} folds: choose fewer folds, or add photos of it"
        )
    assigned = pd.Series(-1, index=photos.index)
    divided = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(used, used["label"], groups)
    for fold, (_, rows) in enumerate(divided):
        assigned[used.index[rows]] = fold
    return assigned.to_numpy()


def counts(photos: pd.DataFrame) -> tuple[int, int, str]:
    """How many are in folds, how many on validation, and what they are: photos, or groups where some belong together.

    A group tells about as much as a photo (docs/measurements.md, "Frames of one scene"). photos: rows of
    Workspace.photos.
    """
    own, what = dependent(photos), "groups"
    if own is None:
        own, what = photos["path"], "photos"
    used, validation = (
        int(own[which].nunique()) for which in (photos["split"] != "test", photos["split"] == "validation")
    )
    return used, validation, what


@dataclass(frozen=True)
class CrossValidated:
    """What cross-validation has found.

    Attributes
    ----------
    spec, kernel, folds, C
        The features, the SVM, the number of folds, and the C that is best.
    accuracy
        What may be expected of an SVM trained on all these photos, corrected for the choice of C, with its interval.
    C_table
        C,accuracy: over all photos, by C; one row where C was given or chosen by another objective.
    by_fold
        fold,photos,accuracy: of that C.
    predicted
        path,label,fold,predicted: of that C.
    objective, imbalance
        What counted, as text, and the remedy for classes of different size.
    chosen_by
        How C was chosen where that is not by accuracy over the folds, in words.
    """

    spec: FeatureSpec
    kernel: str
    folds: int
    C: float
    accuracy: Accuracy
    C_table: pd.DataFrame
    by_fold: pd.DataFrame
    predicted: pd.DataFrame
    objective: str = USUAL
    imbalance: str = NONE
    chosen_by: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON of `cvtune baseline --folds`."""
        return {
            "folds": self.folds,
            "C": self.C,
            "objective": self.objective,
            "imbalance": self.imbalance,
            "accuracy": self.accuracy.value,
            "interval": self.accuracy.interval,
            "photos": self.accuracy.n,
            "C_table": self.C_table.to_dict("records"),
            "by_fold": self.by_fold.to_dict("records"),
        }

    @property
    def words(self) -> str:
        """What was learned."""
        spread = self.by_fold["accuracy"]
        return f"{self.folds} folds: {self.accuracy}; single folds {spread.min():.1%} to {spread.max():.1%}" + (
            f"; C = {self.C:g} {self.chosen_by}" if self.chosen_by else ""
        )

    def save(self, workspace: Workspace) -> None:
        """Keep it as the workspace's last cross-validation: folds.json, and its answers in folds.csv."""
        write_csv(workspace.folder / "folds.csv", self.predicted)
        plain = {**self.spec.to_dict(), "kernel": self.kernel, **self.to_dict()}
        write_json(workspace.folder / "folds.json", {**plain, "photos_id": grouped_id(workspace.photos())})


def cross_validate(
    explorer: SvmExplorer,
    folds: int = FOLDS,
    kernel: str = "linear",
    C: float | None = None,
    progress: Progress = silent,
) -> CrossValidated:
    """Classify every training and validation photo by an SVM that was trained without its fold.

    Parameters
    ----------
    explorer
        Has the photos and the features.
    folds
        How many.
    kernel
        "linear" or "rbf".
    C
        None: the best of C_VALUES over all folds by the objective; where that needs probabilities, the best by it on
        the validation photos, which are in the folds too: accuracy is not corrected for that choice.
    progress
        Called with the progress; may raise Stopped.

    Raises
    ------
    InputError
        As `folds_of`.
    """
    fold = folds_of(explorer.photos, folds, explorer.workspace.seed)
    used = fold >= 0
    photos, matrix = explorer.photos[used], explorer.features.matrix[used]
    labels = photos["label"].to_numpy(dtype=object)
    objective, by = explorer.objective, ""
    if C is None and not objective.BY_ANSWERS:
        C, by = explorer.best_C(kernel), f"chosen by {objective.label} on the validation photos"
    C_values = C_VALUES if C is None else (float(C),)
    answers = out_of_fold(matrix, labels, fold[used], kernel, C_values, explorer.remedy, progress)
    right = answers.eq(labels, axis=0)
    if C is None and objective.text != USUAL:
        merits = {name: objective.merit(_value(objective, labels, answers[name].to_numpy())) for name in answers}
        right, by = right[[max(merits, key=lambda name: merits[name])]], f"chosen by {objective.label} over the folds"
        C_values = tuple(value for value in C_values if str(value) in right)
    chosen = metrics.best_of(right, groups=dependent(photos))
    best = next(C for C in C_values if str(C) == chosen.run)
    own = metrics.cross_validated(right[chosen.run], folds, dependent(photos))
    low, high = (min(1.0, max(0.0, end + chosen.expected - own.value)) for end in own.interval)
    corrected = Accuracy(chosen.expected, low, high, own.n, own.groups)
    table = pd.DataFrame({"C": C_values, "accuracy": right.mean().to_numpy()})
    predicted = photos[["path", "label"]].assign(fold=fold[used], predicted=answers[chosen.run].to_numpy())
    of_fold = predicted.assign(right=right[chosen.run].to_numpy()).groupby("fold")["right"]
    by_fold = of_fold.agg(photos="size", accuracy="mean").reset_index()
    rows, about = predicted.reset_index(drop=True), (objective.text, explorer.imbalance, by)
    return CrossValidated(explorer.spec, kernel, folds, best, corrected, table, by_fold, rows, *about)


def _value(objective: Objective, labels: np.ndarray, answers: np.ndarray) -> float:
    classes = np.array(objective.classes, dtype=object)
    return objective.value(pd.Index(classes).get_indexer(labels), (answers[:, None] == classes).astype(float))


def expected_seconds(photos: pd.DataFrame, folds: int = FOLDS, one_C: bool = False) -> float:
    """What `cross_validate` takes once the features are there.

    Parameters
    ----------
    photos
        Rows of Workspace.photos.
    folds
        How many.
    one_C
        Whether C is given.
    """
    used = photos[photos["split"] != "test"]
    of_all = len(used) * (1 - 1 / folds) * used["label"].nunique() * SVM_SECONDS
    return folds * of_all / (len(C_VALUES) if one_C else 1)


def out_of_fold(
    matrix: np.ndarray,
    labels: np.ndarray,
    fold: np.ndarray,
    kernel: str = "linear",
    C_values: tuple[float, ...] = C_VALUES,
    remedy: Remedy | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """The answer for each photo of an SVM trained without its fold: a column for each C, named as str.

    Parameters
    ----------
    matrix, labels
        Features (n, width) and labels (n,).
    fold
        Of each photo (n,).
    kernel, C_values, progress
        As for `cross_validate`.
    remedy
        What is done about classes of different size.
    """
    answers = {str(C): np.empty(len(labels), dtype=object) for C in C_values}
    numbers = np.unique(fold)
    for step, (number, C) in enumerate((number, C) for number in numbers for C in C_values):
        progress(step / (len(numbers) * len(C_values)), f"fold {number + 1} of {len(numbers)}, C = {C:g}")
        out = fold == number
        answers[str(C)][out] = Svm(C, kernel, remedy).fit(matrix[~out], labels[~out]).predict(matrix[out])
    return pd.DataFrame(answers)
