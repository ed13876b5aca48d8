import numpy as np
import pytest

from cvtune_nb.classification.svm import normalised
from cvtune_nb.errors import InputError
from cvtune_nb.similarity import DISTANCES, Metric, index
from cvtune_nb.similarity.index import VectorIndex


def unit_vectors(n, width=32, seed=0):
    return normalised(np.random.default_rng(seed).standard_normal((n, width))).astype(np.float32)


def clusters(groups, each, width=32, spread=0.25, seed=0):
    random = np.random.default_rng(seed)
    centres = normalised(random.standard_normal((groups, width)))
    labels = np.repeat(np.arange(groups), each)
    rows = centres[labels] + spread * random.standard_normal((groups * each, width))
    return normalised(rows).astype(np.float32), labels


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_nearest_come_first_with_their_distances(distance, monkeypatch):
    monkeypatch.setattr(index, "BLOCK", 3)
    rows, queries = unit_vectors(50), unit_vectors(7, seed=1)
    found = VectorIndex(rows, Metric(distance=distance)).search(queries, 5)
    expected = Metric(distance=distance).distances(queries, rows)
    np.testing.assert_array_equal(found.indices, expected.argsort(1)[:, :5])
    np.testing.assert_allclose(found.distances, np.sort(expected, 1)[:, :5], atol=1e-5)


def test_all_are_ranked_where_more_are_asked_for_than_there_are():
    rows = unit_vectors(6)
    found = VectorIndex(rows).search(rows, 50)
    assert found.indices.shape == (6, 6)
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(6))


def test_approximate_search_finds_almost_the_same():
    rows, _ = clusters(40, 50)
    queries = rows[::37]
    exact, approximate = (VectorIndex(rows, approximate=way).search(queries, 10) for way in (False, True))
    same = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.indices, approximate.indices, strict=True)])
    assert same > 0.9
    np.testing.assert_allclose(approximate.distances[:, 0], 0, atol=1e-5)
    assert (np.diff(approximate.distances, axis=1) >= 0).all()


def test_large_galleries_are_searched_approximately(monkeypatch):
    monkeypatch.setattr(index, "LARGE", 100)
    large, small = VectorIndex(unit_vectors(120)), VectorIndex(unit_vectors(90))
    large.search(unit_vectors(2), 3)
    small.search(unit_vectors(2), 3)
    assert "graph" in large.__dict__
    assert "graph" not in small.__dict__


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(InputError, match="approximate"):
        VectorIndex(unit_vectors(3), Metric(distance="manhattan"), approximate=True)
    assert len(VectorIndex(unit_vectors(3)).search(np.zeros((0, 32), np.float32), 2).indices) == 0
