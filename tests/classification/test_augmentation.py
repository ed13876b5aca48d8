import numpy as np
import pytest
import torch

from cvtune_nb.classification.augmentation import AUGMENTATIONS, augmented
from cvtune_nb.data.photo import crop_centre
from cvtune_nb.parameters import PARAMETERS, Config


def squares(n=40, side=73):
    """Each pixel says where it was: red its row, green its column, blue its photo."""
    row, column = np.mgrid[0:side, 0:side]
    return torch.from_numpy(
        np.stack([np.stack([row, column, np.full_like(row, i)], -1) for i in range(n)]).astype(np.uint8)
    )


def config(augmentation):
    return Config("resnet18", image_size=64, augmentation=augmentation)


def test_none_is_the_middle_as_the_networks_see_it():
    images = squares(3)
    assert np.array_equal(augmented(images, config("none")).numpy(), crop_centre(images.numpy(), 64))


@pytest.mark.parametrize("augmentation", ["crop", "crop-flip"])
def test_every_photo_is_a_whole_crop_of_itself(augmentation):
    torch.manual_seed(0)
    images = augmented(squares(), config(augmentation)).numpy().astype(int)
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


def test_every_choice_is_one_of_them():
    assert set(AUGMENTATIONS) == set(PARAMETERS["augmentation"].choices)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_the_same_seed_gives_the_same_pictures_bytes_of_the_image_size(augmentation):
    def draw(seed):
        torch.manual_seed(seed)
        return augmented(squares(), config(augmentation))

    assert torch.equal(draw(1), draw(1))
    assert torch.equal(draw(1), draw(2)) == (augmentation == "none")
    assert (draw(1).shape, draw(1).dtype) == ((40, 64, 64, 3), torch.uint8)
