"""One step down a gradient: losses that are not finite, float16, and what it must not wait for."""

from functools import partial

import pytest
import torch
from torch import nn

from cvtune_nb.runs import descent, fitting
from cvtune_nb.runs.descent import descend, ran_away, scaler_for
from cvtune_nb.runs.optimizer import adamw
from cvtune_nb.runs.weight_average import WeightAverage
from tests.toy import Config, Trainer, task_in
from tests.waiting import NobodyWaits, Waited

CPU = torch.device("cpu")


@pytest.fixture
def as_on_gpu(monkeypatch):
    """Losses are read as seldom as on a GPU."""
    monkeypatch.setattr(descent, "READ_EVERY", {})


def network_and_weights():
    torch.manual_seed(0)
    network = nn.Linear(2, 1)
    return network, torch.optim.SGD(network.parameters(), 0.1), network.weight.detach().clone()


def test_a_loss_that_is_not_finite_moves_no_weight():
    network, optimizer, before = network_and_weights()
    loss = network(torch.full((3, 2), torch.inf)).sum()
    assert not descend(network, optimizer, loss, 3).isfinite()
    assert torch.equal(network.weight, before)


def test_nor_does_it_on_a_gpu_where_nobody_looks(as_on_gpu):
    network = nn.Linear(2, 1)
    optimizer, before = torch.optim.AdamW(network.parameters(), fused=True), network.weight.detach().clone()
    with NobodyWaits("cpu"):
        loss = descend(network, optimizer, network(torch.full((3, 2), torch.inf)).sum(), 3)
    assert not loss.isfinite() and torch.equal(network.weight, before)
    descend(network, optimizer, network(torch.ones(3, 2)).sum(), 3)
    assert not torch.equal(network.weight, before)


def test_the_scale_of_a_loss_changes_no_step_and_what_overflows_is_left_out():
    photos = torch.tensor([[1.0, 2.0]])
    found = {}
    for scale in (1.0, 2.0**10, 2.0**127):
        network, optimizer, before = network_and_weights()
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        loss = descend(network, optimizer, 4 * network(photos).mean(), 1, clip_norm=3.0, scaler=scaler)
        found[scale] = float(loss), (network.weight - before).detach(), scaler.get_scale()
    one, scaled, overflown = found.values()
    assert one[0] == scaled[0] == overflown[0]
    assert torch.equal(one[1], scaled[1]) and float(one[1].norm()) > 0
    assert not overflown[1].any() and overflown[2] == 2.0**126


def test_only_float16_is_scaled():
    assert [scaler_for(CPU, name).is_enabled() for name in ("float16", "bfloat16", "float32")] == [True, False, False]
    assert [ran_away(torch.amp.GradScaler("cpu", init_scale=scale)) for scale in (2.0, 0.5)] == [False, True]
    assert not ran_away(descent.UNSCALED)


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_on_a_gpu_no_step_reads_a_number(as_on_gpu, monkeypatch, clip_norm):
    monkeypatch.setattr("cvtune_nb.runs.optimizer.fuses", lambda network: True)
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    optimizer, average = adamw(network, 0.1, 0.01, layer_decay=0.9), WeightAverage(network, 0.9)
    with NobodyWaits("cpu"):  # which stands for a GPU
        for _ in range(3):
            descend(network, optimizer, network(torch.ones(2, 4)).square().mean(), 2, clip_norm)
            average.update()


def test_where_losses_are_read_at_every_step_that_would_be_seen():
    network, optimizer, _ = network_and_weights()
    with NobodyWaits("cpu"), pytest.raises(Waited):
        descend(network, optimizer, network(torch.ones(2, 2)).mean(), 2)


def overflowing(step, seen):
    """A minibatch of numbers too large, at that step."""

    def before_step(batch):
        seen.append(len(batch))
        if len(seen) == step:
            batch.fill_(float("inf"))

    return before_step


@pytest.mark.parametrize(("every", "steps"), [(2, 5), (50, 6)])
def test_a_run_diverges_though_its_losses_are_read_seldom(as_on_gpu, monkeypatch, tmp_path, every, steps):
    monkeypatch.setattr(descent, "SELDOM", every)
    seen = []
    run = fitting.fit(task_in(tmp_path, Config(epochs=3), overflowing(5, seen)))  # of 3 steps an epoch
    assert (run.state, run.history["epoch"].tolist(), len(seen)) == ("diverged", [0, 1], steps)


def test_it_ends_at_the_step_after_which_losses_are_read(as_on_gpu, monkeypatch, tmp_path):
    monkeypatch.setattr(descent, "SELDOM", 2)
    seen = []
    run = fitting.fit(task_in(tmp_path, Config(epochs=3, batch_size=2), overflowing(13, seen)))  # of 10 an epoch
    assert (run.state, run.history["epoch"].tolist(), len(seen)) == ("diverged", [0, 1], 14)


def test_read_seldom_a_run_learns_the_same(as_on_gpu, tmp_path, monkeypatch):
    seldom = fitting.fit(task_in(tmp_path / "seldom", Config()))
    monkeypatch.setattr(descent, "READ_EVERY", {"cpu": 1})
    often = fitting.fit(task_in(tmp_path / "often", Config()))
    assert seldom.history["error"].tolist() == often.history["error"].tolist()


class Scaled(Trainer):
    """The toy in float16, whose scale grows until gradients overflow, and falls again."""

    def __init__(self, run, progress, scale=2.0**14):
        super().__init__(run, progress)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=2, growth_factor=4.0)

    def step(self, network, batch):
        with torch.autocast("cpu", torch.float16):
            off = network(batch) - 2 * batch
        return descend(network, self.optimizer, off.float().square().mean(), len(batch), scaler=self.scaler)


def scaled_task(folder, trainers=None, **options):
    task = task_in(folder, Config(epochs=4))

    def made(run, progress):
        trainer = Scaled(run, progress, **options)
        if trainers is not None:
            trainers.append(trainer)
        return trainer

    return fitting.Task(**{**vars(task), "trainer": made})


def test_a_run_in_float16_goes_on_with_the_scale_it_had(tmp_path):
    def stop(run):
        if run.history["epoch"].max() == 2:
            raise fitting.Stopped

    unbroken, resumed = [], []
    whole = fitting.fit(scaled_task(tmp_path / "whole", unbroken))
    run = fitting.fit(scaled_task(tmp_path / "stopped"), on_epoch=stop)
    assert (whole.state, run.state) == ("done", "stopped")
    run = fitting.fit(scaled_task(tmp_path / "stopped", resumed), run.id)
    assert run.history["error"].tolist() == whole.history["error"].tolist()
    states = [trainer.scaler.state_dict() for trainer in (*unbroken, *resumed)]
    assert states[0] == states[1] and states[0]["scale"] != 2.0**14
    assert whole.history["error"].iloc[-1] < whole.history["error"].iloc[0]


def test_a_run_whose_gradients_grow_without_end_has_diverged(tmp_path):
    run = fitting.fit(scaled_task(tmp_path, scale=2.0**-40))
    assert (run.state, len(run.history)) == ("diverged", 1)


def test_a_fused_optimizer_goes_on_as_any(tmp_path, monkeypatch):
    made = partial(torch.optim.AdamW, fused=True)
    monkeypatch.setattr(torch.optim, "AdamW", made)

    def stop(run):
        if run.history["epoch"].max() == 1:
            raise fitting.Stopped

    whole = fitting.fit(task_in(tmp_path / "whole", Config()))
    run = fitting.fit(task_in(tmp_path / "stopped", Config()), on_epoch=stop)
    run = fitting.fit(task_in(tmp_path / "stopped", Config()), run.id)
    assert run.history["error"].tolist() == whole.history["error"].tolist()
