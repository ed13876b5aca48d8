import numpy as np
import pytest
import torch

from cvtune_nb.models import fuse_convolutions, inference, networks
from cvtune_nb.models.inference import fastest, quick


@pytest.fixture
def network():
    return networks.load("efficientnet_lite0").eval()


@pytest.fixture
def plain_processor(monkeypatch):
    monkeypatch.setattr(networks, "has_bfloat16", lambda device: False)


def fuses(network, bfloat16):
    """Whether this processor has the instructions; without them the fused network fails, and is not used."""
    try:
        copy = fuse_convolutions.fused(network, torch.from_numpy(images(4)), torch.bfloat16)
        networks.forward(copy, images(4))
    except RuntimeError:
        return not bfloat16
    return True


def images(n, size=64):
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), np.uint8)


def test_onnx_runtime_says_what_pytorch_says_for_any_number_of_photos(network, plain_processor):
    other = inference.onnx_forward(network, images(4))
    for n in (1, 7):
        np.testing.assert_allclose(other(images(n)), networks.forward(network, images(n)), atol=1e-3)


@pytest.mark.parametrize("faster", [True, False])
def test_the_faster_way_is_taken(network, plain_processor, monkeypatch, faster):
    other = lambda batch: networks.forward(network, batch)  # noqa: E731
    monkeypatch.setattr(inference, "onnx_forward", lambda *_: other)
    monkeypatch.setattr(inference, "seconds", lambda way, _: 1.0 if (way is other) == faster else 2.0)
    assert (fastest(network, images(4), inference.ONNX_PAYS) is other) == faster


def test_a_way_that_says_something_else_or_fails_is_not_taken(network, plain_processor, monkeypatch):
    monkeypatch.setattr(inference, "seconds", lambda *_: pytest.fail("timed"))

    def fails(*_):
        raise RuntimeError("no such layer")

    for other in (lambda *_: lambda batch: networks.forward(network, batch) + 1, fails):
        monkeypatch.setattr(inference, "onnx_forward", other)
        assert fastest(network, images(4), inference.ONNX_PAYS).func is networks.forward


@pytest.mark.parametrize(("photos", "bfloat16"), [(inference.ONNX_PAYS - 1, False), (inference.ONNX_PAYS, True)])
def test_nothing_is_tried_where_it_can_not_pay(network, monkeypatch, photos, bfloat16):
    monkeypatch.setattr(networks, "has_bfloat16", lambda device: bfloat16)
    monkeypatch.setattr(inference, "onnx_forward", lambda *_: pytest.fail("tried"))
    assert fastest(network, images(2), photos).func is networks.forward


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_network_that_sees_many_photos_is_fused(network, monkeypatch, bfloat16):
    monkeypatch.setattr(networks, "has_bfloat16", lambda device: bfloat16)
    copy = quick(network, images(4), 200 * (224 // 64 + 1) ** 2)
    assert (copy is not network) == fuses(network, bfloat16)
    expected = networks.forward(network, images(6))
    np.testing.assert_allclose(networks.forward(copy, images(6)), expected, atol=1e-3 * np.abs(expected).max())
    assert quick(network, images(4), 200) is network, "too few to pay for it"


def test_features_of_many_photos_come_from_the_fused_network(network, monkeypatch):
    monkeypatch.setattr(networks, "has_bfloat16", lambda device: True)
    (used,) = fastest(network, images(4), 10_000).args
    assert any(isinstance(part, fuse_convolutions.Fused) for part in used.modules()) == fuses(network, bfloat16=True)


def test_a_fused_network_that_says_something_else_or_fails_is_not_used(network, monkeypatch):
    def wrong(network, images, dtype):
        other = fuse_convolutions.fused(network, images, dtype)
        other.shift += 0.1
        return other

    def fails(*_):
        raise NotImplementedError("no such operator")

    monkeypatch.setattr(inference, "FUSING_PAYS", 0)
    assert quick(network, images(4), 1) is not network
    for other in (wrong, fails):
        with monkeypatch.context() as patch:
            patch.setattr(inference.fuse_convolutions, "fused", other)
            assert quick(network, images(4), 1) is network
