"""A list of augmentation policies as switches with strengths, and as text; moving the one changes the other."""

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import traitlets

from cvtune_nb.augmentation.policies import POLICIES, Policy, in_words, policies_in
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import Parameter
from cvtune_nb.widgets.html import alert, status, text
from cvtune_nb.widgets.layout import look, small_print

APART = {"crop": "resized-crop", "resized-crop": "crop"}
"""Policies of which switching one on switches the other off."""


Mark = Callable[[str, float], str]
"""From a policy's name and strength to words; "": there is nothing to say."""


class Switch(w.VBox):
    """One policy: on or off, its strength, and a line in words."""

    def __init__(self, policy: Policy):
        self.policy = policy
        self.mark: Mark = lambda *_: ""
        self.on = w.Checkbox(description=policy.label, indent=False, layout={"width": "11.5em"})
        self.strength = w.FloatSlider(
            description="Strength",
            tooltip=f"Strength of {policy.label}",
            style={"description_width": "initial"},
            value=policy.strength,
            min=policy.low,
            max=policy.high,
            step=_step(policy),
            readout_format=".3g",
            continuous_update=False,
            layout={"width": "calc(100% - 12.7em)"},
        )
        self.words = small_print()
        self.say()
        super().__init__([w.HBox([self.on, self.strength]), self.words])

    @property
    def value(self) -> float:
        """The strength, in as many digits as a slider is moved by."""
        return float(f"{self.strength.value:.3g}")

    @property
    def state(self) -> str:
        """Strength and unit in words."""
        return f"{self.value:g} {self.policy.unit}" if self.on.value else "off"

    def say(self) -> None:
        """State and meaning in words, and the mark."""
        words = self.mark(self.policy.name, self.value)
        mark = f" <i>{text(words)}</i>" if words else ""
        self.words.value = f"{text(self.policy.label)} <b>{text(self.state)}</b>: {text(self.policy.meaning)}.{mark}"


class PolicyList(w.VBox):
    """A parameter that is a list of policies.

    value: the list as it is typed; change it by assignment.
    """

    value = traitlets.Unicode()

    def __init__(self, parameter: Parameter, value: str):
        self.parameter, self._moving = parameter, False
        self.typed = w.Text(description=parameter.label, continuous_update=False, **look())
        self.wrong, self.moved = w.HTML(), small_print()
        self.switches = {name: Switch(POLICIES[name]) for name in parameter.choices}
        super().__init__([self.typed, self.wrong, self.moved, *self.switches.values()])
        self.value = value
        self._show()
        self.observe(lambda _: self._show(), "value")
        self.typed.observe(lambda _: self._read(), "value")
        for name, switch in self.switches.items():
            switch.on.observe(lambda change, name=name: self._switched(name, change["new"]), "value")
            switch.strength.observe(lambda _, name=name: self._switched(name), "value")

    def mark(self, words: Mark) -> None:
        """Say beside each switch what `words` has to say of its policy and strength, wherever the slider stands."""
        for switch in self.switches.values():
            switch.mark = words
            switch.say()

    def _show(self) -> None:
        """Move text and switches to the value."""
        chosen, self._moving = policies_in(self.value, self.parameter.choices), True
        try:
            self.typed.value, self.wrong.value = self.value, ""
            for name, switch in self.switches.items():
                switch.on.value = name in chosen
                switch.strength.value = chosen.get(name, switch.strength.value)
                switch.say()
        finally:
            self._moving = False

    def _read(self) -> None:
        """Take what was typed; a list that can't be read changes nothing, and says why."""
        if self._moving:
            return
        try:
            self.value = self.parameter.check(self.typed.value)
            self._show()  # the same list may have been typed otherwise
        except InputError as error:
            self.wrong.value = alert(error)

    def _switched(self, name: str, on: Any = False) -> None:
        """Take what the switches say; the one that was moved is read out."""
        if self._moving:
            return
        other = self.switches.get(APART.get(name, ""))
        if on and other:
            self._moving, other.on.value = True, False
            self._moving = False
        self.value = in_words({each: switch.value for each, switch in self.switches.items() if switch.on.value})
        self._show()
        moved = self.switches[name]
        self.moved.value = status(text(f"{moved.policy.label}: {moved.state}"))


def _step(policy: Policy) -> float:
    """How far the slider moves at a time: by keyboard it gets anywhere in about a hundred steps."""
    return next(step for step, up_to in ((0.005, 0.5), (0.01, 1.0), (0.05, 5.0), (1.0, 360.0)) if policy.high <= up_to)
