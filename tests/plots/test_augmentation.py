"""The picture of varied photos has every photo in its place."""

import numpy as np

from cvtune_nb import plots
from tests.plots.test_plots import pixels_of, texts


def test_every_photo_is_there_in_its_row_and_column():
    photos = np.zeros((3, 4, 10, 10, 3), np.uint8)
    photos[:, :, :, :, 0] = np.arange(12).reshape(3, 4)[:, :, None, None] * 20
    made = plots.varied_photos(photos, "crop-flip: $5 of them")
    shown = texts(made)
    assert "crop-flip: $5 of them" in shown
    rows = [label.get_text() for label in made.axes[0].get_yticklabels()]
    assert rows == ["as it is", "varied 1", "varied 2"]
    pixels = pixels_of(made)
    reds = {int(value) for value in np.unique(pixels[..., 0][(pixels[..., 1] == 0) & (pixels[..., 2] == 0)])}
    assert {number * 20 for number in range(12)} <= reds
