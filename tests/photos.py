"""Small made photos for tests: drawn in a blink, different enough from class to class that any classifier learns
them, and different enough from photo to photo that none is a copy of another."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

ODD = '<b>x & "é"'
"""A class name with all that HTML, a shell or a file system could stumble over."""


def make_photos(
    directory: Path,
    classes: Sequence[str] = ("circle", "square", "stripes"),
    per_class: int = 24,
    size: int = 112,
    seed: int = 0,
) -> Path:
    """Write `per_class` JPEG photos of about `size` pixels into a folder of `directory` for each class.

    The first class shows a bright disc, the second a square, the third stripes, the fourth a ring and so on
    round; the names can be anything that is a folder name. Same arguments, same bytes. Returns `directory`.
    """
    directory = Path(directory)
    for number, name in enumerate(classes):
        folder = directory / name
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(per_class):
            draw_photo(number, size, np.random.default_rng([seed, number, index])).save(
                folder / f"{name}-{index:03d}.jpg", quality=92
            )
    return directory


def draw_photo(shape: int, size: int, random: np.random.Generator) -> Image.Image:
    """One photo: shape number `shape` in its own hue, on a blotchy background; size x size or somewhat oblong."""
    height, width = size + int(random.integers(0, 12)), size + int(random.integers(0, 24))
    y, x = np.mgrid[0:height, 0:width].astype(float)
    y -= height * random.uniform(0.4, 0.6)
    x -= width * random.uniform(0.4, 0.6)
    turn = random.uniform(-0.4, 0.4)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    radius = size * random.uniform(0.25, 0.4)
    distance = np.hypot(u, v)
    mask = (
        distance < radius,
        np.maximum(abs(u), abs(v)) < radius,
        np.sin(2 * np.pi * u / (size * random.uniform(0.11, 0.15))) > 0,
        (distance < radius) & (distance > radius * 0.6),
        (abs(u) < radius * 0.25) | (abs(v) < radius * 0.25),
    )[shape % 5]
    hues = ((230, 120, 40), (60, 130, 220), (90, 200, 90), (200, 80, 190), (220, 210, 70))
    colour = np.array(hues[shape % 5]) + random.normal(0, 12, 3)
    blotches = Image.fromarray(random.integers(40, 160, (6, 6, 3), dtype=np.uint8))
    background = np.asarray(blotches.resize((width, height), Image.Resampling.BICUBIC), float)
    picture = np.where(mask[..., None], colour, background) * random.uniform(0.8, 1.15)
    picture += random.normal(0, 6, picture.shape)
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))
