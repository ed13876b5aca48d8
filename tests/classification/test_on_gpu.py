"""Training a classifier as on a GPU, without one: nothing of a step is waited for, and photos are there already."""

import pytest
import torch

from cvtune_nb.classification.balance import Balance
from cvtune_nb.classification.model import build
from cvtune_nb.classification.train import Part, step
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.parameters import Config
from cvtune_nb.runs import descent
from cvtune_nb.runs.fitting import train_mode
from cvtune_nb.runs.optimizer import optimizer_for
from tests.waiting import NobodyWaits

WEIGHTED = Balance(torch.tensor([0.5, 1.5]), torch.tensor([0.1, -0.1]))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("counts_as", [None, torch.ones(4)])
@pytest.mark.parametrize("balance", [Balance(), WEIGHTED])
def test_no_step_waits(monkeypatch, optimizer, counts_as, balance):
    monkeypatch.setattr(descent, "READ_EVERY", {})
    monkeypatch.setattr("cvtune_nb.runs.optimizer.fuses", lambda network: True)
    config = Config("test_efficientnet:random", image_size=64, optimizer=optimizer, clip_norm=1.0, dropout=0.1)
    network = build(config, ["one", "other"])
    moved, before = optimizer_for(network, config), network.last.weight.detach().clone()
    photos, labels = torch.randint(256, (4, 73, 73, 3), dtype=torch.uint8), torch.arange(4) % 2
    train_mode(network)
    with NobodyWaits("cpu"):  # which stands for a GPU
        loss = step(network, moved, photos, labels, config, balance, counts_as)
    assert loss.isfinite() and not torch.equal(network.last.weight, before)


def test_photos_are_kept_on_a_gpu_where_they_fit(workspace):
    photos = workspace.photos().head(5)
    squares = pixels(workspace, photos, Preprocessing(64))
    part = Part(squares, torch.arange(5), photos)
    size = squares[[0]].nbytes
    assert part.kept_on(torch.device("cpu"), 5 * size - 1) is part
    kept, rows = part.kept_on(torch.device("cpu"), 5 * size), torch.tensor([4, 0, 4])
    assert kept.on_gpu is not None and part.on_gpu is None
    for ours, theirs in zip(kept.batch(rows), part.batch(rows), strict=True):
        assert torch.equal(ours, theirs)
