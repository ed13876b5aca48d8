"""Photos of any size -> what the network sees, as part of the ONNX graph itself."""

import onnx
from onnx import parser

from cvtune_nb.data.photo import BLACK, Colour, both
from cvtune_nb.data.preprocessing import Preprocessing

OPSET = 18
"""The oldest operator set that torch's exporter writes without converting: runs on the most onnxruntimes."""

_PLACES = {
    "crop": """
  {axis}_times = Mul ({other}_length, {axis}_side)
  {axis}_shaped = Div ({axis}_times, {other}_side)
  {axis}_whole = Round ({axis}_shaped)
  {axis}_least = Max ({axis}_whole, one)
  {axis}_part = Min ({axis}_length, {axis}_least)
  {axis}_scale = Div ({axis}_part, {axis}_side)
  {axis}_free = Sub ({axis}_length, {axis}_part)
  {axis}_left = Mul ({axis}_free, half)
  {axis}_first = Constant <value = double {{{first}.0}}> ()
  {axis}_end = Constant <value = double {{{end}.0}}> ()
  {axis}_wanted = Range ({axis}_first, {axis}_end, one)
""",
    "whole": """
  {axis}_h_fits = Div (h_side, h_length)
  {axis}_w_fits = Div (w_side, w_length)
  {axis}_shrunk = Min ({axis}_h_fits, {axis}_w_fits)
  {axis}_exact = Mul ({axis}_length, {axis}_shrunk)
  {axis}_nearest = Round ({axis}_exact)
  {axis}_target = Max ({axis}_nearest, one)
  {axis}_scale = Div ({axis}_length, {axis}_target)
  {axis}_left = Identity (zero)
  {axis}_wanted = Range (zero, {axis}_target, one)
""",
    "squash": """
  {axis}_scale = Div ({axis}_length, {axis}_side)
  {axis}_left = Identity (zero)
  {axis}_wanted = Range (zero, {axis}_side, one)
""",
}
"""By framing: which pixels along an axis are wanted, how far apart they lie in the photo, and where the first is."""

_WEIGHTS = """
  {axis}_wide = Max ({axis}_scale, one)
  {axis}_wanted_middles = Add ({axis}_wanted, half)
  {axis}_as_column = Reshape ({axis}_wanted_middles, column)
  {axis}_steps = Mul ({axis}_as_column, {axis}_scale)
  {axis}_centres = Add ({axis}_steps, {axis}_left)
  {axis}_pixels = Range (zero, {axis}_length, one)
  {axis}_middles = Add ({axis}_pixels, half)
  {axis}_apart = Sub ({axis}_middles, {axis}_centres)
  {axis}_signed = Div ({axis}_apart, {axis}_wide)
  {axis}_x = Abs ({axis}_signed)
  {axis}_x2 = Mul ({axis}_x, {axis}_x)
  {axis}_x3 = Mul ({axis}_x2, {axis}_x)
  {axis}_15x3 = Mul ({axis}_x3, one_and_half)
  {axis}_25x2 = Mul ({axis}_x2, two_and_half)
  {axis}_05x3 = Mul ({axis}_x3, half)
  {axis}_4x = Mul ({axis}_x, four)
  {axis}_near_1 = Sub ({axis}_15x3, {axis}_25x2)
  {axis}_near = Add ({axis}_near_1, one)
  {axis}_far_1 = Sub ({axis}_25x2, {axis}_05x3)
  {axis}_far_2 = Sub ({axis}_far_1, {axis}_4x)
  {axis}_far = Add ({axis}_far_2, two)
  {axis}_is_far = Less ({axis}_x, two)
  {axis}_is_near = Less ({axis}_x, one)
  {axis}_outer = Where ({axis}_is_far, {axis}_far, zero)
  {axis}_cubic = Where ({axis}_is_near, {axis}_near, {axis}_outer)
  {axis}_sum = ReduceSum <keepdims = 1> ({axis}_cubic, last)
  {axis}_share = Div ({axis}_cubic, {axis}_sum)
  {axis}_bits = Mul ({axis}_share, bits)
  {axis}_rounded = Round ({axis}_bits)
  {axis}_weights = Div ({axis}_rounded, bits)
"""
"""How much of each pixel along an axis goes into each of the pixels that are wanted: Pillow's bicubic filter (a = -.5),
widened where a photo shrinks, with its 22 bits of precision."""

_FRAMED = {
    "crop": "framed = Identity (small)",
    "whole": """
  h_room = Sub (h_side, h_target)
  w_room = Sub (w_side, w_target)
  h_half = Mul (h_room, half)
  w_half = Mul (w_room, half)
  h_before = Floor (h_half)
  w_before = Floor (w_half)
  h_after = Sub (h_room, h_before)
  w_after = Sub (w_room, w_before)
  none = Reshape (zero, last)
  h_before_1 = Reshape (h_before, last)
  w_before_1 = Reshape (w_before, last)
  h_after_1 = Reshape (h_after, last)
  w_after_1 = Reshape (w_after, last)
  around = Concat <axis = 0> (none, none, h_before_1, w_before_1, none, none, h_after_1, w_after_1)
  pads = Cast <to = 7> (around)
  colour = Constant <value = double[3, 1, 1] {{{colour}}}> ()
  moved = Sub (small, colour)
  wider = Pad (moved, pads, zero)
  framed = Add (wider, colour)
""",
    "squash": "framed = Identity (small)",
}
"""By framing: what is done with the scaled planes."""

_GRAPH = """
<ir_version: 10, opset_import: ["" : {opset}]>
scaling (uint8[n, h, w, 3] photos) => (uint8[n, {height}, {width}, 3] images)
<double zero = {{0.0}}, double half = {{0.5}}, double one = {{1.0}}, double one_and_half = {{1.5}},
 double two = {{2.0}}, double two_and_half = {{2.5}}, double four = {{4.0}}, double bits = {{4194304.0}},
 double white = {{255.0}}, double h_side = {{{h[side]}.0}}, double w_side = {{{w[side]}.0}},
 int64 one_int = {{1}}, int64 two_int = {{2}}, int64[2] prepared = {{{h[side]}, {w[side]}}}, int64[1] last = {{1}},
 int64[2] column = {{-1, 1}}, int64[2] firsts = {{{h[first]}, {w[first]}}}, int64[2] ends = {{{h[end]}, {w[end]}}},
 int64[2] axes = {{1, 2}}>
{{
  shape = Shape (photos)
  h_int = Gather (shape, one_int)
  w_int = Gather (shape, two_int)
  sides = Shape <start = 1, end = 3> (photos)
  equal = Equal (sides, prepared)
  as_numbers = Cast <to = 6> (equal)
  both = ReduceMin <keepdims = 0> (as_numbers)
  is_scaled = Cast <to = 9> (both)
  images = If (is_scaled) <
    then_branch = cropped () => (uint8[n, {height}, {width}, 3] middle) {{
      middle = Slice (photos, firsts, ends, axes)
    }},
    else_branch = resized () => (uint8[n, {height}, {width}, 3] made) {{
  h_length = Cast <to = 11> (h_int)
  w_length = Cast <to = 11> (w_int)
  {weights}
  planes_int = Transpose <perm = [0, 3, 1, 2]> (photos)
  planes = Cast <to = 11> (planes_int)
  across = Transpose <perm = [1, 0]> (w_weights)
  narrow_1 = MatMul (planes, across)
  narrow_2 = Add (narrow_1, half)
  narrow_3 = Floor (narrow_2)
  narrow = Clip (narrow_3, zero, white)
  small_1 = MatMul (h_weights, narrow)
  small_2 = Add (small_1, half)
  small_3 = Floor (small_2)
  small = Clip (small_3, zero, white)
  {framed}
  small_int = Cast <to = 2> (framed)
  made = Transpose <perm = [0, 2, 3, 1]> (small_int)
    }}
  >
}}
"""


def scaling(preprocessing: Preprocessing, padding: Colour = BLACK) -> onnx.ModelProto:
    """A graph from upright uint8 RGB photos of any size to what the network sees.

    It does what Preprocessing.square does. Every pixel is the one that Pillow gives: its sums are of integers below
    2^31, those of the graph of doubles, which hold them exactly. Photos that have `prepared_side` already are only
    cropped.

    Returns `photos` (n, h, w, 3) to `images` (n, height, width, 3) of the preprocessing's shape.
    """
    framing, (height, width) = preprocessing.framing, preprocessing.shape
    h, w = (
        {"side": side, "first": (side - shown) // 2, "end": (side - shown) // 2 + shown}
        for side, shown in zip(both(preprocessing.prepared_side), preprocessing.shape, strict=True)
    )
    axes = ("h", "w", h), ("w", "h", w)
    weights = [(_PLACES[framing] + _WEIGHTS).format(axis=axis, other=other, **sizes) for axis, other, sizes in axes]
    framed = _FRAMED[framing].format(colour=", ".join(f"{value}.0" for value in padding))
    given = {"height": height, "width": width, "h": h, "w": w, "weights": "".join(weights), "framed": framed}
    return parser.parse_model(_GRAPH.format(opset=OPSET, **given))


def probabilities(classes: int, temperature: float) -> onnx.ModelProto:
    """A graph from `logits` (n, classes) to calibrated `probabilities`: softmax(logits / temperature)."""
    return parser.parse_model(f"""
        <ir_version: 10, opset_import: ["" : {OPSET}]>
        calibrated (float[n, {classes}] logits) => (float[n, {classes}] probabilities)
        <float temperature = {{{temperature!r}}}>
        {{
          tempered = Div (logits, temperature)
          probabilities = Softmax <axis = 1> (tempered)
        }}""")
