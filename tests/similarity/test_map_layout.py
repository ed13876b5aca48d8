import numpy as np
import pytest

from cvtune_nb import similarity
from cvtune_nb.errors import InputError
from tests.similarity.test_index import clusters


@pytest.mark.parametrize("method", ["pca", "t-sne"])
def test_groups_lie_apart_and_all_within_the_frame(method):
    rows, labels = clusters(3, 25, spread=0.1)
    places = similarity.layout(rows, method)
    assert places.shape == (75, 2)
    assert places.dtype == np.float32
    assert places.min() == 0
    assert places.max() == 1
    centres = np.stack([places[labels == label].mean(0) for label in range(3)])
    nearest = np.linalg.norm(places[:, None] - centres, axis=2).argmin(1)
    assert (nearest == labels).mean() > 0.95
    np.testing.assert_array_equal(places, similarity.layout(rows, method))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_few_photos_have_a_map_too(count):
    rows = np.eye(4, dtype=np.float32)[:count].reshape(count, 4)
    assert similarity.layout(rows).shape == (count, 2)


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("cvtune_nb.similarity.map_layout.find_spec", lambda name: None)
    assert similarity.methods() == ["pca", "t-sne"]
    with pytest.raises(InputError, match="pip install umap-learn"):
        similarity.layout(np.eye(5), "umap")
