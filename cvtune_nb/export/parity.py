"""Does the exported model compute what PyTorch does, on real photos of every odd kind?"""

import io
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from cvtune_nb.data import photo
from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import Model
from cvtune_nb.workspace import Workspace

TOLERANCE = 1e-4
"""Largest difference of a probability between PyTorch and ONNX Runtime that counts as the same model: well
above float32 noise through a deep network, and far below a difference anyone could see."""

PARITY_PHOTOS = 64
"""Validation photos on which the two are compared, spread evenly over the classes."""


def compare(
    workspace: Workspace, probabilities: nn.Module, model: Model, photos: pd.DataFrame, image_size: int
) -> tuple[float, int]:
    """Largest difference of a probability, and on how many photos: up to PARITY_PHOTOS of `photos`, and odd kinds of
    the first of them, each scaled by Pillow (as `cvtune predict`, the server and the notebook do) and by the graph.

    probabilities: the module in PyTorch, uint8 (1, image_size, image_size, 3) to (1, classes). Raises InputError when
    the difference is over TOLERANCE, or no number: such an export is no use.
    """
    most, contents = 0.0, compared(workspace, photos)
    for name, content in contents:
        with torch.inference_mode():
            square = photo.square(io.BytesIO(content), image_size, workspace.levels)
            ours = probabilities(torch.from_numpy(square[None].copy())).numpy()
        scaled = model.prepared(io.BytesIO(content))
        whole = np.asarray(photo.read_photo(io.BytesIO(content), model.short_side, workspace.levels))
        for theirs in (model.probabilities(scaled[None]), model.probabilities(whole[None])):
            most = max(most, require_same(ours, theirs, name))
    return most, len(contents)


def compared(workspace: Workspace, photos: pd.DataFrame) -> list[tuple[str, bytes]]:
    """Name and content of what an exported model is tried on: up to PARITY_PHOTOS of `photos`, evenly, and odd kinds of
    the first of them."""
    rows = photos.iloc[np.linspace(0, len(photos) - 1, min(PARITY_PHOTOS, len(photos))).astype(int)]
    paths = [workspace.path_of(path) for path in rows["path"]]
    kinds = odd_kinds(photo.read_photo(paths[0], levels=workspace.levels)) if paths else []
    return [*((path.name, path.read_bytes()) for path in paths), *kinds]


def require_same(ours: np.ndarray, theirs: np.ndarray, what: str) -> float:
    """Largest difference between the probabilities (n, classes) of PyTorch and of the exported model. Raises InputError
    when it is over TOLERANCE, or no number. what: on which photo, for the message."""
    difference = float(np.abs(ours - theirs).max(initial=0.0))
    if not difference <= TOLERANCE:
        raise InputError(
            f"ONNX Runtime's probabilities differ from PyTorch's by {difference:.2g} (limit {TOLERANCE:g}) on {what}, "
            "so nothing was exported: try another backbone, and report the versions of torch and onnxruntime"
        )
    return difference


def odd_kinds(upright: Image.Image) -> Iterator[tuple[str, bytes]]:
    """A photo as it may come in elsewhere: name and content of a file for each kind."""
    turned = Image.Exif()
    turned[photo.ORIENTATION] = 6
    yield "a grey photo", _file(upright.convert("L"), "JPEG")
    yield "a CMYK photo", _file(upright.convert("CMYK"), "JPEG")
    yield "a photo on its side (EXIF)", _file(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=turned)
    yield "a photo with a palette", _file(upright.quantize(64), "PNG")
    yield "a transparent photo", _file(upright.convert("RGBA"), "PNG")
    yield "a tiny photo", _file(upright.resize((7, 5)), "PNG")
    yield "a huge photo", _file(upright.resize((4000, 3000)), "JPEG")
    yield "a strip", _file(upright.resize((1200, 40)), "PNG")


def _file(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()
