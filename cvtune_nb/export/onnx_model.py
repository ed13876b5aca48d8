"""A trained classifier as one ONNX file: photo in, probabilities out."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import Model

OPSET = 18
"""The oldest operator set that torch's exporter writes without converting: runs on the most onnxruntimes."""

TOLERANCE = 1e-4
"""Largest difference of a probability between PyTorch and ONNX Runtime that counts as the same model: well
above float32 noise through a deep network, and far below a difference anyone could see."""


class Probabilities(nn.Module):
    """The classifier with softmax behind it: uint8 images (n, image_size, image_size, 3) to (n, classes)."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities, float32 (n, classes)."""
        return self.classifier(images).float().softmax(dim=1)


def write_onnx(classifier: nn.Module, file: Path, labels: list[str], image_size: int, **notes: Any) -> None:
    """Write `classifier` (uint8 RGB images (n, image_size, image_size, 3) to logits (n, classes)) to `file`.

    The graph takes `images` and gives `probabilities`, for any n; normalising is inside. labels, image_size
    and `notes` go into the file's metadata, as JSON where they are no text.
    """
    model = Probabilities(classifier).eval()
    example = torch.zeros((2, image_size, image_size, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["probabilities"],
            dynamic_shapes={"images": {0: torch.export.Dim("n", min=1, max=2**20)}},
            verbose=False,
        )
    proto = program.model_proto
    _forget_source_code(proto)
    metadata = {"labels": labels, "image_size": str(image_size), **notes}
    onnx.helper.set_model_props(
        proto,
        {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in metadata.items()},
    )
    proto.producer_name = "cvtune"
    onnx.checker.check_model(proto)
    onnx.save(proto, str(file))


def _forget_source_code(proto: onnx.ModelProto) -> None:
    """The exporter notes at every node which line of which file it came from: paths of this machine, of no
    use elsewhere."""
    graph = proto.graph
    for part in (
        proto,
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ):
        del part.metadata_props[:]


def parity(classifier: nn.Module, model: Model, images: np.ndarray) -> float:
    """Largest difference of a probability between PyTorch and ONNX Runtime on `images`, uint8
    (n, image_size, image_size, 3). Raises InputError when it is over TOLERANCE: such an export is no use."""
    torch_model = Probabilities(classifier).eval()
    with torch.inference_mode():
        ours = np.concatenate([torch_model(torch.from_numpy(image[None].copy())).numpy() for image in images])
    difference = float(np.abs(ours - model.probabilities(images)).max())
    if not difference <= TOLERANCE:
        raise InputError(
            f"ONNX Runtime's probabilities differ from PyTorch's by {difference:.2g} (limit {TOLERANCE:g}), "
            "so nothing was exported: try another backbone, and report the versions of torch and onnxruntime"
        )
    return difference
