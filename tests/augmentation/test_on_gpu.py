"""Minibatches that are on a GPU are varied there, and nothing makes the processor wait."""

import pytest
import torch

from cvtune_nb.augmentation.minibatch import PARTS, VARIATIONS, augmented
from cvtune_nb.augmentation.mixing import MIXES, mixed
from cvtune_nb.augmentation.policies import POLICIES
from tests.waiting import NobodyWaits, Waited

DRAWN_THERE = {"noise"}
"""What draws from a generator of the GPU's own, which a device without numbers has not."""


def without_waiting(change):
    """What `change` makes of photos on a device whose numbers can't be read."""
    torch.manual_seed(0)
    with NobodyWaits("meta"):
        return change(torch.empty(6, 40, 40, 3, dtype=torch.uint8, device="meta"))


@pytest.mark.parametrize("name", sorted({*PARTS, *VARIATIONS} - DRAWN_THERE))
def test_a_policy_waits_for_nothing(name):
    varied = without_waiting(lambda photos: augmented(photos, 32, {name: POLICIES[name].strength}))
    assert (varied.device.type, varied.dtype, varied.shape) == ("meta", torch.uint8, (6, 32, 32, 3))


@pytest.mark.parametrize("name", MIXES)
def test_mixing_waits_for_nothing(name):
    mixture = without_waiting(lambda photos: mixed(photos, {name: POLICIES[name].strength}))
    assert (mixture.photos.device.type, mixture.photos.shape) == ("meta", (6, 40, 40, 3))


@pytest.mark.parametrize(
    "change",
    [
        lambda photos: torch.ones(3).to(photos.device),
        lambda photos: photos.cpu(),
        lambda photos: photos[photos > 3],
        lambda photos: photos[torch.arange(3)],
        lambda photos: photos.float().sum().item(),
    ],
)
def test_what_waits_is_found(change):
    with pytest.raises(Waited):
        without_waiting(change)
