import numpy as np
import pytest
from scipy.spatial.distance import cdist

from cvtune_nb.classification.svm import normalised
from cvtune_nb.errors import InputError
from cvtune_nb.similarity import index, reranking
from cvtune_nb.similarity.index import Gallery
from cvtune_nb.similarity.reranking import Reranker

KINDS = {"cosine": "cosine", "euclidean": "euclidean", "manhattan": "cityblock"}


def vectors(n, width=32, seed=0):
    return normalised(np.random.default_rng(seed).standard_normal((n, width))).astype(np.float32)


def clusters(groups, each, width=32, spread=0.25, seed=0):
    random = np.random.default_rng(seed)
    centres = normalised(random.standard_normal((groups, width)))
    labels = np.repeat(np.arange(groups), each)
    rows = centres[labels] + spread * random.standard_normal((groups * each, width))
    return normalised(rows).astype(np.float32), labels


@pytest.mark.parametrize("distance", KINDS)
def test_the_nearest_come_first_with_their_distances(distance, monkeypatch):
    monkeypatch.setattr(index, "BLOCK", 3)
    rows, queries = vectors(50), vectors(7, seed=1)
    found = Gallery(rows, distance).search(queries, 5)
    expected = cdist(queries, rows, KINDS[distance])
    np.testing.assert_array_equal(found.places, expected.argsort(1)[:, :5])
    np.testing.assert_allclose(found.distances, np.sort(expected, 1)[:, :5], atol=1e-5)


def test_all_are_ranked_where_more_are_asked_for_than_there_are():
    rows = vectors(6)
    found = Gallery(rows).search(rows, 50)
    assert found.places.shape == (6, 6)
    np.testing.assert_array_equal(found.places[:, 0], np.arange(6))


def test_approximate_search_finds_nearly_the_same():
    rows, _ = clusters(40, 50)
    queries = rows[::37]
    exact, nearly = (Gallery(rows, approximate=way).search(queries, 10) for way in (False, True))
    same = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.places, nearly.places, strict=True)])
    assert same > 0.9
    np.testing.assert_allclose(nearly.distances[:, 0], 0, atol=1e-5)
    assert (np.diff(nearly.distances, axis=1) >= 0).all()


def test_large_galleries_are_searched_nearly(monkeypatch):
    monkeypatch.setattr(index, "LARGE", 100)
    large, small = Gallery(vectors(120)), Gallery(vectors(90))
    large.search(vectors(2), 3)
    small.search(vectors(2), 3)
    assert "index" in large.__dict__
    assert "index" not in small.__dict__


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(InputError, match="cosine or euclidean or manhattan"):
        Gallery(vectors(3), "hamming")
    with pytest.raises(InputError, match="approximate"):
        Gallery(vectors(3), "manhattan", approximate=True)
    assert len(Gallery(vectors(3)).search(np.zeros((0, 32), np.float32), 2).places) == 0


# -- re-ranking ---------------------------------------------------------------------------------------------


def own_group_first(search, queries, labels, of):
    """Share of the nearest, as many as a group has, that are of the query's group."""
    found, size = search.search(queries, len(labels)).places, len(labels) // 12
    return np.mean([(labels[row[:size]] == label).mean() for row, label in zip(found, of, strict=True)])


def test_re_ranking_brings_the_groups_closer_together():
    rows, labels = clusters(12, 30)
    held = np.arange(len(rows)) % 5 == 0
    gallery = Gallery(rows[~held])
    plain, again = (
        own_group_first(way, rows[held], labels[~held], labels[held]) for way in (gallery, Reranker(gallery))
    )
    assert plain < 0.8, "otherwise there is nothing to gain"
    assert again > plain + 0.1


def test_re_ranking_keeps_every_photo_once_and_the_query_first():
    rows, _ = clusters(5, 60)
    found = Reranker(Gallery(rows)).search(rows[:9], len(rows))
    assert all(len(set(row)) == len(rows) for row in found.places)
    assert (found.places[:, 0] == np.arange(9)).mean() > 0.8
    assert (np.diff(found.distances, axis=1) >= -1e-6).all()


def test_a_query_is_ranked_the_same_whatever_else_is_asked():
    rows, _ = clusters(6, 20)
    ranker, queries = Reranker(Gallery(rows)), vectors(4, seed=3)
    together = ranker.search(queries, 10)
    alone = [ranker.search(query[None], 10).places[0] for query in queries]
    np.testing.assert_array_equal(together.places, alone)


def test_neighbours_of_many_photos_are_looked_up_nearly(monkeypatch):
    rows, labels = clusters(12, 30)
    plain = Reranker(Gallery(rows)).search(rows[:40], 30)
    monkeypatch.setattr(reranking, "MANY", 100)
    nearly = Reranker(Gallery(rows)).search(rows[:40], 30)
    same = [len(set(a) & set(b)) / 30 for a, b in zip(plain.places, nearly.places, strict=True)]
    assert np.mean(same) > 0.9
    assert (labels[nearly.places] == labels[:40, None]).mean() > 0.5


def test_re_ranking_works_with_few_photos():
    rows = vectors(3)
    np.testing.assert_array_equal(Reranker(Gallery(rows)).search(rows, 3).places[:, 0], [0, 1, 2])
