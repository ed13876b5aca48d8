"""Where the pixels of a photo come from: parts of it, mirrors, turns. Photos are uint8 (n, height, width, 3)."""

import math

import torch
from torch.nn.functional import affine_grid, grid_sample

Generator = torch.Generator | None
"""What random numbers are drawn from; None: torch's global generator."""


def centre(squares: torch.Tensor, image_size: int) -> torch.Tensor:
    """The middle of each photo, as when accuracy is measured."""
    start = (squares.shape[1] - image_size) // 2
    return squares[:, start : start + image_size, start : start + image_size]


def crop(squares: torch.Tensor, strength: float, image_size: int, random: Generator) -> torch.Tensor:
    """A random place of each photo."""
    spare, span = squares.shape[1] - image_size, torch.arange(image_size)
    most = round(strength * spare)
    first = (spare - most) // 2
    rows, columns = (
        first + torch.randint(most + 1, (len(squares), 1), generator=random) + span for _ in ("rows", "columns")
    )
    index = torch.arange(len(squares))[:, None, None].to(squares.device)
    return squares[index, rows[:, :, None].to(squares.device), columns[:, None, :].to(squares.device)]


def resized_crop(squares: torch.Tensor, strength: float, image_size: int, random: Generator) -> torch.Tensor:
    """A random part of each photo, of its area 1 - strength to 1, with sides up to 4 by 3, at the image size."""
    n = len(squares)
    area = uniform(n, 1 - strength, 1.0, random)
    ratio = uniform(n, -math.log(4 / 3), math.log(4 / 3), random).exp().clamp(area, 1 / area)  # no side beyond 1
    width, height = (area * ratio).sqrt(), (area / ratio).sqrt()
    x, y = ((1 - side) * uniform(n, -1.0, 1.0, random) for side in (width, height))
    zero = torch.zeros(n)
    return warped(squares, torch.stack([width, zero, x, zero, height, y], 1), image_size)


def flip(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """Some of the photos mirrored left to right."""
    return turned(photos, across=torch.rand(len(photos), generator=random) < strength)


def vertical_flip(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """Some of the photos mirrored top to bottom."""
    return turned(photos, down=torch.rand(len(photos), generator=random) < strength)


def d4(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """Each square photo in one of its 8 positions."""
    which = torch.rand(3, len(photos), generator=random) < 0.5
    across, down, diagonal = which & (torch.rand(len(photos), generator=random) < strength)
    return turned(photos, across, down, diagonal)


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
            photos = torch.where(chosen[:, None, None, None].to(photos.device), mirror(photos), photos)
    return photos


def rotation(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """Each photo turned about its middle; what lies beyond its borders is their mirror image."""
    angle = uniform(len(photos), -strength, strength, random).deg2rad()
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros(len(photos))
    return warped(photos, torch.stack([cos, -sin, zero, sin, cos, zero], 1), photos.shape[1])


def warped(photos: torch.Tensor, where: torch.Tensor, size: int) -> torch.Tensor:
    """Square photos seen through an affine map.

    Parameters
    ----------
    photos
        uint8 (n, side, side, 3).
    where
        Rows of the map from coordinates of the result to those of the photo, both -1..1: (n, 6).
    size
        Side of the result in pixels.
    """
    shape = [len(photos), 3, size, size]
    grid = affine_grid(where.view(-1, 2, 3).to(photos.device), shape, align_corners=False)
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
