"""Are YOLO's long lines outlines, or boxes with key points? Nothing in a line says so; all lines together mostly do."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

OUTLINE, KEY_POINTS = "outline", "key points"

EXCEPTIONS = 0.2
"""Fraction of lines that may contradict a reading: tools write boxes beyond photos, outlines that cross themselves."""
ONE_LENGTH = 0.9
"""Lines with key points are of one length; where fewer than this fraction are, none has key points."""
MOST = 300
"""Lines that are looked at."""
OVER = 0.02
"""How far, as a fraction of the photo, numbers may miss what they should be."""


def reading(lines: Sequence[Sequence[float]]) -> str:
    """OUTLINE or KEY_POINTS; "" where both are possible, or neither. lines: six or more numbers each, without class."""
    if not lines:
        return OUTLINE
    length, count = Counter(map(len, lines)).most_common(1)[0]
    if count < ONE_LENGTH * len(lines):
        return OUTLINE
    same = [line for line in lines if len(line) == length]
    table = np.array(same[:: -(-len(same) // MOST)])
    outline, points = _may_be_outlines(table), any(_may_have_points(table, each) for each in (2, 3))
    if outline and (not points or _parallelograms(table)):
        return OUTLINE
    return KEY_POINTS if points and not outline else ""


def _may_have_points(table: np.ndarray, each: int) -> bool:
    """Whether lines may be a box within the photo followed by points of `each` numbers within the box.

    The third number says whether a point is visible (0, 1 or 2); 0, 0 stands for one that is not.
    """
    box, rest = table[:, :4], table[:, 4:]
    if rest.shape[1] % each:
        return False
    points = rest.reshape(len(table), -1, each)
    if each == 3 and not np.isin(points[:, :, 2], (0, 1, 2)).all():
        return False
    middle, half = box[:, :2], box[:, 2:] / 2
    good = (half > 0).all(1) & (middle - half >= -OVER).all(1) & (middle + half <= 1 + OVER).all(1)
    missing = (points[:, :, :2] == 0).all(2)
    away = np.abs(points[:, :, :2] - middle[:, None]) - half[:, None]
    good &= ((away <= OVER + half[:, None] / 2).all(2) | missing).all(1)
    return bool((~good).mean() <= EXCEPTIONS)


def _may_be_outlines(table: np.ndarray) -> bool:
    """Whether lines may be points in the photo whose outline does not cross itself."""
    if table.shape[1] % 2:
        return False
    bad = [bool(line.min() < -OVER or line.max() > 1 + OVER or _crosses(line.reshape(-1, 2))) for line in table]
    return float(np.mean(bad)) <= EXCEPTIONS


def _crosses(points: np.ndarray) -> bool:
    """Whether two sides of an outline cross."""
    ends = np.roll(points, -1, axis=0)

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        (across, down), (across_, down_) = (b - a).T, (c - a).T
        return np.sign(across * down_ - down * across_)

    first, other = np.triu_indices(len(points), 2)
    a, b, c, d = points[first], ends[first], points[other], ends[other]
    return bool(((side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)).any())


def _parallelograms(table: np.ndarray) -> bool:
    """Whether lines are four corners of rectangles, turned or not, which no key points are by chance."""
    if table.shape[1] != 8:
        return False
    first, second, third, fourth = np.moveaxis(table.reshape(-1, 4, 2), 1, 0)
    return bool((np.abs(first + third - second - fourth).max(1) < OVER / 2).mean() > 1 - EXCEPTIONS)
