"""A detector at work: photos in, boxes with labels and scores out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torchvision.models.detection import FasterRCNN

from cvtune_nb.detection.average_precision import DETECTION_COLUMNS
from cvtune_nb.detection.model import build, images_of
from cvtune_nb.detection.pixels import Pictures
from cvtune_nb.detection.run import DetectorRun
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.models.networks import mixed_precision

TOGETHER = 4
"""Photos a forward pass."""


def load_best(run: DetectorRun) -> FasterRCNN:
    """The detector as it was after the run's best epoch, in eval mode on the processor. Raises InputError before it has
    one."""
    if not (run.folder / "best.safetensors").exists():
        raise InputError(f"run {run.id} has no finished epoch yet: resume it, or choose another run")
    network = build(run.config, len(run.classes), run.anchors, run.most, pretrained=False)
    network.load_state_dict(load_file(run.folder / "best.safetensors"))
    return network.eval()


def found_in(network: FasterRCNN, pictures: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """boxes (n, 4: left, top, width, height in shares of the photo), labels (n, from 1), scores (n, best first) of
    each photo, uint8 (height, width, 3) scaled already."""
    where = next(network.parameters()).device
    network.eval()
    with torch.inference_mode(), mixed_precision(where):
        answers = network(images_of(pictures, where))
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
    """DETECTION_COLUMNS of all that the detector finds in photos (path), whose pictures these are, in their order."""
    rows = []
    for start in range(0, len(photos), TOGETHER):
        progress(start / len(photos), f"looking at photos: {start} of {len(photos)}")
        numbers = range(start, min(start + TOGETHER, len(photos)))
        for number, found in zip(numbers, found_in(network, pictures.batch(numbers)), strict=True):
            path = photos["path"].iloc[number]
            rows += [
                (path, classes[label - 1], *box, score)
                for box, label, score in zip(
                    found["boxes"].tolist(), found["labels"].tolist(), found["scores"].tolist(), strict=True
                )
            ]
    return pd.DataFrame(rows, columns=DETECTION_COLUMNS)
