"""A remedy for classes of different size, as a menu and as text; changing the one changes the other."""

import ipywidgets as w
import traitlets

from cvtune_nb.errors import InputError
from cvtune_nb.imbalance import LOGITS, OWN, REMEDIES, WITHOUT_VALUES, remedy_of
from cvtune_nb.parameters import Parameter
from cvtune_nb.widgets.html import alert, status, text
from cvtune_nb.widgets.layout import look, small_print

WITH_VALUES = {LOGITS: f"{LOGITS}:1.5", OWN: f"{OWN}:lemon=3,lime=1.5"}
"""Remedies of which more may be said, with an example."""


class RemedyChoice(w.VBox):
    """A parameter that is a remedy for imbalance.

    value: the remedy as it is typed; change it by assignment.
    """

    value = traitlets.Unicode()

    def __init__(self, parameter: Parameter, value: str):
        self._moving, options = False, [*WITHOUT_VALUES, OWN]
        self.menu = w.Dropdown(options=options, description=parameter.label, **look())
        self.typed = w.Text(description="As text", continuous_update=False, **look())
        self.wrong, self.meaning = w.HTML(), small_print()
        super().__init__([self.menu, self.typed, self.wrong, self.meaning])
        self.value = value
        self._show()
        self.observe(lambda _: self._show(), "value")
        self.menu.observe(lambda _: self._chosen(), "value")
        self.typed.observe(lambda _: self._read(), "value")

    def _show(self) -> None:
        """Move menu and text to the value."""
        self._moving = True
        try:
            name = remedy_of(self.value).name
            self.menu.value, self.typed.value, self.wrong.value = name, self.value, ""
            self._say(name)
        finally:
            self._moving = False

    def _say(self, name: str) -> None:
        """What the remedy means; its text is shown where more may be said of it."""
        self.typed.layout.display = "" if name in WITH_VALUES else "none"
        self.typed.placeholder = WITH_VALUES.get(name, "")
        self.meaning.value = status(text(f"{name}: {REMEDIES[name]}."))

    def _chosen(self) -> None:
        """Take what the menu says; weights of one's own have to be typed before they count."""
        if self._moving:
            return
        if self.menu.value != OWN:
            self.value = self.menu.value
            return
        self._moving = True
        self.typed.value = ""
        self._moving = False
        self._say(OWN)

    def _read(self) -> None:
        """Take what was typed; what can't be read changes nothing, and says why."""
        if self._moving:
            return
        try:
            self.value = remedy_of(self.typed.value).text
            self._show()  # the same remedy may have been typed otherwise
        except InputError as error:
            self.wrong.value = alert(error)
