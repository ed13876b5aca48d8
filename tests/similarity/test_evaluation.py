from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb import similarity
from cvtune_nb.classification import fit
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.similarity import Metric, evaluation
from cvtune_nb.similarity.evaluation import Scores, judge
from cvtune_nb.similarity.model import Embedder
from tests.made_runs import CONFIG

EMBEDDER = Embedder("x@64", FeatureSpec("x", Preprocessing(64)))
GALLERY = pd.DataFrame({"path": ["g0", "g1", "g2", "g3"], "label": ["cat", "cat", "dog", "dog"]})


def ranks(queries, indices):
    return Scores(EMBEDDER, judge(pd.DataFrame(queries, columns=["path", "label"]), GALLERY, np.array(indices)))


def test_figures_by_hand():
    # cat: right, wrong, right, wrong -> (1/1 + 2/3) / 2; dog: wrong, wrong, right, right -> (1/3 + 2/4) / 2
    found = ranks([("a", "cat"), ("b", "dog")], [[0, 2, 1, 3], [0, 1, 2, 3]])
    assert found.queries["rank"].tolist() == [1, 3]
    np.testing.assert_allclose(found.queries["precision"], [5 / 6, 5 / 12])
    assert found.mean_precision.value == pytest.approx(5 / 8)
    assert {k: share.value for k, share in found.recall.items()} == {1: 0.5, 5: 1.0, 10: 1.0}
    assert found.median_rank == 2
    by_class = found.by_class.set_index("label")
    assert by_class.loc["dog", "taken_for"] == "cat"
    assert by_class.loc["cat", "taken_for"] == ""
    assert "recall@1 50.0%" in found.words


def test_a_class_that_the_gallery_lacks_is_never_found():
    found = ranks([("a", "cow")], [[0, 1, 2, 3]])
    assert found.queries["rank"].tolist() == [5]
    assert found.mean_precision.value == 0


def test_intervals_hold_the_figure_and_shrink_with_queries():
    few = ranks([("a", "cat"), ("b", "dog")] * 5, [[0, 2, 1, 3], [0, 1, 2, 3]] * 5)
    many = ranks([("a", "cat"), ("b", "dog")] * 100, [[0, 2, 1, 3], [0, 1, 2, 3]] * 100)
    widths = [found.mean_precision.high - found.mean_precision.low for found in (few, many)]
    assert widths[1] < widths[0] / 2
    assert few.mean_precision.low < few.mean_precision.value < few.mean_precision.high


def test_two_are_compared_query_by_query():
    queries = [(str(number), "dog") for number in range(30)]
    worse, better = ranks(queries, [[0, 1, 2, 3]] * 30), ranks(queries, [[2, 3, 0, 1]] * 30)
    gain = similarity.paired_gain(worse, better)
    assert gain.recall.difference == 1
    assert gain.mean_precision.value == pytest.approx(1 - 5 / 12)
    assert "better" in gain.words
    assert "no reliable difference" in similarity.paired_gain(worse, worse).words
    with pytest.raises(InputError, match="other photos"):
        similarity.paired_gain(worse, ranks(queries[:3], [[0, 1, 2, 3]] * 3))


def test_validation_photos_find_their_class_and_the_test_set_stays_locked(workspace):
    embedder = similarity.find_embedder(workspace, "efficientnet_lite0@64")
    found = similarity.evaluate_split(workspace, embedder)
    assert len(found.queries) == (workspace.photos()["split"] == "validation").sum()
    assert found.recall[1].value > 0.8
    assert set(found.queries["nearest"]) <= set(workspace.photos().query("split == 'train'")["path"])
    for change in ({"rerank": True}, {"metric": Metric("none")}, {"metric": Metric(distance="manhattan")}):
        assert similarity.evaluate_split(workspace, embedder, **change).recall[5].value > 0.8
    assert workspace.test_openings() == 0
    similarity.evaluate_split(workspace, embedder, "test")
    assert workspace.test_openings() == 1


def test_a_run_is_compared_with_its_frozen_network_and_test_is_opened_when_asked(workspace):
    run = fit(workspace, replace(CONFIG, epochs=1))
    embedder = similarity.find_embedder(workspace, run.id)
    found = similarity.evaluate(workspace, embedder, open_test=True)
    assert [scores.embedder for scores in found.compared] == [embedder, embedder.frozen]
    assert set(found.to_dict()) == {"measured", "frozen", "compared", "test", "test_openings"}
    assert found.test.split == "test" and found.test_openings == 1
    assert list(found.table()["measure"]) == ["recall@1", "recall@5", "recall@10", "mAP"] * 2
    frozen = similarity.evaluate(workspace, embedder.frozen)
    assert (frozen.frozen, frozen.gain, frozen.test) == (None, None, None)
    assert frozen.to_dict() == {"measured": found.frozen.to_dict(), "frozen": None, "compared": None}
    assert workspace.test_openings() == 1


def test_many_queries_are_drawn_and_ranked_block_by_block(workspace, monkeypatch):
    embedder = similarity.find_embedder(workspace, "efficientnet_lite0@64")
    whole = similarity.evaluate_split(workspace, embedder)
    monkeypatch.setattr(evaluation, "CELLS", 100)
    pd.testing.assert_frame_equal(similarity.evaluate_split(workspace, embedder).queries, whole.queries)
    monkeypatch.setattr(evaluation, "MOST_QUERIES", 5)
    assert len(similarity.evaluate_split(workspace, embedder).queries) == 5


def test_without_queries_there_is_nothing_to_measure(workspace):
    for path in workspace.photos().query("split == 'validation'")["path"]:
        workspace.decide(path, "exclude")
    with pytest.raises(InputError, match="0 validation photos"):
        similarity.evaluate_split(workspace, similarity.find_embedder(workspace, "efficientnet_lite0@64"))


def test_queries_of_one_scene_count_as_one():
    queries = pd.DataFrame(
        {"path": [f"{n}.jpg" for n in range(80)], "label": ["cat" if n // 10 % 2 else "dog" for n in range(80)]}
    )
    queries = queries.assign(copies=queries["path"], group=[f"scene {n // 10}" for n in range(80)])
    cats, dogs = [0, 1, 2, 3], [2, 3, 0, 1]
    indices = np.array([cats if n // 10 % 2 == n // 20 % 2 else dogs for n in range(80)])  # every other scene is wrong
    alone = Scores(EMBEDDER, judge(queries.drop(columns="group").assign(group=queries["copies"]), GALLERY, indices))
    whole = Scores(EMBEDDER, judge(queries, GALLERY, indices))
    assert whole.recall[1].value == alone.recall[1].value and whole.recall[1].groups == 8
    for narrow, wide in ((alone.recall[1], whole.recall[1]), (alone.mean_precision, whole.mean_precision)):
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    assert whole.by_class.loc[0, "low"] <= alone.by_class.loc[0, "low"]
    assert "in 8 groups" in evaluation.paired_gain(whole, alone).recall.words
