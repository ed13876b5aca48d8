"""Two things that the checks of pixels share."""

import numpy as np


def grey(images: np.ndarray) -> np.ndarray:
    """Brightness (ITU-R 601) of uint8 images (n, side, side, 3) as uint8 (n, side, side)."""
    red, green, blue = (images[..., channel].astype(np.uint16) for channel in range(3))
    return ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.uint8)


def shrink(gray: np.ndarray, side: int, share: float = 1.0) -> np.ndarray:
    """The middle of square images, averaged down.

    Parameters
    ----------
    gray
        (n, s, s).
    side
        Pixels of the result.
    share
        Fraction (0..1) of the side that is kept, round the middle.

    Returns
    -------
    np.ndarray
        float32 (n, side, side).
    """
    size = gray.shape[-1]
    edges = size / 2 + size * share * np.linspace(-0.5, 0.5, side + 1)
    pixels = np.arange(size)
    # Row r of `average` weighs each pixel by how much of it lies between edges r and r + 1.
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    average = np.maximum(covered, 0).astype(np.float32)
    average /= average.sum(axis=1, keepdims=True)
    return average @ gray.astype(np.float32) @ average.T
