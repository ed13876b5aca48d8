"""Leave with a model that runs elsewhere: ONNX, weights, labels, a model card, a program to classify photos.

`predict` needs onnxruntime, numpy and Pillow only, so the rest is imported when it is first asked for.
"""

from typing import Any

__all__ = ["Export", "export_run", "load_bundle"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from cvtune_nb.export import bundle

        return getattr(bundle, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
