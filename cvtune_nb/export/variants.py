"""Smaller and faster forms of an exported network: half precision and 8-bit integers."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx

from cvtune_nb.errors import InputError
from cvtune_nb.quiet import quiet

INT8_OPERATORS = ("Conv", "Gemm", "MatMul", "Add", "Clip", "Relu", "MaxPool", "GlobalAveragePool")
"""What is computed in 8 bits. Softmax is not: its probabilities would no longer add up to 1."""

CALIBRATION_PHOTOS = 100
"""Train photos whose activations set the ranges of 8-bit numbers. Ours (EfficientNet-Lite0, clothing): ranges from the
extremes of 100 photos, 4 s, lose .9 points of validation accuracy; from their percentiles, 33 s, 1.2 points."""


def half(network: onnx.ModelProto, images: np.ndarray) -> onnx.ModelProto:  # noqa: ARG001 - as `eight_bits`
    """The network with weights and arithmetic in float16: half the size, for GPUs and phones; processors without
    such arithmetic are slower with it."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    copy = onnx.ModelProto()
    copy.CopyFrom(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about weights below what float16 can hold, which become its smallest
        return convert_float_to_float16(copy, keep_io_types=True)


def eight_bits(network: onnx.ModelProto, images: np.ndarray) -> onnx.ModelProto:
    """The network in 8-bit integers, a quarter of the size (ONNX Runtime's static quantisation, weights by channel).
    images: uint8 train photos (n, image_size, image_size, 3) to take the ranges of numbers from."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Photos(CalibrationDataReader):
        def __init__(self) -> None:
            self.rows: Iterator[np.ndarray] = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.rows, None)
            return None if image is None else {"images": image[None]}

    with tempfile.TemporaryDirectory() as folder, quiet("root"):  # advice meant for developers of the quantiser
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


VARIANTS: dict[str, Callable[[onnx.ModelProto, np.ndarray], onnx.ModelProto]] = {"fp16": half, "int8": eight_bits}
"""By name: from the float32 network and calibration photos to the smaller one."""


def file_of(variant: str) -> str:
    """model.onnx for fp32, model-int8.onnx for int8."""
    return "model.onnx" if variant == "fp32" else f"model-{variant}.onnx"


def require_known(names: tuple[str, ...]) -> None:
    """Raises InputError for a name that is not in VARIANTS."""
    if wrong := sorted(set(names) - set(VARIANTS)):
        raise InputError(f"there is no variant {wrong[0]!r}: choose from {', '.join(VARIANTS)}")
