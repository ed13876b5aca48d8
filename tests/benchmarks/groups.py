"""Frames of one scene on both sides of the split: how much they flatter, whether the audit says so, and what is true.

    python -m tests.benchmarks.groups --data PHOTOS --work FOLDER [--seeds 3] [--image-size 96]

Of a folder of photos in class folders 150 are each made 8 frames, as of a video: cropped, turned, lit, blurred, noisy
and compressed anew each time, called scene-000_0.jpg, scene-000_1.jpg and so on. The other photos, a frame of each, are
the truth: scenes that no model has seen. Every figure is printed as one JSON line.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance, ImageFilter

from cvtune_nb.audit import audit
from cvtune_nb.audit.context import Context
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import say

SCENES, FRAMES, SIDE = 150, 8, 160
SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(96))


def frame(photo: Image.Image, random: np.random.Generator) -> Image.Image:
    """The photo as a hand-held camera sees it a moment later."""
    photo = photo.rotate(random.uniform(-12, 12), Image.Resampling.BICUBIC, fillcolor=tuple(random.integers(0, 256, 3)))
    width, height = photo.size
    zoom = random.uniform(0.6, 0.85)
    left, top = random.uniform(0.0, 1 - zoom) * width, random.uniform(0.0, 1 - zoom) * height
    photo = photo.resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + zoom * width, top + zoom * height)
    )
    for enhance, spread in ((ImageEnhance.Brightness, 0.25), (ImageEnhance.Contrast, 0.2), (ImageEnhance.Color, 0.2)):
        photo = enhance(photo).enhance(random.uniform(1 - spread, 1 + spread))
    photo = photo.filter(ImageFilter.GaussianBlur(random.uniform(0.0, 0.8)))
    noisy = np.asarray(photo, float) + random.normal(0, random.uniform(2, 8), (SIDE, SIDE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def film(data: Path, folder: Path, seed: int) -> tuple[Path, Path]:
    """(frames, truth): SCENES photos of `data` with FRAMES frames each, and one frame of each other photo."""
    random = np.random.default_rng(seed)
    context = Context(open_workspace(data, folder / "photos"), SPEC)
    different = context.photos[~pd.Series(context.duplicates.groups).duplicated()]  # one of each photo's copies
    paths, labels = [context.workspace.path_of(path) for path in different["path"]], different["label"].to_numpy(str)
    place = np.empty(len(paths))
    for label in set(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        place[rows] = (np.arange(len(rows)) + random.random()) / len(rows)
    order = np.argsort(place, kind="stable")  # as many scenes of each class as it has of the photos
    frames, truth = folder / "frames", folder / "truth"
    for number, row in enumerate(order):
        photo = Image.open(paths[row]).convert("RGB")
        parts = range(FRAMES) if number < SCENES else range(1)
        for part in parts:
            file = (frames if number < SCENES else truth) / labels[row] / f"scene-{number:03d}_{part}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            taken = io.BytesIO()
            frame(photo, random).save(taken, "JPEG", quality=int(random.integers(40, 85)))
            file.write_bytes(taken.getvalue())
    return frames, truth


def right(trained: Workspace, tested: Workspace, spec: FeatureSpec, test: str) -> np.ndarray:
    """Which photos of the split `test` of a workspace a linear SVM gets right that saw the train photos of another."""
    photos = trained.photos()
    photos = photos[photos["split"] == "train"]
    others = tested.photos()
    others = others[others["split"] == test] if test else others
    known = features(trained, photos, spec).matrix
    svm = Svm(1.0).fit(known, photos["label"].to_numpy(dtype=object))
    said = svm.predict(features(tested, others, spec).matrix)
    return said == others["label"].to_numpy(dtype=object)
