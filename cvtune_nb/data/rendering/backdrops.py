"""What is seen far behind the table, out of focus: two real photos and made-up rooms and foliage."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from cvtune_nb.data.rendering.noise import cloud_noise

CREDITS = (
    "Some blurred backgrounds are crops of two photos that come with scikit-learn: china.jpg by "
    "danielbuechele and flower.jpg by vultilion, both CC BY 2.0 (flickr.com)."
)


@lru_cache(maxsize=1)
def _photos() -> list[Image.Image]:
    from sklearn.datasets import load_sample_image

    return [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]


@lru_cache(maxsize=1)
def _foliage() -> Image.Image:
    green, light = cloud_noise(320, 14, 71), cloud_noise(320, 8, 75)
    picture = np.stack([70 + 26 * light + 10 * green, 96 + 34 * light + 8 * green, 44 + 18 * light], axis=-1)
    return Image.fromarray(np.clip(picture, 8, 250).astype(np.uint8))


def _room(rng: np.random.Generator) -> Image.Image:
    """A wall with a few pieces of furniture, perhaps a bright window."""
    wall = rng.uniform(60, 215) + rng.normal(0, 12, 3) + (8, 0, -10)
    picture = Image.new("RGB", (160, 120), tuple(int(v) for v in np.clip(wall, 10, 250)))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(3, 10)):
        x, y, w, h = rng.uniform(-20, 150), rng.uniform(-10, 100), rng.uniform(6, 70), rng.uniform(10, 90)
        tone = rng.uniform(15, 190) + rng.normal(0, 22, 3)
        draw.rectangle([x, y, x + w, y + h], tuple(int(v) for v in np.clip(tone, 5, 250)))
    if rng.random() < 0.4:
        x, y = rng.uniform(0, 110), rng.uniform(-20, 40)
        draw.rectangle([x, y, x + 40, y + 60], (250, 250, 246))
        draw.line([x + 20, y, x + 20, y + 60], (150, 146, 140), 3)
    return picture


def backdrop(rng: np.random.Generator, size: tuple[int, int], outdoors: bool) -> Image.Image:
    """An out-of-focus background.

    Parameters
    ----------
    rng
        What is random comes from here.
    size
        Width and height in pixels.
    outdoors
        A scene outdoors, or a room.
    """
    kind = rng.choice(["photo", "foliage"] if outdoors else ["photo", "room", "room", "photo"])
    if kind == "room":
        source = _room(rng)
    else:
        source = _foliage() if kind == "foliage" else _photos()[rng.integers(2)]
        width = int(source.width * rng.uniform(0.35, 0.9))
        height = int(width * 0.66)
        x, y = int(rng.integers(source.width - width + 1)), int(rng.integers(max(1, source.height - height + 1)))
        source = source.resize((160, 120), Image.Resampling.BILINEAR, (x, y, x + width, min(y + height, source.height)))
    if rng.random() < 0.5:
        source = source.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    source = ImageEnhance.Color(source).enhance(rng.uniform(0.4, 1.1))
    source = ImageEnhance.Brightness(source).enhance(rng.uniform(0.6, 1.25))
    if outdoors or rng.random() < 0.25:
        _bokeh(rng, source)
    return source.filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 6))).resize(size, Image.Resampling.BICUBIC)


def _bokeh(rng: np.random.Generator, picture: Image.Image) -> None:
    """Points of light out of focus become discs."""
    draw = ImageDraw.Draw(picture, "RGBA")
    radius = rng.uniform(3, 9)
    for _ in range(rng.integers(4, 16)):
        x, y, r = rng.uniform(0, 160), rng.uniform(0, 90), radius * rng.uniform(0.8, 1.15)
        ink = (255, int(rng.uniform(225, 255)), int(rng.uniform(170, 240)), int(rng.uniform(25, 110)))
        draw.ellipse([x - r, y - r, x + r, y + r], ink)
