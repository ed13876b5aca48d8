"""Use the model in this folder on photos.

    python predict.py photo.jpg a/whole/folder --json

It stands alone: all it needs are onnxruntime, numpy and Pillow, and photo.py, file_types.py, colour_spaces.py, walk.py
and model.onnx beside it; pi-heif for HEIC photos, and pydicom for DICOM images.
"""

import argparse
import csv
import json
import os
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before it is loaded: it would report to its maker what it runs
import onnxruntime

HERE = Path(__file__).resolve().parent
_folder = HERE if (HERE / "photo.py").exists() else HERE.parent / "data"  # not its package, which would ask for more
photo, walk = (SimpleNamespace(**runpy.run_path(str(_folder / name))) for name in ("photo.py", "walk.py"))


def decided(chances, thresholds=None, costs=None):
    """The answers to probabilities (..., classes): numbers of classes (...).

    The likeliest class, or with costs (classes, classes; a row for each true class) what costs least to expect. A class
    with a threshold (classes; NaN: none) is the answer where it reaches it, and only there; of several, the one that is
    furthest above its own, as a multiple of it. Where all classes have one and none reaches it, the nearest is.
    """
    merits = chances if costs is None else -(chances @ costs)
    if thresholds is None:
        return merits.argmax(axis=-1)
    free = np.isnan(thresholds)
    multiples = np.where(free, 0.0, chances / np.where(free, 1.0, thresholds))
    claimed = (multiples.max(axis=-1) >= 1) | (not free.any())
    return np.where(claimed, multiples.argmax(axis=-1), np.where(free, merits, -np.inf).argmax(axis=-1))


class Model:
    """An exported classifier.

    labels: in the order of its probabilities; image_size: pixels of what the network sees, a side or height and width;
    short_side: those of a photo once scaled; framing: how it is brought to that shape (photo.FRAMINGS); padding: the
    colour around it; threshold: probability from which it is sure; known_below: share of validation photos below which
    a photo is unlike all classes (0: never; None: it was exported by a version that could not tell, and `known` is not
    there); thresholds: of single classes, NaN where one has none, or None; costs: of mistakes, or None; levels: pixel
    values that are black and white in photos of more than 8 bits a channel, and which bands of TIFFs of many are shown.
    file: model.onnx or a variant. Raises ValueError.

    Whoever must know what an export is asks its class, one of KINDS, for what follows.
    """

    KIND = "classifier"  # as in labels.json, where that names none
    FILES = ()  # that must lie beside the model
    INPUTS = (("photos", "uint8", ("n", "height", "width", 3)),)  # a size is a number, "labels", "image_size" or any
    OUTPUTS = (("probabilities", "float32", ("n", "labels")),)
    LATER_OUTPUTS = (("known", "float32", ("n",)),)  # that earlier exports don't have
    NOTES = ("labels", "image_size", "short_side", "threshold")  # in the metadata of the model
    TOP = 5  # labels in a row, unless asked otherwise
    SEARCHES = False  # whether it looks photos up in a gallery

    labels: list[str]
    image_size: int | tuple[int, int]  # of JSON, so that the pair is a list
    short_side: int | tuple[int, int]
    threshold: float

    def __init__(self, folder, file="model.onnx"):
        self.folder = Path(folder)
        try:
            self.session = onnxruntime.InferenceSession(str(self.folder / file), providers=["CPUExecutionProvider"])
            notes = self.session.get_modelmeta().custom_metadata_map
            vars(self).update({key: json.loads(notes[key]) for key in self.NOTES})
            # black, white and, where the photos have many, the bands; earlier exports have none of them
            self.levels = tuple(float(value) for value in json.loads(notes.get("levels", "[0, 0]")))
            self.framing = notes.get("framing", "crop")
            self.padding = tuple(json.loads(notes.get("padding", "[0, 0, 0]")))
            self.known_below = json.loads(notes["known_below"]) if "known_below" in notes else None
            # what it costs to take a class (row) for another (column), where the answers follow costs
            self.costs = np.array(json.loads(notes["costs"]), float) if "costs" in notes else None
            limits = json.loads(notes["thresholds"]) if "thresholds" in notes else None
            self.thresholds = None if limits is None else np.array(limits, float)  # null becomes NaN
            self.most = len(self.labels)  # the largest top that makes sense
        except Exception as error:  # noqa: BLE001 - onnxruntime raises a dozen types of its own for a damaged file
            raise ValueError(f"{folder} holds no {file} of cvtune's ({str(error)[:90]}): export it again") from None

    def about(self) -> dict:
        """What whoever asks a service for its labels gets."""
        about = {"labels": self.labels, "image_size": self.image_size, "threshold": self.threshold, "kind": self.KIND}
        if self.thresholds is not None:
            pairs = zip(self.labels, self.thresholds.tolist(), strict=True)
            about["thresholds"] = {label: limit for label, limit in pairs if limit == limit}
        return about if self.known_below is None else {**about, "known_below": self.known_below}

    def probabilities(self, photos):
        """Of upright uint8 RGB photos (n, height, width, 3), all of one size: float32 (n, classes)."""
        return self.answers(photos)[0]

    def answers(self, photos):
        """The same, and float32 (n,): the share of validation photos less like the training photos; None, if unknown.

        Validation photos are none of training, of the same classes; they are counted with the photo itself.
        """
        outputs = ["probabilities"] if self.known_below is None else ["probabilities", "known"]
        found = self.session.run(outputs, {"photos": photos})
        return found if len(found) > 1 else (found[0], None)

    def prepared(self, file):
        """A photo, a path or a binary file, as the model wants it: uint8 RGB. Raises photo.UnreadablePhoto."""
        return photo.framed(file, self.short_side, self.framing, self.padding, self.levels)

    def infer(self, photos) -> list:
        """What the model makes of each prepared photo, for `row`."""
        chances, known = self.answers(np.stack(photos))
        return list(zip(chances, [None] * len(chances) if known is None else known, strict=True))

    def decide(self, chances):
        """The answer (a number of `labels`) for each row of probabilities (..., classes), as `decided` says."""
        return decided(chances, self.thresholds, self.costs)

    def least_of(self, label) -> float:
        """The probability from which on the model is sure of a label: its own threshold, or that of all."""
        own = np.nan if self.thresholds is None else self.thresholds[self.labels.index(label)]
        return self.threshold if np.isnan(own) else float(own)

    def row(self, answer, top=5) -> dict:
        """label, probability (0..1), sure, and top, the likeliest [label, probability], of what `infer` has of a photo.

        Where mistakes cost differently the label is that of the lowest cost to expect, not always the likeliest, and
        where classes have thresholds of their own it follows these. It is sure from its own threshold on, else from
        that of all. And known (0..1), and unlike: whether it is less like the training photos than known_below asks.
        """
        chances, known = answer
        likeliest = [[self.labels[i], float(chances[i])] for i in (-chances).argsort(kind="stable")[:top]]
        answered = int(self.decide(chances))
        label, best = self.labels[answered], float(chances[answered])
        row = {"label": label, "probability": best, "sure": best >= self.least_of(label), "top": likeliest}
        return row if known is None else {**row, "known": float(known), "unlike": bool(known < self.known_below)}

    @staticmethod
    def lines(row) -> list[str]:
        """What is printed of a row of `predict` without an error."""
        known = f"  known {row['known']:.3f}" if "known" in row else ""
        why = f"  don't know: {' and '.join(why)}" if (why := doubts(row)) else ""
        return [f"{row['probability']:6.1%}  {row['label']}{known}{why}  {named(row)}"]

    def predict(self, paths, top=None) -> list[dict]:
        """A row a photo: path, and what `row` gives (of the TOP, or `top`), or error for a photo that can't be read.

        note says where the pixel values of a photo don't go with the levels.
        """
        rows = [{"path": str(path)} for path in paths]
        for row in rows:
            try:
                row |= self.row(self.infer([self.prepared(row["path"])])[0], top or self.TOP)
                if note := photo.doubt(row["path"], self.levels):
                    row["note"] = note
            except photo.UnreadablePhoto as error:
                row["error"] = str(error)
        return rows


class Detector(Model):
    """An exported detector.

    labels; image_size: pixels of a photo's longer side once scaled; threshold: least score of a box. Raises ValueError.
    """

    KIND = "detector"
    LATER_OUTPUTS = ()
    INPUTS = (("photo", "uint8", ("image_size", "image_size", 3)), ("size", "int64", (2,)))
    OUTPUTS = (("boxes", "float32", ("n", 4)), ("labels", "int64", ("n",)), ("scores", "float32", ("n",)))
    NOTES = ("labels", "image_size", "threshold")

    def prepared(self, file):
        """A photo as the model wants it: uint8 RGB (height, width, 3). Raises photo.UnreadablePhoto."""
        return photo.scaled(file, self.image_size, self.levels)

    def infer(self, photos) -> list:
        """Of each prepared photo, boxes (n, 4: left, top, right, bottom as fractions), labels (n,), scores (n,)."""
        return [self._found(picture) for picture in photos]

    def _found(self, picture):
        framed = np.zeros((*photo.both(self.image_size), 3), np.uint8)
        framed[: picture.shape[0], : picture.shape[1]] = picture
        given = {"photo": framed, "size": np.array(picture.shape[:2], np.int64)}
        return self.session.run(["boxes", "labels", "scores"], given)

    def row(self, found, top=5) -> dict:  # noqa: ARG002 - as Model.row
        """The boxes of one photo, best first: label, score (0..1), left, top, width, height as fractions of it."""
        return {
            "boxes": [
                {
                    "label": self.labels[label],
                    "score": float(score),
                    "left": float(box[0]),
                    "top": float(box[1]),
                    "width": float(box[2] - box[0]),
                    "height": float(box[3] - box[1]),
                }
                for box, label, score in zip(*found, strict=True)
                if score > 0 and score >= self.threshold
            ]
        }

    @staticmethod
    def lines(row) -> list[str]:
        """How many were found, and a line for each."""
        places = [f"{b['left']:.0%} {b['top']:.0%} {b['width']:.0%} x {b['height']:.0%}" for b in row["boxes"]]
        found = [f"{b['score']:6.1%}  {b['label']}  at {place}" for b, place in zip(row["boxes"], places, strict=True)]
        return [f"{len(found)} found  {named(row)}", *found]


class Similar(Model):
    """Exported look-alikes: a network that turns a photo into a vector, and the vectors of a whole gallery.

    labels, image_size, short_side; distance: cosine, euclidean or manhattan; index: float16 (photos, width), of length
    1; gallery: path and label of each of these photos. Raises ValueError.
    """

    KIND = "similarity"
    FILES = ("gallery.csv", "index.npy")
    LATER_OUTPUTS = ()
    OUTPUTS = (("vectors", "float32", ("n", "width")),)
    NOTES = ("labels", "image_size", "short_side", "distance")
    TOP = 10  # photos in a row, unless asked otherwise
    MOST = 1_000  # photos that may be asked for
    SEARCHES = True
    BLOCK = 4_096  # photos of the gallery that are compared at a time

    distance: str

    def __init__(self, folder, file="model.onnx"):
        super().__init__(folder, file)
        name = "index.npy"
        try:
            self.index = np.load(self.folder / name, mmap_mode="r", allow_pickle=False)
            wanted, kind = (len(self.index), self.session.get_outputs()[0].shape[1]), np.float16
            if self.index.shape != wanted or self.index.dtype != kind:
                raise ValueError(f"it holds {self.index.dtype} {self.index.shape}, not float16 {wanted}")
            name = "gallery.csv"
            with open(self.folder / name, encoding="utf-8", newline="") as table:
                self.gallery = [(row["path"], row["label"]) for row in csv.DictReader(table)]
            if len(self.gallery) != len(self.index):
                raise ValueError(f"it has {len(self.gallery)} photos, and index.npy {len(self.index)}")
            self.most = min(self.MOST, len(self.gallery))
        except Exception as error:  # noqa: BLE001 - numpy raises many kinds for a damaged file
            raise ValueError(f"{folder} has no complete {name} ({str(error)[:90]}): export it again") from None
        if self.distance not in ("cosine", "euclidean", "manhattan"):
            raise ValueError(f"{folder} measures by {str(self.distance)[:20]!r}, which is no distance: export it again")

    def about(self) -> dict:
        """What whoever asks a service for its labels gets."""
        about = {"labels": self.labels, "image_size": self.image_size, "distance": self.distance}
        return {**about, "photos": len(self.gallery), "kind": self.KIND}

    def infer(self, photos) -> list:
        """The vectors (width,), of length 1, of prepared photos."""
        return list(self.session.run(["vectors"], {"photos": np.stack(photos)})[0])

    def row(self, vector, top=10) -> dict:
        """similar: the nearest photos of the gallery, nearest first: number (in the index), path, label, distance."""
        rows = []
        for place, far in zip(*self.nearest(vector, top), strict=True):
            path, label = self.gallery[place]
            rows.append({"number": int(place), "path": path, "label": label, "distance": float(far)})
        return {"similar": rows}

    @staticmethod
    def lines(row) -> list[str]:
        """Which photo was looked up, and a line for each of those found."""
        near = [f"{each['distance']:6.3f}  {each['label']}  {each['path']}" for each in row["similar"]]
        return [f"nearest to {named(row)}", *near]

    def nearest(self, vector, top):
        """Rows of the index, and their distances, of the photos nearest to a vector (width,)."""
        blocks = (self.index[first : first + self.BLOCK] for first in range(0, len(self.index), self.BLOCK))
        far = np.concatenate([self.distances(vector, block.astype(np.float32)) for block in blocks])
        places = far.argsort(kind="stable")[:top]
        return places, far[places]

    def distances(self, vector, rows):
        """Of a vector (width,) from rows (n, width), all of length 1: (n,)."""
        if self.distance == "manhattan":
            return np.abs(rows - vector).sum(axis=1)
        apart = np.maximum(1 - rows @ vector, 0)
        return apart if self.distance == "cosine" else np.sqrt(2 * apart)


KINDS = {kind.KIND: kind for kind in (Model, Detector, Similar)}


def kind_named(about, place):
    """The class of KINDS that labels.json of the export at `place`, a dict, names. Raises ValueError."""
    name = str(about.get("kind", Model.KIND))
    if name not in KINDS:
        raise ValueError(f"{place} is of a kind that is not known here ({name[:20]}): update cvtune")
    return KINDS[name]


def kind_of(folder):
    """The class of KINDS for the export in a folder. Raises ValueError."""
    try:
        about = {**json.loads((Path(folder) / "labels.json").read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{folder} is no export of cvtune's (labels.json: {error}): export it again") from None
    return kind_named(about, folder)


def opened(folder, file="model.onnx"):
    """The export in a folder, ready to use. Raises ValueError."""
    return kind_of(folder)(folder, file)


def words_of(left_out) -> list[str]:
    """What is printed of files that were left out, [(path, reason)]: a line, or none."""
    return [f"{len(left_out)} files left out, first {left_out[0][0]}: {left_out[0][1]}"] if left_out else []


def named(row) -> str:
    """The path of a row's photo, with what there is to note."""
    return row["path"] + (f" ({row['note']})" if "note" in row else "")


def doubts(row) -> list[str]:
    """Why the answer of a classifier for a photo is "don't know"; empty where it knows."""
    unlike, unsure = row.get("unlike", False), not row.get("sure", True)
    return ["unlike all classes"] * unlike + ["unsure between classes"] * unsure


def lines_of(rows, kind) -> list[str]:
    """What is printed of the rows of `predict`; kind: one of KINDS."""
    failed = "     -  {error}  {path}"
    return [line for row in rows for line in ([failed.format(**row)] if "error" in row else kind.lines(row))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", help="photos, or folders of photos")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a line a photo")
    paths, left_out = walk.photos_in((given := parser.parse_args()).photos)
    model = opened(HERE)
    rows = model.predict(paths)
    lines = [*lines_of(rows, model), *words_of(left_out)]
    left_out = [{"path": path, "reason": reason} for path, reason in left_out]
    found = json.dumps({"predictions": rows, "left_out": left_out}, ensure_ascii=False)
    print(found if given.json else "\n".join(lines))
    raise SystemExit(2 if all("error" in row for row in rows) else 0)
