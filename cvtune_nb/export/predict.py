"""Classify photos with an exported model.

    python predict.py photo.jpg another.png a/whole/folder

This file stands alone: it needs onnxruntime, numpy and Pillow, and photo.py and model.onnx beside it. An
export carries a copy of it; `cvtune predict` runs the original.
"""

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

if __name__.startswith("cvtune_nb."):
    # by its file: importing the package that it lies in would ask for pandas, which predicting does not need
    _spec = importlib.util.spec_from_file_location("photo", Path(__file__).parents[1] / "data" / "photo.py")
    photo = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(photo)
else:
    import photo

TOP = 5


class NotAnExport(ValueError):
    """The folder holds no model that this program can run. The message is one sentence."""


class Model:
    """An exported classifier.

    `labels` are its classes in the order of its probabilities, `image_size` the side in pixels of the
    square it looks at; both are read from model.onnx. Raises NotAnExport when `folder` is not an export.
    """

    def __init__(self, folder: str | Path) -> None:
        path = Path(folder) / "model.onnx"
        if not path.is_file():
            raise NotAnExport(f"{folder} holds no model.onnx: give the folder that `cvtune export` made")
        try:
            self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            notes = self.session.get_modelmeta().custom_metadata_map
            self.labels: list[str] = json.loads(notes["labels"])
            self.image_size = int(notes["image_size"])
        except Exception as error:  # noqa: BLE001 - onnxruntime raises a dozen types of its own for a damaged file
            reason = "it lacks labels" if isinstance(error, KeyError) else str(error).splitlines()[0]
            raise NotAnExport(
                f"{path} is no model that cvtune exported ({reason}): export it again"
            ) from None

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """From uint8 RGB images (n, image_size, image_size, 3) to float32 probabilities (n, classes).

        One photo goes through the network at a time, so a photo's figures never depend on its neighbours.
        """
        rows = [self.session.run(["probabilities"], {"images": image[None]})[0] for image in images]
        return np.concatenate(rows) if rows else np.empty((0, len(self.labels)), np.float32)

    def predict(self, paths: Iterable[str | Path], top: int = TOP) -> list[dict[str, Any]]:
        """One row a photo: path, label, probability (0..1) and top, the `top` likeliest [label, probability].

        A photo that can't be read gets a row of path and error, and the others go on.
        """
        return [self._row(path, top) for path in paths]

    def _row(self, path: str | Path, top: int) -> dict[str, Any]:
        try:
            image = photo.square(path, self.image_size)
        except (photo.UnreadablePhoto, OSError) as error:
            return {"path": str(path), "error": getattr(error, "strerror", None) or str(error)}
        chances = self.probabilities(image[None])[0]
        best = np.argsort(-chances, kind="stable")[:top]
        likeliest = [[self.labels[i], float(chances[i])] for i in best]
        return {"path": str(path), "label": likeliest[0][0], "probability": likeliest[0][1], "top": likeliest}


def photos_in(paths: Iterable[str]) -> list[str]:
    """`paths` with every folder replaced by the photos in it and below it, in order of name."""
    known = Image.registered_extensions()
    found = []
    for path in paths:
        if not os.path.isdir(path):
            found.append(path)
            continue
        inside = sorted(p for p in Path(path).rglob("*") if p.is_file() and not p.name.startswith("."))
        found += [str(p) for p in inside if p.suffix.lower() in known]
    return found


def as_lines(rows: list[dict[str, Any]]) -> str:
    """The rows as a table to read: probability, label, path."""
    wide = max([len(row.get("label", "")) for row in rows] + [5])
    lines = [f"{'chance':>7}  {'label':<{wide}}  photo"]
    for row in rows:
        if "error" in row:
            lines.append(f"{'-':>7}  {'-':<{wide}}  {row['path']} ({row['error']})")
        else:
            lines.append(f"{row['probability']:>7.1%}  {row['label']:<{wide}}  {row['path']}")
    return "\n".join(lines)


def main() -> int:
    """The command line of an export; returns the exit status, 2 when no photo could be classified."""
    parser = argparse.ArgumentParser(description="Classify photos with the model in this folder.")
    parser.add_argument("photos", nargs="+", help="photos, or folders of photos")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args()
    try:
        rows = Model(Path(__file__).parent).predict(photos_in(arguments.photos))
    except NotAnExport as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({"predictions": rows}, ensure_ascii=False) if arguments.json else as_lines(rows))
    return 0 if any("label" in row for row in rows) else 2


if __name__ == "__main__":
    sys.exit(main())
