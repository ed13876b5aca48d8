"""Files in which an exported classifier's network is kept besides ONNX, one row each in FORMATS."""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from cvtune_nb.data.photo import Size
from cvtune_nb.export import onnx_model
from cvtune_nb.export.onnx_model import Probabilities
from cvtune_nb.runs.checkpoint import write_tensors


@dataclass(frozen=True)
class Format:
    """One file of every exported classifier.

    Attributes
    ----------
    file
        Its name.
    use
        How it is used, for the model card; {height} and {width} stand for those of what the network is shown,
        {known} for its second output where it has one.
    write
        From the network, in eval mode on the processor, and its image size to that file.
    """

    file: str
    use: str
    write: Callable[[Probabilities, Size, Path], None]


def write_weights(network: nn.Module, file: Path) -> None:
    """The weights of a network alone."""
    write_tensors(file, {name: tensor.contiguous() for name, tensor in network.state_dict().items()})


def write_safetensors(network: Probabilities, _: Size, file: Path) -> None:
    """Write what classification.export.load_bundle reads.

    Parameters
    ----------
    network
        The classifier with its calibration.
    file
        What is written.
    """
    write_weights(network.classifier, file)


def write_pt2(network: Probabilities, image_size: Size, file: Path) -> None:
    """Write what torch.export makes of the network: photos scaled already to calibrated probabilities, and `known`.

    Parameters
    ----------
    network
        The classifier with its calibration.
    image_size
        Of the photos in pixels.
    file
        What is written.
    """
    program = onnx_model.program(network, image_size)
    program.example_inputs = None  # they would be pickled
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about weights that are views of others
        whole = io.BytesIO()  # where the disk is full, PyTorch's writer of files ends the process
        torch.export.save(program, whole)
    file.write_bytes(whole.getbuffer())


FORMATS = (
    Format(
        "model.safetensors",
        "weights to go on with in PyTorch: `cvtune_nb.export.load_bundle(FOLDER)` rebuilds the network from them and "
        "`config.json`",
        write_safetensors,
    ),
    Format(
        "model.pt2",
        'for PyTorch without cvtune: `torch.export.load("model.pt2").module()` takes `images`, uint8 '
        "(n, {height}, {width}, 3), and gives `probabilities`{known}",
        write_pt2,
    ),
)
