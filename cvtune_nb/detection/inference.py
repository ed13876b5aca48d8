"""A detector at work: photos in, boxes with labels and scores out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torchvision.models.detection import FasterRCNN

from cvtune_nb.detection.average_precision import DETECTION_COLUMNS
from cvtune_nb.detection.model import images_of
from cvtune_nb.detection.pixels import Pictures
from cvtune_nb.files import Progress, silent
from cvtune_nb.models.networks import mixed_precision

BATCH_SIZE = 4
"""Photos a forward pass."""


def found_in(network: FasterRCNN, pictures: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """What the network detects in each photo.

    Parameters
    ----------
    network
        In eval mode.
    pictures
        Scaled photos, uint8 (height, width, 3).

    Returns
    -------
    list of dict
        For each photo: boxes (n, 4: left, top, width, height as fractions of the photo), labels (n, from 1), scores (n,
        best first).
    """
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode(), mixed_precision(device):
        answers = network(images_of(pictures, device))
    found = []
    for picture, answer in zip(pictures, answers, strict=True):
        height, width = picture.shape[:2]
        boxes = answer["boxes"].float().cpu().numpy() / np.array([width, height, width, height], np.float32)
        boxes[:, 2:] -= boxes[:, :2]
        found.append(
            {"boxes": boxes, "labels": answer["labels"].cpu().numpy(), "scores": answer["scores"].float().cpu().numpy()}
        )
    return found


def detections(
    network: FasterRCNN, photos: pd.DataFrame, pictures: Pictures, classes: Sequence[str], progress: Progress = silent
) -> pd.DataFrame:
    """All that a detector finds in photos.

    Parameters
    ----------
    network
        The detector.
    photos, pictures
        The photos (path), and their pixels in the same order.
    classes
        The names of the class ids from 1 on.
    progress
        Called at every minibatch.

    Returns
    -------
    pandas.DataFrame
        DETECTION_COLUMNS, photo by photo, the surest first.
    """
    rows = []
    for start in range(0, len(photos), BATCH_SIZE):
        progress(start / len(photos), f"looking at photos: {start} of {len(photos)}")
        indices = range(start, min(start + BATCH_SIZE, len(photos)))
        for index, found in zip(indices, found_in(network, pictures.batch(indices)), strict=True):
            path = photos["path"].iloc[index]
            rows += [
                (path, classes[label - 1], *box, score)
                for box, label, score in zip(
                    found["boxes"].tolist(), found["labels"].tolist(), found["scores"].tolist(), strict=True
                )
            ]
    return pd.DataFrame(rows, columns=DETECTION_COLUMNS)
