"""Progressive resizing: the first epochs train on smaller photos."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from cvtune_nb.classification import fit, predict_cost, train
from cvtune_nb.classification.model import in_epoch, load_best
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.models import sizes
from cvtune_nb.parameters import Config
from cvtune_nb.runs.cost import Speed
from tests.pressing import SMALL

CONFIG = Config(**SMALL, epochs=4, batch_size=16, progressive=0.5)


@pytest.mark.parametrize(
    ("share", "epochs", "small"), [(0.0, 4, 0), (0.5, 4, 2), (0.9, 4, 3), (0.9, 1, 0), (0.9, 0, 0)]
)
def test_the_first_epochs_are_small_the_last_never_is(share, epochs, small):
    config = replace(CONFIG, progressive=share, epochs=epochs)
    assert config.small_epochs == small
    assert [in_epoch(config, epoch).image_size for epoch in range(1, epochs + 1)] == [44] * small + [64] * (
        epochs - small
    )


@pytest.mark.parametrize("framing", ["crop", "whole"])
def test_training_sees_smaller_photos_first_and_is_measured_on_whole_ones(workspace, monkeypatch, framing):
    shown, plain = [], train.step

    def step(network, optimizer, squares, labels, config, *others):
        shown.append((squares.shape[1:3], config.image_size))
        return plain(network, optimizer, squares, labels, config, *others)

    monkeypatch.setattr(train, "step", step)
    config = replace(CONFIG, framing=framing)
    run = fit(workspace, config)
    each = len(shown) // 4
    side, small = (train.shown_in(replace(config, image_size=size)).side for size in (64, 44))
    assert shown[: 2 * each] == [((small, small), 44)] * 2 * each
    assert shown[2 * each :] == [((side, side), 64)] * 2 * each
    assert run.state == "done" and load_best(run).training is False


def test_a_run_that_is_stopped_among_the_small_epochs_ends_as_if_it_had_not_been(workspace):
    whole = fit(workspace, CONFIG)

    def stop(run):
        if run.history["epoch"].max() == 1:
            raise Stopped

    stopped = fit(workspace, replace(CONFIG, seed=0), on_epoch=stop)
    assert stopped.state == "stopped"
    resumed = fit(workspace, run=stopped.id)
    assert resumed.history.drop(columns="seconds").equals(whole.history.drop(columns="seconds"))


def test_small_epochs_cost_less(workspace, monkeypatch):
    probes = {64: {"train_seconds": 1.0}, 44: {"train_seconds": 0.5, "pace": 0.9}}
    known = {"forward_seconds": 0.1, "weight_bytes": 1.0, "activation_bytes": 1.0}
    monkeypatch.setattr(Speed, "probe", lambda self, config, make, progress: known | probes[config.image_size])
    photos = int((workspace.photos()["split"] == "train").sum())
    seconds = [predict_cost(workspace, replace(CONFIG, progressive=share)).seconds for share in (0.0, 0.5)]
    assert seconds[0] - seconds[1] == pytest.approx(2 * photos * (1.0 - 0.45))


def test_a_network_built_for_one_size_is_refused(workspace, monkeypatch):
    assert sizes.smaller("resnet18", 224) == 160
    with pytest.raises(InputError, match="vit_tiny_patch16_224 runs at the image size only that it is built for, 64"):
        sizes.smaller("vit_tiny_patch16_224:random", 64)
    config = Config("vit_tiny_patch16_224:random", image_size=64, epochs=2, head="random", progressive=0.5)
    monkeypatch.setattr(Speed, "probe", lambda *_: pytest.fail("it is refused before"))
    with pytest.raises(InputError, match="choose progressive 0"):
        predict_cost(workspace, config)


def test_the_least_size_is_not_gone_below(monkeypatch):
    monkeypatch.setattr(sizes, "nearest", lambda *_: [28, 32])
    monkeypatch.setattr(sizes, "family_of", lambda *_: SimpleNamespace(any_size=True))
    assert sizes.smaller("efficientnet_lite0", 36) == 28
