import numpy as np
import pandas as pd
import pytest
import torch

from cvtune_nb import classification, similarity
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.data.photo import square
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import Config
from cvtune_nb.similarity.active_learning import unlabelled
from cvtune_nb.similarity.embeddings import missing, network
from tests.photos import make_photos

FROZEN = "efficientnet_lite0@64"


def test_frozen_vectors_are_the_cached_features_of_length_one(workspace):
    photos = workspace.photos()
    of = similarity.embedder(workspace, FROZEN)
    assert missing(workspace, photos, of) == 0
    rows = similarity.vectors(workspace, photos, of)
    expected = features(workspace, photos, FeatureSpec("efficientnet_lite0", Preprocessing(64))).matrix
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(rows * np.linalg.norm(expected, axis=1, keepdims=True), expected, atol=1e-4)


def test_a_run_gives_other_vectors_which_are_kept_until_it_changes(workspace):
    run = classification.fit(workspace, Config("efficientnet_lite0", image_size=64, epochs=1, loss="triplet"))
    of = similarity.embedder(workspace)
    assert (of.name, of.run, of.spec.image_size) == (run.id, run.id, 64)
    photos = workspace.photos()
    assert missing(workspace, photos, of) == len(photos)
    rows = similarity.vectors(workspace, photos, of)
    assert missing(workspace, photos, of) == 0
    pd.testing.assert_frame_equal(pd.DataFrame(rows), pd.DataFrame(similarity.vectors(workspace, photos, of)))
    if run.best_epoch > 0:
        frozen = similarity.vectors(workspace, photos, similarity.embedder(workspace, FROZEN))
        assert np.abs(rows - frozen).max() > 1e-3
    weights = run.folder / "best.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert missing(workspace, photos, of) == len(photos)


def test_choices_are_runs_and_what_is_on_disk(workspace):
    names = [of.name for of in similarity.choices(workspace)]
    assert "efficientnet_lite0@224" in names
    assert not any("random" in name for name in names)


@pytest.mark.parametrize("name", ["nothing", "efficientnet_lite0@", "efficientnet_lite0@7", "efficientnet_lite0@x"])
def test_a_wrong_name_says_what_would_do(workspace, name):
    if name.endswith("@"):
        assert similarity.embedder(workspace, name).spec.image_size == 224
        return
    with pytest.raises(InputError, match="efficientnet_lite0@224"):
        similarity.embedder(workspace, name)


def test_a_run_without_an_epoch_is_refused(workspace):
    photos = workspace.photos()
    run = classification.run.new_run(workspace, Config("efficientnet_lite0", image_size=64), photos, (1, 1), 0.0)
    with pytest.raises(InputError, match="no whole epoch"):
        similarity.embedder(workspace, run.id)


def test_components_are_centred_and_whitening_spreads_them_alike():
    random = np.random.default_rng(0)
    rows = 3 + random.standard_normal((400, 20)) * np.linspace(0.1, 5, 20)
    spreads = {}
    for components in ("pca", "pca-whitened"):
        project = similarity.projection(rows, components, 8)
        found = (rows - project.mean) @ project.matrix
        np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(project(rows), axis=1), 1, atol=1e-6)
        spreads[components] = np.cov(found.T)
    np.testing.assert_allclose(spreads["pca-whitened"], np.eye(8), atol=0.02)
    assert spreads["pca"][0, 0] > 1.5 * spreads["pca"][7, 7]


def test_none_and_too_few_photos_leave_vectors_as_they_are():
    rows = np.eye(5, dtype=np.float32)
    assert similarity.projection(rows, "none")(rows) is rows
    assert similarity.projection(rows[:3])(rows) is rows
    with pytest.raises(InputError, match="pca or pca-whitened or none"):
        similarity.projection(rows, "all")


@pytest.mark.parametrize("components", ["none", "pca", "pca-whitened"])
def test_the_network_gives_what_the_cache_holds(workspace, components):
    photos = workspace.photos()
    of = similarity.embedder(workspace, FROZEN)
    rows = similarity.vectors(workspace, photos, of)
    project = similarity.projection(rows, components, 16)
    squares = np.stack([square(workspace.path_of(path), 64) for path in photos["path"][:4]])
    with torch.inference_mode():
        found = network(workspace, of, project)(torch.from_numpy(squares)).numpy()
    # features are kept as bfloat16 gives them, where the machine has it
    np.testing.assert_allclose(found, project(rows)[:4], atol=0.1)


def test_photos_from_elsewhere_have_vectors_too(workspace, tmp_path):
    folder = make_photos(tmp_path / "others", ("x",), per_class=2, seed=5)
    found = unlabelled(folder)[0]
    rows = similarity.vectors(workspace, found, similarity.embedder(workspace, FROZEN))
    assert rows.shape == (2, 1280)
