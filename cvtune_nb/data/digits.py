"""Scikit-learn's handwritten digits as image files: a small real data set that needs no download."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIDE = 256


def digit_picture(digit: np.ndarray) -> Image.Image:
    """One digit (8, 8) of ink 0..16 as a smooth picture, dark ink on white, SIDE pixels square, grey."""
    paper = Image.fromarray((255 - np.clip(digit, 0, 16) * 255 / 16).astype(np.uint8))
    return paper.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def digit_files() -> Iterator[tuple[float, str, bytes]]:
    """(fraction done, path, PNG bytes) of all 1,797 digits of sklearn.datasets.load_digits, numbered in its order.

    Source: E. Alpaydin and C. Kaynak, Optical recognition of handwritten digits, UCI, 1998 (CC BY 4.0); the 8x8
    counts of ink are those of its test set.
    """
    from sklearn.datasets import load_digits

    images, targets = load_digits(return_X_y=True)
    for number, (digit, target) in enumerate(zip(images.reshape(-1, 8, 8), targets, strict=True)):
        stream = io.BytesIO()
        digit_picture(digit).save(stream, "PNG", compress_level=1)  # a third of the time, the same pixels
        yield (number + 1) / len(images), f"{NAMES[target]}/IMG_{number + 1:04d}.png", stream.getvalue()
