"""What things lie on: tiles of table, cloth, stone and lawn, seen from straight above, that repeat seamlessly."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import cKDTree

from cvtune_nb.data.rendering.noise import cloud_noise, tile_noise

SIDE = 640
"""Side of a tile in pixels."""


def _painted(values: np.ndarray, dark: tuple[int, int, int], light: tuple[int, int, int]) -> np.ndarray:
    """A picture (SIDE, SIDE, 3) from a field: -2 is `dark`, +2 is `light`."""
    share = np.clip(values / 4 + 0.5, 0, 1)[..., None]
    return np.array(dark) * (1 - share) + np.array(light) * share


def _relief(height: np.ndarray, strength: float) -> np.ndarray:
    """Brightness factor (SIDE, SIDE, 1) of a height field lit from the upper left."""
    slope = height - np.roll(height, (1, 1), (0, 1))
    return np.clip(1 + strength * slope, 0.35, 1.5)[..., None]


def _wood(seed: int, dark: tuple, light: tuple, planks: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    column = np.arange(SIDE)[None, :] * np.ones((SIDE, 1))
    plank = (column * planks // SIDE).astype(int)
    shift = rng.integers(0, SIDE, planks)
    rows = (np.arange(SIDE)[:, None] + shift[plank]) % SIDE
    warp, fine, pores = (
        tile_noise(SIDE, sigma, seed + k)[rows, column.astype(int)]
        for k, sigma in enumerate([(70, 14), (60, 1.2), (9, 0.6)])
    )
    rings = np.sin(column * 0.21 + warp * 3.2 + shift[plank])
    tone = rng.standard_normal(planks)[plank] * 0.7
    picture = _painted(rings * 0.55 + fine * 0.6 + tone - 0.5 * np.maximum(pores - 1.2, 0), dark, light)
    gap = np.minimum(column % (SIDE / planks), (-column) % (SIDE / planks)) < 1.2
    return picture * np.where(gap, 0.45, 1.0)[..., None]


def _linen(seed: int) -> np.ndarray:
    """Over-and-under weave, near white: the scene dyes it."""
    period, rows = 5, np.arange(SIDE)
    phase = 2 * np.pi * rows / period
    over = (rows[:, None] // period + rows[None, :] // period) % 2
    rng = np.random.default_rng(seed)
    warp, weft = rng.standard_normal((2, SIDE // period))
    crown = np.where(over, 1 - np.cos(phase)[:, None] + 0 * rows, 1 - np.cos(phase)[None, :] + 0 * rows[:, None])
    thread = np.where(over, weft[rows // period][:, None] + 0 * rows, warp[rows // period][None, :])
    shade = crown * 0.7 + thread * 0.35 + tile_noise(SIDE, 1, seed + 1) * 0.4 + tile_noise(SIDE, 60, seed + 2) * 0.4
    return _painted(shade - 0.6, (120, 118, 115), (246, 244, 238))


def _gingham(seed: int) -> np.ndarray:
    stripe = (np.arange(SIDE) // 40) % 2
    amount = (stripe[:, None] + stripe[None, :])[..., None] / 2
    dyed = np.array((176, 42, 40)) * amount + np.array((240, 236, 228)) * (1 - amount)
    return dyed * (_linen(seed) / 215)


def _towel(seed: int) -> np.ndarray:
    loops = tile_noise(SIDE, 1.7, seed) + 0.5 * tile_noise(SIDE, 0.8, seed + 1)
    folds = tile_noise(SIDE, 50, seed + 2) * 12
    return _painted(loops * 0.5 + 0.4, (130, 130, 130), (240, 240, 240)) * _relief(loops * 0.9 + folds, 0.16)


def _granite(seed: int, dark: tuple, light: tuple) -> np.ndarray:
    picture = _painted(cloud_noise(SIDE, 10, seed) * 0.9 + tile_noise(SIDE, 1.1, seed + 9) * 0.9, dark, light)
    picture[tile_noise(SIDE, 1.4, seed + 10) > 1.9] = (28, 27, 30)
    picture[tile_noise(SIDE, 1.2, seed + 11) > 2.1] = (232, 226, 218)
    return picture


def _concrete(seed: int) -> np.ndarray:
    height = cloud_noise(SIDE, 40, seed, 6) + 0.25 * tile_noise(SIDE, 0.7, seed + 20)
    picture = _painted(height * 0.6, (128, 125, 120), (190, 188, 182)) * _relief(height, 0.35)
    holes = ndimage.gaussian_filter((tile_noise(SIDE, 2.2, seed + 7) > 2.9).astype(float), 0.8, mode="wrap")
    return picture * (1 - 0.5 * holes[..., None])


def _marble(seed: int) -> np.ndarray:
    warp = cloud_noise(SIDE, 70, seed, 5)
    veins = np.exp(-np.abs(warp) * 14) + 0.5 * np.exp(-np.abs(cloud_noise(SIDE, 50, seed + 40, 5)) * 20)
    return _painted(1.6 - 2.6 * veins + 0.3 * tile_noise(SIDE, 30, seed + 9), (96, 100, 108), (240, 238, 234))


def _tiles(seed: int) -> np.ndarray:
    step = SIDE // 4
    place = np.arange(SIDE)
    edge = np.minimum(place % step, -place % step)
    joint = np.clip(np.minimum(edge[:, None], edge[None, :]) / 3.0 - 0.6, 0, 1)[..., None]
    tone = np.random.default_rng(seed).standard_normal((4, 4))[place[:, None] // step, place[None, :] // step]
    tile = _painted(tone * 0.6 + cloud_noise(SIDE, 20, seed) * 0.5 + 0.4, (150, 128, 108), (226, 208, 188))
    return tile * joint + np.array((120, 114, 108)) * (1 - joint) * (1 + 0.1 * tile_noise(SIDE, 1, seed + 9)[..., None])


def _sand(seed: int) -> np.ndarray:
    grains = tile_noise(SIDE, 0.7, seed)
    height = grains + 7 * cloud_noise(SIDE, 22, seed + 3, 3)
    return _painted(grains * 0.8 + 0.3, (150, 124, 92), (228, 206, 170)) * _relief(height, 0.1)


def _pebbles(seed: int, mean_size: float, dull: float) -> np.ndarray:
    """Rounded stones: each texel belongs to the nearest of many random points and is dark towards the joints."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, SIDE, (int((SIDE / mean_size) ** 2), 2))
    y, x = np.mgrid[:SIDE, :SIDE]
    wobble = np.stack([tile_noise(SIDE, 3, seed + k) * mean_size * 0.06 for k in (1, 2)], axis=-1)
    points = (np.stack([y, x], axis=-1) + wobble) % SIDE
    distance, owner = cKDTree(centres, boxsize=SIDE).query(points, k=2)
    dome = np.clip((distance[..., 1] - distance[..., 0]) / (mean_size * 0.55), 0, 1) ** 0.5
    tones = np.stack([rng.normal(138, 34, len(centres))] * 3, -1) + rng.normal(0, 4, (len(centres), 3)) + (8, 2, -8)
    picture = tones[owner[..., 0]] * (0.25 + 0.75 * dome)[..., None] * _relief(dome * 2 * mean_size / 10, 0.5)
    return picture * (1 - dull * 0.1 * tile_noise(SIDE, 1, seed + 5)[..., None])


def _blades(seed: int, count: int, length: float, roots: tuple, tips: tuple) -> np.ndarray:
    """Blades of grass drawn one over the other, the upper ones lighter; drawn four times so that the tile repeats."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (SIDE, SIDE), roots)
    draw = ImageDraw.Draw(picture)
    for k in range(count):
        x, y = rng.uniform(0, SIDE, 2)
        dx, dy = rng.normal(0, length, 2)
        high = k / count
        shade = np.array(roots) * (1 - high) + np.array(tips) * high + rng.normal(0, 16, 3) * (0.4, 1, 0.3)
        shade = shade + (rng.random() < 0.06) * np.array((70, 45, 30)) * high
        ink = tuple(int(v) for v in np.clip(shade * rng.uniform(0.75, 1.15), 0, 255))
        for ox in (-SIDE, 0, SIDE):
            for oy in (-SIDE, 0, SIDE):
                if -60 < x + ox < SIDE + 60 and -60 < y + oy < SIDE + 60:
                    middle = (x + ox + dx * 0.6 - dy * 0.1, y + oy + dy * 0.6 + dx * 0.1)
                    draw.line([(x + ox, y + oy), middle, (x + ox + dx, y + oy + dy)], ink, 2 if k % 3 else 3)
    return np.asarray(picture, dtype=float)


def _carpet(seed: int) -> np.ndarray:
    tufts = tile_noise(SIDE, 2.2, seed)
    return _painted(tufts * 0.5 + 0.6 * tile_noise(SIDE, 0.7, seed + 1), (96, 94, 92), (214, 210, 204)) * _relief(
        tufts, 0.25
    )


def _paper(seed: int) -> np.ndarray:
    height = tile_noise(SIDE, 1, seed) + 4 * cloud_noise(SIDE, 60, seed + 2, 3)
    tone = 0.8 + 0.15 * cloud_noise(SIDE, 20, seed + 8)
    return _painted(tone, (190, 188, 184), (248, 246, 242)) * _relief(height, 0.03)


_MADE = {
    "oak": lambda: _wood(11, (126, 86, 50), (214, 174, 124), 4),
    "walnut": lambda: _wood(12, (52, 32, 22), (126, 84, 56), 5),
    "grey wood": lambda: _wood(13, (98, 92, 86), (182, 176, 166), 7),
    "linen": lambda: _linen(14),
    "gingham": lambda: _gingham(15),
    "towel": lambda: _towel(16),
    "dark granite": lambda: _granite(17, (34, 35, 38), (112, 112, 116)),
    "granite": lambda: _granite(18, (128, 116, 108), (206, 196, 186)),
    "concrete": lambda: _concrete(19),
    "marble": lambda: _marble(20),
    "tiles": lambda: _tiles(21),
    "sand": lambda: _sand(22),
    "pebbles": lambda: _pebbles(23, 34, 1),
    "gravel": lambda: _pebbles(24, 11, 2),
    "lawn": lambda: _blades(25, 7500, 19, (24, 36, 12), (134, 168, 72)),
    "straw": lambda: _blades(26, 5000, 24, (58, 42, 22), (216, 188, 128)),
    "carpet": lambda: _carpet(27),
    "paper": lambda: _paper(28),
}

NAMES = tuple(_MADE)
DYED = ("linen", "towel", "carpet", "paper")
"""Surfaces that come in any colour."""
SOFT = ("lawn", "straw")
"""Surfaces whose blades stand in front of what lies on them."""


@cache
def surface(name: str) -> Image.Image:
    """Four tiles side by side (2 * SIDE square, RGB): room enough for one photo's ground, however turned."""
    tile = np.clip(_MADE[name](), 0, 255).astype(np.uint8)
    return Image.fromarray(np.tile(tile, (2, 2, 1)))
