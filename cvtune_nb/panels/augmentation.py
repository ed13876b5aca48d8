"""What augmentation does to some of the person's own photos, live, and which policies do them no harm."""

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import pandas as pd

from cvtune_nb import plots
from cvtune_nb.augmentation.policies import POLICIES
from cvtune_nb.classification.features import FeatureSpec, shown_in
from cvtune_nb.classification.variations import (
    HARMLESS,
    MEASURED,
    Examples,
    cost_of,
    in_words,
    known_costs,
    measure_costs,
    predicted_seconds,
)
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import Config
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.debounce import Soon, Still
from cvtune_nb.widgets.job import Work, headless
from cvtune_nb.widgets.layout import button, row, small_print
from cvtune_nb.widgets.policies import Switch
from cvtune_nb.workspace import Workspace

UNKNOWN = "Which of them do no harm is not measured yet for this network."
MIXES = "Mixes labels: not measured."


class Augmentation:
    """Switches, the list as text, photos and what was measured; a part of the panel that trains.

    box: what to show; `follow` when a parameter has changed, `look_up` when more may have been measured.
    """

    def __init__(self, workspace: Workspace, control: Control, config: Callable[[], Config]):
        self.workspace, self._config, self.control = workspace, config, control
        self.attended = not headless()
        self.switches: dict[str, Switch] = control.widget.switches
        tries = "Classifies validation photos, varied by each policy, with the frozen network and SVM"
        self.measure = button("Measure which do no harm", tries)
        self.other = button("Vary them anew")
        self.picture, self.command = html.Picture(), w.HTML()
        self.drawing, self.known, self.takes = small_print(), small_print(), small_print()
        self._examples: Examples | None = None
        self._costs = pd.DataFrame()
        self._seed, self._shown = 0, ()
        self._spec: FeatureSpec | None = None
        self._measured: FeatureSpec | None = None
        self._soon = Soon(self.draw)
        for switch in self.switches.values():
            switch.strength.observe(lambda _: self._mark(), "value")
        left = w.VBox([control.box])
        right = w.VBox(
            [self.picture, self.drawing, row(self.other, self.measure), self.known, self.takes, self.command]
        )
        left.add_class("cvtune-left")
        right.add_class("cvtune-right")
        columns = row(left, right)
        columns.layout.align_items = "flex-start"
        self.box = columns

    def follow(self) -> None:
        """Show the marks for the parameters as they stand, and soon the photos."""
        config = self._config()
        self.command.value = html.copyable([f"--augmentation {config.augmentation}"])
        if (spec := FeatureSpec.of(config)) != self._spec:
            self._spec = spec
            self.look_up()
        else:
            self._mark()
        self._draw_soon(config)

    def draw_anew(self) -> None:
        """The same policies, drawn once more."""
        self._seed += 1
        self._draw_soon(self._config())

    def _draw_soon(self, config: Config) -> None:
        """Decode and draw the photos beside the kernel, once the controls have come to rest."""
        self._soon.cancel()
        if self.attended and self._wanted(config) != self._shown:
            self.drawing.value = html.status("Drawing ...")
            self._soon()

    def draw(self, still: Still = lambda: True) -> None:
        """Show the photos as the parameters vary them, while that is wanted."""
        try:
            config = self._config()
            preprocessing, wanted = shown_in(config), self._wanted(config)
            if self._examples is None or self._examples.preprocessing != preprocessing:
                self._examples = Examples(self.workspace, preprocessing)
            photos = self._examples.varied(config.policies, self._seed)
            title = f"{config.augmentation}: what training sees of {photos.shape[1]} of your photos"
            drawn = plots.varied_photos(photos, title)
        except (InputError, OSError, ValueError) as error:
            if still():
                self.drawing.value = html.alert(error)
            return
        if still():
            self.picture.draw(drawn, title)
            self._shown, self.drawing.value = wanted, ""

    def price(self, config: Config) -> None:
        """Write down how long the measurement will take; may try how fast this machine is."""
        spec, chosen = _to_measure(config)
        try:
            seconds = predicted_seconds(self.workspace, spec, chosen)
        except InputError as error:
            self.takes.value = html.text(str(error))
        else:
            words = f"To measure what was not measured yet takes about {duration(seconds)}."
            self.takes.value = html.text(words) if seconds else ""

    def measuring(self, run: Callable[..., Any]) -> Work:
        """The measurement of all policies, of those that are on at their strengths, as a job that `run` runs."""
        spec, chosen = _to_measure(self._config())
        self._measured = spec
        return lambda progress: run(measure_costs, self.workspace, spec, chosen, progress=progress)

    def paint(self) -> str:
        """The status line once it is measured: `look_up` shows what was found, unless other parameters are set now."""
        if self._measured == self._spec:
            return "Measured: see beside the switches."
        return html.text(f"Measured with {self._measured}: shown beside the switches when that is chosen again.")

    def look_up(self) -> None:
        """Read and show what was measured so far."""
        if self._spec is not None:
            self._costs = known_costs(self.workspace, self._spec)
            self._mark()

    def _mark(self) -> None:
        """What was measured, beside each switch, and which do no harm at the strengths that are set."""
        self.control.widget.mark(self._words)
        found = {name: cost_of(self._costs, name, switch.value) for name, switch in self.switches.items()}
        harmless = [name for name, cost in found.items() if cost is not None and cost["verdict"] == HARMLESS]
        labels = ", ".join(POLICIES[name].label for name in harmless) or "none"
        words = UNKNOWN if self._costs.empty else f"Found to do no harm so, with {self._spec}: {labels}."
        self.known.value = html.status(html.text(words))

    def _words(self, policy: str, strength: float) -> str:
        if POLICIES[policy].mixes:
            return MIXES
        cost = cost_of(self._costs, policy, strength)
        return "" if cost is None else in_words(cost)

    def _wanted(self, config: Config) -> tuple:
        """What decides how the photos look."""
        return config.augmentation, shown_in(config), self._seed


def _to_measure(config: Config) -> tuple[FeatureSpec, dict[str, float]]:
    """With which network, and which strengths: those that are set of what is on, else the usual ones."""
    return FeatureSpec.of(config), {**MEASURED, **config.policies}
