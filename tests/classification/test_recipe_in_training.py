"""Layer decay, drop path, warm-up, gradient clipping and averaged weights in the training of a classifier."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cvtune_nb.classification import cost, find_learning_rate, fit, load_best, lr_finder, predict_cost
from cvtune_nb.classification.train import ClassifierTrainer, step
from cvtune_nb.errors import InputError
from cvtune_nb.files import silent
from cvtune_nb.models import networks
from cvtune_nb.models.layers import distances
from cvtune_nb.parameters import Config
from cvtune_nb.runs.cost import Speed
from cvtune_nb.runs.optimizer import optimizer_for
from cvtune_nb.workspace import Workspace
from tests.classification.conftest import killed_in_the_second_epoch, outcome, stop_at

RECIPE = Config(
    "test_vit:random",
    image_size=64,
    epochs=2,
    batch_size=16,
    learning_rate=0.001,
    drop_path=0.2,
    weight_decay=0.05,
    layer_decay=0.8,
    warm_up=3,
    clip_norm=0.5,
    ema=0.6,
)


@pytest.fixture(scope="module")
def unbroken(opened, tmp_path_factory):
    """(workspace, run) of RECIPE, trained without interruption. Shared: only read it."""
    folder = tmp_path_factory.mktemp("recipe") / "workspace"
    shutil.copytree(opened.folder, folder)
    workspace = Workspace(folder)
    return workspace, fit(workspace, RECIPE)


def test_what_is_kept_is_the_averaged_network_and_gives_the_predictions_that_were_measured(unbroken):
    workspace, run = unbroken
    kept, best = load_file(run.checkpoint), load_file(run.folder / "best.safetensors")
    assert (run.state, len(run.history)) == ("done", 3)
    assert not torch.equal(best["last.weight"], kept["network.last.weight"])
    network = load_best(run)
    trainer = ClassifierTrainer(workspace, workspace.photos(), run, silent)
    photos = trainer.validation
    logits = torch.from_numpy(networks.forward(network, photos.squares.centre(range(len(photos.labels)))))
    accuracy = float((logits.argmax(1) == photos.labels).double().mean())
    assert accuracy == run.validation.value
    assert [run.classes[number] for number in logits.argmax(1)] == run.predictions()["predicted"].tolist()


@pytest.mark.parametrize("where", ["epoch 1 of 2", "epoch 2 of 2", "epoch 2 of 2: measuring"])
def test_stopped_and_resumed_it_ends_bit_for_bit_as_the_unbroken_run(workspace, unbroken, where):
    stopped = fit(workspace, RECIPE, progress=stop_at(where))
    assert stopped.state == "stopped"
    assert outcome(fit(workspace, run=stopped.id)) == outcome(unbroken[1])


def test_killed_by_the_operating_system_it_ends_bit_for_bit_as_the_unbroken_run(workspace, unbroken):
    run = killed_in_the_second_epoch(workspace, RECIPE)
    assert outcome(fit(workspace, run=run.id)) == outcome(unbroken[1])


@pytest.mark.parametrize("warm_up", [0, 1, 4, 100])
def test_the_rate_rises_over_the_steps_of_the_warm_up(unbroken, warm_up):
    workspace, run = unbroken
    config = replace(RECIPE, warm_up=warm_up, optimizer="sgd")  # whose rate is the same all through the first epoch
    trainer = ClassifierTrainer(workspace, workspace.photos(), replace(run, config=config), silent)
    rates = [trainer.learning_rate(number / 10, 10) for number in range(5)]
    assert rates == pytest.approx([0.001 * min(1, (number + 1) / max(1, warm_up)) for number in range(5)])


def gradients(clip_norm):
    """The norm of all gradients with which a step is made, and the largest of a weight."""
    torch.manual_seed(0)
    config = replace(RECIPE, backbone="test_resnet:random", drop_path=0.0, clip_norm=clip_norm, augmentation="none")
    network = nn.Sequential(nn.Flatten(), nn.Linear(8 * 8 * 3, 2))
    images = torch.from_numpy(np.random.default_rng(0).integers(256, size=(8, 8, 8, 3), dtype=np.uint8))

    class Called(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = network

        def forward(self, images, **_):
            flat = images.float().flatten(1)
            return (network(flat), flat)

    called = Called()
    loss = step(called, optimizer_for(called, config), images, torch.tensor([0, 1] * 4), config)
    norms = [float(parameter.grad.norm()) for parameter in called.parameters()]
    return loss, float(np.linalg.norm(norms))


def test_gradients_are_clipped_by_the_norm_of_all_of_them():
    (loss, whole), (same_loss, clipped), (_, looser) = gradients(0.0), gradients(0.5), gradients(10.0)
    assert loss == same_loss and whole > 10
    assert (clipped, looser) == (pytest.approx(0.5, rel=1e-4), pytest.approx(10, rel=1e-4))


def test_the_finder_tries_rates_of_the_last_layer_and_the_others_follow(workspace, monkeypatch):
    rates = []

    def spy(network, optimizer, *others):
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        away = distances(network)
        rates.append({away[names[id(group["params"][0])]]: group["lr"] for group in optimizer.param_groups})
        return step(network, optimizer, *others)

    monkeypatch.setattr(lr_finder, "step", spy)
    found = find_learning_rate(workspace, RECIPE)
    for row, of_layers in zip(found.table["learning_rate"], rates, strict=False):
        assert of_layers == pytest.approx({distance: row * 0.8**distance for distance in of_layers})
    assert max(rates[0]) > 4


def test_the_average_takes_memory_and_disk_as_large_as_the_weights(workspace, config, monkeypatch):
    probe = {"train_seconds": 2.0, "forward_seconds": 1.0, "weight_bytes": 1e6, "activation_bytes": 2e6}
    monkeypatch.setattr(Speed, "probe", lambda *_: probe)
    with_it, without = (predict_cost(workspace, replace(config, ema=ema)) for ema in (0.998, 0.0))
    assert with_it.megabytes == pytest.approx(without.megabytes + 1)
    assert with_it.disk_megabytes == pytest.approx(without.disk_megabytes + 1)
    sgd = predict_cost(workspace, replace(config, optimizer="sgd", ema=0.0))
    assert without.megabytes == pytest.approx(sgd.megabytes + 1)


def test_drop_path_for_a_network_without_it_is_refused_before_there_is_a_run(workspace, monkeypatch):
    monkeypatch.setattr(cost, "build", lambda *a: pytest.fail("it was built"))
    with pytest.raises(InputError, match="resnet18:random is built without drop path: choose drop_path 0"):
        fit(workspace, Config("resnet18:random", image_size=64, drop_path=0.1))
    assert not list(workspace.runs.glob("*"))
