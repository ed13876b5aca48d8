"""The average of the weights is what its formula says, is what is measured and kept, and survives any interruption."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cvtune_nb.errors import Stopped
from cvtune_nb.runs import fitting
from cvtune_nb.runs.weight_average import WeightAverage, decay_after
from tests import toy


@dataclass(frozen=True)
class Config(toy.Config):
    """Of a line whose weights are averaged."""

    ema: float = 0.6


@dataclass(frozen=True)
class Run(toy.Run):
    """Its runs."""

    CONFIG = Config


@pytest.fixture(autouse=True)
def averaged_runs(monkeypatch):
    monkeypatch.setattr(toy, "Run", Run)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(2))


def written_out(snapshots: list[np.ndarray], decay: float) -> np.ndarray:
    """The average of a weight from its values at the start and after each step."""
    average = snapshots[0]
    for n, value in enumerate(snapshots[1:], 1):
        kept = min(decay, max(0.95, (1 + n) / (10 + n)))
        average = kept * average + (1 - kept) * value
    return average


def test_the_first_steps_keep_the_start_and_later_ones_as_much_as_is_asked_for():
    assert [decay_after(steps, 0.998) for steps in (1, 100)] == [0.95, 0.95]
    assert 0.95 < decay_after(1_000, 0.998) < decay_after(10_000, 0.998) == 0.998
    assert [decay_after(steps, 0.9) for steps in (1, 10_000)] == [0.9, 0.9]


@pytest.mark.parametrize("decay", [0.9999, 0.95, 0.3])
def test_it_is_what_its_formula_says(decay):
    trained = network()
    trained(torch.zeros(1, 3, 8, 8))
    optimizer, average = torch.optim.AdamW(trained.parameters(), 0.01), WeightAverage(trained, decay)
    snapshots = [[weight.detach().double().numpy().copy() for weight in trained.parameters()]]
    for _ in range(30):
        trained(torch.rand(4, 3, 8, 8)).square().mean().backward()
        optimizer.step()
        average.update()
        snapshots.append([weight.detach().double().numpy().copy() for weight in trained.parameters()])
    for found, *values in zip(average.averages, *snapshots, strict=True):
        assert found.numpy() == pytest.approx(written_out(values, decay), rel=1e-5, abs=1e-6)
    statistics = trained[1].running_mean.clone()
    with average.in_place():
        for weight, *values in zip(trained.parameters(), *snapshots, strict=True):
            assert weight.detach().numpy() == pytest.approx(written_out(values, decay), rel=1e-5, abs=1e-6)
        assert torch.equal(trained[1].running_mean, statistics), "buffers are not averaged"
    for weight, last in zip(trained.parameters(), snapshots[-1], strict=True):
        assert np.array_equal(weight.detach().double().numpy(), last), "the weights themselves are back"


def test_an_error_in_its_place_leaves_the_weights_as_they_were():
    trained = network()
    trained(torch.zeros(1, 3, 8, 8))
    average = WeightAverage(trained, 0.9)
    with torch.no_grad():
        trained[0].bias.fill_(7.0)
    with pytest.raises(Stopped), average.in_place():
        raise Stopped
    assert (trained[0].bias == 7.0).all()


def test_without_a_decay_there_is_none():
    average = WeightAverage(network(), 0.0)
    average.update()
    with average.in_place():
        pass
    assert (average.steps, average.averages, average.state()) == (0, [], {})


def fit(folder, config=None, run=None, **others):
    return fitting.fit(
        toy.task_in(folder, config or Config(), others.pop("before_step", lambda batch: None)), run, **others
    )


def bits(run):
    tensors = {name: tensor.numpy().tobytes() for name, tensor in load_file(run.checkpoint).items()}
    best = {name: tensor.numpy().tobytes() for name, tensor in load_file(run.folder / "best.safetensors").items()}
    return tensors, best, run.history.drop(columns="seconds").to_dict("list"), (run.folder / run.OUTPUTS).read_bytes()


def test_the_average_is_measured_and_kept_while_the_weights_train_on_as_without_it(tmp_path):
    run, plain = fit(tmp_path / "a"), fit(tmp_path / "b", Config(ema=0.0))
    kept, other = load_file(run.checkpoint), load_file(plain.checkpoint)
    assert {name for name in kept if not name.startswith("average.")} == set(other)
    assert all(torch.equal(kept[name], tensor) for name, tensor in other.items()), "training itself is the same"
    best = load_file(run.folder / "best.safetensors")
    assert run.best_epoch == 3 and int(kept["average.steps"]) == 9
    assert [torch.equal(best[name], kept[f"average.{n}"]) for n, name in enumerate(("weight", "bias"))] == [True, True]
    assert not torch.equal(best["weight"], kept["network.weight"])
    x = torch.linspace(-1, 1, 20)
    y = best["weight"][0, 0] * x + best["bias"]
    assert run.history["error"].iloc[-1] == pytest.approx(float((y - 2 * x).abs().mean()), rel=1e-5)


@pytest.mark.parametrize("minibatches", range(9))
def test_stopped_at_any_minibatch_it_ends_as_the_unbroken_run(tmp_path, minibatches):
    calls = []

    def stop(share, words):
        calls.append(words)
        if sum(call.endswith(" of 3") for call in calls) > minibatches:
            raise Stopped

    run = fit(tmp_path / "a", progress=stop)
    assert run.state == "stopped"
    assert bits(fit(tmp_path / "a", run=run.id)) == bits(fit(tmp_path / "b"))


def test_stopped_while_it_is_measured_it_ends_as_the_unbroken_run(tmp_path):
    def stop(share, words):
        if words == "epoch 2 of 3: measuring":
            raise Stopped

    run = fit(tmp_path / "a", progress=stop)
    assert run.history["epoch"].tolist() == [0, 1]
    assert bits(fit(tmp_path / "a", run=run.id)) == bits(fit(tmp_path / "b"))


def test_out_of_memory_it_goes_on_with_its_average(tmp_path):
    sizes = []

    def before_step(batch):
        sizes.append(len(batch))
        if len(sizes) == 5:
            raise MemoryError

    run = fit(tmp_path, before_step=before_step)
    assert (run.state, run.config) == ("done", replace(Config(), batch_size=4, learning_rate=0.05))
    assert int(load_file(run.checkpoint)["average.steps"]) == 3 + 5 + 5
