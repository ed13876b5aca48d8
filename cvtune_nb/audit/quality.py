"""Photos that are bad as photos: dark, over-exposed, low in contrast, blurry, small, oddly shaped,
unreadable.

Light, contrast and blur are measured on the pixels the network sees (decoded once, kept by data.pixels), size
and shape on the file's own width and height.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.audit.issue import issue, table
from cvtune_nb.files import Progress, silent

BLOCK = 256
"""Photos measured at a time, so that memory does not grow with the set."""

SHARE_OF_SET = 0.05
AT_LEAST = 5
"""A check that flags more than 5% of the photos (and more than 5 of them) says something about the set, not
about single photos: it becomes a note."""

DARK = 0.45
"""Dark: 99% of the pixels are below this brightness, by their brightest channel."""

BURNT = 0.35
"""Over-exposed: this share of the pixels is white."""

CONTRAST = 0.20
"""Low contrast: the 1st and the 99th percentile of brightness are closer than this."""

SHARPNESS, DEVIATIONS = 0.25, 3.5
"""Blurry: sharpness below .25, or 3.5 median absolute deviations under the set's median. On 1,988 photos of
clothes this found 30 of 30 blurred by 2 pixels (of 400) and 30 of 30 by 4, with 13 false alarms, mostly on
plain cloth."""

SIZE = 4.0
"""Odd size: this many times more, or fewer, pixels than the median."""

ASPECT = 0.5
"""Odd aspect: short side over long side."""


@dataclass(frozen=True)
class Quality:
    """issues: listed photos; measures: one row a photo; notes: sentences about checks that flag too many."""

    issues: pd.DataFrame
    measures: pd.DataFrame
    notes: list[str]


def find(
    photos: pd.DataFrame, store: Any, skipped: pd.DataFrame, image_size: int, progress: Progress = silent
) -> Quality:
    """Check every photo.

    photos: path,width,height (pixels); store: store[indices] -> uint8 (n, side, side, 3), in the order of
    photos; skipped: path,label,reason of the files that can't be read; image_size: the network's input in
    pixels.
    """
    measures = measure(store, len(photos), progress)
    sides = photos[["width", "height"]].to_numpy(dtype=float)
    area, short, long = sides.prod(axis=1), sides.min(axis=1), sides.max(axis=1)
    size = area / np.median(area) if len(area) else area
    bright, white = measures["brightness"].to_numpy(), measures["white"].to_numpy()
    contrast, sharp = measures["contrast"].to_numpy(), measures["sharpness"].to_numpy()
    # A photo of one flat colour has no edges to be sharp or not: that is low contrast, or dark, but not blur.
    blurry = (sharp < sharpness_limit(sharp)) & (contrast >= CONTRAST)

    checks = [
        (
            "dark",
            bright < DARK,
            1 - bright,
            "99% of it is darker than {:.0%} of full brightness",
            bright,
            BETTER,
        ),
        ("over-exposed", white >= BURNT, white, "{:.0%} of it is burnt out to white", white, BETTER),
        (
            "low-contrast",
            (contrast < CONTRAST) & (bright >= DARK),
            1 - contrast,
            "its tones span {:.0%} of the range",
            contrast,
            BETTER,
        ),
        ("blurry", blurry, 1 - sharp, "sharpness {:.2f}", sharp, BETTER),
        (
            "small",
            short < image_size,
            1 - short / image_size,
            f"its short side is {{:.0f}} pixels; the network looks at {image_size}",
            short,
            "replace it by a larger photo, or choose a smaller image_size",
        ),
        (
            "odd-size",
            (size > SIZE) | (size < 1 / SIZE),
            1 - 1 / np.maximum(size, 1 / size),
            "its area is {:.2g} times the median",
            size,
            "check that it belongs to this set; else exclude it",
        ),
        (
            "odd-aspect",
            short / long < ASPECT,
            1 - short / long,
            "the square that the network sees leaves out {:.0%} of it",
            1 - short / long,
            "crop it to what matters, or exclude it",
        ),
    ]
    rows = [
        issue(row.path, "corrupt", 1.0, str(row.reason), "replace the file by a readable copy, or delete it")
        for row in skipped.itertuples()
        if meant_as_photo(row.label, row.reason)
    ]
    notes = []
    paths = photos["path"].to_numpy()
    for kind, flagged, score, detail, value, suggestion in checks:
        hits = np.flatnonzero(flagged)
        if len(hits) > max(AT_LEAST, SHARE_OF_SET * len(photos)):
            notes.append(
                f"{kind}: true of {len(hits)} of {len(photos)} photos, so it's how this set is; none is listed"
            )
            continue
        rows += [issue(paths[i], kind, score[i], detail.format(value[i]), suggestion) for i in hits]
    return Quality(table(rows), measures, notes)


BETTER = "exclude it, or replace it by a better photo; keep it if the model will meet such photos"


def meant_as_photo(label: str, reason: str) -> bool:
    """Whether a file that was left out was meant to be one of the photos: not one beside the class folders
    (no label), nor one that says by its name that it is something else ("not a photo (.txt file)")."""
    return bool(label) and not reason.startswith("not a photo (")


def measure(store: Any, count: int, progress: Progress = silent) -> pd.DataFrame:
    """brightness (99th percentile), contrast (99th minus 1st), white (share of pixels >= 250) and sharpness
    of `count` photos, each 0..1."""
    blocks = []
    for start in range(0, count, BLOCK):
        images = store[np.arange(start, min(start + BLOCK, count))]
        gray = grey(images)
        low, high = percentiles(gray, (0.01, 0.99))
        # By the brightest channel: pure red or blue is not dark.
        (brightness,) = percentiles(np.maximum.reduce(np.moveaxis(images, -1, 0)), (0.99,))
        white = (gray >= 250).mean(axis=(1, 2))
        blocks.append(np.stack([brightness / 255, (high - low) / 255, white, sharpness(gray)], axis=1))
        progress(
            (start + len(gray)) / count,
            f"looking at light and sharpness, photo {start + len(gray)} of {count}",
        )
    values = np.concatenate(blocks) if blocks else np.empty((0, 4))
    return pd.DataFrame(values, columns=["brightness", "contrast", "white", "sharpness"])


def grey(images: np.ndarray) -> np.ndarray:
    """Brightness (ITU-R 601) of uint8 images (n, side, side, 3) as uint8 (n, side, side)."""
    red, green, blue = (images[..., channel].astype(np.uint16) for channel in range(3))
    return ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.uint8)


def percentiles(gray: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """The values below which each of `shares` of an image's pixels lie: (len(shares), n)."""
    n = len(gray)
    keys = gray.reshape(n, -1) + 256 * np.arange(n)[:, None]
    histogram = np.bincount(keys.ravel(), minlength=256 * n).reshape(n, 256)
    below = np.cumsum(histogram, axis=1) / gray[0].size
    return np.stack([(below < share).sum(axis=1) for share in shares]).astype(float)


def sharpness(gray: np.ndarray, window: int = 5) -> np.ndarray:
    """Sharpness 0..1 of uint8 images (n, height, width): how much of their edges a blur takes away.

    Source: F. Crete et al., "The blur effect: perception and estimation with a new no-reference perceptual
    blur metric" (2007); this is 1 minus their measure. Blurring a sharp photo changes it much, a blurry one
    little. An image without any edges has sharpness 0.
    """
    found = []
    for image in (gray.astype(np.int16), gray.swapaxes(1, 2).astype(np.int16)):
        inner = window // 2  # pixels at the rim have no full window around them
        edges = window * np.abs(image[:, inner + 1 : -inner] - image[:, inner : -inner - 1])
        # The step between neighbours of a running mean: what enters the window minus what leaves it.
        blurred = np.abs(image[:, window:] - image[:, :-window])
        total = edges.sum(axis=(1, 2), dtype=np.int64)
        lost = np.maximum(edges - blurred, 0).sum(axis=(1, 2), dtype=np.int64)
        found.append(lost / np.maximum(total, 1))
    return np.minimum(*found)


def sharpness_limit(sharp: np.ndarray) -> float:
    """Below this a photo is blurry: SHARPNESS, or 3.5 median absolute deviations under the set's median if
    that is more."""
    if not len(sharp):
        return SHARPNESS
    median = np.median(sharp)
    return max(SHARPNESS, median - DEVIATIONS * np.median(np.abs(sharp - median)))
