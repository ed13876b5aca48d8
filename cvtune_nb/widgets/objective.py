"""What counts, as a person chooses it: a menu, a class and its precision, or a table of what mistakes cost."""

from collections.abc import Sequence

import ipywidgets as w
import numpy as np
import traitlets

from cvtune_nb.errors import InputError
from cvtune_nb.objectives import USUAL, Costs, RecallAtPrecision, costs_in_words, objective_of
from cvtune_nb.objectives.text import PLAIN
from cvtune_nb.parameters import Parameter
from cvtune_nb.widgets.html import alert, status, text
from cvtune_nb.widgets.layout import button, look, row, small_print

RECALL, COSTS = "recall", "costs"
KINDS = {
    **{kind.LABEL: name for name, kind in PLAIN.items()},
    "recall of one class at a precision": RECALL,
    "what each mistake costs": COSTS,
}
"""What is in the menu, and what it stands for."""
WHOLE = 6
"""Classes up to which the whole table of costs is shown; of more, pairs of them."""
MOST_CONFUSED = 5
"""Pairs of many classes that are listed before any is added."""
DEAR = 1e6
"""The highest cost that can be set."""
PRECISION = 0.9
"""Where the slider of the precision stands at first."""


class ObjectiveEditor(w.VBox):
    """An objective to be chosen.

    value: its text; change it by assignment. Until `suit` has said which classes there are, only what needs no class
    can be chosen.
    """

    value = traitlets.Unicode(USUAL)

    def __init__(self, parameter: Parameter, value: str):
        self.classes: list[str] = []
        self._confused: list[tuple[str, str]] = []
        self._costs, self._pairs, self._moving = np.zeros((0, 0)), list[tuple[int, int]](), False
        self.kind = w.Dropdown(options=KINDS, description=parameter.label, **look())
        self.label = w.Dropdown(description="Class", **look())
        self.precision = w.FloatSlider(
            value=PRECISION,
            min=0.5,
            max=1.0,
            step=0.01,
            readout_format=".0%",
            description="Precision",
            continuous_update=False,
            **look(),
        )
        self.said, self.wrong = small_print(), w.HTML()
        self.true, self.answer = (w.Dropdown(description=name, **look("4em", "14em")) for name in ("a photo of", "for"))
        self.add = button("Add this mistake", "List what it costs to take the one for the other")
        self.add.on_click(lambda _: self._add())
        self.cells: dict[tuple[int, int], w.BoundedFloatText] = {}
        self.table = w.VBox()
        self.more = w.VBox()
        super().__init__([self.kind, self.more, self.said, self.wrong])
        self.value = value
        self._show()
        self.observe(lambda _: self._show(), "value")
        self.kind.observe(lambda _: self._chosen(), "value")
        for control in (self.label, self.precision):
            control.observe(lambda _: self._recall(), "value")

    def suit(self, classes: Sequence[str], confused: Sequence[tuple[str, str]] = ()) -> None:
        """Say which classes there are, and which (true, answered) are mixed up, the most frequent first."""
        if list(classes) == self.classes and list(confused) == self._confused:
            return
        changed, self._confused = list(classes) != self.classes, list(confused)
        if changed:
            self.classes, self._moving = list(classes), True
            try:
                for menu in (self.label, self.true, self.answer):
                    menu.options = self.classes
                    menu.value = self.classes[0] if self.classes else None
                self.answer.value = self.classes[-1] if self.classes else None
            finally:
                self._moving = False
            self._pairs = []
        self._show()

    # -- from the text to the controls ------------------------------------------------------------------------

    def _show(self) -> None:
        """Move the controls to the value."""
        try:
            meant = objective_of(self.value, self.classes)
        except InputError as error:  # a class that is gone, or not yet known
            self.wrong.value = alert(error) if self.classes else ""
            self.said.value = text(self.value)
            return
        self._moving, self.wrong.value = True, ""
        try:
            if isinstance(meant, RecallAtPrecision):
                self.kind.value, self.label.value = RECALL, self.classes[meant.positive]
                self.precision.min = min(0.5, meant.precision)
                self.precision.value = meant.precision
                self.more.children = [self.label, self.precision]
            elif isinstance(meant, Costs):
                self.kind.value, self._costs = COSTS, np.array(meant.matrix)
                self._show_table()
                self.more.children = [self.table]
            else:
                self.kind.value, self.more.children = self.value, []
        finally:
            self._moving = False
        self.said.value = f"{text(meant.label.capitalize())}: {text(meant.MEANING)}."

    def _show_table(self) -> None:
        wanted = self._listed()
        if set(wanted) != set(self.cells):
            self.cells = {pair: self._cell(*pair) for pair in wanted}
            whole = len(self.classes) <= WHOLE
            self.table.children = self._whole() if whole else self._list()
        for (true, answer), cell in self.cells.items():
            cell.value = self._costs[true, answer]

    def _listed(self) -> list[tuple[int, int]]:
        """The mistakes that have a field: all of few classes; of many those that are frequent, set or added."""
        count = len(self.classes)
        every = [(true, answer) for true in range(count) for answer in range(count) if true != answer]
        if count <= WHOLE:
            return every
        place = {label: number for number, label in enumerate(self.classes)}
        known = [pair for pair in self._confused if set(pair) <= set(place)]
        frequent = [(place[true], place[answer]) for true, answer in known]
        own = [pair for pair in every if self._costs[pair] != 1]
        return list(dict.fromkeys([*frequent[:MOST_CONFUSED], *own, *self._pairs])) or every[:1]

    def _cell(self, true: int, answer: int) -> w.BoundedFloatText:
        words = f"What it costs to take {self.classes[true]} for {self.classes[answer]}: 0 to {DEAR:g}, 1 as usual"
        cell = w.BoundedFloatText(
            value=1.0,
            min=0,
            max=DEAR,
            step=0.5,
            description=f"{self.classes[true]} taken for {self.classes[answer]}",
            tooltip=words,
            layout={"width": "5.5em"},
            continuous_update=False,
        )
        cell.add_class("cvtune-named")
        cell.observe(lambda change: self._priced(true, answer, change["new"]), "value")
        return cell

    def _whole(self) -> list[w.Widget]:
        """A row for each true class, a column for each answer."""
        corner = w.HTML("<b>photo of \\ taken for</b>", layout={"width": "10em"})
        head = w.HBox([corner, *(w.HTML(f"<b>{text(label)}</b>", layout={"width": "5.7em"}) for label in self.classes)])
        lines = []
        for true, label in enumerate(self.classes):
            cells = [
                w.HTML("0 (right)", layout={"width": "5.7em"}) if answer == true else self.cells[true, answer]
                for answer in range(len(self.classes))
            ]
            lines.append(w.HBox([w.HTML(f"<b>{text(label)}</b>", layout={"width": "10em"}), *cells]))
        return [w.VBox([head, *lines], layout={"overflow": "auto"}), _about_costs()]

    def _list(self) -> list[w.Widget]:
        """A line for each mistake, and what adds another one."""
        lines = []
        for (true, answer), cell in self.cells.items():
            words = f"{text(self.classes[true])} taken for {text(self.classes[answer])}"
            lines.append(row(w.HTML(words, layout={"width": "18em"}), cell))
        return [*lines, row(self.true, self.answer, self.add), _about_costs()]

    # -- from the controls to the text ------------------------------------------------------------------------

    def _chosen(self) -> None:
        if self._moving:
            return
        kind = self.kind.value
        if kind in (RECALL, COSTS) and len(self.classes) < 2:
            self.wrong.value = status("This needs to know the classes: open your photos first.")
        elif kind == RECALL:
            self._recall()
        elif kind == COSTS:
            self.value = costs_in_words(1 - np.eye(len(self.classes)), self.classes)
        else:
            self.value = kind

    def _recall(self) -> None:
        if not self._moving and self.kind.value == RECALL:
            self.value = f"recall:{self.label.value}@{round(self.precision.value, 2):g}"

    def _priced(self, true: int, answer: int, cost: float) -> None:
        if not self._moving:
            self._costs[true, answer] = cost
            self.value = costs_in_words(self._costs, self.classes)

    def _add(self) -> None:
        true, answer = (self.classes.index(menu.value) for menu in (self.true, self.answer))
        if true == answer:
            self.wrong.value = status("A class taken for itself is right, and costs nothing: choose two classes.")
            return
        self._pairs.append((true, answer))
        self._show()


def _about_costs() -> w.HTML:
    return small_print(
        "What one such mistake costs, from 0 up, in any unit: only how costs compare matters. Every mistake that is "
        "not set costs 1, a right answer 0. The answers follow the costs: of likely classes the one that costs least."
    )
