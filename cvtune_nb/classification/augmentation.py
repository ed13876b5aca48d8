"""Ways to vary the training photos, a whole minibatch at a time.

To add one: a function and its row in AUGMENTATIONS here, and its name among the choices of `augmentation` in
parameters.py.
"""

from collections.abc import Callable

import torch

from cvtune_nb.parameters import Config


def centre(squares: torch.Tensor, image_size: int) -> torch.Tensor:
    """The middle of each photo, as when accuracy is measured."""
    start = (squares.shape[1] - image_size) // 2
    return squares[:, start : start + image_size, start : start + image_size]


def crop(squares: torch.Tensor, image_size: int) -> torch.Tensor:
    """A random place of each photo."""
    return _at(squares, *_random_places(squares, image_size))


def crop_flip(squares: torch.Tensor, image_size: int) -> torch.Tensor:
    """A random place of each photo, half of them mirrored."""
    rows, columns = _random_places(squares, image_size)
    return _at(squares, rows, torch.where(torch.rand(len(squares), 1) < 0.5, columns.flip(1), columns))


AUGMENTATIONS: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "crop-flip": crop_flip,
    "crop": crop,
    "none": centre,
}
"""By name: from uint8 photos (n, side, side, 3) and an image size to (n, image_size, image_size, 3).

They draw from torch's global generator, which the loop seeds every epoch.
"""


def augmented(squares: torch.Tensor, config: Config) -> torch.Tensor:
    """The photos of a minibatch, uint8 (n, side, side, 3), varied as `config` says: (n, image_size, image_size, 3)."""
    return AUGMENTATIONS[config.augmentation](squares, config.image_size)


def _random_places(squares: torch.Tensor, image_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of a random crop of each photo, each (n, image_size)."""
    most, span = squares.shape[1] - image_size, torch.arange(image_size)
    return torch.randint(most + 1, (len(squares), 1)) + span, torch.randint(most + 1, (len(squares), 1)) + span


def _at(squares: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """The pixels of each photo in its rows and columns."""
    index = torch.arange(len(squares))[:, None, None].to(squares.device)
    return squares[index, rows[:, :, None].to(squares.device), columns[:, None, :].to(squares.device)]
