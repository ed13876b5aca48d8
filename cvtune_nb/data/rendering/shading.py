"""Light on a thing, and the shadow it throws on the ground."""

from dataclasses import dataclass

import numpy as np

from cvtune_nb.data.rendering.noise import look_up
from cvtune_nb.data.rendering.shapes import apply, look_at
from cvtune_nb.data.rendering.things import Thing


@dataclass(frozen=True)
class Light:
    """One lamp or sun (`key`), the sky or room around it (`sky`), and what the ground throws back (`bounce`)."""

    towards: np.ndarray
    """Unit vector from the scene to the lamp; the camera looks along -z, x is right, y is up."""
    up: np.ndarray
    """Unit vector that stands on the ground."""
    key: np.ndarray
    sky: np.ndarray
    bounce: np.ndarray
    softness: float
    """0.03 (sun) to 0.8 (window or overcast): how wide the edge of a shadow grows."""


@dataclass(frozen=True)
class Placed:
    """A thing that stands on the ground of a photo: where, how large and how turned."""

    thing: Thing
    turn: np.ndarray
    """Rotation (3, 3) from the thing's own axes to the camera's."""
    x: float
    y: float
    """Its centre in the photo, pixels, y down."""
    radius: float
    """Pixels."""
    lift: float
    """Height of its centre over the ground, in radii."""
    reach: float
    """Distance of its farthest point from its centre, in radii."""
    blur: float = 0.0

    @property
    def to_object(self) -> np.ndarray:
        """Matrix (3, 3) from camera space, in radii, to the unstretched shape."""
        """Matrix (3, 3) from the camera's axes to the thing's own, where it is a unit sphere."""
        return (self.turn / np.array(self.thing.shape.axes)).T


def appearance(placed: Placed, light: Light, size: tuple[int, int], rng: np.random.Generator):
    """What a thing adds to a photo; None if it lies outside.

    Parameters
    ----------
    placed
        The thing.
    light
        What falls on it.
    size
        Width and height of the photo, pixels.
    rng
        Of the fuzz.

    Returns
    -------
    tuple
        rows, columns (slices of the photo), light (3, h, w), coverage (h, w; 0..1).
    """
    thing, radius = placed.thing, placed.radius
    margin = placed.reach * radius + 3 + 3 * placed.blur
    left, right = max(0, int(placed.x - margin)), min(size[0], int(placed.x + margin) + 1)
    top, bottom = max(0, int(placed.y - margin)), min(size[1], int(placed.y + margin) + 1)
    if right - left < 3 or bottom - top < 3:
        return None
    columns, rows = np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32)
    x = (columns - np.float32(placed.x))[None, :] / np.float32(radius) + np.zeros((len(rows), 1), np.float32)
    y = (np.float32(placed.y) - rows)[:, None] / np.float32(radius) + np.zeros((1, len(columns)), np.float32)

    z, gap = look_at(thing.shape, placed.to_object, placed.reach, x, y)
    seen = np.flatnonzero(gap * np.float32(radius) < 4)
    point = [side.take(seen) for side in (x, y, z)]
    q = apply(placed.to_object, point)
    normal = _unit(apply(placed.to_object.T, thing.shape.distance(q)[1]))
    height, tint, mark = look_up(thing.skin, q)
    if thing.bump:
        relief = np.zeros(gap.shape, np.float32)
        relief.flat[seen] = height * np.float32(thing.bump)
        normal = _bump(normal, *_slopes(relief, radius, seen))
    shade = np.zeros((3, *gap.shape), np.float32)
    shade.reshape(3, -1)[:, seen] = _shade(thing, tint, mark, normal, light, point, placed.lift)

    soft = 1.0 + 1.5 * thing.fuzz
    if thing.fuzz:
        hairs = rng.random(gap.shape, dtype=np.float32) * np.float32(2.2 * thing.fuzz)
        cover = np.clip(1 - (gap * np.float32(radius) - hairs) / np.float32(soft), 0, 1)
    else:
        cover = np.clip(1 - gap * np.float32(radius), 0, 1)
    return slice(top, bottom), slice(left, right), shade, cover


def _unit(vector: list[np.ndarray]) -> list[np.ndarray]:
    x, y, z = vector
    inverse = 1 / np.sqrt(x * x + y * y + z * z + np.float32(1e-9))
    return [x * inverse, y * inverse, z * inverse]


def _slopes(height: np.ndarray, radius: float, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope to the right and upwards of a height field (h, w), at the pixels `seen`."""
    right, up = np.zeros_like(height), np.zeros_like(height)
    right[:, 1:-1] = (height[:, 2:] - height[:, :-2]) * np.float32(radius / 2)
    up[1:-1] = (height[:-2] - height[2:]) * np.float32(radius / 2)
    return right.take(seen), up.take(seen)


def _bump(normal: list[np.ndarray], hx: np.ndarray, hy: np.ndarray) -> list[np.ndarray]:
    """Tilt the normals by the slope of a height field seen on the screen.

    (Mikkelsen 2010, "Bump mapping unparametrized surfaces on the GPU"); less where the surface turns away and its slope
    is uncertain.
    """
    nx, ny, nz = normal
    facing = np.clip(nz, 0.2, 1)
    hx, hy = np.clip(hx * facing, -1.2, 1.2), np.clip(hy * facing, -1.2, 1.2)
    along = hx * nx + hy * ny
    return _unit([nx - hx + along * nx, ny - hy + along * ny, nz + along * nz])


def _shade(
    thing: Thing,
    tint: np.ndarray,
    mark: np.ndarray,
    normal: list[np.ndarray],
    light: Light,
    point: list[np.ndarray],
    lift: float,
) -> np.ndarray:
    """Light (3, n) that n points of the surface send to the camera."""
    nx, ny, nz = normal
    share = np.clip(tint * np.float32(thing.tint) + np.float32(0.3), 0, 1)
    lx, ly, lz = light.towards.astype(np.float32)
    ux, uy, uz = light.up.astype(np.float32)
    facing = nx * lx + ny * ly + nz * lz
    upward = (nx * ux + ny * uy + nz * uz) * np.float32(0.5) + np.float32(0.5)
    height = np.maximum(point[0] * ux + point[1] * uy + point[2] * uz + np.float32(lift), 0)
    hidden = 1 - np.float32(0.75) * (1 - upward) / (1 + 4 * height * height)
    away = 1 - np.clip(nz, 0, 1)
    rim = away * away * np.float32(0.55 * thing.fuzz)
    shine = fresnel = np.float32(0)
    if thing.gloss:
        half = light.towards + np.array((0, 0, 1.0))
        hx, hy, hz = (half / np.sqrt((half**2).sum())).astype(np.float32)
        shine = np.clip(nx * hx + ny * hy + nz * hz, 0, 1)
        for _ in range(thing.polish):
            shine = shine * shine
        shine = shine * (facing > 0) * np.float32(thing.gloss * (1.2 - light.softness))
        fresnel = (np.float32(0.03) + np.float32(0.22) * away * away * away * away) * np.float32(thing.gloss) * hidden

    out = np.empty((3, len(nx)), np.float32)
    for k, creep in enumerate((1.0, 0.6, 0.3)):  # red light goes deepest under a skin
        wrap = np.float32(0.35 * light.softness + thing.depth * creep)
        key, sky, bounce = light.key[k], light.sky[k], light.bounce[k]
        albedo = thing.base[k] + (thing.tinted[k] - thing.base[k]) * share
        albedo = albedo + (thing.marked[k] - albedo) * mark
        lit = np.clip((facing + wrap) / (1 + wrap), 0, 1)
        out[k] = albedo * (key * lit + (bounce + (sky - bounce) * upward) * hidden)
        if thing.fuzz:
            out[k] += albedo * rim * (sky + key * np.float32(0.3))
        if thing.gloss:
            out[k] += shine * key + fresnel * sky
    return out


def ground_light(things: list[Placed], light: Light, size: tuple[int, int], step: int) -> np.ndarray:
    """Fraction (0..1) of the light that reaches the ground.

    Shadows are those of ellipsoids; the closeness to a thing takes away sky (Quilez, sphere ambient occlusion).

    Parameters
    ----------
    things
        What stands on the ground.
    light
        What falls on them.
    size
        Width and height of the photo, pixels.
    step
        Pixels from one point to the next.

    Returns
    -------
    array
        float32, (rows, columns): one for every `step`-th pixel.
    """
    columns = np.arange(0, size[0] + step, step, dtype=np.float32)[None, :]
    rows = np.arange(0, size[1] + step, step, dtype=np.float32)[:, None]
    _, uy, uz = light.up
    key = float(light.key.sum() * max((light.towards * light.up).sum(), 0.05))
    sky = float(light.sky.sum())
    lamp = open_sky = np.ones(np.broadcast_shapes(columns.shape, rows.shape), np.float32)
    for placed in things:
        x = (columns - np.float32(placed.x)) / np.float32(placed.radius) + 0 * rows
        y = (np.float32(placed.y) - rows) / np.float32(placed.radius) + 0 * columns
        z = (np.float32(-placed.lift) - np.float32(uy) * y) / np.float32(uz)
        q = apply(placed.to_object, [x, y, z])
        direction = (placed.to_object * light.towards).sum(axis=1)
        direction = (direction / np.sqrt((direction**2).sum())).astype(np.float32)
        squared = q[0] * q[0] + q[1] * q[1] + q[2] * q[2]
        along = q[0] * direction[0] + q[1] * direction[1] + q[2] * direction[2]
        miss = np.sqrt(np.maximum(squared - along * along, 0))
        edge = np.float32(0.04) + np.float32(light.softness * 0.55) * np.maximum(-along, 0)
        shadow = np.clip((1 + edge - miss) / (2 * edge), 0, 1) * np.clip(-along * 4, 0, 1)
        shadow = shadow * shadow * (3 - 2 * shadow)
        strength = np.minimum(1 / (1 + np.float32(light.softness) * np.maximum(-along - 1, 0)), 1)
        lamp = lamp * (1 - shadow * strength)
        distance = np.sqrt(x * x + y * y + z * z) + np.float32(1e-6)
        covered = np.clip(np.float32(placed.lift) / (distance * np.maximum(squared, 0.6)), 0, 1)
        open_sky = open_sky * (1 - np.float32(0.92) * covered)
    return (np.float32(sky) * open_sky + np.float32(key) * lamp) / np.float32(sky + key)
