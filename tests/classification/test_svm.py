import numpy as np
import pytest

from cvtune_nb.classification.svm import Svm, normalised
from cvtune_nb.errors import InputError


def blobs(classes, width=12, per_class=30, spread=1.0, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(0, 1.2, (classes, width))
    numbers = np.repeat(np.arange(classes), per_class)
    labels = np.array([f"class {n}" for n in numbers], dtype=object)
    return (centres[numbers] + random.normal(0, spread, (len(numbers), width))).astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_weights_are_the_decision_function(classes):
    matrix, labels = blobs(classes)
    svm = Svm(1.0).fit(matrix, labels)
    weight, bias = svm.weights()
    assert weight.shape == (classes, 12)
    assert bias.shape == (classes,)
    np.testing.assert_allclose(normalised(matrix) @ weight.T + bias, svm.scores(matrix), atol=1e-5)
    assert np.array_equal(np.array(svm.classes)[svm.scores(matrix).argmax(1)], svm.predict(matrix))


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("classes", [2, 4])
def test_an_svm_learns_and_its_length_does_not_matter(kernel, classes):
    matrix, labels = blobs(classes, spread=0.6)
    svm = Svm(3.0, kernel).fit(matrix, labels)
    unseen, truth = blobs(classes, spread=0.6)
    assert (svm.predict(unseen * 17) == truth).mean() > 0.9
    assert svm.scores(unseen).shape == (len(unseen), classes)


def test_rbf_is_scikit_learns_own_with_and_without_the_kept_kernel(monkeypatch):
    from sklearn.svm import SVC

    matrix, labels = blobs(3, spread=1.5)
    gamma = 1 / (1 - np.square(normalised(matrix).mean(0)).sum())
    theirs = SVC(C=2.0, gamma=gamma).fit(normalised(matrix), labels)
    kept = Svm(2.0, "rbf").fit(matrix, labels)
    monkeypatch.setattr("cvtune_nb.classification.svm.GRAM_LIMIT", 10)
    computed = Svm(2.0, "rbf").fit(matrix, labels)
    for ours in (kept, computed):
        np.testing.assert_allclose(ours.scores(matrix), theirs.decision_function(normalised(matrix)), atol=1e-3)


@pytest.mark.parametrize(
    ("C", "kernel", "words"), [(1.0, "poly", "choose linear or rbf"), (0, "linear", "C is 0"), (-1, "rbf", "C is -1")]
)
def test_what_no_svm_can_be(C, kernel, words):
    with pytest.raises(InputError, match=words):
        Svm(C, kernel)


def test_a_row_of_zeros_is_no_division_by_zero():
    assert np.isfinite(normalised(np.zeros((2, 3)))).all()
