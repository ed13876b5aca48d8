"""Frozen network + SVM: an accuracy in seconds, and the start of everything that follows."""

import time
import warnings
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, LinearSVC

from cvtune_nb import metrics
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.data.groups import dependent
from cvtune_nb.data.split import require_learnable
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_csv, read_json, silent, write_csv, write_json
from cvtune_nb.metrics import Accuracy
from cvtune_nb.runs.provenance import groups_of, of_photos, present
from cvtune_nb.workspace import Workspace, photos_id

KERNELS = ("linear", "rbf")
C_VALUES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""What C is chosen from on validation, and where the slider stops."""

GRAM_LIMIT = 5_000
"""Training photos up to which the RBF kernel is kept in memory (200 MB) instead of being computed on the way."""


def normalised(matrix: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, which makes an SVM better: docs/measurements.md, "L2-normalised features"."""
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


class Svm:
    """A support vector machine on L2-normalised features (scikit-learn's liblinear or libsvm).

    Rows of other lengths and logistic regression are no better: docs/measurements.md, "Ways to use frozen features".
    """

    def __init__(self, C: float, kernel: str = "linear"):
        if kernel not in KERNELS:
            raise InputError(f"kernel is {kernel!r}: choose linear or rbf")
        if not 1e-6 <= C <= 1e6:
            raise InputError(f"C is {C}: choose a value from 0.000001 to 1000000")
        self.C, self.kernel = C, kernel

    def fit(self, matrix: np.ndarray, labels: np.ndarray) -> "Svm":
        """Train on features (n, width) and n labels."""
        rows = normalised(matrix)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            # scikit-learn takes a few photos of each of many classes for numbers to be predicted
            warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
            if self.kernel == "linear":
                self._model = LinearSVC(C=self.C, tol=1e-3, random_state=0).fit(rows, labels)
            else:
                # scikit-learn's "scale", for rows whose squares sum to 1
                self._gamma = float(1 / max(1 - np.square(rows.mean(0)).sum(), 1e-6))
                self._rows = rows if len(rows) <= GRAM_LIMIT else None
                self._model = SVC(C=self.C, kernel="rbf" if self._rows is None else "precomputed", gamma=self._gamma)
                self._model.fit(self._kernel(rows), labels)
        self.classes: list[str] = list(self._model.classes_)
        return self

    def _kernel(self, rows: np.ndarray) -> np.ndarray:
        if self.kernel == "linear" or self._rows is None:
            return rows
        return np.exp(-self._gamma * (2 - 2 * rows @ self._rows.T))

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """The label of each row of features (n, width)."""
        return self._model.predict(self._kernel(normalised(matrix)))

    def scores(self, matrix: np.ndarray) -> np.ndarray:
        """Decision values (n, classes): the larger, the surer."""
        values = self._model.decision_function(self._kernel(normalised(matrix)))
        return np.stack([-values, values], axis=1) if values.ndim == 1 else values

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights (classes, width) and bias (classes,) of a linear SVM, for L2-normalised features."""
        weight, bias = self._model.coef_, self._model.intercept_
        return (np.vstack([-weight, weight]), np.append(-bias, bias)) if len(weight) == 1 else (weight, bias)

    def kernel_machine(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """An RBF SVM as arrays: support vectors, coefficients, intercepts and gamma.

        exp(-gamma |x - support|^2) @ coefficients + intercepts is above 0 where the first class of a pair, in the order
        of itertools.combinations, is likelier; with two classes, where the second is, as in scikit-learn.

        Returns
        -------
        tuple
            Support vectors (m, width), coefficients (m, pairs of classes), intercepts (pairs,), gamma.
        """
        model, k = self._model, len(self.classes)
        support = model.support_vectors_ if self._rows is None else self._rows[model.support_]
        if k == 2:
            return support, model.dual_coef_.T, model.intercept_, self._gamma
        ends = np.cumsum([0, *model.n_support_])
        pairs = list(combinations(range(k), 2))
        coefficients = np.zeros((len(support), len(pairs)))
        for number, (i, j) in enumerate(pairs):
            for mine, other in ((i, j), (j, i)):
                rows = slice(ends[mine], ends[mine + 1])
                coefficients[rows, number] = model.dual_coef_[other - (other > mine), rows]
        return support, coefficients, model.intercept_, self._gamma


@dataclass(frozen=True)
class Baseline:
    """What a frozen network and an SVM reach.

    The tables and `predicted` are about the validation photos; `test` is there only when the test set was opened on
    purpose; `note` says which test photos are not counted, because the SVM was trained on copies of them.
    """

    spec: FeatureSpec
    kernel: str
    C: float
    train: Accuracy
    validation: Accuracy
    test: Accuracy | None
    C_table: pd.DataFrame
    confusion: pd.DataFrame
    per_class: pd.DataFrame
    mistakes: pd.DataFrame
    predicted: pd.DataFrame
    images_per_second: float
    seconds: float
    cached: bool
    note: str = ""

    @property
    def by_label(self) -> pd.DataFrame:
        """`per_class` in order of the labels."""
        return self.per_class.sort_values("label")

    @property
    def hardest(self) -> pd.Series:
        """The class of which the smallest share is found."""
        return self.per_class.sort_values("recall").iloc[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the JSON of `cvtune baseline`."""
        plain = {
            **self.spec.to_dict(),
            "kernel": self.kernel,
            "C": self.C,
            "train_accuracy": self.train.value,
            "validation_accuracy": self.validation.value,
            "interval": self.validation.interval,
            "validation_photos": self.validation.n,
            "images_per_second": self.images_per_second,
            "seconds": self.seconds,
            "cached": self.cached,
            "C_table": self.C_table.to_dict("records"),
            "per_class": self.per_class.to_dict("records"),
        }
        if self.test:
            plain |= {"test_accuracy": self.test.value, "test_interval": self.test.interval, "note": self.note}
        return plain

    def save(self, workspace: Workspace) -> None:
        """Keep the result as the workspace's baseline: baseline.json, and the validation photos in baseline.csv."""
        write_csv(workspace.folder / "baseline.csv", self.predicted)
        measured_on = present(workspace).measured_on
        write_json(workspace.folder / "baseline.json", {**self.to_dict(), "measured_on": measured_on})


def C_table_file(  # noqa: N802 - the field calls it C
    workspace: Workspace, photos: pd.DataFrame, spec: FeatureSpec, kernel: str = "linear"
) -> Path:
    """Where `SvmExplorer.C_table` is kept for these photos and labels; until then no file is there.

    Parameters
    ----------
    workspace
        Whose cache is used.
    photos
        The manifest's rows that the SVM is trained and measured on.
    spec
        The features.
    kernel
        "linear" or "rbf".
    """
    return workspace.cache / f"svm-{spec.key}-{kernel}-{photos_id(photos)}.csv"


class SvmExplorer:
    """The baseline on one kind of features, ready for every C and kernel.

    Features are computed, or read from the cache, once, and fitted SVMs are kept in memory, so that a slider is
    answered at once.
    """

    def __init__(self, workspace: Workspace, spec: FeatureSpec, progress: Progress = silent):
        """Raises InputError when the backbone's weights can't be had or image_size is larger than the photos."""
        self.workspace, self.spec = workspace, spec
        self.photos = workspace.photos()
        require_learnable(self.photos)
        self.classes = sorted(self.photos["label"].unique())
        self.features = features(workspace, self.photos, spec, progress)
        self._fitted: dict[tuple[float, str], Svm] = {}

    def part(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Features and labels of one split."""
        mask = (self.photos["split"] == split).to_numpy()
        return self.features.matrix[mask], self.photos["label"].to_numpy(dtype=object)[mask]

    def svm(self, C: float, kernel: str = "linear") -> Svm:
        """The SVM for C and kernel, fitted on the training photos."""
        if (C, kernel) not in self._fitted:
            self._fitted[C, kernel] = Svm(C, kernel).fit(*self._train)
        return self._fitted[C, kernel]

    @cached_property
    def _train(self) -> tuple[np.ndarray, np.ndarray]:
        return self.part("train")

    @cached_property
    def _validation(self) -> tuple[np.ndarray, np.ndarray]:
        return self.part("validation")

    def accuracy(self, C: float, kernel: str, split: str) -> Accuracy:
        """Accuracy of that SVM on a split.

        Parameters
        ----------
        C, kernel
            The SVM: its regularisation and its kernel.
        split
            "train", "validation" or "test".
        """
        matrix, labels = {"train": self._train, "validation": self._validation}.get(split) or self.part(split)
        return metrics.accuracy(labels, self.svm(C, kernel).predict(matrix))

    def C_table(self, kernel: str = "linear", progress: Progress = silent) -> pd.DataFrame:  # noqa: N802 - the field calls it C
        """C,train_accuracy,validation_accuracy for every C in C_VALUES, cached for these photos and labels."""
        file = C_table_file(self.workspace, self.photos, self.spec, kernel)
        if file.exists():
            return read_csv(file)
        rows = []
        for number, C in enumerate(C_VALUES):
            progress(number / len(C_VALUES), f"fitting the SVM with C = {C:g}")
            rows.append(self._row(C, kernel))
        table = pd.concat(rows, ignore_index=True)
        write_csv(file, table)
        return table

    def _row(self, C: float, kernel: str) -> pd.DataFrame:
        accuracies = (self.accuracy(C, kernel, split).value for split in ("train", "validation"))
        return pd.DataFrame([(C, *accuracies)], columns=["C", "train_accuracy", "validation_accuracy"])

    def best_C(self, kernel: str = "linear", progress: Progress = silent) -> float:  # noqa: N802
        """The C with the highest validation accuracy; ties: the one nearest 1.

        docs/measurements.md, "L2-normalised features".
        """
        table = self.C_table(kernel, progress)
        best = table.loc[table["validation_accuracy"] == table["validation_accuracy"].max(), "C"]
        return float(best.loc[np.log(best).abs().idxmin()])

    def fit(
        self,
        C: float | None = None,
        kernel: str = "linear",
        open_test: bool = False,
        progress: Progress = silent,
        compare: bool = True,
    ) -> Baseline:
        """The whole result for one C and kernel.

        Parameters
        ----------
        C
            None: chosen on validation.
        kernel
            One of KERNELS.
        open_test
            Measure on the test photos too, which is counted.
        progress
            Called with the progress.
        compare
            Whether the C_table has all of C_VALUES, or only this C, which takes a ninth of the time.
        """
        start = time.perf_counter()
        chosen = float(C) if C is not None else self.best_C(kernel, progress)
        svm = self.svm(chosen, kernel)
        matrix, truth = self._validation
        scores = svm.scores(matrix)
        predicted = svm.predict(matrix)
        test, note = None, ""
        if open_test:
            self.workspace.open_test(f"baseline {self.spec.backbone} {self.spec.image_size} {kernel} C={chosen:g}")
            test, note = self._tested(svm)
        rows = pd.DataFrame(
            {
                "path": self.photos.loc[self.photos["split"] == "validation", "path"].to_numpy(),
                "label": truth,
                "predicted": predicted,
                "score": np.ptp(np.sort(scores, axis=1)[:, -2:], axis=1),
            }
        )
        wrong = rows[rows["label"] != rows["predicted"]].sort_values("score", ascending=False, ignore_index=True)
        return Baseline(
            self.spec,
            kernel,
            chosen,
            self.accuracy(chosen, kernel, "train"),
            metrics.accuracy(truth, predicted, dependent(self.photos[self.photos["split"] == "validation"])),
            test,
            self.C_table(kernel) if compare else self._row(chosen, kernel),
            metrics.confusion(truth, predicted, self.classes),
            metrics.per_class(truth, predicted, self.classes),
            wrong,
            rows,
            self.features.images_per_second,
            self.features.seconds + time.perf_counter() - start,
            self.features.cached,
            note,
        )

    def _tested(self, svm: Svm) -> tuple[Accuracy, str]:
        """Accuracy on the test photos of which no copy was trained on, and in words how many the others are."""
        own, rows = of_photos(self.photos), self.photos[self.photos["split"] == "test"]
        fair = own.unseen(rows, own, groups_of(self.workspace))
        counted, (matrix, labels) = rows.index.isin(fair.photos.index), self.part("test")
        predicted = svm.predict(matrix[counted]) if counted.any() else []
        return metrics.accuracy(labels[counted], predicted, dependent(fair.photos)), fair.words


def baseline(
    workspace: Workspace,
    spec: FeatureSpec,
    C: float | None = None,
    kernel: str = "linear",
    open_test: bool = False,
    progress: Progress = silent,
) -> Baseline:
    """An SVM on the features of the workspace's photos; the result is kept in baseline.json.

    Parameters
    ----------
    workspace
        Whose photos they are.
    spec
        What the features are.
    C, kernel, open_test, progress
        As in SvmExplorer.fit.

    Raises
    ------
    InputError
        The features can't be computed, or there are too few photos to train on.
    """
    result = SvmExplorer(workspace, spec, progress).fit(C, kernel, open_test, progress)
    result.save(workspace)
    return result


def last_baseline(workspace: Workspace, earlier: bool = False) -> dict[str, Any] | None:
    """What `Baseline.to_dict` gave for the last baseline of this workspace; None if there is none.

    One on earlier data, whose accuracy may not be compared on today's photos (provenance), counts only with `earlier`.
    """
    try:
        known = read_json(workspace.folder / "baseline.json")
    except FileNotFoundError:
        return None
    measured_on = known.pop("measured_on", "")
    return known if earlier or _is_present(workspace, known, measured_on) else None


def baseline_predictions(workspace: Workspace) -> pd.DataFrame | None:
    """The validation photos as the last baseline saw them: path,label,predicted,score.

    None if `last_baseline` is None.
    """
    return _predictions(workspace) if last_baseline(workspace) else None


def _predictions(workspace: Workspace) -> pd.DataFrame | None:
    file = workspace.folder / "baseline.csv"
    return read_csv(file, path=str, label=str, predicted=str) if file.exists() else None


def _is_present(workspace: Workspace, known: dict[str, Any], measured_on: str) -> bool:
    """Whether a baseline was measured among the classes and on today's validation photos and labels.

    Those of earlier versions did not keep that: it is seen from their predictions.
    """
    if measured_on:
        return measured_on == present(workspace).measured_on
    photos, then = workspace.photos(), _predictions(workspace)
    if then is None or sorted(row["label"] for row in known["per_class"]) != sorted(photos["label"].unique()):
        return False
    now = photos.loc[photos["split"] == "validation", ["path", "label"]]
    return set(now.itertuples(index=False, name=None)) == set(
        then[["path", "label"]].itertuples(index=False, name=None)
    )


def learning_curve(explorer: SvmExplorer, C: float = 1.0, repeats: int = 3, seed: int = 0) -> pd.DataFrame:
    """Would more photos help? Validation accuracy of a linear SVM trained on 10% to 100% of each class.

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
        train_photos,validation_accuracy,low,high: the mean, with the 95% interval of one draw.
    """
    matrix, labels = explorer.part("train")
    held_back, truth = explorer.part("validation")
    own = dependent(explorer.photos)
    groups = None if own is None else own[explorer.photos["split"] == "train"].to_numpy()
    rows = []
    for fraction in (0.1, 0.2, 0.4, 0.7, 1.0):
        draws, used = [], 0
        for repeat in range(repeats if fraction < 1 else 1):
            random = np.random.default_rng([seed, repeat, round(fraction * 100)])
            chosen = np.concatenate([_first_of(labels, label, groups, fraction, random) for label in explorer.classes])
            draws.append(metrics.accuracy(truth, Svm(C).fit(matrix[chosen], labels[chosen]).predict(held_back)).value)
            used = len(chosen)
        mean = metrics.share(round(np.mean(draws) * len(truth)), len(truth))
        rows.append((used, float(np.mean(draws)), mean.low, mean.high))
    return pd.DataFrame(rows, columns=["train_photos", "validation_accuracy", "low", "high"])


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
