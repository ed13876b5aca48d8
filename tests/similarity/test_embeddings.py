import numpy as np
import pandas as pd

from cvtune_nb import classification, similarity
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.parameters import Config
from cvtune_nb.similarity.active_learning import read_unlabelled
from cvtune_nb.similarity.embeddings import count_missing
from tests.photos import make_photos

FROZEN = "efficientnet_lite0@64"


def test_frozen_vectors_are_the_cached_features_of_length_one(workspace):
    photos = workspace.photos()
    embedder = similarity.find_embedder(workspace, FROZEN)
    assert count_missing(workspace, photos, embedder) == 0
    rows = similarity.embed(workspace, photos, embedder)
    expected = features(workspace, photos, FeatureSpec("efficientnet_lite0", Preprocessing(64))).matrix
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(rows * np.linalg.norm(expected, axis=1, keepdims=True), expected, atol=1e-4)


def test_a_run_gives_other_vectors_which_are_kept_until_it_changes(workspace):
    run = classification.fit(workspace, Config("efficientnet_lite0", image_size=64, epochs=1, loss="triplet"))
    embedder = similarity.find_embedder(workspace)
    assert (embedder.name, embedder.run, embedder.spec.image_size) == (run.id, run.id, 64)
    photos = workspace.photos()
    assert count_missing(workspace, photos, embedder) == len(photos)
    rows = similarity.embed(workspace, photos, embedder)
    assert count_missing(workspace, photos, embedder) == 0
    pd.testing.assert_frame_equal(pd.DataFrame(rows), pd.DataFrame(similarity.embed(workspace, photos, embedder)))
    if run.best_epoch > 0:
        frozen = similarity.embed(workspace, photos, similarity.find_embedder(workspace, FROZEN))
        assert np.abs(rows - frozen).max() > 1e-3
    weights = run.folder / "best.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert count_missing(workspace, photos, embedder) == len(photos)


def test_photos_from_elsewhere_have_vectors_too(workspace, tmp_path):
    folder = make_photos(tmp_path / "others", ("x",), per_class=2, seed=5)
    found = read_unlabelled(folder)[0]
    rows = similarity.embed(workspace, found, similarity.find_embedder(workspace, FROZEN))
    assert rows.shape == (2, 1280)
