"""Minibatches of photos, each varied in its own way."""

import hashlib

import numpy as np
import pytest
import torch

from cvtune_nb.augmentation.minibatch import PARTS, VARIATIONS, augmented, varied
from cvtune_nb.augmentation.policies import OF_CLASSIFIERS, POLICIES, policies_in
from cvtune_nb.data.photo import crop_centre


def squares(n=40, side=73):
    """Each pixel says where it was: red its row, green its column, blue its photo."""
    row, column = np.mgrid[0:side, 0:side]
    return torch.from_numpy(
        np.stack([np.stack([row, column, np.full_like(row, i)], -1) for i in range(n)]).astype(np.uint8)
    )


def photos(n=24, side=40):
    """Noise over a slope: every pixel of every photo is another."""
    random = np.random.default_rng(0)
    slope = np.linspace(40, 180, side)[:, None, None] + random.normal(0, 20, (n, side, side, 3))
    return torch.from_numpy(slope.clip(0, 255).astype(np.uint8))


def drawn(text, images, size=64, seed=0):
    torch.manual_seed(seed)
    return augmented(images, size, policies_in(text))


def test_none_is_the_middle_as_the_networks_see_it():
    images = squares(3)
    assert np.array_equal(drawn("none", images).numpy(), crop_centre(images.numpy(), 64))


@pytest.mark.parametrize("augmentation", ["crop", "crop-flip"])
def test_every_photo_is_a_whole_crop_of_itself(augmentation):
    images = drawn(augmentation, squares()).numpy().astype(int)
    assert images.shape == (40, 64, 64, 3)
    mirrored = 0
    corners = set()
    for number, image in enumerate(images):
        assert (image[..., 2] == number).all()
        assert (np.diff(image[..., 0], axis=0) == 1).all()
        step = np.diff(image[..., 1], axis=1)
        assert (step == step[0, 0]).all()
        assert abs(step[0, 0]) == 1
        mirrored += step[0, 0] == -1
        corners.add((image[0, 0, 0], image[0, :, 1].min()))
    assert 10 < mirrored < 30 if augmentation == "crop-flip" else mirrored == 0
    assert len(corners) > 20
    rows, columns = zip(*corners, strict=True)
    assert min(rows) == min(columns) == 0
    assert max(rows) == max(columns) == 9


@pytest.mark.parametrize(("text", "digest"), [("crop-flip", "8fe76841650a52e3"), ("crop", "93f9de472027a761")])
def test_runs_of_earlier_versions_go_on_with_the_same_pixels(text, digest):
    """What version 0.9 gave for this seed, before there were lists."""
    assert hashlib.sha256(drawn(text, squares(), seed=7).numpy().tobytes()).hexdigest()[:16] == digest


def test_every_policy_has_its_function():
    mixing = {name for name, policy in POLICIES.items() if policy.mixes}
    assert {*PARTS, *VARIATIONS} == set(OF_CLASSIFIERS) - mixing
    assert [name for name in POLICIES if name in VARIATIONS] == list(VARIATIONS)


@pytest.mark.parametrize("name", [*PARTS, *VARIATIONS])
def test_the_same_seed_gives_the_same_pictures_bytes_of_the_image_size(name):
    images = photos(side=73)
    first, again, other = drawn(name, images), drawn(name, images), drawn(name, images, seed=1)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert (first.shape, first.dtype) == ((24, 64, 64, 3), torch.uint8)
    own = torch.Generator().manual_seed(5)
    assert torch.equal(
        augmented(images, 64, policies_in(name), own),
        augmented(images, 64, policies_in(name), own.manual_seed(5)),
    )


@pytest.mark.parametrize("name", [*PARTS, *VARIATIONS])
def test_each_photo_is_varied_in_its_own_way_and_none_is_changed_where_it_lies(name):
    one = photos(1, 73).repeat(24, 1, 1, 1)
    before = one.clone()
    found = drawn(name, one)
    assert torch.equal(one, before)
    assert len({image.numpy().tobytes() for image in found}) >= (2 if POLICIES[name].chance else 10)


@pytest.mark.parametrize("name", [name for name in VARIATIONS if not POLICIES[name].chance])
def test_the_weakest_variation_is_close_to_the_photo(name):
    images = photos()
    torch.manual_seed(0)
    weak = varied(images, {name: POLICIES[name].low})
    strong = varied(images, {name: POLICIES[name].high})
    change = [(each.float() - images).abs().mean() for each in (weak, strong)]
    assert change[0] < 0.7 * change[1]


def test_d4_gives_the_eight_positions_and_each_of_them():
    one = squares(1, 8).repeat(200, 1, 1, 1)
    found = {image.numpy().tobytes() for image in varied(one, {"d4": 1.0})}
    expected = set()
    for turns in range(4):
        turned = torch.rot90(one[0], turns, (0, 1))
        expected |= {turned.contiguous().numpy().tobytes(), turned.flip(1).contiguous().numpy().tobytes()}
    assert found == expected and len(expected) == 8


def test_mirrors_are_mirrors():
    images = squares(6, 8)
    assert torch.equal(varied(images, {"flip": 1.0}), images.flip(2))
    assert torch.equal(varied(images, {"vertical-flip": 1.0}), images.flip(1))


@pytest.mark.parametrize(("strength", "least", "most"), [(0.36, 0.6, 0.75), (0.01, 0.97, 1.0)])
def test_a_resized_crop_shows_at_least_the_area_that_it_says(strength, least, most):
    images = drawn(f"resized-crop:{strength}", squares(side=200), 100).float()
    tall, wide = (
        (images[:, -1, 50, 0] - images[:, 0, 50, 0]) / 198,
        (images[:, 50, -1, 1] - images[:, 50, 0, 1]) / 198,
    )
    area = tall * wide
    assert least < area.min() < most and 0.9 < area.max() < 1.02
    assert (tall - wide).abs().max() > strength / 10


def test_colours_change_and_shapes_do_not():
    grey = torch.full((8, 16, 16, 3), 100, dtype=torch.uint8)
    found = varied(grey, {"colour": 0.5})
    assert (found == found[:, :1, :1]).all() and len(found[:, 0, 0, 0].unique()) > 4
    assert (found.float().std(3) < 1).all()  # saturation and hue leave grey grey


def test_erasing_hides_a_rectangle_of_some_photos():
    images = photos(64)
    changed = (varied(images, {"erasing": 0.5}) != images).any(3)
    hit = changed.flatten(1).any(1)
    assert 20 < hit.sum() < 44
    part = changed[hit].float().mean((1, 2))
    assert part.min() > 0.005 and part.max() < 0.36
