"""A photo with boxes, varied with its boxes moved along: for detectors."""

from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image

from cvtune_nb.augmentation.minibatch import varied
from cvtune_nb.augmentation.policies import POLICIES

MOVES = ("scale", "flip", "vertical-flip", "d4")
"""The policies that move boxes; the others that detectors take change colours only."""


def varied_with_boxes(
    picture: np.ndarray, boxes: np.ndarray, chosen: Mapping[str, float], random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A photo and its boxes, both varied.

    Parameters
    ----------
    picture
        uint8 (height, width, 3).
    boxes
        left, top, right, bottom as fractions of the photo (n, 4).
    chosen
        Strengths by name (policies.policies_in), of policies that keep boxes.
    random
        Draws scale and mirror whatever is chosen, so that a list that is longer changes neither.

    Returns
    -------
    tuple
        uint8 (height, width, 3) and boxes as before, in the same order.
    """
    usual, boxes = {name: policy.strength for name, policy in POLICIES.items()} | dict(chosen), boxes.copy()
    scale, across = random.uniform(1 - usual["scale"], 1 + usual["scale"]), random.random() < usual["flip"]
    if "scale" in chosen:
        size = [max(32, round(side * scale)) for side in (picture.shape[1], picture.shape[0])]
        picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
    if "flip" in chosen and across:
        picture, boxes = turned_with_boxes(picture, boxes, (True, False, False))
    if "vertical-flip" in chosen:
        picture, boxes = turned_with_boxes(picture, boxes, (False, random.random() < chosen["vertical-flip"], False))
    if "d4" in chosen and random.random() < chosen["d4"]:
        picture, boxes = turned_with_boxes(picture, boxes, tuple(random.random(3) < 0.5))
    if set(chosen) - set(MOVES):
        colours = {name: strength for name, strength in chosen.items() if name not in MOVES}
        draw = torch.Generator().manual_seed(int(random.integers(2**62)))
        picture = varied(torch.from_numpy(picture.copy())[None], colours, draw)[0].numpy()
    return picture, boxes


def turned_with_boxes(
    picture: np.ndarray, boxes: np.ndarray, turn: tuple[bool, bool, bool]
) -> tuple[np.ndarray, np.ndarray]:
    """Mirrored left to right, then top to bottom, then along the diagonal.

    Parameters
    ----------
    picture, boxes
        As in varied_with_boxes.
    turn
        Which of the three.
    """
    across, down, diagonal = turn
    if across:
        picture, boxes = picture[:, ::-1], np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], 1)
    if down:
        picture, boxes = picture[::-1], np.stack([boxes[:, 0], 1 - boxes[:, 3], boxes[:, 2], 1 - boxes[:, 1]], 1)
    if diagonal:
        picture, boxes = picture.transpose(1, 0, 2), boxes[:, [1, 0, 3, 2]]
    return picture, boxes
