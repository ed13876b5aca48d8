"""Controls made from the parameters' one declaration, each with a line in words beside it.

The line says the value, unit, range and meaning: a slider has no accessible name of its own, and a logarithmic one
announces its exponent.
"""

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from cvtune_nb.files import path_and_digest
from cvtune_nb.models import backbones, sizes
from cvtune_nb.models.sources.source import ON_DISK
from cvtune_nb.parameters import PARAMETERS, Parameter
from cvtune_nb.widgets.html import text
from cvtune_nb.widgets.layout import look, small_print
from cvtune_nb.widgets.objective import ObjectiveEditor
from cvtune_nb.widgets.policies import PolicyList
from cvtune_nb.widgets.remedies import RemedyChoice

MOST_STEPS = 1000
"""Of a slider: by keyboard it can't be set to one of more, so that a box to type in takes its place."""


LIMITLESS = ("text", "name", "file", "run", "objective")
"""Scales whose range is not a few words."""
EMPTY = {"file": "none", "run": "none"}
"""What is said of a text that is empty, where that is not "as recommended"."""


class Control:
    """One parameter (a classifier's: by its name) as a control.

    box: what to show; value: the choice, checked; change it by assignment.
    """

    def __init__(self, parameter: str | Parameter, value: Any = None):
        self.parameter = PARAMETERS[parameter] if isinstance(parameter, str) else parameter
        value = self.parameter.default if value is None else self.parameter.check(value)
        self.widget = _MAKERS[self.parameter.scale](self.parameter, value)
        self.words, self._steps = small_print(), ""
        self.box = w.VBox([self.widget, self.words])
        self.widget.observe(lambda _: self._say(), "value")
        self._say()

    @property
    def value(self) -> Any:
        """What is chosen."""
        number = self.widget.value
        # A slider of exponents gives 0.00299999...; three digits are all a person chose.
        return float(f"{number:.3g}") if self.parameter.scale == "log" else number

    @value.setter
    def value(self, value: Any) -> None:
        value = self.parameter.check(value)
        if self.parameter.scale == "name" and value not in [option for _, option in self.widget.options]:
            self.widget.options = [*self.widget.options, networks(value)[-1]]
        self.widget.value = _path(value) if self.parameter.scale == "file" else value

    def on_change(self, call: Callable[[Any], None]) -> None:
        """Call `call(value)` whenever the choice changes."""
        self.widget.observe(lambda _: call(self.value), "value")

    def suit(self, backbone: str) -> None:
        """Of an image size: let the slider move in the steps that the backbone needs, and say so.

        The chosen value stays: a size that the backbone does not take is refused, with those that it takes, where it is
        used.
        """
        step, low = sizes.step(backbone), int(self.parameter.low)
        every = step or sizes.ANY
        first = -(-low // every) * every  # a slider counts its steps from its lower end
        self.widget.min, self.widget.step = min(first, self.widget.value), every
        if not step:
            self._steps = f"; this backbone takes {sizes.nearest(backbone, 0)[0]} only"
        elif step > sizes.ANY:
            self._steps = f"; this backbone takes steps of {step}"
        else:
            self._steps = ""
        self._say()

    def _say(self) -> None:
        parameter, value = self.parameter, self.value
        shown = f"{value:g}" if isinstance(value, float) else str(value) or EMPTY.get(parameter.scale, "as recommended")
        unit = f" {parameter.unit}" if parameter.unit else ""
        limitless = parameter.scale in LIMITLESS or (not parameter.choices and parameter.high > 1e6)
        ranged = "" if limitless else f" ({parameter.range_in_words}{self._steps})"
        self.words.value = (
            f'<div role="status" aria-live="polite">{text(parameter.label)} <b>{text(shown)}</b>{text(unit)}{ranged}: '
            f"{text(parameter.meaning)}</div>"
        )


def _log(parameter: Parameter, value: float) -> w.Widget:
    low, high = math.log10(parameter.low), math.log10(parameter.high)
    return w.FloatLogSlider(
        value=value,
        base=10,
        min=low,
        max=high,
        step=0.05,
        readout_format=".1e",
        description=parameter.label,
        continuous_update=False,
        **look(),
    )


def _slider(kind: type, step: float) -> Callable[[Parameter, Any], w.Widget]:
    def make(parameter: Parameter, value: float) -> w.Widget:
        return kind(
            value=value,
            min=parameter.low,
            max=parameter.high,
            step=step,
            description=parameter.label,
            continuous_update=False,
            **look(),
        )

    return make


def _box(kind: type, parameter: Parameter, value: float, **settings: Any) -> w.Widget:
    return kind(value=value, min=parameter.low, max=parameter.high, description=parameter.label, **settings, **look())


def _linear(parameter: Parameter, value: float) -> w.Widget:
    if parameter.high - parameter.low > MOST_STEPS * parameter.step:
        return _box(w.BoundedFloatText, parameter, value, step=parameter.step)
    return _slider(w.FloatSlider, parameter.step)(parameter, value)


def _whole(parameter: Parameter, value: int) -> w.Widget:
    if parameter.high - parameter.low > MOST_STEPS:
        return _box(w.BoundedIntText, parameter, value)
    return _slider(w.IntSlider, 1)(parameter, value)


def _power2(parameter: Parameter, value: int) -> w.Widget:
    options = [2**power for power in range(int(math.log2(parameter.low)), int(math.log2(parameter.high)) + 1)]
    return w.SelectionSlider(
        options=options, value=value, description=parameter.label, continuous_update=False, **look()
    )


def _menu(parameter: Parameter, value: str) -> w.Widget:
    return w.Dropdown(options=parameter.choices, value=value, description=parameter.label, **look())


PLACEHOLDERS = {"text": "[0.05]*7 + [0.005]*7 + [0.0005]", "run": "best, or 001-resnet18-224"}


def _text(parameter: Parameter, value: str) -> w.Widget:
    return w.Text(
        value=value,
        placeholder=PLACEHOLDERS[parameter.scale],
        description=parameter.label,
        continuous_update=False,
        **look(),
    )


def _file(parameter: Parameter, value: str) -> w.Widget:
    return w.Text(
        value=_path(value),
        placeholder="/folder/weights.safetensors",
        description=parameter.label,
        continuous_update=False,
        **look(),
    )


def _path(pin: str) -> str:
    """A pinned file as a person names it: what it holds by the time it is used counts."""
    return str(path_and_digest(pin)[0]) if pin else ""


def networks(value: str) -> list[tuple[str, str]]:
    """The options of a menu of networks, `value` among them, by group and with the licence.

    Those whose weights are not on disk say what that means. A menu of the core widgets has no options in grey, so that
    words say it; choosing one that can't be had is refused where it is used.
    """
    known = backbones.table()
    words = {row.name: f"{row.name} ({row.group}, {row.licence})" for row in known.itertuples()}
    at_hand = dict(zip(known["name"], known["weights"], strict=True))
    if value not in words:
        words[value] = value
        at_hand[value] = ON_DISK if value.endswith(backbones.RANDOM) else backbones.availability(value)
    return [(words[name] if at_hand[name] == ON_DISK else f"{words[name]} - {at_hand[name]}", name) for name in words]


def _backbone(parameter: Parameter, value: str) -> w.Widget:
    """Menu of networks. An empty `value` means the default."""
    value = value or backbones.default()[0]
    return w.Dropdown(options=networks(value), value=value, description=parameter.label, **look())


_MAKERS: dict[str, Callable[[Parameter, Any], w.Widget]] = {
    "log": _log,
    "linear": _linear,
    "pixels": _slider(w.IntSlider, sizes.ANY),
    "whole": _whole,
    "power2": _power2,
    "menu": _menu,
    "policies": PolicyList,
    "remedy": RemedyChoice,
    "text": _text,
    "run": _text,
    "objective": ObjectiveEditor,
    "file": _file,
    "name": _backbone,
}
