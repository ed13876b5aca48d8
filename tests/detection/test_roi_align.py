"""Features of places: the same as torchvision's."""

import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign

from cvtune_nb.detection.roi_align import Pooling

NAMES = ["0", "1", "2", "3"]
SIZE = (240, 320)


def maps(channels=16, images=3):
    torch.manual_seed(0)
    return {
        name: torch.randn(images, channels, SIZE[0] // 2 ** (2 + n), SIZE[1] // 2 ** (2 + n), requires_grad=True)
        for n, name in enumerate(NAMES)
    }


def places(rng, count, largest):
    corner = torch.rand((count, 2), generator=rng) * torch.tensor([340.0, 260.0]) - 10  # some reach outside
    return torch.cat([corner, corner + torch.rand((count, 2), generator=rng) * largest], 1)


@pytest.mark.parametrize("largest", [20, 60, 400])
def test_numbers_and_gradients_are_torchvisions(largest):
    rng = torch.Generator().manual_seed(largest)
    boxes = [places(rng, count, largest) for count in (40, 0, 25)]
    ours, theirs = maps(), maps()
    found = Pooling(NAMES, 7, 2)(ours, boxes, [SIZE] * 3)
    expected = MultiScaleRoIAlign(NAMES, 7, 2)(theirs, boxes, [SIZE] * 3)
    assert found.shape == expected.shape == (65, 16, 7, 7)
    assert torch.allclose(found, expected, atol=1e-3)
    weight = torch.randn(found.shape, generator=rng)
    (found * weight).sum().backward()
    (expected * weight).sum().backward()
    for name in NAMES:
        first, second = (each[name].grad if each[name].grad is not None else torch.zeros(1) for each in (ours, theirs))
        assert (first - second).abs().max() <= 1e-3 * max(1.0, float(second.abs().max())), name


def test_maps_that_are_not_there_are_passed_over():
    two = {name: each for name, each in maps().items() if name in ("2", "3")} | {"pool": torch.randn(3, 16, 1, 1)}
    boxes = [places(torch.Generator().manual_seed(1), 10, 100) for _ in range(3)]
    found, expected = (kind(NAMES, 7, 2)(two, boxes, [SIZE] * 3) for kind in (Pooling, MultiScaleRoIAlign))
    assert torch.allclose(found, expected, atol=1e-3)


def test_no_place_at_all():
    boxes = [torch.empty(0, 4)] * 3
    assert Pooling(NAMES, 7, 2)(maps(), boxes, [SIZE] * 3).shape == (0, 16, 7, 7)


def test_it_keeps_bfloat16():
    half = {name: each.detach().bfloat16() for name, each in maps().items()}
    boxes = [places(torch.Generator().manual_seed(2), 10, 60) for _ in range(3)]
    found = Pooling(NAMES, 7, 2)(half, boxes, [SIZE] * 3)
    full = Pooling(NAMES, 7, 2)({name: each.float() for name, each in half.items()}, boxes, [SIZE] * 3)
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), full, atol=0.05)
