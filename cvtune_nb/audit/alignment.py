"""Two photos laid over each other: how alike they are where they overlap, wherever that is and however large.

In two steps. First the middle of one is moved over the other, in 8 orientations and several sizes, at few pixels: that
finds crops, borders and captions. Then the best place is made exact, with a little turning and stretching, at growing
detail: two copies of one photo become more alike by it than two photos that only resemble each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter1d

from cvtune_nb.audit.images import shrink

COARSE, FINE = 32, 64
"""Pixels of a photo's side in the first step, and at the end of the second."""

MIDDLE = 22 / 32
"""The middle that is moved, as a fraction of the side: what is cut off or covered at the rim does not count."""

SCALES = (1.0, 0.95, 0.90, 0.85, 0.80)
"""How large the whole of one photo may be in the other."""

LEVELS = ((COARSE, 2.0, 6), (FINE, 4.0, 6), (FINE, 2.0, 4))
"""The second step's rounds: side in pixels, width (sigma, pixels) up to which changes of light count as detail, and
steps of refinement."""

LOST = 0.3
"""A step that would turn or stretch by more than this fraction has lost its way, and is not taken."""

WORTH, CERTAIN = 0.50, 0.95
"""From which correlation the first step's best place is worth a second step, and from which it needs none."""


@dataclass(frozen=True)
class Views:
    """What is compared of n photos: detail, which is grey without slow changes of light, in levels of 255.

    Attributes
    ----------
    sizes : list of numpy.ndarray
        For each of SCALES the detail of the whole photo, (n, side, side).
    middles : numpy.ndarray
        The middle of the largest in each orientation, of mean 0 and length 1 (see _even_light), (n, 8, pixels).
    levels : list of numpy.ndarray
        For each of LEVELS the detail, (n, side, side).
    """

    sizes: list[np.ndarray]
    middles: np.ndarray
    levels: list[np.ndarray]


def views(gray: np.ndarray) -> Views:
    """Views of grey images (n, FINE, FINE)."""
    sizes = [_detail(shrink(gray, round(COARSE * scale)), 2.0) for scale in SCALES]
    middles = np.stack(list(orientations(_middle(sizes[0]))), axis=1).reshape(len(gray), 8, -1)
    levels = [_detail(shrink(gray, side), sigma) for side, sigma, _ in LEVELS]
    return Views(sizes, _even_light(middles)[0], levels)


def overlap(seen: Views, pairs: np.ndarray) -> np.ndarray:
    """How alike the photos of each pair (p, 2) are where they overlap best: correlation, -1..1."""
    places = [_best_place(seen, first, second) for first, second in pairs]
    found = np.array([place.correlation for place in places])
    worth = np.flatnonzero((found >= WORTH) & (found < CERTAIN))
    if len(worth):
        found[worth] = _made_exact(seen, [places[number] for number in worth])
    return found


@dataclass(frozen=True)
class _Place:
    """Where two photos overlap.

    The middle of photo `moved`, in one of the 8 orientations, is alike to what lies around (y, x), as fractions of the
    side, in photo `still` made smaller by `scale`.
    """

    correlation: float
    moved: int
    still: int
    orientation: int
    scale: float
    y: float
    x: float


def _best_place(seen: Views, first: int, second: int) -> _Place:
    """The first step for one pair."""
    best = _Place(-1.0, first, second, 0, 1.0, 0.5, 0.5)
    side = round(MIDDLE * COARSE)
    for moved, still, sizes in ((first, second, seen.sizes), (second, first, seen.sizes[1:])):
        for size in sizes:
            photo = size[still]
            windows = sliding_window_view(photo, (side, side)).reshape(-1, side * side)
            square = np.einsum("wp,wp->w", windows, windows) - windows.sum(axis=1) ** 2 / side**2
            alike = windows @ seen.middles[moved].T / np.sqrt(np.maximum(square, side**2))[:, None]
            window, orientation = divmod(int(alike.argmax()), 8)
            if alike[window, orientation] > best.correlation:
                y, x = ((place + side / 2) / len(photo) for place in divmod(window, len(photo) - side + 1))
                found = float(alike[window, orientation])
                best = _Place(found, moved, still, orientation, len(photo) / COARSE, y, x)
                if found >= CERTAIN:
                    return best
    return best


def _made_exact(seen: Views, places: list[_Place]) -> np.ndarray:
    """Correlations once the photos of each place lie exactly over each other.

    The inverse compositional algorithm with an affine warp (Baker and Matthews 2004, "Lucas-Kanade 20 years on"),
    on patches of mean 0 and length 1, so that light and contrast don't matter.
    """
    found, exact = np.full(len(places), -1.0), np.tile(np.eye(3), (len(places), 1, 1))
    exact[:, 0, 0] = exact[:, 1, 1] = [1 / place.scale for place in places]
    exact[:, :2, 2] = [(place.y, place.x) for place in places]
    for (_, _, steps), detail in zip(LEVELS, seen.levels, strict=True):
        moved = [_turned(_middle(detail[place.moved]), place.orientation) for place in places]
        found, exact = _refine(np.stack(moved), detail[[place.still for place in places]], exact, steps)
    return found


def _refine(patch: np.ndarray, photos: np.ndarray, place: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Align pairs for some steps; returns the best correlations (p,) and positions (p, 3, 3) that were seen.

    patch: (p, m, m); photos: (p, side, side). A position takes (y, x, 1), in pixels from the patch's centre, to the
    photo; its last column is in fractions of the photo's side, so that it holds at another side too.
    """
    count, m, side = len(patch), patch.shape[1], photos.shape[1]
    axis = np.arange(m, dtype=np.float32) - (m - 1) / 2
    grid = np.stack([*(g.ravel() for g in np.meshgrid(axis, axis, indexing="ij")), np.ones(m * m, np.float32)])
    down, across = (slope.reshape(count, 1, -1) for slope in np.gradient(patch, axis=(1, 2)))
    wanted, length = _even_light(patch.reshape(count, -1))
    slopes = np.concatenate([down * grid, across * grid], axis=1) / length[:, :, None]
    slopes -= slopes.mean(axis=2, keepdims=True)
    square = (slopes @ slopes.transpose(0, 2, 1)).astype(float)
    square += (1e-9 + 1e-3 * np.trace(square, axis1=1, axis2=2)[:, None, None]) * np.eye(6)

    warp = place.copy()
    warp[:, :2, 2] = place[:, :2, 2] * side - 0.5
    best, best_warp = np.full(count, -1.0), warp
    for step in range(steps + 1):
        shown, _ = _even_light(_between_pixels(photos, *(warp[:, :2].astype(np.float32) @ grid).transpose(1, 0, 2)))
        alike = (shown * wanted).sum(axis=1)
        best_warp = np.where((alike > best)[:, None, None], warp, best_warp)
        best = np.maximum(alike, best)
        if step < steps:
            change = np.linalg.solve(square, slopes @ (shown - wanted)[:, :, None]).reshape(count, 2, 3)
            change[np.abs(change[:, :, :2]).max(axis=(1, 2)) > LOST] = 0
            change = np.concatenate([change, np.zeros((count, 1, 3))], axis=1)
            warp = warp @ np.linalg.inv(np.eye(3) + change)
    best_warp[:, :2, 2] = (best_warp[:, :2, 2] + 0.5) / side
    return best, best_warp


def _between_pixels(photos: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Photos (p, side, side) at (y, x), each (p, k), linearly between pixels; outside, as at the rim."""
    side = photos.shape[1]
    y, x = (np.clip(value, 0, side - 1.001) for value in (y, x))
    row, column = y.astype(np.int32), x.astype(np.int32)
    below, right = y - row, x - column
    flat, at = photos.reshape(len(photos), -1), row * side + column
    corner = [np.take_along_axis(flat, at + step, axis=1) for step in (0, 1, side, side + 1)]
    upper, lower = (left + (other - left) * right for left, other in (corner[:2], corner[2:]))
    return upper + (lower - upper) * below


def _even_light(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Patches (..., pixels) with mean 0 and length 1, and the lengths (..., 1) that they had.

    A patch with less than a grey level of detail, for which both would be chance, stays near 0.
    """
    patches = patches - patches.mean(axis=-1, keepdims=True)
    length = np.maximum(np.linalg.norm(patches, axis=-1, keepdims=True), np.sqrt(patches.shape[-1]))
    return patches / length, length


def _detail(gray: np.ndarray, sigma: float) -> np.ndarray:
    """Square images (n, side, side) without changes of light wider than sigma pixels."""
    blur = gaussian_filter1d(np.eye(gray.shape[-1], dtype=np.float32), sigma, axis=0)
    return gray - blur @ gray @ blur.T


def _middle(images: np.ndarray) -> np.ndarray:
    """The middle of square images (n, side, side)."""
    side = images.shape[-1]
    rim = (side - round(MIDDLE * side)) // 2
    return images[..., rim : side - rim, rim : side - rim]


def orientations(images: np.ndarray) -> Iterator[np.ndarray]:
    """Images (..., side, side) as they are, turned by 90, 180 and 270 degrees, and mirrored of each: 8 of them."""
    for number in range(8):
        yield _turned(images, number)


def _turned(images: np.ndarray, orientation: int) -> np.ndarray:
    return np.rot90(images[..., ::-1] if orientation >= 4 else images, orientation % 4, axes=(-2, -1))
