"""The image size and the anchors that suit the boxes at hand, computed before anything is trained."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

LEVELS = 5
"""Maps that the detector searches, at 4, 8, 16, 32 and 64 pixels a cell (Lin and others 2017, Feature pyramid networks
for object detection)."""
USUAL_SIZES = (32.0, 64.0, 128.0, 256.0, 512.0)
USUAL_RATIOS = (0.5, 1.0, 2.0)
"""Sides in pixels, one a level, and heights over widths that detectors trained on COCO search with."""
SCALES = (1.0, 0.75, 0.5, 0.375, 0.25)
"""What USUAL_SIZES are multiplied by to find smaller objects."""
ENOUGH = 0.98
"""Fraction of boxes that some anchor covers from which the usual anchors stay, those of networks trained on COCO."""
COVERED = 0.5
"""Intersection over union of a box and the best anchor, laid over each other, from which it counts as covered."""
LEAST_PIXELS = 16
"""Side (root of the area) that nine of ten boxes of a class should have at the image size: 4 cells of the finest map.
Ours."""
SMALLEST, LARGEST = 320, 1024
"""Image sizes between which one is suggested; the parameter allows others."""


@dataclass(frozen=True)
class Anchors:
    """The anchor boxes of a detector, and how many boxes they cover.

    Attributes
    ----------
    sizes
        Side in pixels, one for each level of the pyramid.
    ratios
        Height over width.
    covered
        Fraction (0..1) of the boxes that an anchor covers.
    """

    sizes: tuple[float, ...]
    ratios: tuple[float, ...]
    covered: float


def sides_in_pixels(boxes: pd.DataFrame, photos: pd.DataFrame, image_size: int) -> np.ndarray:
    """Widths and heights of `boxes` in pixels once their photos are scaled.

    Parameters
    ----------
    boxes
        path, width, height as fractions of the photo (n rows).
    photos
        path, width, height in pixels.
    image_size
        Pixels that the longer side of a photo is scaled to.

    Returns
    -------
    np.ndarray
        (n, 2): width and height in pixels.
    """
    known = photos.set_index("path").loc[boxes["path"], ["width", "height"]].to_numpy(float)
    return boxes[["width", "height"]].to_numpy(float) * known * (image_size / known.max(axis=1, keepdims=True))


def suggested_size(boxes: pd.DataFrame, photos: pd.DataFrame) -> tuple[int, str]:
    """The smallest image size at which the boxes are large enough to be found, and why, in words.

    A multiple of 32 at which nine of ten boxes of every class have a side of LEAST_PIXELS or more, not larger than the
    photos themselves; the smallest size where there are no boxes.

    Parameters
    ----------
    boxes
        path, label, width, height as fractions of the photo.
    photos
        path, width, height in pixels.
    """
    if boxes.empty:
        return SMALLEST, "there are no boxes yet to choose an image size by"
    sides = pd.Series(np.sqrt(sides_in_pixels(boxes, photos, 1).prod(axis=1))).groupby(boxes["label"].to_numpy())
    side = float(sides.quantile(0.1).min())
    own = float(np.median(photos[["width", "height"]].max(axis=1)))
    wanted = int(np.ceil(LEAST_PIXELS / side / 32)) * 32
    most = max(SMALLEST, min(LARGEST, int(np.ceil(own / 32)) * 32))
    size = min(max(wanted, SMALLEST), most)
    words = f"at {size} pixels nine of ten boxes of every class have a side of {side * size:.0f} pixels or more"
    if wanted > most:
        words += f"; {LEAST_PIXELS} would be better, but " + (
            "the photos have no more to show" if most < LARGEST else "that takes too long: crop the photos instead"
        )
    return size, words


def suggest(boxes: pd.DataFrame, photos: pd.DataFrame, image_size: int) -> Anchors:
    """The usual anchors where they cover ENOUGH of the boxes, else the best of a few scales and shapes.

    Parameters
    ----------
    boxes
        path, width, height as fractions of the photo.
    photos
        path, width, height in pixels.
    image_size
        Pixels that the longer side of a photo is scaled to.
    """
    usual = Anchors(USUAL_SIZES, USUAL_RATIOS, 1.0)
    if boxes.empty:
        return usual
    sides = sides_in_pixels(boxes, photos, image_size)
    shape = np.exp(np.percentile(np.log(sides[:, 1] / sides[:, 0]), (10, 50, 90)))
    shapes = [USUAL_RATIOS, tuple(round(float(ratio), 2) for ratio in shape)]
    tried = []
    for scale, ratios in product(SCALES, shapes):
        sizes = tuple(scale * size for size in USUAL_SIZES)
        tried.append(Anchors(sizes, ratios, _covered(sides, sizes, ratios)))
        if tried[0].covered >= ENOUGH:
            break
    return max(tried, key=lambda anchors: anchors.covered)


def _covered(sides: np.ndarray, sizes: tuple[float, ...], ratios: tuple[float, ...]) -> float:
    anchors = np.array([(size / ratio**0.5, size * ratio**0.5) for size, ratio in product(sizes, ratios)])
    shared = np.minimum(sides[:, None], anchors[None]).prod(axis=2)
    union = sides.prod(axis=1)[:, None] + anchors.prod(axis=1)[None] - shared
    return float(((shared / union).max(axis=1) >= COVERED).mean())
