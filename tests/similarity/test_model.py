import numpy as np
import pytest
import torch

from cvtune_nb import classification, similarity
from cvtune_nb.classification.choice import choose_framing
from cvtune_nb.data.photo import FULL
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import Config
from cvtune_nb.similarity import Metric
from cvtune_nb.similarity.model import load_network
from tests.made_runs import made_run

FROZEN = "efficientnet_lite0@64"


def test_embedders_are_runs_what_is_on_disk_and_the_one_that_is_named(workspace):
    names = [embedder.name for embedder in similarity.list_embedders(workspace)]
    assert "efficientnet_lite0@224" in names
    assert not any("random" in name for name in names)
    named = [embedder.name for embedder in similarity.list_embedders(workspace, FROZEN)]
    assert named == [*names, FROZEN]


def test_frozen_networks_are_offered_with_the_framings_in_use(workspace):
    made_run(workspace, 0.5, framing="squash")
    choose_framing(workspace, "whole", "chosen by hand")
    names = [embedder.name for embedder in similarity.list_embedders(workspace)]
    assert {f"efficientnet_lite0@{shown}" for shown in ("224", "224-framing=whole", "64-framing=squash")} <= {*names}


def test_without_a_size_it_is_224_pixels(workspace):
    assert similarity.find_embedder(workspace, "efficientnet_lite0@").spec.image_size == 224
    assert similarity.find_embedder(workspace, "efficientnet_lite0").spec.image_size == 224


@pytest.mark.parametrize("name", ["nothing", "efficientnet_lite0@7", "efficientnet_lite0@x"])
def test_a_wrong_name_says_what_would_do(workspace, name):
    with pytest.raises(InputError, match="efficientnet_lite0@224"):
        similarity.find_embedder(workspace, name)


def test_a_run_without_an_epoch_is_refused(workspace):
    photos = workspace.photos()
    run = classification.run.new_run(workspace, Config("efficientnet_lite0", image_size=64), photos, (1, 1), 0.0)
    with pytest.raises(InputError, match="has not finished an epoch"):
        similarity.find_embedder(workspace, run.id)


@pytest.mark.parametrize("components", ["none", "pca", "pca-whitened"])
def test_the_network_gives_what_the_cache_holds(workspace, components):
    photos = workspace.photos()
    embedder = similarity.find_embedder(workspace, FROZEN)
    rows = similarity.embed(workspace, photos, embedder)
    projection = Metric(components).projection(rows, 16)
    squares = np.stack([Preprocessing(64).square(workspace.path_of(path), FULL) for path in photos["path"][:4]])
    with torch.inference_mode():
        found = load_network(workspace, embedder, projection)(torch.from_numpy(squares)).numpy()
    # features are kept as bfloat16 gives them, where the machine has it
    np.testing.assert_allclose(found, projection(rows)[:4], atol=0.1)
