"""Photos that are bad as photos: dark, over-exposed, low in contrast, blurry, small, oddly shaped, unreadable.

Light, contrast and blur are measured on the pixels the network sees (decoded once, kept by data.pixels), size and shape
on the file's own width and height.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cvtune_nb.audit.check import Issue, issue
from cvtune_nb.audit.images import grey, shrink
from cvtune_nb.data import summary
from cvtune_nb.data.colour_spaces import HDR, NO_PROFILE
from cvtune_nb.data.colours import GREY
from cvtune_nb.data.file_types import BESIDE
from cvtune_nb.data.pixels import Pixels
from cvtune_nb.data.preprocessing import SQUARE
from cvtune_nb.data.rows import Rows, RowStore
from cvtune_nb.files import Progress, silent
from cvtune_nb.workspace import Workspace

if TYPE_CHECKING:
    from cvtune_nb.audit.context import Context

BLOCK = 64
"""Photos measured at a time, so that memory does not grow with the set."""

DARK = 0.45
"""Dark: 99% of the pixels are below this brightness, by their brightest channel."""

BURNT, BRIGHT = 0.30, 0.70
"""Over-exposed: some channel is at its end (250 of 255) in this fraction of the pixels, and the mean brightness is at
least .70, so that a yellow thing is not taken for it (docs/measurements.md, "Over-exposed photos")."""

CONTRAST = 0.20
"""Low contrast: the 1st and the 99th percentile of brightness are closer than this."""

SHARPNESS, DEVIATIONS = 0.20, 4.5
"""Blurry: sharpness, of all pixels or at half size, is below .20 or 4.5 median absolute deviations under the set's
median. Half size is for large blurs with sensor noise on top."""

SIZE = 4.0
"""Odd size: this many times more, or fewer, pixels than the median."""

FEW_SHARE = 0.05
"""Grey photos among colour ones, or the reverse, are odd up to this fraction of the set."""

FAR, FAR_DEVIATIONS = 0.25, 6.0
"""Odd range: mean brightness, or the range of tones, is this far from the set's median, of 0 to 1, and this many times
the set's median absolute deviation."""
CUT_OFF = 0.3
"""Cut off: the crop leaves out so much of the area of all photos together. 4:3 loses a quarter, 3:2 a third, 16:9 44%;
whether that costs accuracy is measured in notebook 02."""

ASPECT = 0.5
"""Odd aspect: short side over long side."""


FORMULA = 2
"""Goes up when `measure` changes, so that nothing measured the old way is read from a cache."""


REPLACE = "replace the file by a readable copy, or delete it"
BETTER = "exclude it, or replace it by a better photo; keep it if the model will meet such photos"


def corrupt(context: Context) -> list[Issue]:
    """Files that were left out but meant as photos; their reason may end in "; what to do"."""
    rows = []
    for row in context.skipped.itertuples():
        if meant_as_photo(row.label, row.reason):
            what, _, remedy = row.reason.partition("; ")
            rows.append(issue(row.path, 1.0, what, remedy or REPLACE))
    return rows


def dark(context: Context) -> list[Issue]:
    """Photos without anything bright."""
    bright = context.measures["brightness"].to_numpy()
    words = "99% of it is darker than {:.0%} of full brightness"
    return _listed(context, bright < DARK, 1 - bright, words, bright)


def over_exposed(context: Context) -> list[Issue]:
    """Photos of which a large part is at the end of the range."""
    burnt = context.measures["burnt"].to_numpy()
    return _listed(context, _over(context.measures), burnt, "{:.0%} of it is burnt out", burnt)


def low_contrast(context: Context) -> list[Issue]:
    """Photos of nearly one brightness that are neither dark nor over-exposed."""
    measures = context.measures
    contrast = measures["contrast"].to_numpy()
    flagged = (contrast < CONTRAST) & (measures["brightness"].to_numpy() >= DARK) & ~_over(measures)
    return _listed(context, flagged, 1 - contrast, "its tones span {:.0%} of the range", contrast)


def blurry(context: Context) -> list[Issue]:
    """Photos whose edges are not sharp; one of a flat colour has no edges, and is low in contrast or dark instead."""
    fine, coarse = (context.measures[name].to_numpy() for name in ("sharpness", "sharpness_half"))
    flagged = (fine < sharpness_limit(fine)) | (coarse < sharpness_limit(coarse))
    flagged &= context.measures["contrast"].to_numpy() >= CONTRAST
    sharp = np.minimum(fine, coarse)
    return _listed(context, flagged, 1 - sharp, "sharpness {:.2f}", sharp)


def odd_colour(context: Context) -> list[Issue]:
    """Grey photos where nearly all are in colour, or photos in colour where nearly all are grey."""
    grey = context.measures["colour"].to_numpy() < GREY
    if not len(grey):
        return []
    odd, words = (grey, "grey") if grey.mean() < 0.5 else (~grey, "in colour")
    if odd.mean() > FEW_SHARE:
        return []
    remedy = "check that it belongs to this set; keep it if the model will meet such photos"
    usual = "in colour" if words == "grey" else "grey"
    share = np.full(len(odd), 1 - odd.mean())
    return _listed(context, odd, share, f"it is {words}, where {{:.0%}} of the photos are {usual}", share, remedy)


def odd_range(context: Context) -> list[Issue]:
    """Photos whose brightness or range of tones is far from that of the others."""
    rows, paths = [], context.photos["path"].to_numpy()
    for name, words in (("mean", "its mean brightness is"), ("contrast", "its tones span")):
        values = context.measures[name].to_numpy()
        if not len(values):
            continue
        median = np.median(values)
        far = np.abs(values - median)
        flagged = far > max(FAR, FAR_DEVIATIONS * np.median(far))
        rows += [
            issue(
                paths[i], far[i], f"{words} {values[i]:.0%} of the range, half of the photos reach {median:.0%}", BETTER
            )
            for i in np.flatnonzero(flagged)
        ]
    return rows


def colour_profile(context: Context) -> list[Issue]:
    """Photos stored in other colours than sRGB and grey."""
    rows = []
    for row in context.stored.itertuples():
        if row.profile in (NO_PROFILE, HDR):
            detail = f"it has {row.profile}, so its colours are taken for sRGB"
            rows.append(issue(row.path, 0.6, detail, "save it anew with the right profile, or as sRGB"))
        elif row.profile:
            detail = f"its colours are stored in {row.profile}, and are converted to sRGB"
            rows.append(issue(row.path, 0.2, detail, "nothing, if its colours look right here; else save it as sRGB"))
        elif row.stored == "CMYK":
            detail = "its colours are those of printing (CMYK), and nothing says of which inks"
            rows.append(issue(row.path, 0.4, detail, "nothing, if its colours look right here; else save it as sRGB"))
    return rows


def small(context: Context) -> list[Issue]:
    """Photos with fewer pixels than the network's input."""
    short, size = _sides(context)[0], context.spec.image_size
    words = f"its short side is {{:.0f}} pixels; the network looks at {size}"
    remedy = "replace it by a larger photo, or choose a smaller image_size"
    return _listed(context, short < size, 1 - short / size, words, short, remedy)


def odd_size(context: Context) -> list[Issue]:
    """Photos with far more or fewer pixels than the median."""
    short, long = _sides(context)
    area = short * long
    size = area / np.median(area) if len(area) else area
    flagged, score = (size > SIZE) | (size < 1 / SIZE), 1 - 1 / np.maximum(size, 1 / size)
    remedy = "check that it belongs to this set; else exclude it"
    return _listed(context, flagged, score, "its area is {:.2g} times the median", size, remedy)


def cut_off(context: Context) -> list[Issue]:
    """How much of the set the crop leaves out, where that is much; a sentence about the set, no list of photos."""
    shown = context.spec.preprocessing
    lost = summary.cut_off(context.photos, shown.aspect)
    if shown.framing != "crop" or not lost.mean() >= CUT_OFF:
        return []
    worst = context.photos["path"][lost.idxmax()]
    what = "the square" if shown.aspect == SQUARE else f"the {shown.aspect}"
    detail = f"{what} that the network sees leaves out {summary.cut_off_in_words(context.photos, shown.aspect)}"
    remedy = "compare framings and aspect ratios in notebook 02 (cvtune compare --framings)"
    return [issue("", lost.mean(), f"{detail}; most of {worst} ({lost.max():.0%})", remedy)]


def odd_aspect(context: Context) -> list[Issue]:
    """Photos that are long and narrow."""
    shown = context.spec.preprocessing
    if shown.framing != "crop":
        return []
    lost = summary.cut_off(context.photos, shown.aspect).to_numpy()
    words = "what the network sees leaves out {:.0%} of it"
    return _listed(context, lost > 1 - ASPECT, lost, words, lost, "crop it to what matters, or exclude it")


def _listed(
    context: Context, flagged: np.ndarray, score: np.ndarray, words: str, value: np.ndarray, remedy: str = BETTER
) -> list[Issue]:
    """An issue for each photo that is flagged (n,), with its score (n,) and its value (n,) put into the words."""
    paths = context.photos["path"].to_numpy()
    return [issue(paths[i], score[i], words.format(value[i]), remedy) for i in np.flatnonzero(flagged)]


def _over(measures: pd.DataFrame) -> np.ndarray:
    return ((measures["burnt"] >= BURNT) & (measures["mean"] >= BRIGHT)).to_numpy()


def _sides(context: Context) -> tuple[np.ndarray, np.ndarray]:
    """Each photo's short and long side in pixels, (n,) both."""
    sides = context.photos[["width", "height"]].to_numpy(dtype=float)
    return sides.min(axis=1), sides.max(axis=1)


def meant_as_photo(label: str, reason: str) -> bool:
    """Whether a file that was left out was meant to be one of the photos.

    Not one beside the class folders (no label), nor one that says by its name that it is something else ("not a photo
    (.txt file)"), nor what a camera has stored beside a photo that is used.
    """
    return bool(label) and not reason.startswith(("not a photo (", BESIDE))


MEASURES = ["brightness", "mean", "contrast", "burnt", "sharpness", "sharpness_half", "colour"]


def measured(workspace: Workspace, photos: pd.DataFrame, store: Pixels, progress: Progress = silent) -> pd.DataFrame:
    """What `measure` gives, kept in the workspace's cache by content: only new photos are looked at.

    Parameters
    ----------
    workspace
        Whose cache is used.
    photos
        sha256 (n rows).
    store
        Their pixels, in the same order.
    progress
        Called while photos are looked at.
    """
    cache = RowStore(workspace.cache / f"light-{FORMULA}-{store.side}", (len(MEASURES),), "float64")
    first = dict(zip(reversed(photos["sha256"]), reversed(range(len(photos))), strict=True))
    new = cache.missing(list(photos["sha256"]))
    cache.add(new, measure(store, np.array([first[key] for key in new], dtype=int), progress).to_numpy())
    return pd.DataFrame(cache.get(list(photos["sha256"])), columns=MEASURES)


def measure(store: Rows | np.ndarray, rows: np.ndarray, progress: Progress = silent) -> pd.DataFrame:
    """Light and sharpness of photos.

    Parameters
    ----------
    store
        Pixels, uint8 (n, side, side, 3).
    rows
        Which of them.
    progress
        Called while photos are looked at.

    Returns
    -------
    pandas.DataFrame
        One row for each of `rows`, all values 0 to 1: brightness (99th percentile of the brightest channel), mean
        (brightness), contrast (99th minus 1st percentile of grey), burnt (fraction of pixels with a channel from 250 of
        255 on), sharpness (of all pixels), sharpness_half (at half size), colour (how much the channels differ).
    """
    blocks = [np.empty((0, len(MEASURES)))]
    parts = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, block in enumerate(pool.map(lambda part: _measured(store[part]), parts)):
            blocks.append(block)
            progress((number + 1) / len(parts), f"looking at light and sharpness of {len(rows)} photos")
    return pd.DataFrame(np.concatenate(blocks), columns=MEASURES)


def _measured(images: np.ndarray) -> np.ndarray:
    """MEASURES of images, uint8 (n, side, side, 3): (n, len(MEASURES))."""
    gray = grey(images)
    # By the brightest channel: pure red or blue is not dark.
    brightest = np.maximum.reduce(np.moveaxis(images, -1, 0))
    (top,) = percentiles(brightest, (0.99,))
    low, high = percentiles(gray, (0.01, 0.99))
    burnt = (brightest >= 250).mean(axis=(1, 2))
    half = shrink(gray, gray.shape[1] // 2)
    light = [top / 255, gray.mean(axis=(1, 2)) / 255, (high - low) / 255, burnt]
    colour = (brightest - np.minimum.reduce(np.moveaxis(images, -1, 0))).mean(axis=(1, 2)) / 255
    return np.stack([*light, sharpness(gray), sharpness(half), colour], axis=1)


def percentiles(gray: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """The values below which each of `shares` of an image's pixels lie: (len(shares), n)."""
    n = len(gray)
    keys = gray.reshape(n, -1) + 256 * np.arange(n)[:, None]
    histogram = np.bincount(keys.ravel(), minlength=256 * n).reshape(n, 256)
    below = np.cumsum(histogram, axis=1) / gray[0].size
    return np.stack([(below < share).sum(axis=1) for share in shares]).astype(float)


def sharpness(gray: np.ndarray, window: int = 5) -> np.ndarray:
    """Sharpness 0..1 of images (n, height, width): how much of their edges a blur takes away.

    Source: F. Crete et al., "The blur effect: perception and estimation with a new no-reference perceptual blur
    metric" (2007); this is 1 minus their measure. Blurring a sharp photo changes it much, a blurry one little. Unlike
    theirs it looks at steps of more than three times the photo's median step only: the rest is noise of the sensor,
    which is always sharp. An image without any edges has sharpness 0.
    """
    found = []
    for image in (gray.astype(np.float32), gray.swapaxes(1, 2).astype(np.float32)):
        inner = window // 2  # pixels at the rim have no full window around them
        edges = window * np.abs(image[:, inner + 1 : -inner] - image[:, inner : -inner - 1])
        # The step between neighbours of a running mean: what enters the window minus what leaves it.
        blurred = np.abs(image[:, window:] - image[:, :-window])
        edges[edges <= 3 * np.median(edges, axis=(1, 2), keepdims=True)] = 0
        lost = np.maximum(edges - blurred, 0).sum(axis=(1, 2))
        found.append(lost / np.maximum(edges.sum(axis=(1, 2)), 1e-6))
    return np.minimum(*found)


def sharpness_limit(sharp: np.ndarray) -> float:
    """Below this a photo is blurry: SHARPNESS, or DEVIATIONS under the set's median if that is more."""
    if not len(sharp):
        return SHARPNESS
    median = np.median(sharp)
    return max(SHARPNESS, median - DEVIATIONS * np.median(np.abs(sharp - median)))
