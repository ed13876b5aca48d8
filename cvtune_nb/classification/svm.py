"""A support vector machine on the features of a frozen network."""

import warnings
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, LinearSVC

from cvtune_nb.errors import InputError
from cvtune_nb.imbalance import Remedy, counted

KERNELS = ("linear", "rbf")
SVM_SCALE = 3.0
"""What an SVM's decision values (about -1..1) are multiplied by to be logits: docs/measurements.md, "Scale of the
SVM's weights"."""
GRAM_LIMIT = 5_000
"""Training photos up to which the RBF kernel is kept in memory (200 MB) instead of being computed on the way."""


def normalised(matrix: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, which makes an SVM better: docs/measurements.md, "L2-normalised features"."""
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


class Svm:
    """A support vector machine on L2-normalised features (scikit-learn's liblinear or libsvm).

    remedy: what is done about classes of different size. Logit adjustment takes what it adds in training from the
    decision values of a linear kernel, which are logits once they are scaled: docs/measurements.md, "Remedies for
    imbalance".

    Rows of other lengths and logistic regression are no better: docs/measurements.md, "Ways to use frozen features".
    """

    def __init__(self, C: float, kernel: str = "linear", remedy: Remedy | None = None):
        if kernel not in KERNELS:
            raise InputError(f"kernel is {kernel!r}: choose linear or rbf")
        if not 1e-6 <= C <= 1e6:
            raise InputError(f"C is {C}: choose a value from 0.000001 to 1000000")
        self.C, self.kernel = C, kernel
        self.remedy = remedy or Remedy()

    def fit(self, matrix: np.ndarray, labels: np.ndarray, counts_as: np.ndarray | None = None) -> "Svm":
        """Train on features (n, width) and n labels; counts_as: how much each photo counts (n,), None: all the same."""
        rows, present = normalised(matrix), np.unique(labels)
        counts, linear = counted(labels, present.tolist()), self.kernel == "linear"
        weights, prior = self.remedy.weights_of_svm(counts, linear), self.remedy.prior(counts)
        by_class = None if weights is None else dict(zip(counts, weights, strict=True))
        self._shift = None if prior is None or not linear else -prior / SVM_SCALE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            # scikit-learn takes a few photos of each of many classes for numbers to be predicted
            warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
            if self.kernel == "linear":
                self._model = LinearSVC(C=self.C, tol=1e-3, random_state=0, class_weight=by_class)
                self._model.fit(rows, labels, sample_weight=counts_as)
            else:
                # scikit-learn's "scale", for rows whose squares sum to 1
                self._gamma = float(1 / max(1 - np.square(rows.mean(0)).sum(), 1e-6))
                self._rows = rows if len(rows) <= GRAM_LIMIT else None
                kernel = "rbf" if self._rows is None else "precomputed"
                self._model = SVC(C=self.C, kernel=kernel, gamma=self._gamma, class_weight=by_class)
                self._model.fit(self._kernel(rows), labels, sample_weight=counts_as)
        self.classes: list[str] = list(self._model.classes_)
        return self

    def _kernel(self, rows: np.ndarray) -> np.ndarray:
        if self.kernel == "linear" or self._rows is None:
            return rows
        return np.exp(-self._gamma * (2 - 2 * rows @ self._rows.T))

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """The label of each row of features (n, width)."""
        if self._shift is not None:
            return self._model.classes_[self.scores(matrix).argmax(1)]
        return self._model.predict(self._kernel(normalised(matrix)))

    def scores(self, matrix: np.ndarray) -> np.ndarray:
        """Decision values (n, classes): the larger, the surer."""
        values = self._model.decision_function(self._kernel(normalised(matrix)))
        each = np.stack([-values, values], axis=1) if values.ndim == 1 else values
        return each if self._shift is None else each + self._shift

    def logits(self, matrix: np.ndarray, classes: Sequence[str]) -> np.ndarray:
        """Decision values, scaled to be logits, for these classes (n, classes).

        Of a class that it was not trained on, they are below those of all others.

        Parameters
        ----------
        matrix
            Features (n, width).
        classes
            All that it was trained on, and perhaps more.
        """
        scores, places = self.scores(matrix), [list(classes).index(label) for label in self.classes]
        every = np.repeat(scores.min(axis=1, keepdims=True) - 1, len(classes), axis=1)
        every[:, places] = scores
        return SVM_SCALE * every

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights (classes, width) and bias (classes,) of a linear SVM, for L2-normalised features."""
        weight, bias = self._model.coef_, self._model.intercept_
        if len(weight) == 1:
            weight, bias = np.vstack([-weight, weight]), np.append(-bias, bias)
        return weight, bias if self._shift is None else bias + self._shift

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
