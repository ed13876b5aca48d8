import numpy as np
import pytest
import torch

from cvtune_nb.classification.balance import SMOOTHING
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.last_layer_preview import LastLayer, Layer
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import Config
from cvtune_nb.runs.optimizer import optimizer_for
from cvtune_nb.runs.weight_average import WeightAverage

BACKBONE = "efficientnet_lite0"
SPEC = FeatureSpec(BACKBONE, Preprocessing(64))


@pytest.fixture
def layer(workspace):
    features(workspace, workspace.photos(), SPEC)
    return LastLayer(workspace, SPEC)


def test_without_features_it_says_where_they_come_from(workspace):
    with pytest.raises(InputError, match="not in the cache for 72 photos; notebook 02"):
        LastLayer(workspace, FeatureSpec(BACKBONE, Preprocessing(96)))


def test_it_starts_where_the_svm_ended(layer, workspace):
    explorer = SvmExplorer(workspace, SPEC)
    row = layer.preview(Config(BACKBONE, image_size=64, epochs=2)).table.iloc[0]
    for split in ("train", "validation"):
        assert row[f"{split}_accuracy"] == explorer.accuracy(explorer.best_C(), "linear", split).value


def test_c_is_chosen_by_what_the_config_counts(layer, workspace):
    config = Config(BACKBONE, image_size=64, epochs=2, objective="log-loss", imbalance="balanced")
    row = layer.preview(config).table.iloc[0]
    explorer = SvmExplorer(workspace, SPEC, objective="log-loss", imbalance="balanced")
    for split in ("train", "validation"):
        assert row[f"{split}_accuracy"] == explorer.accuracy(explorer.best_C(), "linear", split).value


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_step_is_pytorchs(optimizer, ema):
    random = np.random.default_rng(0)
    matrix, labels = random.normal(size=(8, 5)).astype(np.float32), random.integers(0, 3, 8)
    config = Config(BACKBONE, optimizer=optimizer, weight_decay=0.01, ema=ema)
    linear = torch.nn.Linear(5, 3)
    ours = Layer(linear.weight.detach().numpy().T.copy(), linear.bias.detach().numpy().copy(), config)
    theirs, average = optimizer_for(linear, config), WeightAverage(linear, ema)
    for rate in (0.01, 0.02, 0.005):
        ours.step(matrix, labels, rate)
        for group in theirs.param_groups:
            group["lr"] = rate
        loss = torch.nn.functional.cross_entropy(
            linear(torch.from_numpy(matrix)), torch.from_numpy(labels), label_smoothing=SMOOTHING
        )
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        average.update()
    np.testing.assert_allclose(ours.weight.T, linear.weight.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(ours.bias, linear.bias.detach().numpy(), atol=1e-5)
    with average.in_place():
        np.testing.assert_allclose(ours.measured[0].T, linear.weight.detach().numpy(), atol=1e-5)
        np.testing.assert_allclose(ours.measured[1], linear.bias.detach().numpy(), atol=1e-5)


def test_a_rate_that_is_too_high_shows(layer):
    losses = [
        layer.preview(Config(BACKBONE, image_size=64, epochs=2, learning_rate=rate, ema=0), limit=60).table[
            "train_loss"
        ]
        for rate in (0.0003, 1.0)
    ]
    assert losses[1].iloc[-1] > 5 * losses[0].iloc[-1]


def test_it_ends_with_its_time(layer):
    preview = layer.preview(Config(BACKBONE, image_size=64, epochs=200, batch_size=1), limit=0.02)
    assert len(preview.table) < 100
    assert "as many as can be shown at once" in preview.words


def test_the_head_of_2018_starts_from_nothing(layer):
    table = layer.preview(Config(BACKBONE, image_size=64, epochs=1, head="random"), limit=60).table
    assert table["train_accuracy"].iloc[0] < 0.8
