"""Leave with a model that runs elsewhere: ONNX, weights, labels, a model card, a program to classify photos.

Classifying needs onnxruntime, numpy and Pillow (and onnx, to look at an export before it is used), so the rest is
imported when it is first asked for.
"""

import contextlib
from importlib import import_module
from pathlib import Path
from typing import Any

from cvtune_nb.errors import InputError

__all__ = ["exports_in", "open_export"]  # and load_bundle, when it is asked for


def __getattr__(name: str) -> Any:
    if name == "load_bundle":  # the model cards of all exports say that it is here
        return import_module("cvtune_nb.classification.export").load_bundle
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def open_export(place: str | Path, variant: str = "fp32") -> Any:
    """The exported model in a folder or zip, verified and ready to use: one of predict.KINDS. Raises InputError."""
    from cvtune_nb.export import predict, variants, verification

    folder, file = verification.checked(place), variants.file_of(variant)
    if not (folder / file).exists():
        raise InputError(f"{place} has no {variant} variant: export it again with --variants {variant}")
    try:
        return predict.opened(folder, file)
    except ValueError as error:
        raise InputError(str(error)) from None


def exports_in(folder: Path) -> dict[str, str]:
    """The exports in `folder`: the kind of each, by its name."""
    from cvtune_nb.export import predict

    found = {}
    for file in sorted(folder.glob("*/labels.json")):
        with contextlib.suppress(ValueError):
            found[file.parent.name] = predict.kind_of(file.parent).KIND
    return found
