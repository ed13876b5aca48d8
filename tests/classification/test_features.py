from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from cvtune_nb.classification import features as module
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.data.photo import FULL
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.models import networks
from cvtune_nb.parameters import Config
from tests.photos import draw_photo

SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(64))
RANDOM = FeatureSpec("resnet18:random", Preprocessing(64))


def test_features_are_what_the_network_gives_for_the_photos(opened):
    photos = opened.photos().iloc[[3, 30, 3]].reset_index(drop=True)
    found = features(opened, photos, SPEC)
    images = np.stack([Preprocessing(64).square(opened.path_of(path), FULL) for path in photos["path"]])
    with torch.inference_mode():
        expected = networks.load(SPEC.backbone).eval()(torch.from_numpy(images)).numpy()
    assert found.matrix.dtype == np.float32
    cosine = (found.matrix * expected).sum(1) / np.linalg.norm(found.matrix, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosine.min() > 0.995, "to within what bfloat16 rounds"


def test_what_is_cached_needs_no_network(opened, monkeypatch):
    monkeypatch.setattr(networks, "load", lambda *a: pytest.fail("the network was loaded"))
    found = features(opened, opened.photos(), SPEC)
    assert found.cached
    assert found.matrix.shape == (72, 1280)


def test_features_of_several_stages_begin_with_the_networks_own(opened):
    photos = opened.photos().iloc[:9]
    usual, several = (features(opened, photos, replace(SPEC, pooling=pooling)) for pooling in ("last", "stages"))
    assert several.matrix.shape == (9, 1776)
    assert several.own[:].shape == (9, 1280)
    assert several.own[:] == pytest.approx(usual.matrix, rel=0.05, abs=0.05), "to within what bfloat16 rounds"
    assert np.array_equal(several.own[[2, 5]], several.matrix[[2, 5], :1280])
    assert np.array_equal(usual.own[[2, 5]], usual.matrix[[2, 5]])


def test_what_was_computed_with_all_stages_is_not_computed_again(workspace, monkeypatch):
    photos, seen = workspace.photos(), []
    whole = networks.forward
    monkeypatch.setattr(networks, "forward", lambda network, images: seen.append(len(images)) or whole(network, images))
    features(workspace, photos.iloc[:3], replace(RANDOM, pooling="stages"))
    found = features(workspace, photos.iloc[:5], RANDOM)
    assert seen == [3, 2] and found.matrix.shape == (5, 512)
    features(workspace, photos.iloc[5:9], RANDOM)  # the other store, which then lacks fewer of the first nine
    assert module.kept_as(workspace, RANDOM, list(photos["sha256"].iloc[4:9])) == RANDOM


def test_missing_weights_are_told_before_photos_are_decoded(workspace, torch_home, no_network, monkeypatch):
    monkeypatch.setattr(module, "pixels", lambda *_: pytest.fail("photos were decoded"))
    with pytest.raises(InputError, match="weights of resnet18 are not on disk"):
        features(workspace, workspace.photos(), FeatureSpec("resnet18", Preprocessing(64)))


def test_a_renamed_photo_is_not_computed_again(opened, monkeypatch):
    before = features(opened, opened.photos(), SPEC).matrix
    monkeypatch.setattr(networks, "load", lambda *a: pytest.fail("the network was loaded"))
    renamed = opened.photos().assign(path="another name.jpg").iloc[::-1]
    assert np.array_equal(features(opened, renamed, SPEC).matrix, before[::-1])


def test_only_new_photos_are_computed(workspace, tmp_path, monkeypatch):
    seen = []
    whole = networks.forward
    monkeypatch.setattr(networks, "forward", lambda network, images: seen.append(len(images)) or whole(network, images))
    draw_photo(3, 80, np.random.default_rng(5)).save(tmp_path / "new.png")
    new = workspace.photos().iloc[:1].assign(path=str(tmp_path / "new.png"), sha256="f" * 64)
    photos = workspace.photos()
    found = features(workspace, pd.concat([photos, new], ignore_index=True), SPEC)
    assert seen == [1]
    assert not found.cached
    assert found.matrix.shape == (73, 1280)
    assert found.images_per_second > 0


def test_each_backbone_and_image_size_has_features_of_its_own(workspace):
    photos = workspace.photos().iloc[:2]
    small, large = (
        features(workspace, photos, FeatureSpec("resnet18:random", Preprocessing(size))) for size in (64, 96)
    )
    assert small.matrix.shape == large.matrix.shape == (2, 512)
    assert not np.allclose(small.matrix, large.matrix)
    assert not small.cached
    assert features(workspace, photos, RANDOM).cached


def test_stopped_in_the_middle_what_was_computed_stays(workspace, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)  # kept every 16 photos

    def stop(share, words):
        if "features: 24" in words:
            raise Stopped

    photos = workspace.photos().iloc[:28]
    with pytest.raises(Stopped):
        features(workspace, photos, RANDOM, stop)
    left = module.store_of(workspace, RANDOM).missing(list(photos["sha256"]))
    assert len(left) == 28 - 16
    assert features(workspace, photos, RANDOM).matrix.shape == (28, 512)


def test_an_image_size_beyond_the_photos_is_refused_before_anything_is_loaded(opened, monkeypatch):
    monkeypatch.setattr(networks, "load", lambda *a: pytest.fail("the network was loaded"))
    with pytest.raises(InputError, match="image_size 512 is beyond the photos"):
        features(opened, opened.photos(), FeatureSpec(SPEC.backbone, Preprocessing(512)))


def test_one_small_photo_among_the_new_ones_does_not_decide(workspace, tmp_path):
    """image_size is judged by all photos, not by those that happen to be computed now."""
    photos = workspace.photos().iloc[:2].assign(width=1000, height=800)
    features(workspace, photos, FeatureSpec("resnet18:random", Preprocessing(288)))
    draw_photo(0, 40, np.random.default_rng(1)).save(tmp_path / "small.png")
    small = photos.iloc[:1].assign(path=str(tmp_path / "small.png"), sha256="e" * 64, width=40, height=40)
    found = features(workspace, pd.concat([photos, small]), FeatureSpec("resnet18:random", Preprocessing(288)))
    assert found.matrix.shape == (3, 512)


def test_networks_run_in_blocks_without_gradients(opened):
    network = networks.load("resnet18:random").eval()
    result = networks.forward(network, np.zeros((3, 64, 64, 3), np.uint8))
    assert result.shape == (3, 512)
    assert result.dtype == np.float32


def test_cached_files_keep_the_names_that_they_had(workspace):
    assert FeatureSpec("a/b:random", Preprocessing(96)).key == "a-b-random-96"
    files = {file.name for file in workspace.cache.iterdir()}
    assert {"features-efficientnet_lite0-64", "speed-efficientnet_lite0-64.json", "pixels-73"} <= files


def test_a_spec_is_kept_among_other_values_and_told_in_words():
    assert FeatureSpec.from_dict({**RANDOM.to_dict(), "C": 1.0}) == RANDOM
    shown = {"image_size": 64, "framing": "crop", "aspect": "1:1", "pooling": "last"}
    assert RANDOM.to_dict() == {"backbone": "resnet18:random", "weights": "", **shown}
    assert FeatureSpec.of(Config("resnet18:random", image_size=64)) == RANDOM
    assert str(RANDOM) == "resnet18:random at 64 pixels"
