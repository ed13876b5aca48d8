"""Export look-alikes: a folder with all that is needed to find them elsewhere, checked before it is kept."""

import io
import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import torch
from onnx import parser

import cvtune_nb
from cvtune_nb.classification import load_run, model_card
from cvtune_nb.data import photo, pixels, thumbnail
from cvtune_nb.data.mean_colour import padding_for
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.data.split import SPLITS
from cvtune_nb.export import onnx_model, predict
from cvtune_nb.export.formats import write_weights
from cvtune_nb.export.onnx_preprocessing import OPSET
from cvtune_nb.export.packaging import Exported, destination, made_aside, sealed, versions, write_program, zip_of
from cvtune_nb.export.parity import require_close, trial_photos
from cvtune_nb.files import Progress, silent, write_csv, write_json, write_text
from cvtune_nb.models import backbones, networks
from cvtune_nb.runs.provenance import frozen, present, require_present, standing_words
from cvtune_nb.similarity.embeddings import embed
from cvtune_nb.similarity.evaluation import Scores, evaluate_split, fair_queries
from cvtune_nb.similarity.metric import DEFAULT, DISTANCES, Metric
from cvtune_nb.similarity.model import Embedder, EmbeddingNetwork, find_embedder, load_network
from cvtune_nb.workspace import Workspace, now

TOLERANCE = 1e-3
"""Largest difference of a component of a vector between PyTorch and ONNX Runtime. The vectors have length 1, so their
distances differ by as little."""
THUMBNAILS, SIDE = 5_000, 96
"""Photos up to which thumbnails go with an export, and their longest side in pixels."""

CARD = """\
---
library_name: onnxruntime
pipeline_tag: image-feature-extraction
tags: [cvtune]
---
# {name}

Finds the most similar of {photos:,} photos ({labels}): {network}{projected}, by {distance} distance ({meaning}).
Made with cvtune, {made}.

## How good it is
Each photo of a split is looked up among the training photos; a found one is right when it has the same label. In
parentheses the 95% interval.

{figures}

recall@k: how many have a right one among their k nearest; mAP: mean average precision of the whole ranking; median
rank: of the first right one, half of the photos find it there or before.

- {chosen}
{notes}- The test set of this workspace was opened {openings} time(s){included}
- PyTorch and ONNX Runtime agree to {parity:.1e} in every number of a vector ({parity_photos} photos; grey, CMYK,
  turned, tiny and huge ones are among them)

By class, on the {final} photos (low and high: 95% interval of recall@1; taken_for: what is found instead most often):

{by_class}

## Use it
```
pip install onnxruntime numpy Pillow       # and pi-heif for HEIC photos, pydicom for DICOM images
python predict.py photo.jpg              # or a folder; --json for one JSON object
```
or from Python, in this folder: `from predict import Similar; Similar(".").predict(["photo.jpg"], 10)`; or with cvtune
installed: `cvtune similar FOLDER photo.jpg --k 10` and `cvtune serve FOLDER`, where FOLDER is this one or its zip.

Any ONNX runtime can run `model.onnx`: input `photos` is upright uint8 RGB, shape (n, height, width, 3), of any size;
output `vectors` is float32, shape (n, {width}), each of length 1. Inside,
{framing}, and colours are normalised{after}.
`index.npy` holds such a vector, as 16-bit floats, of each photo in `gallery.csv`, in its order. A photo that is in it
finds itself at a distance near 0 (up to .005 seen, by cosine), not at 0, for where that is faster networks compute in
16 bits, too.{depth}

## Data
{photos:,} photos, {split}: {splits}. The index holds all of them; for
the figures above only the training photos were searched.

## Licence of the weights
{weights}

The program files in this folder are under the MIT licence. The photos have terms of their own{thumbnails}.

## Versions
{versions}
"""


@dataclass(frozen=True, kw_only=True)
class SimilarityExport(Exported):
    """Exported look-alikes.

    run is "" where the network is frozen; parity is that of components of a vector; photos: in the index; validation,
    test: how well photos of these splits find theirs among the training photos, the second None without test photos.
    """

    embedder: Embedder
    photos: int
    validation: Scores
    test: Scores | None

    @property
    def final(self) -> Scores:
        """The scores to quote: those on test, or without test photos on validation."""
        return self.test or self.validation

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return super().to_dict() | {
            "embedder": self.embedder.name,
            "photos": self.photos,
            "validation": self.validation.to_dict(),
            "test": self.test and self.test.to_dict(),
        }


def export_similarity(
    workspace: Workspace,
    name: str = "",
    out: str | Path | None = None,
    progress: Progress = silent,
    metric: Metric = DEFAULT,
    earlier_data: bool = False,
) -> SimilarityExport:
    """Export an embedder with the vectors of all photos of the workspace, as a folder and as a zip beside it.

    The test set is opened, and that is counted, once the ONNX model agrees with PyTorch; test photos that the run has
    trained on, or copies of them, are never counted. Folder and zip appear only when they are complete; nothing is
    overwritten.

    Parameters
    ----------
    workspace
        Whose photos are indexed.
    name
        Of the embedder, as in model.find_embedder.
    out
        A new folder; None for workspace/exports/similar-<name>.
    progress
        Called with the fraction done (0 to 1) and what is under way.
    metric
        How vectors are compared; its projection is fitted to the training photos.
    earlier_data
        Take a run whose classes are not those there are now, too.

    Raises
    ------
    InputError
        For an unknown name, a folder that is not empty, a run of other classes, and a model that ONNX Runtime computes
        differently.
    """
    start, embedder = time.perf_counter(), find_embedder(workspace, name)
    now_there = present(workspace)
    run = load_run(workspace, embedder.run) if embedder.run else None
    own = run.provenance if run else now_there
    spec = embedder.spec
    started_from = run.origin if run else networks.origin(spec.backbone, spec.size, spec.weights, progress)
    require_present(embedder.run, own, now_there, earlier_data)
    folder = destination(workspace, f"similar-{backbones.file_name(embedder.run or embedder.spec.key)}", out)
    photos = workspace.photos()
    vectors = embed(workspace, photos, embedder, lambda share, words: progress(0.5 * share, words))
    validation = evaluate_split(workspace, embedder, "validation", metric)
    projection = metric.projection(vectors[(photos["split"] == "train").to_numpy()])
    vectors = projection(vectors)
    with made_aside(folder) as made:
        progress(0.5, "writing the model")
        network = load_network(workspace, embedder, projection)
        _write_model(workspace, embedder, network, metric, vectors.shape[1], made)
        np.save(made / "index.npy", vectors.astype(np.float16), allow_pickle=False)
        write_csv(made / "gallery.csv", photos[["path", "label", "split"]])
        write_program(made)
        progress(0.6, "comparing with PyTorch")
        held_back = photos[photos["split"] == "validation"]
        parity, parity_photos = compare(
            workspace, network, predict.Similar(made), held_back, embedder.spec.preprocessing
        )
        fair, test = fair_queries(workspace, embedder, "test"), None
        if len(fair.photos):
            test = evaluate_split(workspace, embedder, "test", metric, opened_by=f"export {folder.name}")
        if len(photos) <= THUMBNAILS:
            write_thumbnails(
                workspace, photos, made / "thumbnails.zip", lambda share, words: progress(0.7 + 0.3 * share, words)
            )
        export = SimilarityExport(
            folder=folder,
            zip=zip_of(folder),
            run=embedder.run,
            parity=parity,
            parity_photos=parity_photos,
            openings=workspace.test_openings(),
            left_out=fair.left_out,
            notes=tuple(filter(None, [standing_words(own, now_there), fair.words])),
            embedder=embedder.portable,
            photos=len(photos),
            validation=replace(validation, embedder=embedder.portable),
            test=test and replace(test, embedder=embedder.portable),
        )
        write_json(made / "config.json", _facts(export, workspace, vectors.shape[1]))
        split = frozen(own, now_there, workspace.seed)
        write_text(made / "README.md", _card(export, workspace, photos, made, vectors.shape[1], split, started_from))
        export = sealed(export, made, start)
    progress(1.0, f"exported to {folder}")
    return export


def onnx_graph(
    network: EmbeddingNetwork,
    width: int,
    labels: list[str],
    preprocessing: Preprocessing,
    padding: photo.Colour = photo.BLACK,
    **notes: Any,
) -> onnx.ModelProto:
    """The graph that is exported: `photos`, uint8 RGB (n, h, w, 3) of any size, to `vectors` (n, width).

    Parameters
    ----------
    network
        From photos of image_size to vectors.
    width
        Of a vector.
    labels
        The classes.
    preprocessing
        What the network is shown.
    padding
        The colour around photos (mean_colour.padding_for).
    **notes
        Kept in the model's metadata.
    """
    rows = onnx_model.network(onnx_model.program(network, preprocessing.size), "rows")
    last = parser.parse_model(f"""
        <ir_version: 10, opset_import: ["" : {OPSET}]>
        output (float[n, {width}] rows) => (float[n, {width}] vectors) {{ vectors = Identity (rows) }}""")
    return onnx_model.joined(rows, last, "embedder", labels, preprocessing, padding, **notes)


def compare(
    workspace: Workspace,
    network: EmbeddingNetwork,
    model: predict.Similar,
    photos: pd.DataFrame,
    preprocessing: Preprocessing,
) -> tuple[float, int]:
    """Compare the vectors of PyTorch and of ONNX Runtime on some photos, each scaled by Pillow and by the graph.

    Parameters
    ----------
    workspace, photos
        From which up to PARITY_PHOTOS are taken evenly, and odd kinds are made of the first of them.
    network, model
        The same, in PyTorch and in ONNX Runtime.
    preprocessing
        What the network is shown.

    Returns
    -------
    difference
        The largest of a component of a vector.
    photos
        On how many.

    Raises
    ------
    InputError
        For a difference over TOLERANCE, or none that is a number.
    """
    largest, contents = 0.0, trial_photos(workspace, photos)
    for name, content in contents:
        square = pixels.square(workspace, io.BytesIO(content), preprocessing)
        with torch.inference_mode():
            ours = network(torch.from_numpy(square[None].copy())).numpy()[0]
        whole = np.asarray(photo.read_photo(io.BytesIO(content), model.short_side, workspace.levels))
        for given in (model.prepared(io.BytesIO(content)), whole):
            difference = float(np.abs(ours - model.infer([given])[0]).max())
            largest = max(largest, require_close(difference, TOLERANCE, f"vectors on {name}"))
    return largest, len(contents)


# -- the files ------------------------------------------------------------------------------------------------


def _write_model(
    workspace: Workspace, embedder: Embedder, network: EmbeddingNetwork, metric: Metric, width: int, made: Path
) -> None:
    """The network as ONNX and as weights, and what a program must know to use it."""
    notes = {
        "run": embedder.run,
        "embedder": embedder.portable.name,
        "cvtune": cvtune_nb.__version__,
        "distance": json.dumps(metric.distance),
        "levels": workspace.levels,
    }
    shown = embedder.spec.preprocessing
    graph = onnx_graph(network, width, workspace.classes, shown, padding_for(workspace, shown), **notes)
    onnx_model.save(graph, made / "model.onnx")
    write_weights(network, made / "model.safetensors")
    about = {"labels": workspace.classes, "kind": predict.Similar.KIND, "distance": metric.distance}
    about |= {
        "image_size": embedder.spec.size,
        "embedder": notes["embedder"],
        "components": metric.components,
    }
    write_json(made / "labels.json", about)


def write_thumbnails(workspace: Workspace, photos: pd.DataFrame, file: Path, progress: Progress) -> None:
    """Write a zip with N.jpg for the photo in row N of the index.

    A photo that can't be read any more has none.

    Parameters
    ----------
    workspace, photos
        The photos, in the order of the index.
    file
        The zip.
    progress
        Called while thumbnails are made.
    """

    def small(path: str) -> bytes | None:
        try:
            return thumbnail(workspace.path_of(path), SIDE, workspace.levels)
        except photo.UnreadablePhoto:
            return None

    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed, ThreadPoolExecutor() as pool:
        for number, content in enumerate(pool.map(small, photos["path"])):
            if number % 16 == 0:
                progress(number / len(photos), f"thumbnails: {number} of {len(photos)}")
            if content:
                packed.writestr(f"{number}.jpg", content)


def _facts(export: SimilarityExport, workspace: Workspace, width: int) -> dict[str, Any]:
    """What config.json holds. width: of a vector."""
    metric, values = export.validation.metric, export.to_dict()
    figures = ("photos", "parity", "parity_photos", "validation", "test", "test_openings", "test_left_out", "notes")
    return {
        "made": now(),
        "kind": predict.Similar.KIND,
        "embedder": export.embedder.to_dict(),
        "distance": metric.distance,
        "components": metric.components,
        "width": width,
        **{name: values[name] for name in figures},
        "seed_of_split": workspace.seed,
        "levels": workspace.levels,
        "versions": versions(),
    }


def _card(
    export: SimilarityExport,
    workspace: Workspace,
    photos: pd.DataFrame,
    made: Path,
    width: int,
    split: str,
    started_from: str,
) -> str:
    """The model card.

    Parameters
    ----------
    export, workspace, photos
        Its figures, and the photos of its index.
    made
        The folder so far.
    width
        Of a vector.
    split, started_from
        How photos were split, and which weights training started from, in words.
    """
    embedder, final, metric = export.embedder, export.final, export.final.metric
    counts = photos["split"].value_counts()
    measured = filter(None, (export.validation, export.test))
    figures = pd.DataFrame([{"split": scores.split, **scores.in_words()} for scores in measured])
    thumbnails = (made / "thumbnails.zip").exists()
    return CARD.format(
        name=model_card.text(export.folder.name),
        photos=len(photos),
        labels=", ".join(map(model_card.text, workspace.classes)),
        network=f"{model_card.text(str(embedder.spec))}, {f'run {embedder.run}' if embedder.run else 'frozen'}",
        projected=f", {width} numbers a photo ({metric.components})",
        distance=metric.distance,
        meaning=DISTANCES[metric.distance],
        made=now()[:10],
        figures=model_card.table(figures),
        chosen="The run was chosen by its validation accuracy, so the validation figures flatter"
        if embedder.run
        else "The network is frozen: it has learned nothing from these photos",
        notes=model_card.listed(export.notes),
        openings=export.openings,
        included=", this one included" if export.test else "; no test photo was measured",
        parity=export.parity,
        parity_photos=export.parity_photos,
        final=final.split,
        by_class=model_card.table(final.by_class),
        depth=model_card.depth(workspace.levels),
        width=width,
        framing=model_card.framing(embedder.spec.preprocessing, padding_for(workspace, embedder.spec.preprocessing)),
        after="" if metric.components == "none" else ", and the network's numbers are projected",
        split=split,
        splits=", ".join(f"{counts.get(split, 0)} {split}" for split in SPLITS),
        weights=model_card.weights(embedder.spec.backbone, embedder.spec.weights, started_from),
        thumbnails="; `thumbnails.zip` holds them small" if thumbnails else "",
        versions=", ".join(f"{package} {version}" for package, version in versions().items()),
    )
