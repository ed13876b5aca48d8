"""Export a detector: a folder with all that is needed to use it elsewhere, checked before it is kept."""

import io
import platform
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import torch

import cvtune_nb
from cvtune_nb.data import photo
from cvtune_nb.data.split import SPLITS
from cvtune_nb.detection.dataset import Dataset, Part
from cvtune_nb.detection.detect import load_best
from cvtune_nb.detection.graph import Graph, onnx_model
from cvtune_nb.detection.judging import Verdict, verdict
from cvtune_nb.detection.run import load_run
from cvtune_nb.detection.scores import DETECTION_COLUMNS
from cvtune_nb.errors import InputError
from cvtune_nb.export import card, predict, safe
from cvtune_nb.export.bundle import versions
from cvtune_nb.export.parity import odd_kinds
from cvtune_nb.export.place import empty, free_name, made_aside, zip_of
from cvtune_nb.files import Progress, replacing, silent, write_csv, write_json, write_text
from cvtune_nb.training.checkpoint import write_tensors
from cvtune_nb.workspace import now

COMPARED = 64
"""Validation photos on which PyTorch and ONNX Runtime are compared, beside odd kinds of the first."""
TOLERANCE = 1e-3
"""Largest difference of a score, or of a side of a box in shares of the photo, between PyTorch and ONNX Runtime. Seen:
6e-6. A detector chooses among thousands of places; where two are equal to the last digit, either may be told."""

CARD = """\
---
library_name: onnxruntime
pipeline_tag: object-detection
tags: [cvtune]
---
# {name}

A detector of {labels}: Faster R-CNN ({detector}) at {size} pixels. Made with cvtune, {made}.

## How good it is
- Validation: {validation}; its epoch and threshold were chosen by this, so it flatters
- **Test: {test}**
- The test set of this workspace was opened {openings} time(s), this one included
- PyTorch and ONNX Runtime agree to {parity:.1e} in every score and side of a box ({parity_photos} photos;
  grey, CMYK, turned, tiny and huge ones are among them)

AP (average precision) is COCO's, the mean over overlaps from .5 to .95; AP50 counts a box as found from an overlap of
one half on. By class, on the test photos:

{by_class}

By size, as COCO has it (areas of 32 and 96 pixels squared in the photo as it is):

{by_size}

## Use it
```
pip install onnxruntime numpy Pillow
python predict.py photo.jpg              # or a folder; --json for one JSON object
```
or from Python, in this folder: `from predict import Detector; Detector(".").predict(["photo.jpg"])`; or with cvtune
installed: `cvtune predict FOLDER photo.jpg`. Boxes are in shares of the upright photo; those below a score of
{threshold:g}, which was best on validation, are not told.

Any ONNX runtime can run `model.onnx`: `photo` is upright uint8 RGB, shape ({size}, {size}, 3), with the photo, whose
longer side is scaled to {size} pixels, in the upper left corner; `size` is int64, its height and width there. `boxes`
are left, top, right, bottom in shares, `labels` numbers in the order of `labels.json`, `scores` are best first, 0 where
nothing is left.

## Data
{photos} photos with {boxes} boxes, split once and then frozen (seed {seed}): {splits}. Photos and starting weights have
terms of their own.
"""


@dataclass(frozen=True)
class DetectorExport:
    """An exported detector. parity: largest difference of a score or a side between PyTorch and ONNX Runtime on
    `parity_photos` photos; validation, test: verdicts, the second by model.onnx, None without test photos; openings:
    how often the workspace's test set has been looked at."""

    folder: Path
    zip: Path
    run: str
    files: list[str]
    parity: float
    parity_photos: int
    validation: Verdict
    test: Verdict | None
    openings: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "folder": str(self.folder), "zip": str(self.zip), "run": self.run, "files": self.files,
            "parity": self.parity, "parity_photos": self.parity_photos, "validation": self.validation.to_dict(),
            "test": self.test and self.test.to_dict(), "test_openings": self.openings,
            "threshold": self.validation.threshold, "seconds": round(self.seconds, 2),
        }  # fmt: skip


def export_detector(
    dataset: Dataset, name: str, out: str | Path | None = None, progress: Progress = silent
) -> DetectorExport:
    """Export the best weights of the detector `name` (an id, "best" or "last") to the new folder `out` (default:
    workspace/exports/<run>), and to a zip beside it.

    The test set is opened, and that is counted, once the ONNX model agrees with PyTorch. Folder and zip appear only
    when they are whole; nothing is overwritten. Raises InputError.
    """
    start, run = time.perf_counter(), load_run(dataset, name)
    detector, space = load_best(run), dataset.workspace
    folder = free_name(space.exports / run.id) if out is None else empty(Path(out).expanduser())
    chosen = verdict(dataset, run)
    with made_aside(folder) as made:
        progress(0.0, "writing the model")
        graph = Graph(detector, run.config.image_size).eval()
        notes = {"run": run.id, "detector": run.config.detector, "cvtune": cvtune_nb.__version__,
                 "threshold": chosen.threshold}  # fmt: skip
        onnx.save(onnx_model(graph, run.classes, **notes), str(made / "model.onnx"))
        write_json(made / "labels.json", {"labels": run.classes, "kind": "detector"})
        shutil.copyfile(predict.__file__, made / "predict.py")
        shutil.copyfile(photo.__file__, made / "photo.py")
        model = predict.opened(made)
        progress(0.2, "comparing with PyTorch")
        difference, compared = compare(graph, model, dataset, dataset.part("validation"))
        tested = dataset.part("test")
        openings = space.open_test(f"export {run.id}") if len(tested.photos) else space.test_openings()
        test = None
        if len(tested.photos):
            seen = _seen(model, dataset, tested, progress)
            test = verdict(dataset, run, "test", seen, chosen.threshold)
            write_csv(made / "test_detections.csv", seen)
        tensors = {name: tensor.contiguous() for name, tensor in detector.state_dict().items()}
        write_tensors(made / "model.safetensors", tensors)
        write_csv(made / "data.csv", dataset.photos[["path", "split", "sha256"]])
        write_csv(made / "boxes.csv", dataset.annotations.boxes)
        export = DetectorExport(folder, zip_of(folder), run.id, [], difference, compared, chosen, test, openings, 0.0)
        write_json(made / "config.json", {
            "made": now(), "kind": "detector", **run.to_dict(), "most": run.most, "parity": difference,
            "validation": chosen.to_dict(), "test": test and test.to_dict(), "test_openings": openings,
            "seed_of_split": space.seed, "versions": {"cvtune": cvtune_nb.__version__,
                                                      "Python": platform.python_version(), **versions()},
        })  # fmt: skip
        write_text(made / "README.md", _card(export, dataset))
        safe.write_hashes(made)
        files = sorted(file.name for file in made.iterdir())
        with replacing(export.zip) as packed:
            safe.write_zip(made, packed)
    progress(1.0, f"exported to {folder}")
    return replace(export, files=files, seconds=time.perf_counter() - start)


def compare(graph: Graph, model: predict.Detector, dataset: Dataset, part: Part) -> tuple[float, int]:
    """Largest difference of a score or a side of a box between `graph` in PyTorch and `model` in ONNX Runtime, and on
    how many photos of `part`. Raises InputError when it is over TOLERANCE, or no number."""
    most, paths = 0.0, [dataset.workspace.path_of(path) for path in part.photos["path"].head(COMPARED)]
    contents = [(path.name, path.read_bytes()) for path in paths]
    contents += list(odd_kinds(photo.read_photo(paths[0]))) if paths else []
    for name, content in contents:
        picture = model.prepared(io.BytesIO(content))
        framed = np.zeros((graph.image_size, graph.image_size, 3), np.uint8)
        framed[: picture.shape[0], : picture.shape[1]] = picture
        size = np.array(picture.shape[:2], np.int64)
        with torch.inference_mode():
            ours = [each.numpy() for each in graph(torch.from_numpy(framed), torch.from_numpy(size))]
        theirs = model.session.run(["boxes", "labels", "scores"], {"photo": framed, "size": size})
        there = (ours[2] > 0) & (theirs[2] > 0)
        differences = np.abs(ours[0] - theirs[0])[there].max(initial=0.0), np.abs(ours[2] - theirs[2]).max(initial=0.0)
        most = max(most, *map(float, differences))
        if not most <= TOLERANCE:
            raise InputError(
                f"ONNX Runtime's boxes differ from PyTorch's by {most:.2g} (limit {TOLERANCE:g}) on {name}, so nothing "
                "was exported: try another detector, and report the versions of torch and onnxruntime"
            )
    return most, len(contents)


def _seen(model: predict.Detector, dataset: Dataset, part: Part, progress: Progress) -> pd.DataFrame:
    """DETECTION_COLUMNS of all that the exported model finds, whatever the score."""
    threshold, model.threshold, rows = model.threshold, 0.0, []
    for number, path in enumerate(part.photos["path"]):
        progress(0.3 + 0.7 * number / len(part.photos), f"test photos: {number} of {len(part.photos)}")
        rows += [{"path": path, **box} for box in model.predict([dataset.workspace.path_of(path)])[0]["boxes"]]
    model.threshold = threshold
    return pd.DataFrame(rows, columns=DETECTION_COLUMNS)


def _card(export: DetectorExport, dataset: Dataset) -> str:
    run, told = export.validation.run, export.test or export.validation
    counts = dataset.photos["split"].value_counts()
    return CARD.format(
        name=export.folder.name, labels=", ".join(card.text(label) for label in run.classes),
        detector=run.config.detector, size=run.config.image_size, made=now()[:10], validation=export.validation.words,
        test=export.test.words if export.test else "not measured, there are no test photos",
        openings=export.openings, parity=export.parity, parity_photos=export.parity_photos,
        by_class=card.table(told.scores.by_class), by_size=card.table(told.scores.by_size),
        threshold=export.validation.threshold, photos=len(dataset.photos), boxes=len(dataset.annotations.boxes),
        seed=dataset.workspace.seed, splits=", ".join(f"{counts.get(split, 0)} {split}" for split in SPLITS),
    )  # fmt: skip
