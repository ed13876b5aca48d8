"""Whether the exported model computes what PyTorch does, on photos of every kind."""

import io
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from PIL import Image

from cvtune_nb.data import photo, pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export.onnx_model import Probabilities
from cvtune_nb.export.predict import Model
from cvtune_nb.workspace import Workspace

TOLERANCE = 1e-4
"""Largest difference of a probability between PyTorch and ONNX Runtime: well above the float32 noise of a deep network,
and far below what anyone could see."""

PARITY_PHOTOS = 64
"""Validation photos on which the two are compared, spread evenly over the classes."""


def compare(
    workspace: Workspace, probabilities: Probabilities, model: Model, photos: pd.DataFrame, preprocessing: Preprocessing
) -> tuple[float, int]:
    """Compare probabilities, and `known`, of the exported model with PyTorch's.

    Each photo is scaled once by Pillow, as `cvtune predict`, the service and the notebook do, and once by the graph.

    Parameters
    ----------
    workspace
        Where the photos are.
    probabilities
        The module in PyTorch, uint8 (1, height, width, 3) to (1, classes), or to these and known (1,).
    model
        The exported model.
    photos
        Rows of the manifest; see `trial_photos`.
    preprocessing
        What the network is shown of a photo.

    Returns
    -------
    The largest difference, and on how many photos.

    Raises
    ------
    InputError
        When the difference is over TOLERANCE, or not a number.
    """
    most, contents = 0.0, trial_photos(workspace, photos)
    for name, content in contents:
        with torch.inference_mode():
            square = pixels.square(workspace, io.BytesIO(content), preprocessing)
            images = torch.from_numpy(square[None].copy())
            given, plain = probabilities(images), probabilities.calibrated(probabilities.classifier(images)).numpy()
        ours = [part.numpy() for part in (given if isinstance(given, tuple) else (given,))]
        require_same(plain, ours[0], f"{name} (beside the network without `known`)")
        scaled = model.prepared(io.BytesIO(content))
        whole = np.asarray(photo.read_photo(io.BytesIO(content), model.short_side, workspace.levels))
        for theirs in (model.answers(scaled[None]), model.answers(whole[None])):
            pairs = [(mine, other) for mine, other in zip(ours, theirs, strict=False) if other is not None]
            most = max(most, *(require_same(mine, other, name) for mine, other in pairs))
    return most, len(contents)


def trial_photos(workspace: Workspace, photos: pd.DataFrame) -> list[tuple[str, bytes]]:
    """Name and content of the photos that an exported model is tried on.

    Up to PARITY_PHOTOS of `photos`, spread evenly, and the first of them converted to kinds that are easily got wrong.
    """
    rows = photos.iloc[np.linspace(0, len(photos) - 1, min(PARITY_PHOTOS, len(photos))).astype(int)]
    paths = [workspace.path_of(path) for path in rows["path"]]
    kinds = odd_kinds(photo.read_photo(paths[0], levels=workspace.levels)) if paths else []
    return [*((path.name, path.read_bytes()) for path in paths), *kinds]


def require_same(ours: np.ndarray, theirs: np.ndarray, what: str) -> float:
    """Compare probabilities of one photo, or `known`.

    Parameters
    ----------
    ours, theirs
        Those of PyTorch and of the exported model, (n, classes) or (n,).
    what
        Which photo it is.

    Returns
    -------
    The largest difference.

    Raises
    ------
    InputError
        When it is over TOLERANCE, or not a number.
    """
    return require_close(
        float(np.abs(ours - theirs).max(initial=0.0)),
        TOLERANCE,
        f"{'known' if ours.ndim == 1 else 'probabilities'} on {what}",
    )


def require_close(difference: float, tolerance: float, what: str) -> float:
    """Refuse a model that ONNX Runtime computes differently.

    Parameters
    ----------
    difference
        The largest between PyTorch and ONNX Runtime.
    tolerance
        The largest that is accepted.
    what
        Of what, such as "boxes on a.jpg".

    Returns
    -------
    The difference. Check each before taking the largest: max(0.0, nan) is 0.0.

    Raises
    ------
    InputError
        When it is over the tolerance, or not a number.
    """
    if not difference <= tolerance:
        raise InputError(
            f"ONNX Runtime and PyTorch differ by {difference:.2g} (limit {tolerance:g}) in the {what}, so nothing was "
            "exported: try another network, and report the versions of torch and onnxruntime"
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
