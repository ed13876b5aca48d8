import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from cvtune_nb.models import networks
from cvtune_nb.models.depthwise import Depthwise, with_fast_depthwise

KINDS = [
    (nn.Conv2d, kernel, stride, padding) for kernel in (3, 5, 7) for stride in (1, 2, 3) for padding in (0, kernel // 2)
] + [(Conv2dSame, kernel, 2, 0) for kernel in (3, 5)]


@pytest.mark.parametrize("side", [11, 14])
@pytest.mark.parametrize(("kind", "kernel", "stride", "padding"), KINDS)
def test_output_and_gradients_are_pytorchs(kind, kernel, stride, padding, side):
    torch.manual_seed(0)
    plain = kind(6, 6, kernel, stride, padding, groups=6).double()
    fast = with_fast_depthwise(nn.Sequential(plain))[0].train()
    assert isinstance(fast, Depthwise)
    images = torch.randn(3, 6, side, side + 1, dtype=torch.double).to(memory_format=torch.channels_last)
    first, second = images.clone().requires_grad_(), images.clone().requires_grad_()
    expected, found = plain(first), fast(second)
    torch.testing.assert_close(found, expected)
    away = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, (first, plain.weight, plain.bias), away)
    for mine, theirs in zip(torch.autograd.grad(found, (second, fast.weight, fast.bias), away), wanted, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_only_depthwise_convolutions_are_replaced_and_weights_keep_their_names():
    plain = networks.load("efficientnet_lite0")
    names = list(plain.state_dict())
    fast = with_fast_depthwise(plain)
    replaced = [module for module in fast.modules() if isinstance(module, Depthwise)]
    assert len(replaced) == 16
    assert all(module.groups > 1 for module in replaced)
    assert list(fast.state_dict()) == names


def test_in_eval_mode_and_in_bfloat16_it_is_the_same_convolution():
    plain = nn.Conv2d(6, 6, 5, 2, 2, groups=6)
    fast, images = Depthwise(plain), torch.randn(2, 6, 15, 15)
    with torch.no_grad():
        torch.testing.assert_close(fast.eval()(images), plain(images))
    with torch.autocast("cpu", torch.bfloat16):
        loss = fast.train()(images).float().square().mean()
        wanted = plain(images).float().square().mean()
    gradients = torch.autograd.grad(loss, fast.weight)[0], torch.autograd.grad(wanted, plain.weight)[0]
    assert gradients[0].dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(*(g.flatten() for g in gradients), dim=0) > 0.999


def test_a_strided_look_at_the_photo_is_the_same():
    conv = nn.Conv2d(3, 8, 1, stride=2)
    network = nn.Sequential(conv)
    images = torch.rand(2, 3, 33, 32).contiguous(memory_format=torch.channels_last)
    expected = conv(images)
    replaced = with_fast_depthwise(network).train()
    assert torch.allclose(replaced(images), expected, atol=1e-6) and replaced[0] is not conv
    assert replaced[0].weight is conv.weight and torch.allclose(replaced.eval()(images), expected, atol=1e-6)
