"""Surface detail of things as sphere maps (3, MAP * MAP): height, tint and mark; baked once, shared by all photos."""

from functools import cache

import numpy as np
from scipy.spatial import cKDTree

from cvtune_nb.data.rendering.noise import sphere_directions, sphere_noise

DIMPLES = 10
"""Subdivisions of the icosahedron that place the dimples: 10 n^2 + 2 of them. More than the 300-500 of a real ball,
so that they fall below two pixels when a photo is made 96 pixels wide, and show at 224."""


def _map(height: np.ndarray, tint: np.ndarray | float = 0.0, mark: np.ndarray | float = 0.0) -> np.ndarray:
    """Height is rounded so that the last digit of a processor's exponential can't matter."""
    layers = np.broadcast_arrays(height, tint, mark)
    return np.round(np.stack(layers), 5).astype(np.float32).reshape(3, -1)


def _angle_to(directions: np.ndarray, points: np.ndarray) -> np.ndarray:
    return cKDTree(points).query(directions)[0]


def _random_points(count: int, seed: int) -> np.ndarray:
    points = np.random.default_rng(seed).standard_normal((count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@cache
def peel(seed: int, pores: int) -> np.ndarray:
    """Citrus peel: oil glands as pits between soft lumps; the scar of the stem at +z, of the flower at -z."""
    d = sphere_directions()
    spacing = np.sqrt(4 * np.pi / pores)
    pits = np.clip(1 - _angle_to(d, _random_points(pores, seed)) / (0.55 * spacing), 0, 1) ** 2
    height = -pits * 0.3 * spacing + 0.012 * sphere_noise(d, 3.5, seed + 1) + 0.004 * sphere_noise(d, 12, seed + 2)
    tint = sphere_noise(d, 1.2, seed + 3) + 0.5 * sphere_noise(d, 5, seed + 4)
    across = np.hypot(d[..., 0], d[..., 1])
    ragged = across * (1 + 0.2 * np.cos(5 * np.arctan2(d[..., 1], d[..., 0])))
    stem = np.clip((0.085 - ragged) / 0.03, 0, 1) * (d[..., 2] > 0)
    flower = np.clip((0.035 - across) / 0.02, 0, 1) * (d[..., 2] < 0)
    spots = np.clip(sphere_noise(d, 22, seed + 5) - 3.0, 0, 1) * 0.8
    return _map(height + 0.03 * stem, tint, np.clip(stem + flower + spots, 0, 1))


@cache
def felt(seed: int) -> np.ndarray:
    """A tennis ball: fibres, and the one curved seam."""
    d = sphere_directions()
    t = np.linspace(0, 2 * np.pi, 2000)
    seam = np.stack(
        [
            0.72 * np.cos(t) + 0.28 * np.cos(3 * t),
            0.72 * np.sin(t) - 0.28 * np.sin(3 * t),
            2 * np.sqrt(0.72 * 0.28) * np.sin(2 * t),
        ],
        axis=1,
    )
    angle = _angle_to(d, seam) * (1 + 0.06 * sphere_noise(d, 20, seed + 3))
    line = np.clip((0.062 - angle) / 0.02, 0, 1)
    fibres = sphere_noise(d, 26, seed) + 0.7 * sphere_noise(d, 14, seed + 1)
    tint = sphere_noise(d, 2, seed + 2) + 0.5 * sphere_noise(d, 18, seed + 4)
    return _map(0.014 * fibres * (1 - 0.8 * line) - 0.03 * line, tint, line)


def _geodesic(n: int) -> np.ndarray:
    """Points of an icosahedron whose faces are divided n times, on the unit sphere."""
    golden = (1 + 5**0.5) / 2
    corners = np.array([(0, a, b * golden) for a in (-1, 1) for b in (-1, 1)])
    corners = np.concatenate([np.roll(corners, k, axis=1) for k in range(3)])
    near = np.abs(np.linalg.norm(corners[:, None] - corners[None], axis=-1) - 2) < 1e-9
    faces = [(i, j, k) for i in range(12) for j in range(i) for k in range(j) if near[i, j] & near[j, k] & near[i, k]]
    points = [
        (a * corners[i] + b * corners[j] + (n - a - b) * corners[k]) / n
        for i, j, k in faces
        for a in range(n + 1)
        for b in range(n + 1 - a)
    ]
    points = np.array(points)
    return np.unique(np.round(points / np.linalg.norm(points, axis=1, keepdims=True), 9), axis=0)


@cache
def white_ball(seed: int, dimpled: bool) -> np.ndarray:
    """A golf ball or a table tennis ball: the same but for the dimples, with the same stamps."""
    d = sphere_directions()
    height, tint = _white()
    return _map(height - 0.015 * _dimples() if dimpled else height, tint, _stamp(d, seed))


@cache
def _white() -> tuple[np.ndarray, np.ndarray]:
    d = sphere_directions()
    return 0.002 * sphere_noise(d, 3, 300) + 0.0015 * sphere_noise(d, 40, 302), sphere_noise(d, 2, 301)


@cache
def _dimples() -> np.ndarray:
    points = _geodesic(DIMPLES)
    reach = 0.46 * np.sqrt(4 * np.pi / len(points) * 2 / 3**0.5)
    return np.clip(1 - (_angle_to(sphere_directions(), points) / reach) ** 2, 0, 1)


def _stamp(d: np.ndarray, seed: int) -> np.ndarray:
    """A few strokes of printed lettering around +x, one of four makes."""
    rng = np.random.default_rng(seed)
    across, up, front = d[..., 1] / 0.3, d[..., 2] / 0.3, d[..., 0] > 0
    ink = np.zeros(d.shape[:2])
    for k in range(rng.integers(3, 6)):
        x, y = rng.uniform(-0.8, 0.8), rng.choice([-0.28, 0.12])
        w, h = (0.05, rng.uniform(0.1, 0.18)) if k % 2 else (rng.uniform(0.1, 0.3), 0.045)
        inside = np.maximum(np.abs(across - x) - w, np.abs(up - y) - h)
        ink = np.maximum(ink, np.clip(-inside / 0.03, 0, 1))
    return ink * front


@cache
def stone(seed: int, grain: float) -> np.ndarray:
    """Anything else that may lie about: pebbles, wood, card."""
    d = sphere_directions()
    return _map(
        0.02 * sphere_noise(d, 6, seed) + 0.006 * sphere_noise(d, 20, seed + 1),
        sphere_noise(d * np.array([1, 1, grain]), 8, seed + 2),
        0.0,
    )
