"""Export look-alikes: a folder with all that is needed to find them elsewhere, checked before it is kept."""

import io
import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import torch
from onnx import parser

import cvtune_nb
from cvtune_nb.classification import load_run, model_card
from cvtune_nb.data import photo, thumbnail
from cvtune_nb.data.split import SPLITS
from cvtune_nb.errors import InputError
from cvtune_nb.export import onnx_model, predict
from cvtune_nb.export.onnx_preprocessing import OPSET
from cvtune_nb.export.packaging import Exported, destination, made_aside, sealed, versions, write_program, zip_of
from cvtune_nb.export.parity import require_close, trial_photos
from cvtune_nb.files import Progress, silent, write_csv, write_json, write_text
from cvtune_nb.models import backbones
from cvtune_nb.runs.checkpoint import write_tensors
from cvtune_nb.runs.provenance import frozen, present, require_present, standing_words
from cvtune_nb.similarity import index
from cvtune_nb.similarity.embeddings import Embedder, Embedding, embedder, network, projection, vectors
from cvtune_nb.similarity.evaluation import RANKS, Measured, fairly, measure
from cvtune_nb.workspace import Workspace, now

TOLERANCE = 1e-3
"""Largest difference of a number of a vector between PyTorch and ONNX Runtime. The vectors have length 1, so their
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

By class, on the {told} photos (low and high: 95% interval of recall@1; taken_for: what is found instead most often):

{by_class}

## Use it
```
pip install onnxruntime numpy Pillow
python predict.py photo.jpg              # or a folder; --json for one JSON object
```
or from Python, in this folder: `from predict import Similar; Similar(".").predict(["photo.jpg"], 10)`; or with cvtune
installed: `cvtune similar FOLDER photo.jpg --k 10` and `cvtune serve FOLDER`, where FOLDER is this one or its zip.

Any ONNX runtime can run `model.onnx`: input `photos` is upright uint8 RGB, shape (n, height, width, 3), of any size;
output `vectors` is float32, shape (n, {width}), each of length 1. Inside, the short side is scaled to {short_side}
pixels, the middle {size} x {size} is cut out, and colours are normalised{after}. `index.npy` holds such a vector, as
16-bit floats, of each photo in `gallery.csv`, in its order. A photo that is in it finds itself at a distance
near 0 (up to .005 seen, by cosine), not at 0, for where that is faster networks compute in 16 bits, too.{depth}

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
    """Exported look-alikes. run is "" where the network is frozen; parity is that of numbers of a vector; photos: in
    the index; validation, test: how well photos of these splits find theirs among the training photos, the second None
    without test photos."""

    embedder: Embedder
    photos: int
    validation: Measured
    test: Measured | None

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
    components: str = "pca",
    distance: str = "cosine",
    earlier_data: bool = False,
) -> SimilarityExport:
    """Export the embedder called `name` (embeddings.embedder) with the vectors of all photos of the workspace to the
    new folder `out` (default: workspace/exports/similar-<name>), and to a zip beside it.

    components: one of embeddings.COMPONENTS, learned from the training photos; distance: one of ranking.DISTANCES;
    earlier_data: take a run whose classes are not those there are now, too. Test photos that it has trained on, or
    copies of them, are never counted. The test set is opened, and that is counted, once the ONNX model agrees with
    PyTorch. Folder and zip appear only when they are whole; nothing is overwritten. Raises InputError.
    """
    start, of = time.perf_counter(), embedder(workspace, name)
    if distance not in index.DISTANCES:
        raise InputError(f"distance is {distance!r}: choose {' or '.join(index.DISTANCES)}")
    now_there = present(workspace)
    own = load_run(workspace, of.run).provenance if of.run else now_there
    require_present(of.run, own, now_there, earlier_data)
    folder = destination(workspace, f"similar-{backbones.file_name(of.name)}", out)
    photos = workspace.photos()
    rows = vectors(workspace, photos, of, lambda share, words: progress(0.5 * share, words))
    validation = measure(workspace, of, "validation", distance, components=components)
    project = projection(rows[(photos["split"] == "train").to_numpy()], components)
    rows = project(rows)
    with made_aside(folder) as made:
        progress(0.5, "writing the model")
        embedding = network(workspace, of, project)
        notes = {
            "run": of.run,
            "embedder": of.name,
            "cvtune": cvtune_nb.__version__,
            "distance": json.dumps(distance),
            "levels": workspace.levels,
        }
        graph = onnx_graph(embedding, rows.shape[1], workspace.classes, of.spec.image_size, **notes)
        onnx_model.save(graph, made / "model.onnx")
        tensors = {key: tensor.contiguous() for key, tensor in embedding.state_dict().items()}
        write_tensors(made / "model.safetensors", tensors)
        np.save(made / "index.npy", rows.astype(np.float16), allow_pickle=False)
        write_csv(made / "gallery.csv", photos[["path", "label", "split"]])
        write_json(
            made / "labels.json",
            {
                "labels": workspace.classes,
                "kind": "similarity",
                "distance": distance,
                "image_size": of.spec.image_size,
                "embedder": of.name,
                "components": components,
            },
        )
        write_program(made)
        progress(0.6, "comparing with PyTorch")
        held_back = photos[photos["split"] == "validation"]
        difference, count = compare(workspace, embedding, predict.opened(made), held_back)
        fair, by = fairly(workspace, of, "test"), f"export {folder.name}"
        there = len(fair.photos) > 0
        test = measure(workspace, of, "test", distance, components=components, by=by) if there else None
        notes = tuple(filter(None, [standing_words(own, now_there), fair.words]))
        if len(photos) <= THUMBNAILS:
            _write_thumbnails(
                workspace, photos, made / "thumbnails.zip", lambda share, words: progress(0.7 + 0.3 * share, words)
            )
        openings = workspace.test_openings()
        export = SimilarityExport(
            folder=folder,
            zip=zip_of(folder),
            run=of.run,
            parity=difference,
            parity_photos=count,
            openings=openings,
            left_out=fair.left_out,
            notes=notes,
            embedder=of,
            photos=len(photos),
            validation=validation,
            test=test,
        )
        write_json(
            made / "config.json",
            {
                "made": now(),
                "kind": "similarity",
                "embedder": asdict(of),
                "distance": distance,
                "components": components,
                "width": rows.shape[1],
                "photos": len(photos),
                "parity": difference,
                "parity_photos": count,
                "validation": validation.to_dict(),
                "test": test and test.to_dict(),
                "test_openings": openings,
                "test_left_out": fair.left_out,
                "notes": list(notes),
                "seed_of_split": workspace.seed,
                "levels": workspace.levels,
                "versions": versions(),
            },
        )
        write_text(
            made / "README.md",
            _card(export, workspace, photos, made, rows.shape[1], frozen(own, now_there, workspace.seed)),
        )
        export = sealed(export, made, start)
    progress(1.0, f"exported to {folder}")
    return export


def onnx_graph(embedding: Embedding, width: int, labels: list[str], image_size: int, **notes: Any) -> onnx.ModelProto:
    """The graph that is exported: `photos`, uint8 RGB (n, h, w, 3) of any size, to `vectors` (n, width)."""
    rows = onnx_model.network(onnx_model.program(embedding, image_size), "rows")
    last = parser.parse_model(f"""
        <ir_version: 10, opset_import: ["" : {OPSET}]>
        told (float[n, {width}] rows) => (float[n, {width}] vectors) {{ vectors = Identity (rows) }}""")
    return onnx_model.joined(rows, last, "embedder", labels, image_size, **notes)


def compare(
    workspace: Workspace, embedding: Embedding, model: predict.Similar, photos: pd.DataFrame
) -> tuple[float, int]:
    """Largest difference of a number of a vector between `embedding` in PyTorch and `model` in ONNX Runtime, and on how
    many photos: up to PARITY_PHOTOS of `photos`, evenly, and odd kinds of the first of them, each scaled by Pillow and
    by the graph. Raises InputError when it is over TOLERANCE, or no number."""
    most, contents = 0.0, trial_photos(workspace, photos)
    for name, content in contents:
        square = photo.square(io.BytesIO(content), model.image_size, workspace.levels)
        with torch.inference_mode():
            ours = embedding(torch.from_numpy(square[None].copy())).numpy()[0]
        whole = np.asarray(photo.read_photo(io.BytesIO(content), model.short_side, workspace.levels))
        for given in (model.prepared(io.BytesIO(content)), whole):
            most = max(most, float(np.abs(ours - model.infer([given])[0]).max()))
        require_close(most, TOLERANCE, f"vectors on {name}")
    return most, len(contents)


# -- the files ------------------------------------------------------------------------------------------------


def _write_thumbnails(workspace: Workspace, photos: pd.DataFrame, file: Path, progress: Progress) -> None:
    """N.jpg of the photo in row N of the index; a photo that can't be read any more has none."""

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


# -- the card -------------------------------------------------------------------------------------------------


def _card(
    export: SimilarityExport, workspace: Workspace, photos: pd.DataFrame, made: Path, width: int, split: str
) -> str:
    of, told, components = export.embedder, export.test or export.validation, export.validation.components
    distance, counts = told.distance, photos["split"].value_counts()
    thumbnails = (made / "thumbnails.zip").exists()
    return CARD.format(
        name=model_card.text(export.folder.name),
        photos=len(photos),
        labels=", ".join(map(model_card.text, workspace.classes)),
        network=f"{model_card.text(str(of.spec))}, {f'run {of.run}' if of.run else 'frozen'}",
        projected=f", {width} numbers a photo ({components})",
        distance=distance,
        meaning=index.DISTANCES[distance],
        made=now()[:10],
        figures=model_card.table(_figures(export.validation, *filter(None, [export.test]))),
        chosen="The run was chosen by its validation accuracy, so the validation figures flatter"
        if of.run
        else "The network is frozen: it has learned nothing from these photos",
        notes=model_card.listed(export.notes),
        openings=export.openings,
        included=", this one included" if export.test else "; no test photo was measured",
        parity=export.parity,
        parity_photos=export.parity_photos,
        told=told.split,
        by_class=model_card.table(told.by_class),
        depth=model_card.depth(workspace.levels),
        width=width,
        short_side=of.spec.preprocessing.side,
        size=of.spec.image_size,
        after="" if components == "none" else ", and the network's numbers are projected",
        split=split,
        splits=", ".join(f"{counts.get(split, 0)} {split}" for split in SPLITS),
        weights=model_card.weights(of.spec.backbone),
        thumbnails="; `thumbnails.zip` holds them small" if thumbnails else "",
        versions=", ".join(f"{package} {version}" for package, version in versions().items()),
    )


def _figures(*found: Measured) -> pd.DataFrame:
    """A row a split: its figures with their intervals, in words."""
    return pd.DataFrame(
        [
            {
                "split": one.split,
                **{f"recall@{k}": str(one.recall[k]) for k in RANKS},
                "mAP": str(one.mean_precision),
                "median rank": f"{one.median_rank:g}",
            }
            for one in found
        ]
    )
