import numpy as np
import pytest

from cvtune_nb import similarity
from cvtune_nb.data.photo import UnreadablePhoto
from cvtune_nb.errors import InputError
from cvtune_nb.similarity import search
from tests.photos import make_photos


@pytest.fixture
def known(workspace):
    return similarity.look_up(workspace, similarity.embedder(workspace, "efficientnet_lite0@64"))


def test_a_photo_finds_itself_and_then_its_kind(known):
    path = known.photos["path"].iloc[5]
    found = known.nearest(known.of_photo(path), 6)
    assert list(found) == ["path", "label", "split", "sha256", "distance"]
    assert found["path"].iloc[0] == path
    assert (found["label"] == known.photos["label"].iloc[5]).mean() > 0.8
    assert found["distance"].is_monotonic_increasing
    with pytest.raises(InputError, match=r"other\.jpg is not a photo"):
        known.of_photo("other.jpg")


def test_only_what_may_be_told_is(known):
    among = (known.photos["label"] == "stripes").to_numpy()
    found = known.nearest(known.of_photo(known.photos["path"].iloc[5]), 4, among)
    assert set(found["label"]) == {"stripes"}
    assert len(found) == 4


@pytest.mark.parametrize("components", ["none", "pca-whitened"])
def test_a_photo_from_elsewhere_is_looked_up_and_not_kept(workspace, tmp_path, components):
    of = similarity.embedder(workspace, "efficientnet_lite0@64")
    known = similarity.look_up(workspace, of, components=components)
    file = next((make_photos(tmp_path / "own", per_class=1, seed=77) / "stripes").iterdir())
    before = sorted(workspace.folder.rglob("*"))
    vector = known.of_file(file)
    np.testing.assert_allclose(np.linalg.norm(vector), 1, atol=1e-5)
    assert known.nearest(vector, 5)["label"].mode()[0] == "stripes"
    assert sorted(workspace.folder.rglob("*")) == before
    file.write_bytes(b"nothing")
    with pytest.raises(UnreadablePhoto):
        known.of_file(file)


def test_re_ranking_ranks_otherwise(workspace, known):
    again = similarity.look_up(workspace, known.embedder, rerank=True)
    first, second = (way.nearest(known.rows[3], 20)["distance"].tolist() for way in (known, again))
    assert first != second


def test_large_galleries_are_looked_through_in_part(workspace, monkeypatch):
    monkeypatch.setattr(search, "LARGE", 10)
    monkeypatch.setattr(search, "LOOKED_THROUGH", 7)
    known = similarity.look_up(workspace, similarity.embedder(workspace, "efficientnet_lite0@64"), rerank=True)
    everything = np.ones(len(known.rows), bool)
    assert len(known.nearest(known.rows[0], 50, everything)) == 7
