"""The network of a combination: resized as Pillow does, averaged as probabilities, each network once."""

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

from cvtune_nb.classification.combining.network import Combined, Resized, View
from cvtune_nb.data.photo import as_size
from cvtune_nb.export.onnx_model import network as in_onnx
from cvtune_nb.export.onnx_model import program


class Light(nn.Module):
    """Two logits: how light the left half of a photo is, and the right one."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images):
        halves = images.float().mean(dim=(1, 3)).unflatten(1, (2, -1)).mean(dim=2)
        return self.scale * halves / 100

    def seen(self, images, pooling):  # noqa: ARG002 - as classifiers have it
        return self(images), images.float().mean(dim=(1, 2))


def photos(side=32, count=3):
    return torch.randint(256, (count, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("given", "wanted"), [((64, 64), (48, 48)), ((64, 96), (32, 48)), ((32, 32), (40, 40))])
def test_resized_as_pillow_does(given, wanted):
    images = torch.randint(256, (1, *given, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    expected = np.asarray(Image.fromarray(images[0].numpy()).resize(wanted[::-1], Image.Resampling.BICUBIC), float)
    found = Resized(given, wanted)(images)[0].numpy()
    assert found.shape == expected.shape and np.abs(found - expected).max() < 1.6  # Pillow rounds, and twice


def test_the_same_size_stays_as_it_is():
    assert Resized((32, 32), (32, 32))(images := photos()) is images


def test_the_mean_of_probabilities_by_weight_and_temperature():
    views = [View(0, (32, 32), False, 2.0, 0.75), View(0, (32, 32), True, 0.5, 0.25)]
    network = Combined([light := Light()], views, (32, 32))
    images = photos()
    plain, mirrored = light(images) / 2.0, light(images.flip(2)) / 0.5
    expected = 0.75 * plain.softmax(1) + 0.25 * mirrored.softmax(1)
    assert torch.allclose(network(images).softmax(1), expected, atol=1e-6)
    logits, features = network.seen(images, "last")
    assert torch.allclose(logits, network(images)) and features.shape == (3, 3)


def test_a_smaller_view_sees_the_photo_resized():
    light = Light()
    network = Combined([light], [View(0, (16, 16), False, 1.0, 1.0)], (32, 32))
    images = photos()
    expected = light(Resized((32, 32), (16, 16))(images)).softmax(1)
    assert torch.allclose(network(images).softmax(1), expected, atol=1e-6)


def test_a_network_with_several_views_has_its_weights_once():
    views = [View(0, (16, 16), mirrored, 1.0, 0.5) for mirrored in (False, True)]
    network = Combined([Light()], views, (32, 32))
    assert list(network.state_dict()) == ["networks.0.scale"]


def test_a_view_is_plain_values_and_back():
    view = View(1, (64, 48), True, 1.5, 0.25)
    assert View.from_dict({**view.to_dict(), "shape": [64, 48]}) == view


def test_bfloat16_does_not_touch_pixels():
    resized = Resized((32, 32), (16, 16))
    images = photos()
    with torch.autocast("cpu", torch.bfloat16):
        found = resized(images)
    assert torch.equal(found, resized(images))


def test_it_becomes_one_graph():
    views = [View(0, (32, 32), False, 1.0, 0.5), View(1, (16, 16), True, 1.3, 0.5)]
    network = Combined([Light(), Light()], views, (32, 32)).eval()
    graph = in_onnx(program(network, as_size(32, 32)))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    images = photos()
    with torch.inference_mode():
        assert np.abs(session.run(None, {"images": images.numpy()})[0] - network(images).numpy()).max() < 1e-5
