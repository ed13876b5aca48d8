"""Export a detector: a folder with all that is needed to use it elsewhere, checked before it is kept."""

import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import torch

import cvtune_nb
from cvtune_nb.classification import model_card
from cvtune_nb.data import levels
from cvtune_nb.data.split import SPLITS
from cvtune_nb.detection.average_precision import DETECTION_COLUMNS
from cvtune_nb.detection.dataset import Dataset, Part
from cvtune_nb.detection.evaluation import Verdict, fairly, verdict
from cvtune_nb.detection.model import load_best
from cvtune_nb.detection.onnx_graph import Graph, onnx_model
from cvtune_nb.detection.run import load_run
from cvtune_nb.export import predict
from cvtune_nb.export.formats import write_weights
from cvtune_nb.export.packaging import Exported, destination, made_aside, sealed, versions, write_program, zip_of
from cvtune_nb.export.parity import require_close, trial_photos
from cvtune_nb.files import Progress, silent, write_csv, write_json, write_text
from cvtune_nb.runs.provenance import frozen, require_present, standing_words
from cvtune_nb.tracking import following
from cvtune_nb.workspace import now

TOLERANCE = 1e-3
"""Largest difference of a score, or of an edge of a box as a fraction of the photo, between PyTorch and ONNX Runtime
(docs/measurements.md, "Parity of an exported detector"). A detector chooses among thousands of boxes; where two have
the same score to the last digit, either may come out."""

CARD = """\
---
library_name: onnxruntime
pipeline_tag: object-detection
tags: [cvtune]
---
# {name}

A detector of {labels}: Faster R-CNN ({detector}) at {size} pixels. Made with cvtune, {made}.

## Accuracy
- {validation}; optimistic, because epoch and threshold were chosen by it
- **{test}**
{notes}- The test set of this workspace has been opened {openings} time(s), this time included
- PyTorch and ONNX Runtime agree to {parity:.1e} in every score and edge of a box ({parity_photos} photos,
  among them greyscale, CMYK, rotated, tiny and huge ones)

AP (average precision) is COCO's: the mean over IoU thresholds from .5 to .95. AP50 is the average precision at an
IoU of .5. By class, on the {split_measured} photos:

{by_class}

By size, as COCO has it (small: below 32 x 32 pixels of the original photo, large: above 96 x 96):

{by_size}

## Use it
```
pip install onnxruntime numpy Pillow       # and pi-heif for HEIC photos, pydicom for DICOM images
python predict.py photo.jpg              # or a folder; --json for one JSON object
```
or from Python, in this folder: `from predict import Detector; Detector(".").predict(["photo.jpg"])`; or with cvtune
installed: `cvtune predict FOLDER photo.jpg`. Boxes are fractions of the upright photo; those with a score below
{threshold:g}, the best threshold on validation, are left out.

Any ONNX runtime can run `model.onnx`. Scale the longer side of the upright photo to {size} pixels and put it into the
upper left corner of `photo`, uint8 RGB, shape ({size}, {size}, 3); `size` is int64, its height and width there. `boxes`
are left, top, right and bottom as fractions of the photo, `labels` indices into `labels.json`; `scores` are in falling
order, and 0 after the last detection.{depth}

## Data
{photos} photos with {boxes} boxes, {split}: {splits}. Photos and pretrained weights have terms of their own.
"""


@dataclass(frozen=True, kw_only=True)
class DetectorExport(Exported):
    """What is known of an exported detector; parity is that of scores and edges of boxes.

    Attributes
    ----------
    validation, test
        How good it is; on the test photos by model.onnx, None where there are none.
    """

    validation: Verdict
    test: Verdict | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return super().to_dict() | {
            "validation": self.validation.to_dict(),
            "test": self.test and self.test.to_dict(),
            "threshold": self.validation.threshold,
        }


def export_detector(
    dataset: Dataset, name: str, out: str | Path | None = None, progress: Progress = silent, earlier_data: bool = False
) -> DetectorExport:
    """Export the best weights of a detector to a new folder, and to a zip beside it.

    The test set is opened, and that is counted, once the ONNX model agrees with PyTorch. Test photos that the detector
    was trained on, or copies of them, are never counted. Folder and zip appear only when they are complete; nothing is
    overwritten.

    Parameters
    ----------
    dataset
        The photos and boxes.
    name
        A run's id, "best" or "last".
    out
        The new folder; by default workspace/exports/<run>, with a number where that exists.
    progress
        Called with the progress of the export.
    earlier_data
        Accept a run whose classes are not today's.

    Raises
    ------
    InputError
        For an unknown run, a run with other classes, an `out` that holds something, and a model that ONNX Runtime
        computes differently.
    """
    start, run = time.perf_counter(), load_run(dataset, name)
    trackers = following(dataset.workspace)
    require_present(run.id, run.provenance, dataset.provenance, earlier_data)
    detector, space = load_best(run), dataset.workspace
    levels.require_same(space, run.levels, run.id)
    folder = destination(space, run.id, out)
    chosen = verdict(dataset, run)
    with made_aside(folder) as made:
        progress(0.0, "writing the model")
        graph = Graph(detector, run.config.image_size).eval()
        notes = {
            "run": run.id,
            "detector": run.config.detector,
            "cvtune": cvtune_nb.__version__,
            "threshold": chosen.threshold,
            "levels": space.levels,
        }
        onnx.save(onnx_model(graph, run.classes, **notes), str(made / "model.onnx"))
        write_json(made / "labels.json", {"labels": run.classes, "kind": predict.Detector.KIND})
        write_program(made)
        model = predict.Detector(made)
        progress(0.2, "comparing with PyTorch")
        difference, count = compare(graph, model, dataset, dataset.part("validation"))
        fair = fairly(dataset, run, "test")
        openings = space.open_test(f"export {run.id}") if len(fair.part.photos) else space.test_openings()
        test = None
        if len(fair.part.photos):
            seen = _seen(model, dataset, fair.part, progress)
            test = verdict(dataset, run, "test", seen, chosen.threshold)
            write_csv(made / "test_detections.csv", seen)
        write_weights(detector, made / "model.safetensors")
        write_csv(made / "data.csv", dataset.photos[["path", "split", "sha256"]])
        write_csv(made / "boxes.csv", dataset.annotations.boxes)
        notes = tuple(filter(None, [standing_words(run.provenance, dataset.provenance), *fair.notes]))
        export = DetectorExport(
            folder=folder,
            zip=zip_of(folder),
            run=run.id,
            parity=difference,
            parity_photos=count,
            openings=openings,
            left_out=fair.left_out,
            notes=notes,
            validation=chosen,
            test=test,
        )
        write_json(
            made / "config.json",
            {
                "made": now(),
                "kind": predict.Detector.KIND,
                **run.to_dict(),
                "most": run.max_detections,
                "parity": difference,
                "validation": chosen.to_dict(),
                "test": test and test.to_dict(),
                "test_openings": openings,
                "test_left_out": fair.left_out,
                "notes": list(notes),
                "seed_of_split": space.seed,
                "levels": space.levels,
                "versions": versions(),
            },
        )
        write_text(made / "README.md", _card(export, dataset))
        export = sealed(export, made, start)
    trackers.write(run)
    progress(1.0, f"exported to {folder}")
    return export


def compare(graph: Graph, model: predict.Detector, dataset: Dataset, part: Part) -> tuple[float, int]:
    """Compare what the exported detector finds with PyTorch.

    Parameters
    ----------
    graph
        The detector in PyTorch.
    model
        The exported detector.
    dataset, part
        Where the photos are, and which; see `trial_photos`.

    Returns
    -------
    The largest difference of a score or an edge of a box, and on how many photos.

    Raises
    ------
    InputError
        When the difference is over TOLERANCE, or not a number.
    """
    most, contents = 0.0, trial_photos(dataset.workspace, part.photos)
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
        most = max(most, *(require_close(float(each), TOLERANCE, f"boxes on {name}") for each in differences))
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
    run, measured = export.validation.run, export.test or export.validation
    counts = dataset.photos["split"].value_counts()
    return CARD.format(
        name=export.folder.name,
        labels=", ".join(model_card.text(label) for label in run.classes),
        detector=run.config.detector,
        size=run.config.image_size,
        made=now()[:10],
        validation=export.validation.words,
        test=export.test.words if export.test else f"test: {model_card.NOT_MEASURED}",
        notes=model_card.listed(export.notes),
        openings=export.openings,
        parity=export.parity,
        parity_photos=export.parity_photos,
        split_measured="test" if export.test else "validation",
        by_class=model_card.table(measured.scores.by_class),
        by_size=model_card.table(measured.scores.by_size),
        threshold=export.validation.threshold,
        photos=len(dataset.photos),
        boxes=len(dataset.annotations.boxes),
        depth=model_card.depth(dataset.workspace.levels),
        split=frozen(run.provenance, dataset.provenance, dataset.workspace.seed),
        splits=", ".join(f"{counts.get(split, 0)} {split}" for split in SPLITS),
    )
