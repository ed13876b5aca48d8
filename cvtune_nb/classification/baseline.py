"""Frozen network + SVM: an accuracy in seconds, and the start of everything that follows."""

import time
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from cvtune_nb import metrics
from cvtune_nb.classification import objective as judged
from cvtune_nb.classification.calibration import temperature
from cvtune_nb.classification.extra_photos import BESIDE, ExtraPhotos
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.objective import Answers
from cvtune_nb.classification.svm import SVM_SCALE, Svm
from cvtune_nb.data.groups import dependent
from cvtune_nb.data.split import require_learnable
from cvtune_nb.files import Progress, read_csv, read_json, silent, write_csv, write_json
from cvtune_nb.imbalance import NONE, remedy_of
from cvtune_nb.metrics import Accuracy
from cvtune_nb.objectives import USUAL, Objective, Score, objective_of
from cvtune_nb.runs.provenance import groups_of, of_photos, present
from cvtune_nb.workspace import Workspace, photos_id

C_VALUES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""What C is chosen from on validation, and where the slider stops."""
SVM_SECONDS = 0.0004
"""To fit the SVMs among which C is chosen, a training photo and class (docs/measurements.md, "Times that costs begin
with")."""


@dataclass(frozen=True)
class Baseline:
    """What a frozen network and an SVM reach.

    The tables, `predicted` and `chances` (probabilities (n, classes)) are about the validation photos, and so is
    `score`, by the objective of that text. confusion, per_class and mistakes are about what is answered: the likeliest
    class, or where costs count the one of the lowest expected cost, and then `answered` says how many of these answers
    are right; all else is about the likeliest. `test` is there only when the test set was opened on purpose; `note`
    says which test photos are not counted, because the SVM was trained on copies of them. `extra` says which photos
    beside those of the workspace it was trained on (ExtraPhotos.facts); {} for none.
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
    chances: np.ndarray
    objective: str
    score: Score
    note: str = ""
    imbalance: str = NONE
    answered: Accuracy | None = None
    extra: dict[str, Any] = field(default_factory=dict)

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
            "imbalance": self.imbalance,
            "train_accuracy": self.train.value,
            "validation_accuracy": self.validation.value,
            "interval": self.validation.interval,
            "validation_photos": self.validation.n,
            "objective": self.objective,
            "objective_value": self.score.value,
            "objective_interval": self.score.interval,
            "images_per_second": self.images_per_second,
            "seconds": self.seconds,
            "cached": self.cached,
            "C_table": self.C_table.to_dict("records"),
            "per_class": self.per_class.to_dict("records"),
        }
        if self.answered:
            plain |= {"answered_accuracy": self.answered.value, "answered_interval": self.answered.interval}
        if self.extra:
            plain[BESIDE] = self.extra
        if self.test:
            plain |= {"test_accuracy": self.test.value, "test_interval": self.test.interval, "note": self.note}
        return plain

    def save(self, workspace: Workspace) -> None:
        """Keep the result as the workspace's baseline: baseline.json, and the validation photos in baseline.csv."""
        judged.keep_chances(workspace.folder / "baseline.npy", self.chances)
        write_csv(workspace.folder / "baseline.csv", self.predicted)
        measured_on = present(workspace).measured_on
        write_json(workspace.folder / "baseline.json", {**self.to_dict(), "measured_on": measured_on})


def C_table_file(  # noqa: N802 - the field calls it C
    workspace: Workspace,
    photos: pd.DataFrame,
    spec: FeatureSpec,
    kernel: str = "linear",
    objective: str = USUAL,
    imbalance: str = NONE,
    extra: str = "",
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
    objective
        What C is chosen by. Accuracy has no part in the name, as in earlier versions.
    imbalance
        What is done about classes of different size (PARAMETERS).
    extra
        ExtraPhotos.key of what it is trained on besides; "": nothing.
    """
    own = "" if objective == USUAL else f"-{sha256(objective.encode()).hexdigest()[:12]}"
    more = f"-extra-{extra}" if extra else ""
    remedy = "" if imbalance == NONE else f"-{sha256(imbalance.encode()).hexdigest()[:12]}"
    return workspace.cache / f"svm-{spec.key}-{kernel}{remedy}-{photos_id(photos)}{own}{more}.csv"


class SvmExplorer:
    """The baseline on one kind of features, ready for every C and kernel.

    Features are computed, or read from the cache, once, and fitted SVMs are kept in memory, so that a slider is
    answered at once.
    """

    def __init__(
        self,
        workspace: Workspace,
        spec: FeatureSpec,
        progress: Progress = silent,
        objective: str = "",
        imbalance: str = NONE,
        extra: ExtraPhotos | None = None,
    ):
        """Compute the features, or read them.

        Parameters
        ----------
        workspace, spec
            Whose photos, and what their features are.
        progress
            Called with the progress.
        objective
            What C is chosen by; "": the workspace's, today.
        imbalance
            What is done about classes of different size (PARAMETERS).
        extra
            Photos that it is trained on besides; None: none.

        Raises
        ------
        InputError
            The backbone's weights can't be had, image_size is larger than the photos, or the objective or own weights
            name a class that there is not.
        """
        self.workspace, self.spec, self.imbalance, self._objective = workspace, spec, imbalance, objective
        self.photos = workspace.photos()
        require_learnable(self.photos)
        self.classes = sorted(self.photos["label"].unique())
        self.remedy = remedy_of(imbalance)
        self.remedy.require(self.classes)
        self.features = features(workspace, self.photos, spec, progress)
        self.extra = extra.usable(self.photos) if extra else ExtraPhotos.none()
        self._extra_rows = features(workspace, self.extra.table, spec, progress).matrix if len(self.extra) else None
        self._fitted: dict[tuple[float, str], Svm] = {}

    @property
    def objective(self) -> Objective:
        """What C is chosen by."""
        text = self._objective
        return objective_of(text, self.classes) if text else judged.objective_in(self.workspace, self.classes)

    def part(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Features and labels of one split."""
        mask = (self.photos["split"] == split).to_numpy()
        return self.features.matrix[mask], self.photos["label"].to_numpy(dtype=object)[mask]

    def svm(self, C: float, kernel: str = "linear") -> Svm:
        """The SVM for C and kernel, fitted on the training photos."""
        if (C, kernel) not in self._fitted:
            matrix, labels, counts_as = *self._train, None
            if self._extra_rows is not None:
                counts_as = np.concatenate([np.ones(len(labels)), self.extra.weights])
                matrix = np.concatenate([matrix, self._extra_rows])
                labels = np.concatenate([labels, self.extra.labels])
            self._fitted[C, kernel] = Svm(C, kernel, self.remedy).fit(matrix, labels, counts_as)
        return self._fitted[C, kernel]

    @cached_property
    def _train(self) -> tuple[np.ndarray, np.ndarray]:
        return self.part("train")

    @cached_property
    def _validation(self) -> tuple[np.ndarray, np.ndarray]:
        return self.part("validation")

    @property
    def _rows(self) -> pd.DataFrame:
        """path,label of the validation photos, and group where photos belong together."""
        rows = self.photos[self.photos["split"] == "validation"]
        own = ["path", "label", *(["group"] if dependent(rows) is not None else [])]
        return rows[own].reset_index(drop=True)

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
        groups = dependent(self.photos[self.photos["split"] == split])
        return metrics.accuracy(labels, self.svm(C, kernel).predict(matrix), groups)

    def chances(self, C: float, kernel: str = "linear", split: str = "validation") -> np.ndarray:
        """Probabilities (n, classes) of that SVM on a split.

        Softmax of its scores, scaled and at the temperature that suits the validation photos best (calibration).

        Parameters
        ----------
        C, kernel, split
            As in `accuracy`.
        """
        matrix = self._validation[0] if split == "validation" else self.part(split)[0]
        return self.chances_of(matrix, C, kernel)

    def chances_of(self, matrix: np.ndarray, C: float, kernel: str = "linear") -> np.ndarray:
        """The same for any features (n, width).

        Parameters
        ----------
        matrix
            Of photos that need not be the workspace's.
        C, kernel
            As in `accuracy`.
        """
        scores, labels = SVM_SCALE * self.svm(C, kernel).scores(self._validation[0]), self._validation[1]
        warmth = temperature(scores, np.searchsorted(self.classes, labels.astype(str)))
        return softmax(SVM_SCALE * self.svm(C, kernel).scores(matrix) / warmth, axis=1)

    def answers(self, C: float, kernel: str = "linear") -> Answers:
        """What that SVM says of the validation photos."""
        predictions = self._rows.assign(predicted=self.svm(C, kernel).predict(self._validation[0]))
        chances = None if self.objective.BY_ANSWERS else self.chances(C, kernel)
        found = judged.answers_of(self.objective, predictions, chances, self.classes)
        assert found is not None, "probabilities are given where they are needed"
        return found

    def score(self, C: float, kernel: str = "linear") -> Score:
        """The objective of that SVM on the validation photos, with its interval."""
        return judged.measure(self.objective, self.answers(C, kernel))

    def C_table(self, kernel: str = "linear", progress: Progress = silent) -> pd.DataFrame:  # noqa: N802 - the field calls it C
        """C,train_accuracy,validation_accuracy,objective for every C in C_VALUES, cached for these photos and labels.

        objective: its value on validation.
        """
        beside = self.extra.key if len(self.extra) else ""
        file = C_table_file(self.workspace, self.photos, self.spec, kernel, self.objective.text, self.imbalance, beside)
        if file.exists():
            return _with_objective(read_csv(file))
        rows = []
        for number, C in enumerate(C_VALUES):
            progress(number / len(C_VALUES), f"fitting the SVM with C = {C:g}")
            rows.append(self._row(C, kernel))
        table = pd.concat(rows, ignore_index=True)
        write_csv(file, table)
        return table

    def _row(self, C: float, kernel: str) -> pd.DataFrame:
        train, validation = (self.accuracy(C, kernel, split).value for split in ("train", "validation"))
        value = validation
        if self.objective.text != USUAL:
            answers = self.answers(C, kernel)
            value = self.objective.value(answers.truth(self.objective), answers.chances.to_numpy())
        columns = ["C", "train_accuracy", "validation_accuracy", "objective"]
        return pd.DataFrame([(C, train, validation, value)], columns=columns)

    def best_C(self, kernel: str = "linear", progress: Progress = silent) -> float:  # noqa: N802
        """The C that is best on validation by the objective; ties: the one nearest 1.

        docs/measurements.md, "L2-normalised features".
        """
        table = self.C_table(kernel, progress)
        value = table["objective"].max() if self.objective.HIGHER_IS_BETTER else table["objective"].min()
        best = table.loc[table["objective"] == value, "C"]
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
        groups = dependent(self.photos[self.photos["split"] == "validation"])
        rows = self._rows.assign(predicted=predicted, score=np.ptp(np.sort(scores, axis=1)[:, -2:], axis=1))
        objective, chances = self.objective, self.chances(chosen, kernel)
        answers = predicted
        if not objective.LIKELIEST:
            answers = np.array(self.classes, dtype=object)[objective.decide(chances)]
        said = rows.assign(predicted=answers)
        wrong = said[said["label"] != said["predicted"]].sort_values("score", ascending=False, ignore_index=True)
        return Baseline(
            self.spec,
            kernel,
            chosen,
            self.accuracy(chosen, kernel, "train"),
            metrics.accuracy(truth, predicted, groups),
            test,
            self.C_table(kernel) if compare else self._row(chosen, kernel),
            metrics.confusion(truth, answers, self.classes),
            metrics.per_class(truth, answers, self.classes, groups),
            wrong,
            rows,
            self.features.images_per_second,
            self.features.seconds + time.perf_counter() - start,
            self.features.cached,
            chances,
            objective.text,
            self.score(chosen, kernel),
            note,
            self.imbalance,
            None if objective.LIKELIEST else metrics.accuracy(truth, answers, groups),
            self.extra.facts() if len(self.extra) else {},
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
    imbalance: str = NONE,
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
    imbalance
        What is done about classes of different size (PARAMETERS).

    Raises
    ------
    InputError
        The features can't be computed, or there are too few photos to train on.
    """
    result = SvmExplorer(workspace, spec, progress, imbalance=imbalance).fit(C, kernel, open_test, progress)
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


def baseline_answers(workspace: Workspace, objective: Objective) -> Answers | None:
    """What the last baseline says of the validation photos.

    None if `last_baseline` is None, and where the objective needs probabilities that an earlier version did not keep.
    """
    predictions = baseline_predictions(workspace)
    if predictions is None:
        return None
    chances = judged.kept_chances(workspace.folder / "baseline.npy")
    return judged.answers_of(objective, predictions, chances, objective.classes)


def baseline_score(workspace: Workspace, objective: Objective) -> Score | None:
    """The last baseline by an objective, with its interval; None where `baseline_answers` is None."""
    answers = baseline_answers(workspace, objective)
    return judged.measure(objective, answers) if answers else None


def _with_objective(table: pd.DataFrame) -> pd.DataFrame:
    """A table of C; those of earlier versions are about accuracy."""
    return table if "objective" in table else table.assign(objective=table["validation_accuracy"])


def most_confused(workspace: Workspace) -> list[tuple[str, str]]:
    """The classes that the last baseline takes for others, as (true, predicted), the most frequent mistakes first."""
    known = baseline_predictions(workspace)
    if known is None:
        return []
    wrong = known[known["label"] != known["predicted"]]
    return [(str(true), str(said)) for true, said in wrong[["label", "predicted"]].value_counts().index]


def _predictions(workspace: Workspace) -> pd.DataFrame | None:
    file = workspace.folder / "baseline.csv"
    return read_csv(file, path=str, label=str, predicted=str, group=str) if file.exists() else None


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
