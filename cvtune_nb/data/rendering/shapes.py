"""Round and boxy solids, and where a camera looking along z sees their surface."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

_TABLE = 4096


@dataclass(frozen=True)
class Shape:
    """A solid around the origin, about 1 in radius.

    Before it is stretched by `axes` (its half sizes), its surface is a sphere with pointed (`tip` > 0) or dented
    (`tip` < 0) poles on the z axis, or a `block` (all three axes boxy) or `tin` (a cylinder along z).
    """

    axes: tuple[float, float, float] = (1.0, 1.0, 1.0)
    tip: float = 0.0
    tip_width: float = 0.35
    kind: str = "ball"

    @cached_property
    def _radius_table(self) -> tuple[np.ndarray, np.ndarray]:
        """Radius of the unstretched ball, and its slope, by the cosine of the angle to the z axis."""
        cosine = np.linspace(-1, 1, _TABLE)
        angle = np.arccos(np.abs(cosine)) / self.tip_width
        stem_side = np.where(cosine > 0, 1.0, 0.8)
        radius = 1 + self.tip * stem_side * np.exp(-(angle**2) * 1.2) * (0.6 + 0.4 * np.exp(-(angle**2) * 6))
        return radius.astype(np.float32), np.gradient(radius, cosine).astype(np.float32)

    def distance(self, q: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Signed distance-like value and its gradient at unstretched points q (3, ...), float32."""
        x, y, z = q
        if self.kind == "ball":
            length = np.sqrt(x * x + y * y + z * z) + np.float32(1e-6)
            cosine = z / length
            if self.tip == 0:
                return length - 1, [x / length, y / length, cosine]
            radius, slope = self._radius_table
            place = ((cosine + 1) * np.float32((_TABLE - 1) / 2)).astype(np.int32)
            bend = slope[place] / length
            along = (1 + bend * cosine) / length
            return length - radius[place], [x * along, y * along, z * along - bend]
        xx, yy, zz = x * x, y * y, z * z
        if self.kind == "tin":
            round_ = xx + yy
            round3, zz3 = round_ * round_ * round_, zz * zz * zz
            total = round3 * round_ + zz3 * zz + np.float32(1e-9)
            powers = [x * round3, y * round3, z * zz3]
        else:
            total = xx * xx * xx * xx + yy * yy * yy * yy + zz * zz * zz * zz + np.float32(1e-9)
            powers = [x * xx * xx * xx, y * yy * yy * yy, z * zz * zz * zz]
        root = np.sqrt(np.sqrt(np.sqrt(total)))
        return root - 1, [power * root / total for power in powers]

    def hull(self) -> np.ndarray:
        """Points (3, n) on the stretched surface."""
        azimuth, height = np.meshgrid(np.linspace(0, 2 * np.pi, 48, endpoint=False), np.linspace(-1, 1, 41))
        flat = np.sqrt(1 - height**2)
        d = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), height]).reshape(3, -1)
        if self.kind == "ball":
            angle = np.arccos(np.abs(d[2])) / self.tip_width
            size = 1 / (1 + self.tip * np.exp(-(angle**2) * 1.2))
        elif self.kind == "tin":
            size = ((d[0] ** 2 + d[1] ** 2) ** 4 + d[2] ** 8) ** 0.125
        else:
            size = (d**8).sum(axis=0) ** 0.125
        return d / size * np.array(self.axes)[:, None]


def apply(matrix: np.ndarray, vectors: Sequence[np.ndarray | np.float32]) -> list[np.ndarray]:
    """Multiply matrix (3, 3) and vectors (3, ...), spelt out: a matrix product's rounding depends on the processor."""
    m = matrix.astype(np.float32)
    x, y, z = vectors
    return [m[k, 0] * x + m[k, 1] * y + m[k, 2] * z for k in range(3)]


def look_at(
    shape: Shape, to_object: np.ndarray, reach: float, x: np.ndarray, y: np.ndarray, steps: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Where lines of sight along -z come closest to the surface from the front.

    Parameters
    ----------
    shape
        Its unstretched surface is looked at.
    to_object
        (3, 3), takes camera space to the unstretched shape.
    reach
        Distance of the shape's farthest point from its centre, in radii.
    x, y
        One line of sight each, float32 of the same shape.
    steps
        Most steps towards the surface.

    Returns
    -------
    tuple
        z of the closest point of each line, and the distance that is left there, about 0 where it hits.
    """
    column = to_object.astype(np.float32)[:, 2]
    near = np.flatnonzero(x * x + y * y < np.float32(reach * reach))
    closest, where = np.full(x.size, 9.0, np.float32), np.zeros(x.size, np.float32)
    base = apply(to_object, [x.take(near), y.take(near), np.float32(0)])
    if shape.kind == "ball":
        # straight to the ellipsoid around it: a quadratic equation in z
        a = column[0] * column[0] + column[1] * column[1] + column[2] * column[2]
        b = (base[0] * column[0] + base[1] * column[1] + base[2] * column[2]) / a
        c = (base[0] * base[0] + base[1] * base[1] + base[2] * base[2] - np.float32((1 + max(shape.tip, 0)) ** 2)) / a
        inside = b * b - c
        close = np.flatnonzero(inside > np.float32(-0.2))
        near, base = near[close], [side[close] for side in base]
        z = np.sqrt(np.maximum(inside[close], 0)) - b[close]
        steps = 1 if shape.tip == 0 else 6
    else:
        across, up = x.take(near), y.take(near)
        z = np.sqrt(np.maximum(np.float32(reach * reach) - across * across - up * up, 0))
    todo = near
    for step in range(2 * steps if steps > 1 else 1):
        value, gradient = shape.distance([base[k] + column[k] * z for k in range(3)])
        gx, gy, gz = apply(to_object.T, gradient)
        left = value / np.sqrt(gx * gx + gy * gy + gz * gz)
        nearer = left < closest.take(todo)
        closest[todo[nearer]], where[todo[nearer]] = left[nearer], z[nearer]
        z = z - np.clip(left, -0.2, 0.6)
        if step == steps // 2:  # most lines have hit or gone past; those that graze the edge need longer
            open_ = np.flatnonzero((np.abs(left) > 0.0002) & (closest.take(todo) < 0.25))
            todo, z, base = todo[open_], z[open_], [side[open_] for side in base]
    return where.reshape(x.shape), closest.reshape(x.shape)
