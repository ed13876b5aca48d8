"""Smaller and faster variants of an exported classifier's network, one row each in VARIANTS."""

import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cvtune_nb.errors import InputError
from cvtune_nb.quiet import quiet

if TYPE_CHECKING:  # the command line reads the names of the variants, and starts without these
    import numpy as np
    import onnx

INT8_OPERATORS = ("Conv", "Gemm", "MatMul", "Add", "Clip", "Relu", "MaxPool", "GlobalAveragePool")
"""What is computed in 8 bits. Softmax is not: its probabilities would no longer add up to 1."""

CALIBRATION_PHOTOS = 100
"""Training photos whose activations set the ranges of 8-bit numbers (docs/measurements.md, "Calibration of int8")."""

QUANTISING = 4
"""Temporary files of the quantiser, by the size of the network: it, prepared, with outputs of every node, and small
(docs/measurements.md, "A disk that is full")."""


@dataclass(frozen=True)
class Variant:
    """One variant: `export` writes it, `predict` and `serve` use it, the model card compares it with fp32.

    Attributes
    ----------
    name
        As in --variants and in the name of its file.
    meaning
        What it is good for, shown in notebook 05.
    make
        From the float32 network and uint8 training photos (n, height, width, 3), from which ranges of
        activations can be taken, to the variant: inputs and outputs stay what they are.
    """

    name: str
    meaning: str
    make: Callable[["onnx.ModelProto", "np.ndarray"], "onnx.ModelProto"]


def half_precision(network: "onnx.ModelProto", _: "np.ndarray") -> "onnx.ModelProto":
    """Weights and arithmetic in float16. Processors without such arithmetic are slower with it."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    copy = onnx.ModelProto()
    copy.CopyFrom(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about weights below what float16 can hold, which become its smallest
        return convert_float_to_float16(copy, keep_io_types=True)


def eight_bits(network: "onnx.ModelProto", photos: "np.ndarray") -> "onnx.ModelProto":
    """Static quantisation by ONNX Runtime, weights by channel, with the ranges that `photos` need."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from cvtune_nb.files import require_room

    class Photos(CalibrationDataReader):
        def __init__(self) -> None:
            self.rows: Iterator[np.ndarray] = iter(photos)

        def get_next(self) -> dict[str, "np.ndarray"] | None:
            image = next(self.rows, None)
            return None if image is None else {"images": image[None]}

    with tempfile.TemporaryDirectory() as folder, quiet("root"):  # advice meant for developers of the quantiser
        # a file that it could not write to its end is no error to ONNX Runtime
        require_room(Path(folder), QUANTISING * network.ByteSize())
        files = [Path(folder) / name for name in ("network.onnx", "prepared.onnx", "small.onnx")]
        onnx.save(network, str(files[0]))
        quant_pre_process(str(files[0]), str(files[1]), skip_symbolic_shape=True)
        quantize_static(
            str(files[1]),
            str(files[2]),
            Photos(),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(INT8_OPERATORS),
        )
        return onnx.load(str(files[2]))


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("fp16", "half the size, for GPUs and phones", half_precision),
        Variant("int8", "a quarter of the size, fast on processors", eight_bits),
    )
}


def file_of(variant: str) -> str:
    """model.onnx for fp32, model-int8.onnx for int8."""
    return "model.onnx" if variant == "fp32" else f"model-{variant}.onnx"


def require_known(names: Iterable[str]) -> None:
    """Raises InputError for a name that is not in VARIANTS."""
    if wrong := sorted(set(names) - set(VARIANTS)):
        raise InputError(f"there is no variant {wrong[0]!r}: choose from {', '.join(VARIANTS)}")
