"""Runs that go on from another one."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from cvtune_nb.classification import earlier_run, fit, load_best, load_run, predict_cost
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.folds import fit_folds
from cvtune_nb.classification.parent import named_parent, parent_of
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import Config
from cvtune_nb.runs.checkpoint import write_tensors
from tests.pressing import SMALL

PARENT = Config(**SMALL, epochs=1, batch_size=16)
LARGER = replace(PARENT, image_size=96, parent="best")


@pytest.fixture
def parent(workspace):
    return fit(workspace, PARENT)


def test_training_starts_from_what_the_parent_has_learned(workspace, parent):
    child = fit(workspace, replace(LARGER, epochs=0))
    assert child.id == f"002-efficientnet_lite0-96-from-{parent.id[:3]}"
    assert child.config.parent.startswith(f"{parent.id}@sha256:")
    assert f"run {parent.id}, epoch {parent.best_epoch}" in child.origin and parent.origin in child.origin
    own, learned = (load_best(run).state_dict() for run in (child, parent))
    assert all(torch.equal(own[name], tensor) for name, tensor in learned.items())
    assert child.history["epoch"].tolist() == [0]


def test_a_run_goes_on_from_it_by_a_step_of_training(workspace, parent):
    child = fit(workspace, LARGER)
    assert (child.state, child.history["epoch"].tolist()) == ("done", [0, 1])
    assert earlier_run(workspace, named_parent(workspace, replace(LARGER, parent=parent.id))).id == child.id


def test_a_parent_that_has_learned_more_makes_another_run(workspace, parent):
    first = named_parent(workspace, LARGER)
    file = parent.best_weights()
    tensors = load_file(file)
    write_tensors(file, {name: tensor + 0.001 for name, tensor in tensors.items()})
    assert named_parent(workspace, LARGER) != first
    with pytest.raises(InputError, match=f"run {parent.id} has learned more since it was chosen"):
        parent_of(workspace, first)


def test_of_another_network_or_other_photos_it_can_not_go_on(workspace, parent):
    for other in ({"backbone": "efficientnet_lite1"}, {"head": "random"}, {"pooling": "stages"}):
        with pytest.raises(InputError, match="go on from a run of the same network"):
            predict_cost(workspace, replace(LARGER, **other))
    with pytest.raises(InputError, match="name a run, or best"):
        fit(workspace, replace(LARGER, parent="below"))
    with pytest.raises(InputError, match="has no run '007-nobody'"):
        fit(workspace, replace(LARGER, parent="007-nobody"))
    workspace.decide(workspace.photos()["path"].iloc[0], "exclude")
    with pytest.raises(InputError, match="was trained on earlier photos or labels"):
        fit(workspace, replace(LARGER, parent=parent.id))


def test_what_it_costs_needs_no_svm(workspace, parent):
    assert (
        predict_cost(workspace, replace(LARGER, epochs=0)).seconds
        < predict_cost(workspace, replace(LARGER, epochs=0, parent="")).seconds
    )


def test_folds_have_seen_each_others_photos(workspace, parent):
    with pytest.raises(InputError, match="has seen the photos of all folds"):
        fit_folds(workspace, named_parent(workspace, LARGER), 2)


def test_positions_are_resampled_for_another_image_size(workspace):
    """A transformer's table of positions: at once by the code that a person's own weights have."""
    network = "vit_tiny_patch16_224:random"
    config = Config(network, image_size=64, epochs=1, head="random", batch_size=16)
    run = fit(workspace, config)
    child = fit(workspace, replace(config, image_size=96, parent=run.id, learning_rate=1e-6))
    own, learned = (load_best(each).state_dict() for each in (child, run))
    (positions,) = (name for name in own if name.endswith("pos_embed"))
    assert own[positions].shape != learned[positions].shape
    whole = torch.nn.functional.cosine_similarity(own["last.weight"].flatten(), learned["last.weight"].flatten(), 0)
    assert whole > 0.999, "its last layer, too"
    assert torch.isfinite(own[positions]).all() and own[positions].std() > 0


def test_the_frozen_features_are_those_of_the_published_weights(workspace, parent):
    assert FeatureSpec.of(load_run(workspace, parent.id).config) == FeatureSpec.of(replace(LARGER, image_size=64))
