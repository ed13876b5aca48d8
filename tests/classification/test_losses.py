import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cvtune_nb import classification
from cvtune_nb.classification.losses import LOSSES, TOGETHER, order, similarity_loss
from cvtune_nb.classification.model import add_projection, build
from cvtune_nb.classification.train import step
from cvtune_nb.errors import Stopped
from cvtune_nb.parameters import PARAMETERS, Config


def vectors(apart):
    """Two classes of four vectors each, drawn together or mixed up."""
    torch.manual_seed(0)
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    centres = torch.nn.functional.normalize(torch.randn(2, 16))
    mixed = torch.nn.functional.normalize(torch.randn(8, 16))
    return torch.nn.functional.normalize(apart * centres[labels] + (1 - apart) * mixed), labels


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_falls_as_a_class_draws_together(name):
    loss = similarity_loss(name)
    values = [float(loss(*vectors(apart))) for apart in (0.0, 0.5, 0.95)]
    assert values[2] < values[0]
    assert np.isfinite(values).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_minibatch_without_pairs_does_no_harm(name):
    rows = torch.nn.functional.normalize(torch.randn(3, 8, requires_grad=True))
    loss = similarity_loss(name)(rows, torch.tensor([0, 1, 2]))
    assert torch.isfinite(loss)
    loss.backward()


def test_every_choice_is_one_of_them():
    assert {"cross-entropy", *LOSSES} == set(PARAMETERS["loss"].choices)


def test_the_cross_entropy_stays_as_it_was():
    assert similarity_loss("cross-entropy") is None
    labels = torch.arange(50) % 5
    torch.manual_seed(3)
    expected = torch.randperm(50)
    torch.manual_seed(3)
    assert torch.equal(order(labels, "cross-entropy"), expected)


def test_minibatches_hold_pairs_and_every_photo_comes_once():
    labels = torch.arange(403) % 101
    places = order(labels, "triplet")
    assert sorted(places.tolist()) == list(range(403))
    for batch in places.split(32)[:-1]:
        _, counts = labels[batch].unique(return_counts=True)
        assert (counts >= 2).sum() >= 32 // TOGETHER - 2
    assert not torch.equal(places, order(labels, "triplet"))


class Fixed(torch.nn.Module):
    """A network that answers with its weights, whatever it is shown."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.rows = torch.nn.Parameter(torch.randn(8, 16))

    def forward(self, images, with_features=False):  # noqa: ARG002
        return (self.rows[:, :2], self.rows) if with_features else self.rows[:, :2]


@pytest.mark.parametrize("name", LOSSES)
def test_every_step_follows_the_loss(name):
    squares, labels = torch.zeros(8, 64, 64, 3, dtype=torch.uint8), torch.arange(8) % 2
    found = {}
    for loss in ("cross-entropy", name):
        network, config = Fixed(), Config("efficientnet_lite0", image_size=64, augmentation="none", loss=loss)
        value = step(network, torch.optim.SGD(network.parameters(), 0.1), squares, labels, config)
        found[loss] = value, network.rows.grad[:, 2:].abs().sum()  # what the last layer does not see
    assert found[name][0] > found["cross-entropy"][0]
    assert found["cross-entropy"][1] == 0
    assert found[name][1] > 0


def test_a_run_with_such_a_loss_is_a_classifier_too_and_can_be_gone_on_with(workspace):
    config = Config("efficientnet_lite0", image_size=64, epochs=2, loss="supervised-contrastive")
    run = classification.fit(workspace, config)
    assert run.state == "done"
    assert run.validation.value > 0.6
    assert classification.load_run(workspace, run.id).config.loss == "supervised-contrastive"
    assert classification.earlier_run(workspace, config).id == run.id
    assert classification.runs(workspace)["loss"].tolist() == ["supervised-contrastive"]


def test_a_weight_of_0_is_the_cross_entropy_alone():
    squares, labels = torch.zeros(8, 64, 64, 3, dtype=torch.uint8), torch.arange(8) % 2
    found = []
    for loss, weight in (("cross-entropy", 1.0), ("triplet", 0.0), ("triplet", 0.5), ("triplet", 1.0)):
        config = Config("efficientnet_lite0", image_size=64, augmentation="none", loss=loss, loss_weight=weight)
        network = Fixed()
        found.append(float(step(network, torch.optim.SGD(network.parameters(), 0.1), squares, labels, config)))
    assert found[0] == found[1]
    assert found[3] - found[0] == pytest.approx(2 * (found[2] - found[0]), rel=1e-5)
    assert Config("resnet18", loss="triplet", loss_weight=0, augmentation="mixup").counted_loss == "cross-entropy"


def test_a_projection_head_is_trained_along_and_is_not_in_the_classifier(workspace):
    config = Config("efficientnet_lite0", image_size=64, epochs=2, loss="supervised-contrastive", projection=8)

    def stop(run):
        if run.history["epoch"].max() == 1:
            raise Stopped

    run = classification.fit(workspace, config, on_epoch=stop)
    kept = load_file(run.checkpoint)
    first = kept["network.projection.0.weight"]
    assert first.shape == (8, 1280)
    done = classification.fit(workspace, run=run.id)
    assert not torch.equal(load_file(run.checkpoint)["network.projection.0.weight"], first), "it is trained"
    whole = classification.fit(workspace, config)
    assert whole.history.drop(columns="seconds").equals(done.history.drop(columns="seconds")), "bit-equal when resumed"
    assert not [name for name in classification.load_best(done).state_dict() if "projection" in name]


def test_it_has_none_without_such_a_loss():
    for config in (Config("resnet18", projection=8), Config("resnet18", loss="triplet", loss_weight=0, projection=8)):
        network = build(config, ["a", "b"], pretrained=False)
        add_projection(network, config)
        assert network.projection is None
