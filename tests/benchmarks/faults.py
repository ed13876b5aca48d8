"""Faults planted among real photos, and what was planted where: the questions of the audit's benchmark.

Everything is drawn from a seed. A copy comes from a photo of its own, lies in the class of its original, and goes to
train or validation. Originals are linked or copied, never changed.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from cvtune_nb.data.photo import read_photo


def cropped(photo: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """The part of a photo between these shares of its width and height."""
    box = (left * photo.width, top * photo.height, right * photo.width, bottom * photo.height)
    return photo.crop(tuple(round(side) for side in box))


def captioned(photo: Image.Image) -> Image.Image:
    """With a white strip of text over the lowest 12%, as shops add it."""
    changed, height = photo.copy(), round(0.12 * photo.height)
    draw = ImageDraw.Draw(changed)
    draw.rectangle((0, photo.height - height, photo.width, photo.height), fill="white")
    draw.text((0.05 * photo.width, photo.height - 0.8 * height), "SALE  29.90", "black", font_size=0.6 * height)
    return changed


def combined(photo: Image.Image) -> Image.Image:
    """Mirrored, 5% cropped, smaller and darker at once."""
    part = ImageOps.mirror(cropped(photo, 0.025, 0.025, 0.975, 0.975))
    return ImageEnhance.Brightness(part.resize((part.width * 7 // 10, part.height * 7 // 10))).enhance(0.8)


def off_centre(photo: Image.Image, random: np.random.Generator) -> Image.Image:
    """Without 10% of its width and of its height, taken from a corner."""
    left, top = random.choice((0.0, 0.1), 2)
    return cropped(photo, left, top, left + 0.9, top + 0.9)


def turned_a_little(photo: Image.Image, random: np.random.Generator) -> Image.Image:
    """By 3 degrees, either way, the corners filled with their own colours as editors do (cropped to the inside)."""
    turned = photo.rotate(float(random.choice((-3, 3))), Image.Resampling.BICUBIC)
    return cropped(turned, 0.04, 0.04, 0.96, 0.96)


Change = Callable[[Image.Image, np.random.Generator], Image.Image]

NINE: dict[str, Change] = {
    "resized": lambda photo, _: photo.resize((photo.width * 6 // 10, photo.height * 6 // 10)),
    "jpeg 40": lambda photo, _: photo,
    "crop 5%": lambda photo, _: cropped(photo, 0.025, 0.025, 0.975, 0.975),
    "crop 15%": lambda photo, _: cropped(photo, 0.075, 0.075, 0.925, 0.925),
    "brighter": lambda photo, _: ImageEnhance.Brightness(photo).enhance(1.35),
    "mirrored": lambda photo, _: ImageOps.mirror(photo),
    "quarter turn": lambda photo, _: photo.rotate(90, expand=True),
    "grey": lambda photo, _: photo.convert("L").convert("RGB"),
    "combined": lambda photo, _: combined(photo),
}
"""The kinds of copies that are measured."""

FOUR: dict[str, Change] = {
    "border": lambda photo, random: ImageOps.expand(
        photo, round(0.06 * min(photo.size)), "white" if random.random() < 0.5 else "black"
    ),
    "caption strip": lambda photo, _: captioned(photo),
    "off-centre crop": off_centre,
    "3 degree turn": turned_a_little,
}
"""The kinds that it calls weak."""

COPIES = NINE | FOUR

BAD: dict[str, Change] = {
    "blur 2": lambda photo, _: photo.filter(ImageFilter.GaussianBlur(2)),
    "blur 3": lambda photo, _: photo.filter(ImageFilter.GaussianBlur(3)),
    "blur 4": lambda photo, _: photo.filter(ImageFilter.GaussianBlur(4)),
    "blur 8": lambda photo, _: photo.filter(ImageFilter.GaussianBlur(8)),
    "dark": lambda photo, _: ImageEnhance.Brightness(photo).enhance(0.25),
    "over-exposed": lambda photo, _: photo.point([min(255, int(2.5 * v + 60)) for v in range(256)] * 3),
    "low-contrast": lambda photo, _: ImageEnhance.Contrast(photo).enhance(0.15),
}
"""Photos that are bad as photos. Blur in pixels of the file (sigma)."""


@dataclass(frozen=True)
class Planted:
    """What was planted: new path -> (path of the original, kind). Paths are relative to folder."""

    folder: Path
    originals: list[str]
    copies: dict[str, tuple[str, str]]
    bad: dict[str, tuple[str, str]]


def plant(source: Path, folder: Path, each: int, seed: int = 0) -> Planted:
    """Write `source` (split/class/photo) and, `each` times, every kind of COPIES and BAD to `folder`.

    A set too small for a photo of its own for every copy is used round and round.
    """
    random = np.random.default_rng(seed)
    paths = sorted(path.relative_to(source) for path in source.glob("*/*/*") if path.is_file())
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / path, folder / path)
    truth: list[dict[str, tuple[str, str]]] = []
    for kinds, prefix in ((COPIES, "copy"), (BAD, "bad")):
        drawn, told = np.resize(random.permutation(len(paths)), each * len(kinds)), {}
        for number, which in enumerate(drawn):
            kind, original = list(kinds)[number % len(kinds)], paths[which]
            split = random.choice(["train", "validation"])
            path = folder / split / original.parent.name / f"{prefix}-{number:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            quality = 40 if kind in ("jpeg 40", "combined") else 92
            kinds[kind](read_photo(source / original), random).save(path, quality=quality)
            told[str(path.relative_to(folder))] = (str(original), kind)
        truth.append(told)
    return Planted(folder, [str(path) for path in paths], *truth)
