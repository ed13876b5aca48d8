"""Smooth random fields: on tiles that repeat, and on the sphere."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

MAP = 512
"""Side of a sphere map in texels; on a ball 350 pixels wide a texel is about one pixel."""


def tile_noise(side: int, sigma: float | tuple[float, float], seed: int) -> np.ndarray:
    """A field that repeats seamlessly, mean 0 and deviation 1.

    Parameters
    ----------
    side
        Of the field (side, side).
    sigma
        Half the size of its features, of both axes or of each.
    seed
        Same seed, same field.
    """
    coarse = 4 if np.min(sigma) >= 8 and side % 4 == 0 else 1  # wide features need few points
    white = np.random.default_rng(seed).standard_normal((side // coarse, side // coarse))
    field = ndimage.gaussian_filter(white, np.divide(sigma, coarse), mode="wrap", truncate=3)
    if coarse > 1:
        field = ndimage.zoom(field, coarse, order=3, mode="grid-wrap", grid_mode=True)
    return _standard(field)


def cloud_noise(side: int, coarsest: float, seed: int, octaves: int = 4) -> np.ndarray:
    """Sum of octaves of tile_noise, each half as wide and half as strong as the one before.

    Parameters
    ----------
    side
        Of the field (side, side).
    coarsest
        The sigma of the first octave.
    seed
        Same seed, same field.
    octaves
        How many.
    """
    return _standard(np.asarray(sum(tile_noise(side, coarsest / 2**k, seed + k) / 2**k for k in range(octaves))))


def _standard(field: np.ndarray) -> np.ndarray:
    return (field - field.mean()) / field.std()


def sphere_directions() -> np.ndarray:
    """The unit vectors (MAP, MAP, 3) of the texels of a sphere map, in octahedral layout.

    The sphere is folded onto a square without poles (Cigolle et al. 2014, "A survey of efficient representations for
    independent unit vectors").
    """
    side = np.linspace(-1, 1, MAP)
    x, y = np.meshgrid(side, side)
    z = 1 - np.abs(x) - np.abs(y)
    fold = np.maximum(-z, 0)
    vectors = np.stack([x - np.sign(x) * fold, y - np.sign(y) * fold, z], axis=-1)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def sphere_noise(directions: np.ndarray, frequency: float, seed: int) -> np.ndarray:
    """A smooth field on the sphere, mean 0 and deviation 1.

    Parameters
    ----------
    directions
        Unit vectors (height, width, 3).
    frequency
        About how many bumps there are along the radius.
    seed
        Same seed, same field.

    Returns
    -------
    np.ndarray
        (height, width).
    """
    volume = np.random.default_rng(seed).standard_normal((64, 64, 64))
    volume = ndimage.gaussian_filter(volume, 1.2, mode="wrap")
    points = (directions * (frequency * 3.0) + 31.7).transpose(2, 0, 1) % 64
    return _standard(ndimage.map_coordinates(volume, points, order=1, mode="grid-wrap"))


def look_up(sphere_map: np.ndarray, directions: Sequence[np.ndarray]) -> np.ndarray:
    """Values (C, n) of a sphere map (C, MAP * MAP) at directions (3, n) of any length, bilinear, float32."""
    x, y, z = directions
    size = np.abs(x) + np.abs(y) + np.abs(z) + np.float32(1e-6)
    x, y = x / size, y / size
    back = z < 0
    x, y = (
        np.where(back, np.where(x < 0, np.abs(y) - 1, 1 - np.abs(y)), x),
        np.where(back, np.where(y < 0, np.abs(x) - 1, 1 - np.abs(x)), y),
    )
    column = np.clip((x + 1) * np.float32((MAP - 1) / 2), 0, MAP - 1.001)
    row = np.clip((y + 1) * np.float32((MAP - 1) / 2), 0, MAP - 1.001)
    left, top = column.astype(np.int64), row.astype(np.int64)
    right, low = (column - left).astype(np.float32), (row - top).astype(np.float32)
    corner = top * MAP + left
    values = np.empty((len(sphere_map), len(corner)), np.float32)
    for value, layer in zip(values, sphere_map, strict=True):
        upper, lower = layer.take(corner), layer.take(corner + MAP)
        upper += (layer.take(corner + 1) - upper) * right
        lower += (layer.take(corner + (MAP + 1)) - lower) * right
        value[:] = upper + (lower - upper) * low
    return values
