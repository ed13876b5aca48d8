"""How much a photo is like those that a classifier was trained on, as a part of its ONNX graph: features to `known`."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper, parser
from onnx.compose import add_prefix

from cvtune_nb.export.onnx_preprocessing import OPSET

RESIDUAL = 5.0
"""How much more the part of a photo that training photos don't span counts than the claim of a class:
docs/measurements.md, "None of these"."""


@dataclass(frozen=True)
class Likeness:
    """A score of features: how much the class that claims them most does so, less what no training photo has of them.

    Features that are not finite count as 0. Their row is scaled to length 1, `centre` is taken off, and the rest is
    scaled to length 1 again: x. The claim is the largest of x @ weights + offset, -1 for no and 1 for yes; what is left
    over the length of x - middle outside of the axes.

    Attributes
    ----------
    centre, middle
        float32 (width,): means of training photos.
    weights, offset
        float32 (width, classes) and (classes,): a least-squares SVM.
    axes
        float32 (width, k): the principal components of training photos.
    """

    centre: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    middle: np.ndarray
    axes: np.ndarray


@dataclass(frozen=True)
class Scale:
    """From scores to `known`: straight lines between knots, and an exponential below the first.

    Attributes
    ----------
    starts, widths
        float32 (k,): where each line begins, and how long it is.
    rises
        float32 (k,): by how much `known` rises along it.
    first, tail
        The smallest score that is not below the knots, and the drop of the score that divides `known` by e below it.
    least
        `known` there.
    """

    starts: np.ndarray
    widths: np.ndarray
    rises: np.ndarray
    first: float
    tail: float
    least: float


_SCORE = """
  no_number = IsNaN (features)
  endless = IsInf (features)
  broken = Or (no_number, endless)
  finite = Where (broken, zero, features)
  length_1 = ReduceL2 <keepdims = 1> (finite, last)
  length_2 = Max (length_1, tiny)
  unit = Div (finite, length_2)
  off_centre = Sub (unit, centre)
  length_3 = ReduceL2 <keepdims = 1> (off_centre, last)
  length_4 = Max (length_3, tiny)
  placed = Div (off_centre, length_4)
  claims_1 = MatMul (placed, weights)
  claims = Add (claims_1, offset)
  claim = ReduceMax <keepdims = 0> (claims, last)
  moved = Sub (placed, middle)
  along = MatMul (moved, axes)
  rows = Transpose <perm = [1, 0]> (axes)
  inside = MatMul (along, rows)
  outside = Sub (moved, inside)
  apart = ReduceL2 <keepdims = 0> (outside, last)
  counted = Mul (apart, residual)
  score = Sub (claim, counted)
"""

_SCALED = """
  column = Unsqueeze (score, last)
  past = Sub (column, starts)
  steps = Div (past, widths)
  covered = Clip (steps, zero, one)
  risen_1 = MatMul (covered, rises)
  risen = Squeeze (risen_1, last)
  under_1 = Sub (score, first)
  under = Min (under_1, zero)
  decay_1 = Div (under, tail)
  decay_2 = Exp (decay_1)
  decay = Mul (decay_2, least)
  known = Add (risen, decay)
"""


def known(likeness: Likeness, scale: Scale | None) -> onnx.ModelProto:
    """A graph from `features` (n, width) to `known` (n,); without a scale that is the score itself."""
    width = len(likeness.centre)
    numbers = {"zero": 0.0, "tiny": 1e-12, "residual": RESIDUAL}
    arrays = {name: getattr(likeness, name) for name in ("centre", "weights", "offset", "middle", "axes")}
    if scale:
        numbers |= {"one": 1.0} | {name: getattr(scale, name) for name in ("first", "tail", "least")}
        arrays |= {"starts": scale.starts, "widths": scale.widths, "rises": scale.rises[:, None]}
    constants = ", ".join(f"float {name} = {{{float(value)!r}}}" for name, value in numbers.items())
    made = parser.parse_model(f"""
        <ir_version: 10, opset_import: ["" : {OPSET}]>
        likeness (float[n, {width}] features) => (float[n] known)
        <int64[1] last = {{1}}, {constants}>
        {{{_SCORE}{_SCALED if scale else "known = Identity (score)"}}}""")
    for name, array in arrays.items():
        made.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
    return add_prefix(made, "known_", rename_inputs=False, rename_outputs=False)  # scaling has a `zero`, too


def beside(probabilities: onnx.ModelProto, other: onnx.ModelProto) -> onnx.ModelProto:
    """Two graphs that have nothing in common as one: the inputs of both to the outputs of both."""
    both = onnx.ModelProto()
    both.CopyFrom(probabilities)
    for part in ("node", "input", "output", "initializer"):
        getattr(both.graph, part).extend(getattr(other.graph, part))
    return both
