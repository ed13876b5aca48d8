"""Use the model in this folder on photos: python predict.py photo.jpg a/whole/folder --json
It stands alone: all it needs are onnxruntime, numpy and Pillow, and photo.py and model.onnx beside it."""

import argparse
import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
_places = (HERE / "photo.py", HERE.parent / "data" / "photo.py")  # not its package, which would ask for more
photo = SimpleNamespace(**runpy.run_path(str(next(filter(Path.exists, _places)))))


class Model:
    """An exported classifier: labels (in the order of its probabilities), image_size, short_side (pixels of a photo
    once scaled), threshold (probability from which it is sure). file: model.onnx or a smaller one. Raises ValueError"""

    NOTES = ("labels", "image_size", "short_side", "threshold")

    def __init__(self, folder, file="model.onnx"):
        try:
            self.session = onnxruntime.InferenceSession(str(Path(folder) / file), providers=["CPUExecutionProvider"])
            notes = self.session.get_modelmeta().custom_metadata_map
            vars(self).update({key: json.loads(notes[key]) for key in self.NOTES})
        except Exception as error:  # noqa: BLE001 - onnxruntime raises a dozen types of its own for a damaged file
            raise ValueError(f"{folder} holds no {file} of cvtune's ({str(error)[:90]}): export it again") from None

    def probabilities(self, photos):
        """Of upright uint8 RGB photos (n, height, width, 3), all of one size: float32 (n, classes)."""
        return self.session.run(["probabilities"], {"photos": photos})[0]

    def prepared(self, file):
        """A photo, a path or a binary file, as the model wants it: uint8 RGB. Raises photo.UnreadablePhoto"""
        return photo.centre_square(file, self.short_side)

    def together(self, photos) -> list:
        """What the model makes of each prepared photo, for `row`."""
        return list(self.probabilities(np.stack(photos)))

    def row(self, chances, top=5) -> dict:
        """label, probability (0..1), sure, and top, the likeliest [label, probability], of one photo's (classes,)."""
        likeliest = [[self.labels[i], float(chances[i])] for i in (-chances).argsort(kind="stable")[:top]]
        label, best = likeliest[0]
        return {"label": label, "probability": best, "sure": best >= self.threshold, "top": likeliest}

    def predict(self, paths, top=5) -> list[dict]:
        """A row a photo: path, and what `row` gives; or error, for one that can't be read."""
        rows = [{"path": str(path)} for path in paths]
        for row in rows:
            try:
                row |= self.row(self.together([self.prepared(row["path"])])[0], top)
            except photo.UnreadablePhoto as error:
                row["error"] = str(error)
        return rows


class Detector(Model):
    """An exported detector: labels, image_size (pixels of a photo's longer side once scaled), threshold (least score of
    a box that is told). Raises ValueError"""

    NOTES = ("labels", "image_size", "threshold")

    def prepared(self, file):
        """A photo as the model wants it: uint8 RGB (height, width, 3). Raises photo.UnreadablePhoto"""
        return photo.scaled(file, self.image_size)

    def together(self, photos) -> list:
        """Boxes (n, 4: left, top, right, bottom in shares), labels (n,), scores (n,) of each prepared photo."""
        return [self._found(picture) for picture in photos]

    def _found(self, picture):
        framed = np.zeros((self.image_size, self.image_size, 3), np.uint8)
        framed[: picture.shape[0], : picture.shape[1]] = picture
        given = {"photo": framed, "size": np.array(picture.shape[:2], np.int64)}
        return self.session.run(["boxes", "labels", "scores"], given)

    def row(self, found, top=5) -> dict:  # noqa: ARG002 - as Model.row
        """boxes of one photo, best first: label, score (0..1); left, top, width, height in shares (0..1) of it."""
        return {"boxes": [
            {"label": self.labels[label], "score": float(score), "left": float(box[0]), "top": float(box[1]),
             "width": float(box[2] - box[0]), "height": float(box[3] - box[1])}
            for box, label, score in zip(*found, strict=True) if score > 0 and score >= self.threshold
        ]}  # fmt: skip


def opened(folder, file="model.onnx"):
    """The Model or the Detector in a folder. Raises ValueError."""
    try:
        kind = json.loads((Path(folder) / "labels.json").read_text(encoding="utf-8")).get("kind")
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(f"{folder} is no export of cvtune's (labels.json: {error}): export it again") from None
    return (Detector if kind == "detector" else Model)(folder, file)


def lines_of(row) -> list[str]:
    """What is printed of a row of `predict`."""
    if "error" in row:
        return [f"     -  {row['error']}  {row['path']}"]
    if "boxes" not in row:
        return [f"{row['probability']:6.1%}  {row['label']}  {row['path']}"]
    places = [f"{b['left']:.0%} {b['top']:.0%} {b['width']:.0%} x {b['height']:.0%}" for b in row["boxes"]]
    found = [f"{b['score']:6.1%}  {b['label']}  at {place}" for b, place in zip(row["boxes"], places, strict=True)]
    return [f"{len(found)} found  {row['path']}", *found]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", help="photos, or folders of photos")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a line a photo")
    rows = opened(HERE).predict(photo.photos_in((given := parser.parse_args()).photos))
    lines = [line for row in rows for line in lines_of(row)]
    print(json.dumps({"predictions": rows}, ensure_ascii=False) if given.json else "\n".join(lines))
    raise SystemExit(2 if all("error" in row for row in rows) else 0)
