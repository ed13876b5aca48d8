"""What the pixels of a photo are: colours, sharpness, grain, gaps. Photos are uint8 (n, height, width, 3)."""

import math

import torch
from torch.nn.functional import conv2d, pad

from cvtune_nb.augmentation.geometry import Generator, as_bytes, as_float, beside, uniform

GREY = (0.299, 0.587, 0.114)
"""How bright red, green and blue look (ITU-R BT.601)."""
CHROMA = ((0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
"""The two other axes of YIQ, in whose plane hue is an angle."""
HIDDEN, SIDES = (0.02, 0.33), 3.3
"""Area of the rectangle that erasing hides, as a fraction, and the longer by the shorter of its sides, at most (the
paper's)."""


def colour(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """Brightness, contrast and saturation times 1 - strength to 1 + strength; hue turned by up to a quarter of it."""
    n = len(photos)
    brightness, contrast, saturation = (uniform(n, 1 - strength, 1 + strength, random) for _ in range(3))
    return coloured(photos, brightness, contrast, saturation, uniform(n, -strength / 4, strength / 4, random))


def coloured(
    photos: torch.Tensor,
    brightness: torch.Tensor,
    contrast: torch.Tensor,
    saturation: torch.Tensor,
    hue: torch.Tensor,
) -> torch.Tensor:
    """All four in one matrix for each photo, which is fast.

    Parameters
    ----------
    photos
        uint8 (n, height, width, 3).
    brightness, contrast, saturation
        Factors (n,).
    hue
        Whole turns (n,).
    """
    grey, chroma = torch.tensor(GREY), torch.tensor(CHROMA)
    axes = torch.cat([grey[None], chroma])
    turn, angle = torch.zeros(len(hue), 3, 3), hue * 2 * math.pi
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = angle.cos() * saturation
    turn[:, 1, 2], turn[:, 2, 1] = -angle.sin() * saturation, angle.sin() * saturation
    matrix = (axes.inverse() @ turn @ axes) * (brightness * contrast)[:, None, None]
    pixels = photos.flatten(1, 2).float()
    mean = (pixels.mean(1) @ beside(grey, photos)) * beside((1 - contrast) * brightness, photos)
    changed = torch.baddbmm(mean[:, None, None].expand(-1, 1, 3), pixels, beside(matrix.transpose(1, 2), photos))
    return changed.round_().clamp_(0, 255).to(torch.uint8).view(photos.shape)


def blur(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """Each photo under a Gaussian, whose width is 0 to `strength` % of the longer side."""
    most = strength / 100 * max(photos.shape[1:3])
    reach = min(math.ceil(3 * most), min(photos.shape[1:3]) - 1)
    width = uniform(len(photos), 0.0, most, random).clamp(min=1e-3)
    kernel = torch.exp(-((torch.arange(-reach, reach + 1) / width[:, None]) ** 2) / 2)
    kernel = beside((kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0), photos)
    planes = as_float(photos).reshape(1, -1, *photos.shape[1:3])
    down, across = kernel[:, None, :, None], kernel[:, None, None, :]
    planes = conv2d(pad(planes, (0, 0, reach, reach), "reflect"), down, groups=planes.shape[1])
    planes = conv2d(pad(planes, (reach, reach, 0, 0), "reflect"), across, groups=planes.shape[1])
    return as_bytes(planes.view(len(photos), 3, *photos.shape[1:3]))


def noise(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """Gaussian noise, whose standard deviation is 0 to `strength` of white."""
    deviation = beside(uniform(len(photos), 0.0, 255 * strength, random), photos)
    seed = int(torch.randint(2**62, (1,), generator=random))
    own = torch.Generator(photos.device).manual_seed(seed)  # drawn where the photos are
    grain = torch.randn(photos.shape, generator=own, device=photos.device) * deviation[:, None, None, None]
    return (grain + photos).round_().clamp_(0, 255).to(torch.uint8)


def erasing(photos: torch.Tensor, strength: float, random: Generator) -> torch.Tensor:
    """A rectangle of some of the photos in the photo's mean colour."""
    n = len(photos)
    area = uniform(n, *HIDDEN, random)
    hidden = rectangles(photos, area, uniform(n, -math.log(SIDES), math.log(SIDES), random).exp(), random)
    hidden &= beside((torch.rand(n, generator=random) < strength)[:, None, None], photos)
    mean = photos.float().mean((1, 2), keepdim=True).round().to(torch.uint8)
    return torch.where(hidden[..., None], mean, photos)


def rectangles(photos: torch.Tensor, area: torch.Tensor, ratio: torch.Tensor, random: Generator) -> torch.Tensor:
    """A rectangle in a random place of each photo, bool (n, height, width).

    Parameters
    ----------
    photos
        uint8 (n, height, width, 3).
    area, ratio
        Of each: fraction of the photo, and width by height, both (n,).
    random
        What places are drawn from.
    """
    inside = []
    for axis, part in ((1, (area / ratio).sqrt()), (2, (area * ratio).sqrt())):
        side = photos.shape[axis]
        length = (part.clamp(max=1.0) * side).round()
        first = (torch.rand(len(photos), generator=random) * (side - length + 1)).floor()
        place = torch.arange(side)
        inside.append((place >= first[:, None]) & (place < (first + length)[:, None]))
    return beside(inside[0][:, :, None], photos) & beside(inside[1][:, None, :], photos)
