"""TrivialAugment (Mueller and Hutter 2021): one change of each photo, of a strength drawn anew, for whole minibatches.

The 14 changes and their widest ranges are those of torchvision's TrivialAugmentWide, which takes one photo at a time.
"""

import torch
from torch.nn.functional import conv2d

from cvtune_nb.augmentation.colours import coloured
from cvtune_nb.augmentation.geometry import Generator, as_bytes, as_float, beside, in_pixels, warped

SHEAR, SHIFT, ANGLE, FACTOR, BITS = 0.99, 32 / 224, 135.0, 0.99, 6
"""Widest: of a shear, of a shift (of the side), of a turn (degrees), of a factor (about 1), bits that are left out."""
IDENTITY, SHEAR_X, SHEAR_Y, SHIFT_X, SHIFT_Y, TURN = range(6)
BRIGHTNESS, CONTRAST, SATURATION, SHARPNESS = range(6, 10)
POSTERISE, SOLARISE, STRETCH, EQUALISE = range(10, 14)


def trivialaugment(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """One of the 14 changes of each photo, of up to `strength` of its widest range."""
    n = len(photos)
    change = torch.randint(14, (n,), generator=random)
    size = strength * torch.rand(n, generator=random)
    signed = torch.where(torch.rand(n, generator=random) < 0.5, -size, size)
    photos = photos.clone()
    for first, last, make, amount in (
        (SHEAR_X, TURN, _moved, signed),
        (BRIGHTNESS, SATURATION, _coloured, signed),
        (SHARPNESS, SHARPNESS, _sharpened, signed),
        (POSTERISE, EQUALISE, _mapped, size),
    ):
        rows = ((change >= first) & (change <= last)).nonzero()[:, 0]
        if len(rows):
            there = beside(rows, photos)
            photos[there] = make(photos[there], change[rows], amount[rows])
    return photos


def _moved(photos: torch.Tensor, change: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    where = torch.eye(2, 3).repeat(len(photos), 1, 1)
    shear, shift, turn = amount * SHEAR, amount * SHIFT * 2, (amount * ANGLE).deg2rad()
    where[:, 0, 1] = torch.where(change == SHEAR_X, shear, 0.0)
    where[:, 1, 0] = torch.where(change == SHEAR_Y, shear, 0.0)
    where[:, 0, 2] = torch.where(change == SHIFT_X, shift, 0.0)
    where[:, 1, 2] = torch.where(change == SHIFT_Y, shift, 0.0)
    cos, sin = turn.cos(), turn.sin()
    turned = torch.stack([cos, -sin, sin, cos], 1).view(-1, 2, 2)
    where[:, :, :2] = torch.where((change == TURN)[:, None, None], turned, where[:, :, :2])
    return warped(photos, in_pixels(where.flatten(1), photos), (photos.shape[1], photos.shape[2]))


def _coloured(photos: torch.Tensor, change: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    brightness, contrast, saturation = (
        torch.where(change == which, 1 + FACTOR * amount, 1.0) for which in (BRIGHTNESS, CONTRAST, SATURATION)
    )
    return coloured(photos, brightness, contrast, saturation, torch.zeros(len(photos)))


def _sharpened(photos: torch.Tensor, _: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    images = as_float(photos)
    kernel = torch.ones(3, 1, 3, 3, device=photos.device)
    kernel[:, :, 1, 1] = 5
    smooth = images.clone()
    smooth[:, :, 1:-1, 1:-1] = conv2d(images, kernel / 13, groups=3)
    return as_bytes(smooth + beside((1 + FACTOR * amount)[:, None, None, None], photos) * (images - smooth))


def _mapped(photos: torch.Tensor, change: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    """Each value of a channel becomes another one: a table of 256 for each photo and channel."""
    planes = photos.permute(0, 3, 1, 2).flatten(2).long()
    change, amount = (beside(each[:, None, None], photos) for each in (change, amount))
    values = torch.arange(256, device=photos.device).expand(len(photos), 3, 256)
    step = 2 ** (BITS * amount).round().long()
    posterised = values // step * step
    solarised = torch.where(values >= 255 * (1 - amount), 255 - values, values)
    low, high = planes.amin(2, keepdim=True), planes.amax(2, keepdim=True)
    stretched = ((values - low) * 255 / (high - low).clamp(min=1)).round().clamp(0, 255).long()
    stretched = torch.where(high > low, stretched, values)
    table = torch.where(change == POSTERISE, posterised, solarised)
    table = torch.where(change == STRETCH, stretched, table)
    table = torch.where(change == EQUALISE, _equalised(planes), table)
    return table.gather(2, planes).to(torch.uint8).view(len(photos), 3, *photos.shape[1:3]).permute(0, 2, 3, 1)


def _equalised(planes: torch.Tensor) -> torch.Tensor:
    """The table that makes all values about equally frequent: (n, 3, 256) of planes (n, 3, pixels)."""
    counts = torch.zeros(*planes.shape[:2], 256, dtype=torch.long, device=planes.device)
    counts.scatter_add_(2, planes, torch.ones_like(planes))
    up_to = counts.cumsum(2)
    least = torch.where(counts > 0, up_to, planes.shape[2]).amin(2, keepdim=True)  # of the darkest value that is there
    spread = (planes.shape[2] - least).clamp(min=1)
    table = ((up_to - least) * 255 / spread).round().clamp(0, 255).long()
    only_one = least == planes.shape[2]
    return torch.where(only_one, torch.arange(256, device=planes.device), table)
