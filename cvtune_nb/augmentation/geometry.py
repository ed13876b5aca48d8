"""Where the pixels of a photo come from: parts of it, mirrors, turns. Photos are uint8 (n, height, width, 3)."""

import math

import torch
from torch.nn.functional import affine_grid, grid_sample

Shape = tuple[int, int]
"""Height and width in pixels."""
Generator = torch.Generator | None
"""What random numbers are drawn from; None: torch's global generator."""


def beside(tensor: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The tensor on the device of another one; to an NVIDIA GPU it is copied without the processor waiting for it."""
    # from a GPU it would be read before it is there; Apple's may copy what has changed meanwhile
    return tensor.to(other.device, non_blocking=tensor.device.type == "cpu" and other.device.type != "mps")


def centre(photos: torch.Tensor, shape: Shape) -> torch.Tensor:
    """The middle of each photo, as when accuracy is measured."""
    top, left = ((have - want) // 2 for have, want in zip(photos.shape[1:3], shape, strict=True))
    return photos[:, top : top + shape[0], left : left + shape[1]]


def crop(photos: torch.Tensor, strength: float, shape: Shape, random: Generator) -> torch.Tensor:
    """A random place of each photo."""
    spare = [have - want for have, want in zip(photos.shape[1:3], shape, strict=True)]
    most = [round(strength * each) for each in spare]
    rows, columns = (
        (spare[axis] - most[axis]) // 2
        + torch.randint(most[axis] + 1, (len(photos), 1), generator=random)
        + torch.arange(shape[axis])
        for axis in (0, 1)
    )
    index = torch.arange(len(photos))[:, None, None]
    return photos[tuple(beside(each, photos) for each in (index, rows[:, :, None], columns[:, None, :]))]


def resized_crop(photos: torch.Tensor, strength: float, shape: Shape, random: Generator) -> torch.Tensor:
    """A random part of each photo, of its area 1 - strength to 1, stretched by up to 4 by 3, at the shape asked for."""
    n = len(photos)
    area = uniform(n, 1 - strength, 1.0, random)
    ratio = uniform(n, -math.log(4 / 3), math.log(4 / 3), random).exp().clamp(area, 1 / area)  # no side beyond 1
    width, height = (area * ratio).sqrt(), (area / ratio).sqrt()
    x, y = ((1 - side) * uniform(n, -1.0, 1.0, random) for side in (width, height))
    zero = torch.zeros(n)
    return warped(photos, torch.stack([width, zero, x, zero, height, y], 1), shape)


def flip(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """Some of the photos mirrored left to right."""
    return turned(photos, across=torch.rand(len(photos), generator=random) < strength)


def vertical_flip(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """Some of the photos mirrored top to bottom."""
    return turned(photos, down=torch.rand(len(photos), generator=random) < strength)


def d4(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """Each photo in one of the 8 positions of a square; what is no square in one of the 4 that keep its shape."""
    which = torch.rand(3, len(photos), generator=random) < 0.5
    across, down, diagonal = which & (torch.rand(len(photos), generator=random) < strength)
    return turned(photos, across, down, diagonal if photos.shape[1] == photos.shape[2] else None)


def turned(
    photos: torch.Tensor,
    across: torch.Tensor | None = None,
    down: torch.Tensor | None = None,
    diagonal: torch.Tensor | None = None,
) -> torch.Tensor:
    """Photos mirrored left to right, then top to bottom, then along their diagonal.

    Parameters
    ----------
    photos
        uint8 (n, height, width, 3); squares where any is to be mirrored along the diagonal.
    across, down, diagonal
        Which of them: bool (n,); None: none.
    """
    for chosen, mirror in (
        (across, lambda each: each.flip(2)),
        (down, lambda each: each.flip(1)),
        (diagonal, lambda each: each.transpose(1, 2)),
    ):
        if chosen is not None:
            photos = torch.where(beside(chosen[:, None, None, None], photos), mirror(photos), photos)
    return photos


def rotation(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """Each photo turned about its middle; what lies beyond its borders is their mirror image."""
    angle = uniform(len(photos), -strength, strength, random).deg2rad()
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros(len(photos))
    where = torch.stack([cos, -sin, zero, sin, cos, zero], 1)
    return warped(photos, in_pixels(where, photos), (photos.shape[1], photos.shape[2]))


def in_pixels(where: torch.Tensor, photos: torch.Tensor) -> torch.Tensor:
    """Rows of maps (n, 6) of a square, for photos (n, height, width, 3) of another shape: an angle stays that angle."""
    height, width = photos.shape[1:3]
    return where * torch.tensor([1, height / width, 1, width / height, 1, 1])


def warped(photos: torch.Tensor, where: torch.Tensor, shape: Shape) -> torch.Tensor:
    """Photos seen through an affine map.

    Parameters
    ----------
    photos
        uint8 (n, height, width, 3).
    where
        Rows of the map from coordinates of the result to those of the photo, both -1..1: (n, 6).
    shape
        Of the result.
    """
    grid = affine_grid(beside(where.view(-1, 2, 3), photos), [len(photos), 3, *shape], align_corners=False)
    seen = grid_sample(as_float(photos), grid, padding_mode="reflection", align_corners=False)
    return as_bytes(seen)


def as_float(photos: torch.Tensor) -> torch.Tensor:
    """uint8 (n, height, width, 3) as float (n, 3, height, width), 0..255."""
    return photos.permute(0, 3, 1, 2).float()


def as_bytes(images: torch.Tensor) -> torch.Tensor:
    """The way back from `as_float`, rounded."""
    return images.round().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def uniform(n: int, low: float, high: float, random: Generator) -> torch.Tensor:
    """So many numbers between low and high."""
    return low + (high - low) * torch.rand(n, generator=random)
