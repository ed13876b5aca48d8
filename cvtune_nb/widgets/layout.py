"""The parts that all panels lay out alike: fields of one width, rows that wrap, buttons with a key, small print."""

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as w

from cvtune_nb.widgets.html import text

WIDTH = "calc(100% - 4px)"
"""Of a field: all of the left column of a panel."""


def look(label: str = "7.5em", width: str = WIDTH) -> dict[str, Any]:
    """Style and layout of a field. label: the width of its description, so that fields stand under each other."""
    return {"style": {"description_width": label}, "layout": {"width": width}}


def row(*children: w.Widget) -> w.HBox:
    """Widgets side by side, in as many lines as they need."""
    return w.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center"})


def folded(title: str, children: Iterable[w.Widget]) -> w.Accordion:
    """Controls that a person seldom needs, behind a title that opens them."""
    return w.Accordion([w.VBox(list(children))], titles=[title], layout={"width": WIDTH})


def button(label: str, tooltip: str = "", key: str = "", **traits: Any) -> w.Button:
    """A button as wide as its label.

    Parameters
    ----------
    label, tooltip
        What is on it, and what appears beside the mouse ("": the label).
    key
        The letter that presses it while the focus is in its panel.
    **traits
        Of ipywidgets.Button.
    """
    tooltip = f"{tooltip or label}: key {key.upper()}" if key else tooltip
    layout = {"width": "auto", "align_self": "flex-start"}
    made = w.Button(description=label, tooltip=tooltip or None, layout=layout, **traits)
    if key:
        made.add_class(f"cvtune-key-{key}")
    return made


def small_print(words: str = "") -> w.HTML:
    """A line in small print. words: plain text."""
    line = w.HTML(text(words))
    line.add_class("cvtune-words")
    return line


class Pager(w.HBox):
    """Buttons that go back and on, with the keys P and N.

    Parameters
    ----------
    what
        What is turned: "page", "photo".
    turn
        Called with the index to go to, counted from 0.
    """

    def __init__(self, what: str, turn: Callable[[int], None]):
        self.back, self.on = button(f"Previous {what}", key="p"), button(f"Next {what}", key="n")
        self.at = 0
        self.back.on_click(lambda _: turn(self.at - 1))
        self.on.on_click(lambda _: turn(self.at + 1))
        super().__init__([self.back, self.on])

    def show(self, at: int, count: int) -> int:
        """Go to index `at` of `count`, or the nearest there is; returns it."""
        self.at = min(max(at, 0), max(0, count - 1))
        self.back.disabled, self.on.disabled = self.at == 0, self.at >= count - 1
        return self.at
