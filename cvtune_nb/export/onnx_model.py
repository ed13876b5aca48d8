"""A trained classifier as one ONNX file: photos of any size in, calibrated probabilities out."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx.compose import merge_models
from torch import nn

from cvtune_nb.data.photo import BLACK, Colour, Size, both
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export.onnx_known import beside
from cvtune_nb.export.onnx_preprocessing import OPSET, probabilities, scaling
from cvtune_nb.models import memory
from cvtune_nb.quiet import quiet


class Probabilities(nn.Module):
    """A classifier with softmax(logits / temperature) behind it.

    From uint8 images (n, height, width, 3) to float32 (n, classes).
    """

    def __init__(self, classifier: nn.Module, temperature: float = 1.0) -> None:
        super().__init__()
        self.classifier, self.temperature = classifier, temperature

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Probabilities, float32 (n, classes)."""
        return self.calibrated(self.classifier(images))

    def calibrated(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities of logits (n, classes)."""
        return (logits.float() / self.temperature).softmax(dim=1)


class KnownToo(Probabilities):
    """The same, and `known`, float32 (n,), of features of the same pass.

    seen: the classifier's logits and features; known: from these features.
    """

    def __init__(self, seen: nn.Module, classifier: nn.Module, temperature: float, known: nn.Module) -> None:
        super().__init__(classifier, temperature)
        self.seen, self.known = seen, known

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Probabilities (n, classes) and known (n,)."""
        logits, features = self.seen(images)
        return self.calibrated(logits), self.known(features)


@contextlib.contextmanager
def exporting() -> Iterator[None]:
    """Within it, PyTorch's exporters work without warnings of their own deprecations and empty attributes.

    Raises InputError for a network that they can't export.
    """
    try:
        with quiet("onnx_ir", "onnxscript", "torch.onnx", "torch.export"):
            yield
    except Exception as error:  # of many kinds, by what in the network is unknown to them
        if memory.ran_out(error):
            raise
        cause = error.__cause__ or error  # the exporter's own words are a page of advice, in colours
        why = (str(cause).strip() or type(cause).__name__).splitlines()[0][:150]
        raise InputError(f"this network can't be exported to ONNX ({why}): choose another backbone") from error


def program(classifier: nn.Module, image_size: Size) -> torch.export.ExportedProgram:
    """`classifier` (uint8 RGB images of that size, (n, height, width, 3), any n) as torch.export sees it."""
    example = torch.zeros((2, *both(image_size), 3), dtype=torch.uint8)
    shapes = {"images": {0: torch.export.Dim("n", min=1, max=2**20)}}
    # the exporter can't decompose PyTorch's fused attention with a position bias (MaxViT); timm's own gives the same
    fused: list[Any] = [module for module in classifier.modules() if getattr(module, "fused_attn", False)]
    for module in fused:
        module.fused_attn = False
    try:
        with exporting():
            return torch.export.export(classifier.eval(), (example,), dynamic_shapes=shapes)
    finally:
        for module in fused:
            module.fused_attn = True


def network(exported: torch.export.ExportedProgram, *outputs: str) -> onnx.ModelProto:
    """The exported network in ONNX: `images` (n, height, width, 3) to `outputs`, ("logits",) unless given."""
    names = list(outputs or ("logits",))
    with exporting():
        made = torch.onnx.export(
            exported, dynamo=True, opset_version=OPSET, input_names=["images"], output_names=names, verbose=False
        )
    assert made is not None  # as it is with dynamo
    proto = made.model_proto
    forget_source_code(proto)
    return proto


def whole(
    logits: onnx.ModelProto,
    labels: list[str],
    preprocessing: Preprocessing,
    temperature: float,
    padding: Colour = BLACK,
    known: onnx.ModelProto | None = None,
    **notes: Any,
) -> onnx.ModelProto:
    """The graph that is exported: photos of any size to calibrated probabilities.

    Parameters
    ----------
    logits
        What `network` gave, or a variant of it.
    labels
        Names of the classes, in the order of the logits.
    preprocessing
        What the network is shown of a photo.
    temperature
        What logits are divided by.
    padding
        The colour around photos (mean_colour.padding_for).
    known
        What `onnx_known.known` gave, where the network gives features, too.
    notes
        More for the metadata, beside temperature and those of `joined`.

    Returns
    -------
    `photos`, uint8 RGB (n, h, w, 3), to `probabilities`, float32 (n, classes), and `known`, float32 (n,).
    """
    last = probabilities(len(labels), temperature)
    last = beside(last, known) if known else last
    return joined(logits, last, "classifier", labels, preprocessing, padding, temperature=temperature, **notes)


def joined(
    network: onnx.ModelProto,
    last: onnx.ModelProto,
    name: str,
    labels: list[str],
    preprocessing: Preprocessing,
    padding: Colour = BLACK,
    **notes: Any,
) -> onnx.ModelProto:
    """`scaling`, a network and a last step as one graph.

    Parameters
    ----------
    network
        From `images` to what `last` takes, in that order.
    last
        From the network's outputs to those of the graph.
    name
        Of the graph.
    preprocessing
        What the network is shown of a photo.
    padding
        The colour around photos (mean_colour.padding_for).
    labels, notes
        For the metadata, beside image_size, short_side, framing and padding.
    """
    before, middle = scaling(preprocessing, padding), onnx.ModelProto()
    for part in (before, last):
        part.ir_version = network.ir_version
    middle.CopyFrom(network)
    made = merge_models(before, middle, io_map=[("images", "images")], prefix2="network_")
    ends = zip(network.graph.output, last.graph.input, strict=True)
    made = merge_models(made, last, io_map=[(f"network_{mine.name}", theirs.name) for mine, theirs in ends])
    sizes = {"image_size": preprocessing.size, "short_side": preprocessing.prepared_side}
    shown = {**preprocessing.to_dict(), **sizes, "padding": padding}
    return finished(made, name, **notes, labels=labels, **shown)


def finished(made: onnx.ModelProto, name: str, **notes: Any) -> onnx.ModelProto:
    """The graph, called `name`, checked, with `notes` in its metadata: as JSON where they are no text."""
    texts = {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for key, value in notes.items()
    }
    onnx.helper.set_model_props(made, texts)
    made.producer_name, made.graph.name = "cvtune", name
    onnx.checker.check_model(made)
    return made


def forget_source_code(proto: onnx.ModelProto) -> None:
    """Remove what the exporter notes at every node: the line of the source file that it came from.

    These are paths of this machine, of no use elsewhere.
    """
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]


def save(proto: onnx.ModelProto, file: Path) -> None:
    """Write the graph and its weights to one file."""
    onnx.save(proto, str(file))
