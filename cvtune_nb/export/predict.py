"""Classify photos with the model in this folder: python predict.py photo.jpg a/whole/folder --json
It stands alone: all it needs are onnxruntime, numpy and Pillow, and photo.py and model.onnx beside it."""

import argparse
import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import onnxruntime

NOTES = ("labels", "image_size", "short_side", "threshold")
HERE = Path(__file__).resolve().parent
_places = (HERE / "photo.py", HERE.parent / "data" / "photo.py")  # not its package, which would ask for more
photo = SimpleNamespace(**runpy.run_path(str(next(filter(Path.exists, _places)))))


class Model:
    """An exported classifier: labels (in the order of its probabilities), image_size, short_side (pixels of a photo
    once scaled), threshold (probability from which it is sure). file: model.onnx or a smaller one. Raises ValueError"""

    def __init__(self, folder, file="model.onnx"):
        try:
            self.session = onnxruntime.InferenceSession(str(Path(folder) / file), providers=["CPUExecutionProvider"])
            notes = self.session.get_modelmeta().custom_metadata_map
            vars(self).update({key: json.loads(notes[key]) for key in NOTES})
        except Exception as error:  # noqa: BLE001 - onnxruntime raises a dozen types of its own for a damaged file
            raise ValueError(f"{folder} holds no {file} of cvtune's ({str(error)[:90]}): export it again") from None

    def probabilities(self, photos):
        """Of upright uint8 RGB photos (n, height, width, 3), all of one size: float32 (n, classes)."""
        return self.session.run(["probabilities"], {"photos": photos})[0]

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
                pixels = photo.centre_square(row["path"], self.short_side)[None]
                row |= self.row(self.probabilities(pixels)[0], top)
            except photo.UnreadablePhoto as error:
                row["error"] = str(error)
        return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", help="photos, or folders of photos")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a line a photo")
    rows = Model(HERE).predict(photo.photos_in((given := parser.parse_args()).photos))
    lines = [f"{r.get('probability', 0):6.1%}  {r.get('label') or r['error']}  {r['path']}" for r in rows]
    print(json.dumps({"predictions": rows}, ensure_ascii=False) if given.json else "\n".join(lines))
    raise SystemExit(0 if any("label" in row for row in rows) else 2)
