"""Photos as policies of augmentation vary them."""

import numpy as np
from matplotlib.figure import Figure

from cvtune_nb.plots.style import INK, figure

GAP = 0.04
"""Between photos, in sides of a photo."""


def varied_photos(photos: np.ndarray, title: str) -> Figure:
    """A column for each photo: as it is, and below as training sees it.

    Parameters
    ----------
    photos
        uint8 (rows, photos, side, side, 3), the first row as they are.
    title
        What they are varied by.
    """
    rows, columns, side = photos.shape[:3]
    gap = max(1, round(GAP * side))
    sheet = np.full((rows * (side + gap) - gap, columns * (side + gap) - gap, 3), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * (side + gap), column * (side + gap)
            sheet[top : top + side, left : left + side] = photos[row, column]
    made = figure(8.4, 8.4 * rows / columns + 0.35)
    axes = made.subplots()
    axes.imshow(sheet, interpolation="antialiased")  # one picture: 36 axes would take a second to draw
    middles = [row * (side + gap) + side / 2 for row in range(rows)]
    axes.set_yticks(middles, ["as it is", *[f"varied {row}" for row in range(1, rows)]], fontsize=8, color=INK)
    axes.set(xticks=[])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    made.suptitle(title, fontsize=11, x=0.01, ha="left", parse_math=False)
    return made
