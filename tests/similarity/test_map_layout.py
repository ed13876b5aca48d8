import numpy as np
import pytest

from cvtune_nb import similarity
from cvtune_nb.errors import InputError
from tests.similarity.test_index import clusters


@pytest.mark.parametrize("method", ["pca", "t-sne"])
def test_groups_lie_apart_and_all_within_the_frame(method):
    rows, labels = clusters(3, 25, spread=0.1)
    positions = similarity.layout(rows, method)
    assert positions.shape == (75, 2)
    assert positions.dtype == np.float32
    assert positions.min() == 0
    assert positions.max() == 1
    centres = np.stack([positions[labels == label].mean(0) for label in range(3)])
    nearest = np.linalg.norm(positions[:, None] - centres, axis=2).argmin(1)
    assert (nearest == labels).mean() > 0.95
    np.testing.assert_array_equal(positions, similarity.layout(rows, method))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_few_photos_have_a_map_too(count):
    rows = np.eye(4, dtype=np.float32)[:count].reshape(count, 4)
    assert similarity.layout(rows).shape == (count, 2)


def test_a_map_has_the_photos_of_an_index_and_their_classes(workspace):
    index = similarity.build_index(workspace, similarity.find_embedder(workspace, "efficientnet_lite0@64"))
    found, photos = similarity.map_photos(index), workspace.photos()
    assert found.paths == photos["path"].tolist()
    assert [found.classes[number] for number in found.class_ids] == photos["label"].tolist()
    np.testing.assert_array_equal(found.positions, similarity.layout(index.searcher.vectors))


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match="choose pca or t-sne"):
        similarity.layout(np.eye(5), "umap")
