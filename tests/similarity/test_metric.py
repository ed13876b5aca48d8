import numpy as np
import pytest
from scipy.spatial.distance import cdist

from cvtune_nb.errors import InputError
from cvtune_nb.similarity import DISTANCES, Metric
from tests.similarity.test_index import unit_vectors

SCIPY = {"cosine": "cosine", "euclidean": "euclidean", "manhattan": "cityblock"}


def test_components_are_centred_and_whitening_scales_them_alike():
    random = np.random.default_rng(0)
    rows = 3 + random.standard_normal((400, 20)) * np.linspace(0.1, 5, 20)
    covariances = {}
    for components in ("pca", "pca-whitened"):
        projection = Metric(components).projection(rows, 8)
        found = (rows - projection.mean) @ projection.matrix
        np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(projection(rows), axis=1), 1, atol=1e-6)
        covariances[components] = np.cov(found.T)
    np.testing.assert_allclose(covariances["pca-whitened"], np.eye(8), atol=0.02)
    assert covariances["pca"][0, 0] > 1.5 * covariances["pca"][7, 7]


def test_none_and_too_few_photos_leave_vectors_as_they_are():
    rows = np.eye(5, dtype=np.float32)
    assert Metric("none").projection(rows)(rows) is rows
    assert Metric().projection(rows[:3])(rows) is rows


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_are_those_of_scipy(distance):
    queries, rows = unit_vectors(7, seed=1), unit_vectors(50)
    found = Metric("none", distance).distances(queries, rows)
    np.testing.assert_allclose(found, cdist(queries, rows, SCIPY[distance]), atol=1e-5)


def test_equal_metrics_are_one_key_and_unknown_names_are_refused():
    assert len({Metric("pca", "cosine"), Metric(), Metric.of("", ""), Metric("none")}) == 2
    with pytest.raises(InputError, match="components is 'all': choose pca or pca-whitened or none"):
        Metric("all")
    with pytest.raises(InputError, match="distance is 'hamming': choose cosine or euclidean or manhattan"):
        Metric(distance="hamming")
