import numpy as np

from cvtune_nb.similarity import reranking
from cvtune_nb.similarity.index import VectorIndex
from cvtune_nb.similarity.reranking import Reranker
from tests.similarity.test_index import clusters, unit_vectors


def own_group_first(search, queries, labels, of):
    """Share of the nearest, as many as a group has, that are of the query's group."""
    found, size = search.search(queries, len(labels)).indices, len(labels) // 12
    return np.mean([(labels[row[:size]] == label).mean() for row, label in zip(found, of, strict=True)])


def test_re_ranking_brings_the_groups_closer_together():
    rows, labels = clusters(12, 30)
    held = np.arange(len(rows)) % 5 == 0
    gallery = VectorIndex(rows[~held])
    plain, again = (
        own_group_first(way, rows[held], labels[~held], labels[held]) for way in (gallery, Reranker(gallery))
    )
    assert plain < 0.8, "otherwise there is nothing to gain"
    assert again > plain + 0.1


def test_re_ranking_keeps_every_photo_once_and_the_query_first():
    rows, _ = clusters(5, 60)
    found = Reranker(VectorIndex(rows)).search(rows[:9], len(rows))
    assert all(len(set(row)) == len(rows) for row in found.indices)
    assert (found.indices[:, 0] == np.arange(9)).mean() > 0.8
    assert (np.diff(found.distances, axis=1) >= -1e-6).all()


def test_a_query_is_ranked_the_same_whatever_else_is_asked():
    rows, _ = clusters(6, 20)
    ranker, queries = Reranker(VectorIndex(rows)), unit_vectors(4, seed=3)
    together = ranker.search(queries, 10)
    alone = [ranker.search(query[None], 10).indices[0] for query in queries]
    np.testing.assert_array_equal(together.indices, alone)


def test_neighbours_of_many_photos_are_found_approximately(monkeypatch):
    rows, labels = clusters(12, 30)
    plain = Reranker(VectorIndex(rows)).search(rows[:40], 30)
    monkeypatch.setattr(reranking, "MANY", 100)
    approximate = Reranker(VectorIndex(rows)).search(rows[:40], 30)
    same = [len(set(a) & set(b)) / 30 for a, b in zip(plain.indices, approximate.indices, strict=True)]
    assert np.mean(same) > 0.9
    assert (labels[approximate.indices] == labels[:40, None]).mean() > 0.5


def test_re_ranking_works_with_few_photos():
    rows = unit_vectors(3)
    np.testing.assert_array_equal(Reranker(VectorIndex(rows)).search(rows, 3).indices[:, 0], [0, 1, 2])
