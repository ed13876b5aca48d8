"""Export a run: a folder with all that is needed to use the model elsewhere, checked before it is kept."""

import contextlib
import hashlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch

import cvtune_nb
from cvtune_nb.data import photo
from cvtune_nb.errors import InputError
from cvtune_nb.export import predict
from cvtune_nb.export.card import model_card
from cvtune_nb.export.onnx_model import parity, write_onnx
from cvtune_nb.files import Progress, read_json, silent, write_csv, write_json, write_text
from cvtune_nb.metrics import Accuracy, accuracy, per_class
from cvtune_nb.parameters import Config
from cvtune_nb.training import Run, load_run
from cvtune_nb.training.checkpoint import write_tensors
from cvtune_nb.training.model import Classifier, build, load_best
from cvtune_nb.workspace import Workspace, now

PARITY_PHOTOS = 64
"""Validation photos on which PyTorch and ONNX Runtime are compared, spread evenly over the classes."""

PACKAGES = ("torch", "torchvision", "timm", "onnx", "onnxruntime", "numpy", "Pillow")
"""Whose versions the model card gives."""


@dataclass(frozen=True)
class Export:
    """An exported model: where it is and how good it is.

    parity: largest difference of a probability between PyTorch and ONNX Runtime on `parity_photos` photos;
    test: accuracy of the files in `folder` on the test photos, None where there are none; per_class: the same
    by class; openings: how often the workspace's test set has been looked at, this time included.
    """

    folder: Path
    run: str
    files: list[str]
    parity: float
    parity_photos: int
    validation: Accuracy
    test: Accuracy | None
    per_class: pd.DataFrame | None
    openings: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values, for JSON."""
        test = self.test
        return {
            "folder": str(self.folder),
            "run": self.run,
            "files": self.files,
            "parity": self.parity,
            "parity_photos": self.parity_photos,
            "validation_accuracy": self.validation.value,
            "test_accuracy": test and test.value,
            "interval": test and test.interval,
            "test_photos": test.n if test else 0,
            "test_openings": self.openings,
            "seconds": round(self.seconds, 2),
        }


def export_run(
    workspace: Workspace, run_id: str, out: str | Path | None = None, progress: Progress = silent
) -> Export:
    """Export the best weights of run `run_id` to the new folder `out` (default: workspace/exports/<run>).

    The test set is opened, and that is counted, once the ONNX model agrees with PyTorch. The folder appears
    only when it is whole. An export that is already there is never overwritten: the next one gets a number.
    Raises InputError for an unknown run, for an `out` that holds something, and for a model that ONNX Runtime
    computes differently; OSError when the disk is full.
    """
    start = time.perf_counter()
    run = load_run(workspace, run_id)
    if run.history.empty:
        raise InputError(f"run {run.id} has no finished epoch yet: resume it, or export another run")
    folder = _free_name(workspace.exports / run.id) if out is None else _empty(Path(out).expanduser())
    photos = workspace.photos()
    with _made_aside(folder) as made:
        progress(0.0, "writing the model")
        classifier = load_best(run)
        write_onnx(classifier, made / "model.onnx", run.classes, run.config.image_size, run=run.id,
                   backbone=run.config.backbone, cvtune=cvtune_nb.__version__)  # fmt: skip
        write_tensors(
            made / "model.safetensors", {name: tensor.contiguous() for name, tensor in classifier.state_dict().items()}
        )
        write_json(made / "labels.json", {"labels": run.classes})
        shutil.copyfile(predict.__file__, made / "predict.py")
        shutil.copyfile(photo.__file__, made / "photo.py")

        progress(0.3, "comparing with PyTorch")
        model = predict.Model(made)
        compared = _spread(photos[photos["split"] == "validation"], PARITY_PHOTOS)
        images = [photo.square(workspace.path_of(path), run.config.image_size) for path in compared["path"]]
        difference = parity(classifier, model, np.stack(images))

        rows = photos[photos["split"] == "test"]
        openings = workspace.open_test(f"export {run.id}") if len(rows) else workspace.test_openings()
        answers = _answer(model, [workspace.path_of(path) for path in rows["path"]], progress)
        test = accuracy(rows["label"], answers["predicted"]) if len(rows) else None
        by_class = per_class(rows["label"], answers["predicted"], run.classes) if len(rows) else None
        write_csv(made / "test_predictions.csv", rows[["path", "label"]].reset_index(drop=True).join(answers))

        facts = _facts(workspace, run, difference, len(compared), test, openings)
        write_json(made / "config.json", facts)
        card = model_card(name=folder.name, run=run, facts=facts, photos=photos, test=test,
                          per_class=by_class, short_side=photo.short_side(run.config.image_size))  # fmt: skip
        write_text(made / "README.md", card)
        files = sorted(file.name for file in made.iterdir())
    progress(1.0, f"exported to {folder}")
    return Export(folder, run.id, files, difference, len(compared), run.validation, test, by_class, openings,
                  time.perf_counter() - start)  # fmt: skip


def load_bundle(folder: str | Path) -> Classifier:
    """The exported network in PyTorch, ready to use: uint8 photos (n, image_size, image_size, 3) to logits
    (n, classes). Raises InputError when `folder` is no export."""
    folder = Path(folder)
    try:
        facts = read_json(folder / "config.json")
        classifier = build(Config.from_values(**facts["config"]), facts["classes"], pretrained=False)
        classifier.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    except (OSError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise InputError(f"{folder} is no whole export ({error}): export the run again") from None
    return classifier.eval()


def _free_name(folder: Path) -> Path:
    """`folder`, or the same with the first free number behind it."""
    number = 2
    free = folder
    while free.exists():
        free = folder.with_name(f"{folder.name}-{number}")
        number += 1
    return free


def _empty(folder: Path) -> Path:
    if folder.is_file():
        raise InputError(f"{folder} is a file: give --out a new folder")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"{folder} is not empty and nothing in it will be overwritten: give --out a new folder"
        )
    return folder


@contextlib.contextmanager
def _made_aside(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its name at the end, or vanishes on an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield aside
        aside.chmod(0o755)
        if folder.exists():
            folder.rmdir()  # empty, or this raises
        os.rename(aside, folder)
    except OSError as error:
        if str(aside) in str(error.filename or aside):
            error.filename = str(folder)  # the name that the person knows
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _spread(photos: pd.DataFrame, count: int) -> pd.DataFrame:
    """`count` of `photos` (or all), evenly over the table sorted by class."""
    rows = photos.sort_values(["label", "path"])
    return rows.iloc[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def _answer(model: predict.Model, paths: list[Path], progress: Progress) -> pd.DataFrame:
    """predicted,probability of each photo, as `cvtune predict` gives them; an unreadable one is wrong."""
    rows = []
    for number, path in enumerate(paths):
        if number % 8 == 0:
            progress(0.4 + 0.6 * number / len(paths), f"test photos: {number} of {len(paths)}")
        rows += model.predict([path])
    return pd.DataFrame(
        [(row.get("label", ""), row.get("probability", 0.0)) for row in rows],
        columns=["predicted", "probability"],
    )


def _facts(
    workspace: Workspace, run: Run, difference: float, compared: int, test: Accuracy | None, openings: int
) -> dict[str, Any]:
    """What config.json holds: enough to rebuild the network and to know where it came from."""
    manifest = workspace.folder / "manifest.csv"
    return {
        "made": now(),
        "run": run.id,
        "config": run.config.to_dict(),
        "classes": run.classes,
        "accuracy": {
            "train": run.train.to_dict(),
            "validation": run.validation.to_dict(),
            "test": test and test.to_dict(),
        },
        "test_openings": openings,
        "parity": difference,
        "parity_photos": compared,
        "data": {
            "name": Path(workspace.source).name,
            "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
            "seed": workspace.seed,
            "skipped": len(workspace.skipped()),
            "decisions": len(workspace.standing()),
        },
        "versions": {"cvtune": cvtune_nb.__version__, "Python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
