"""Photos and labels mixed: what is learned from is what is shown."""

import pytest
import torch

from cvtune_nb.augmentation.mixing import MIXES, cutmix, mixed, mixup
from cvtune_nb.augmentation.policies import POLICIES
from cvtune_nb.classification import balance, fit, train
from cvtune_nb.classification.losses import soft_labels
from cvtune_nb.errors import Stopped
from cvtune_nb.parameters import Config

N = 32


def plain(side=20):
    """Each photo in a grey of its own."""
    return (torch.arange(N) * 8).to(torch.uint8)[:, None, None, None].repeat(1, side, side, 3)


def test_the_policies_that_mix_are_these():
    assert set(MIXES) == {name for name, policy in POLICIES.items() if policy.mixes}
    assert mixed(plain(), {"crop": 1.0}) is None


@pytest.mark.parametrize("way", MIXES)
def test_a_label_is_as_much_of_a_class_as_the_photo_is(way):
    images = plain()
    torch.manual_seed(0)
    found = mixed(images, {way: 1.0})
    mine, other = images[:, 0, 0, 0].float(), images[found.others][:, 0, 0, 0].float()
    shown = found.photos.float().mean((1, 2, 3))
    assert torch.allclose(shown, found.own * mine + (1 - found.own) * other, atol=0.6)
    assert found.own.min() < 0.3 and found.own.max() > 0.7
    labels = torch.arange(N) % 3
    soft = soft_labels(labels, found, 4)
    assert torch.allclose(soft.sum(1), torch.ones(N)) and (soft[:, 3] == 0).all()
    assert torch.allclose(soft[torch.arange(N), labels], torch.where(labels == labels[found.others], 1.0, found.own))


def test_mixup_blends_and_cutmix_sets_in():
    images, others, own = plain(), torch.arange(N).flip(0), torch.full((N,), 0.75)
    assert (mixup(images, others, own).photos == mixup(images, others, own).photos[:, :1, :1]).all()
    pasted = cutmix(images, others, own)
    for number in range(N):
        assert set(pasted.photos[number].unique().tolist()) == {number * 8, (N - 1 - number) * 8}
    assert torch.allclose(pasted.own, torch.full((N,), 0.75), atol=0.05)


@pytest.mark.parametrize("way", MIXES)
def test_shares_are_drawn_as_beta_draws_them_and_a_generator_of_its_own_leaves_the_global_one_alone(way):
    """So runs that were stopped go on alike, and pictures that are drawn meanwhile change no run."""
    torch.manual_seed(4)
    ones = mixed(plain(), {way: 0.2})
    torch.manual_seed(4)
    torch.randint(1, (1,))
    assert torch.equal(ones.others, torch.randperm(N))
    own, state = torch.distributions.Beta(*torch.tensor([0.2, 0.2])).sample((N,)), torch.get_rng_state()
    if way == "mixup":
        assert torch.equal(ones.own, own)
    others = [mixed(plain(), {way: 0.2}, torch.Generator().manual_seed(4)) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(other.photos, ones.photos) for other in others)


def test_with_both_the_minibatches_take_turns():
    images = plain()
    torch.manual_seed(0)
    blended = {bool((mixed(images, {"mixup": 1.0, "cutmix": 1.0}).photos == images).any()) for _ in range(20)}
    assert blended == {True, False}


def test_accuracy_is_measured_on_whole_photos_and_a_stopped_run_goes_on_alike(workspace, monkeypatch):
    config = Config(
        "efficientnet_lite0", image_size=64, epochs=2, batch_size=16, augmentation="crop-flip+colour+mixup+cutmix"
    )
    asked, loss = set(), train.cross_entropy

    def watched(logits, targets, **settings):
        asked.add((targets.ndim, "label_smoothing" in settings))
        return loss(logits, targets, **settings)

    def stop(share, words):
        if words.startswith("epoch 2 of 2"):
            raise Stopped

    for module in (train, balance):
        monkeypatch.setattr(module, "cross_entropy", watched)
    whole = fit(workspace, config)
    assert asked == {(1, False), (2, True)}, "steps learn from soft labels, accuracy is that of whole photos"
    stopped = fit(workspace, config, progress=stop)
    assert stopped.state == "stopped"
    again = fit(workspace, run=stopped.id)
    columns = ["train_loss", "validation_loss", "train_accuracy"]
    assert again.history[columns].equals(whole.history[columns])
