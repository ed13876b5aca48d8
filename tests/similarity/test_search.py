from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb import similarity
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.photo import UnreadablePhoto
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.similarity import Metric, search
from tests.deep import png, ramp
from tests.photos import make_photos

FROZEN = "efficientnet_lite0@64"


@pytest.fixture
def index(workspace):
    return similarity.build_index(workspace, similarity.find_embedder(workspace, FROZEN))


def test_a_photo_finds_its_kind_and_not_itself(index):
    path = index.photos["path"].iloc[5]
    found = index.nearest(index.query(path), 6)
    assert list(found) == ["path", "label", "split", "sha256", "distance"]
    assert len(found) == 6
    assert path not in set(found["path"])
    assert (found["label"] == index.photos["label"].iloc[5]).mean() > 0.8
    assert found["distance"].is_monotonic_increasing
    with pytest.raises(InputError, match=r"other\.jpg is not a photo"):
        index.query("other.jpg")


def test_filters_let_through_what_matches(index):
    query = index.query(index.photos["path"].iloc[5])
    found = index.nearest(query, 4, index.matching("stripes", "train"))
    assert set(found["label"]) == {"stripes"}
    assert set(found["split"]) == {"train"}
    assert len(found) == 4
    assert index.matching().all()


def test_photos_have_their_places_and_their_labels_are_counted(index):
    paths = index.photos["path"]
    assert index.places([paths[5], "other.jpg", paths[2]]) == [2, 5]
    found = pd.DataFrame({"label": ["b", "a", "c", "c"]})
    assert list(search.label_counts(found).items()) == [("c", 2), ("a", 1), ("b", 1)]
    assert search.label_counts(found[:0]) == {}


@pytest.mark.parametrize("components", ["none", "pca-whitened"])
def test_a_photo_from_elsewhere_is_looked_up_and_not_kept(workspace, tmp_path, components):
    embedder = similarity.find_embedder(workspace, FROZEN)
    index = similarity.build_index(workspace, embedder, Metric(components))
    file = next((make_photos(tmp_path / "own", per_class=1, seed=77) / "stripes").iterdir())
    before = sorted(workspace.folder.rglob("*"))
    query = index.query_file(file, "mine")
    np.testing.assert_allclose(np.linalg.norm(query.vector), 1, atol=1e-5)
    assert index.nearest(query, 5)["label"].mode()[0] == "stripes"
    assert sorted(workspace.folder.rglob("*")) == before
    file.write_bytes(b"nothing")
    with pytest.raises(UnreadablePhoto):
        index.query_file(file, "mine")


def test_a_photo_of_the_workspace_finds_itself_when_it_comes_as_a_file_but_not_in_predictions(index):
    path = index.photos["path"].iloc[5]
    file = index.workspace.path_of(path)
    assert index.nearest(index.query_file(file, "copy"), 1)["path"].item() == path
    first, broken = index.predict([str(file), "gone.jpg"], 3)
    assert [list(each) for each in first["similar"]] == [["path", "label", "distance"]] * 3
    assert path not in [each["path"] for each in first["similar"]]
    assert broken == {"path": "gone.jpg", "error": "the file is gone"}


def test_a_file_that_does_not_go_with_the_levels_is_answered_with_a_note(index, tmp_path):
    (tmp_path / "dim.png").write_bytes(png(ramp(200)))
    usual = str(index.workspace.path_of(index.photos["path"].iloc[5]))
    dim, own = index.predict([str(tmp_path / "dim.png"), usual], 3)
    assert dim["note"] == "its values reach 200 where 65535 is white, so it is nearly black"
    assert len(dim["similar"]) == 3 and "note" not in own


def test_re_ranking_ranks_otherwise(workspace, index):
    again = similarity.build_index(workspace, index.embedder, rerank=True)
    path = index.photos["path"].iloc[3]
    first, second = (each.nearest(each.query(path), 20)["distance"].tolist() for each in (index, again))
    assert first != second


def test_the_key_is_that_of_the_vectors(workspace, index):
    def key(*metric):
        return similarity.build_index(workspace, index.embedder, Metric(*metric)).key

    assert key("pca", "manhattan") == index.key != key("none")
    larger = replace(index.embedder, spec=FeatureSpec(index.embedder.spec.backbone, Preprocessing(96)))
    assert replace(index, embedder=larger).key != index.key
    workspace.decide(index.photos["path"].iloc[0], "exclude")
    assert key() != index.key


def test_large_galleries_are_looked_through_in_part(workspace, monkeypatch):
    monkeypatch.setattr(search, "LARGE", 10)
    monkeypatch.setattr(search, "CANDIDATES", 7)
    index = similarity.build_index(workspace, similarity.find_embedder(workspace, FROZEN), rerank=True)
    assert len(index.nearest(index.query(index.photos["path"].iloc[0]), 50)) == 6, "seven, and one is the query"
