"""The ladder as a table that a person edits: a line a rung, a control for each parameter that climbs."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets as w

from cvtune_nb.errors import InputError
from cvtune_nb.models.recipes import recommended, switched
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import networks
from cvtune_nb.widgets.layout import button, row, small_print

SHOWN = {"backbone": "11em", "image_size": "5.5em", "batch_size": "6.5em", "learning_rate": "8em", "epochs": "5em"}
"""The parameters of a rung that have a control, and how wide it is; the others keep what the rung has."""
OF_SCHEDULE = ("learning_rate", "epochs")
"""What a typed schedule holds with: another value of these replaces it."""


class RungTable(w.VBox):
    """Rungs to tick, edit, add and take out. on_edit is called after every change."""

    def __init__(self, on_edit: Callable[[], None]):
        super().__init__()
        self._on_edit, self.lines = on_edit, []
        self.more = button("Add a rung", "A copy of the last one, to be changed")
        self.more.on_click(lambda _: self.add(self.configs()[-1]))

    def show(self, configs: list[Config], ticked: set[int]) -> None:
        """Show these rungs; `ticked`: numbers, from 1 on."""
        self.lines = [
            _Line(number, config, number in ticked, self._on_edit, self.take_out)
            for number, config in enumerate(configs, 1)
        ]
        head = w.HBox(
            [
                w.HTML("<b>Run</b>", layout={"width": "5em"}),
                *(w.HTML(f"<b>{PARAMETERS[name].label}</b>", layout={"width": width}) for name, width in SHOWN.items()),
            ]
        )
        self.children = [head, *(line.box for line in self.lines), self.more]

    def configs(self) -> list[Config]:
        """The rungs as they stand. Raises InputError for a value that its parameter can't have."""
        return [line.config() for line in self.lines]

    @property
    def ticked(self) -> list[int]:
        """The numbers of the rungs to run, from 1 on."""
        return [number for number, line in enumerate(self.lines, 1) if line.run.value]

    def tick(self, numbers: set[int]) -> None:
        """Tick these rungs and no others."""
        for number, line in enumerate(self.lines, 1):
            line.run.value = number in numbers

    def add(self, config: Config, alone: bool = False) -> int:
        """Put a rung at the end and tick it, with `alone` no other; returns its number."""
        rungs = [*self.configs(), config]
        self.show(rungs, {len(rungs)} if alone else {*self.ticked, len(rungs)})
        self._on_edit()
        return len(rungs)

    def say(self, number: int, words: str) -> None:
        """Write a line of HTML under a rung."""
        if number <= len(self.lines):
            self.lines[number - 1].words.value = words

    def take_out(self, number: int) -> None:
        """Take a rung out; the last one stays."""
        rungs = self.configs()
        if len(rungs) < 2:
            return
        ticked = {place - (place > number) for place in self.ticked if place != number}
        self.show([rung for place, rung in enumerate(rungs, 1) if place != number], ticked)
        self._on_edit()


class _Line:
    """One rung: run (whether to run it), a control for each of SHOWN, and words under it."""

    def __init__(
        self, number: int, config: Config, ticked: bool, changed: Callable[[], None], take_out: Callable[[int], None]
    ):
        self.rung, self._switching = config, False
        self.run = w.Checkbox(value=ticked, description=str(number), indent=False, layout={"width": "5em"})
        self.controls = {name: _control(name, getattr(config, name), number) for name in SHOWN}
        self.words = small_print()
        out = button("Take out", f"Take rung {number} out of the table; its runs stay")
        out.on_click(lambda _: take_out(number))
        self.box = w.VBox([row(self.run, *self.controls.values(), out), self.words])
        self._changed = changed
        self.run.observe(lambda _: changed(), "value")
        for name, control in self.controls.items():
            control.observe(lambda _, name=name: self._edited(name), "value")

    def config(self) -> Config:
        """The rung as it stands. Raises InputError for a value that its parameter can't have."""
        return self._with({name: control.value for name, control in self.controls.items()})

    def _with(self, values: dict[str, Any]) -> Config:
        if any(values.get(name, getattr(self.rung, name)) != getattr(self.rung, name) for name in OF_SCHEDULE):
            values = {**values, "schedule": ""}
        return replace(self.rung, **values)

    def _edited(self, name: str) -> None:
        """Another network brings what is recommended for it, where the rung has what was recommended for the last.

        A value that can't be, such as one that is only half typed, stays as it is: whoever is told of the change says
        so.
        """
        if self._switching:
            return
        if name == "backbone":
            values = {other: control.value for other, control in self.controls.items() if _can_be(other, control.value)}
            self.rung = switched(self._with({**values, "backbone": self.rung.backbone}), values["backbone"])
            self._switching = True
            for other in values:
                self.controls[other].value = getattr(self.rung, other)
            self._switching = False
        self._changed()


def _can_be(name: str, value: Any) -> bool:
    """Whether a parameter may have that value."""
    with contextlib.suppress(InputError):
        PARAMETERS[name].check(value)
        return True
    return False


def _control(name: str, value: Any, number: int) -> w.Widget:
    parameter = PARAMETERS[name]
    look: dict[str, Any] = {
        "layout": {"width": SHOWN[name]},
        "tooltip": f"Rung {number}: {parameter.label.lower()} ({parameter.range_in_words}): {parameter.meaning}",
    }
    if name == "backbone":
        return w.Dropdown(options=networks(value), value=value, **look)
    if name == "batch_size":
        return w.Dropdown(options=[2**power for power in range(11)], value=value, **look)
    if name == "learning_rate":
        return w.FloatText(value=value, continuous_update=False, **look)
    return w.BoundedIntText(value=value, min=parameter.low, max=parameter.high, **look)


def in_words(config: Config) -> str:
    """What a rung has beside its controls, as HTML: first, in bold, what is not as recommended for its network."""
    advised = recommended(config.backbone).to_dict()
    values = {name: value for name, value in config.to_dict().items() if name not in SHOWN and value != ""}
    own = [name for name, value in values.items() if value != advised[name]]
    shown = {name: html.text(f"{PARAMETERS[name].label}: {value}") for name, value in values.items()}
    parts = [*(f"<b>{shown[name]}</b>" for name in own), *(words for name, words in shown.items() if name not in own)]
    return ", ".join(parts)
