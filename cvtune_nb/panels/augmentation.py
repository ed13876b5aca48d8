"""What augmentation does to nine of the person's own photos, live, and which policies do them no harm."""

from collections.abc import Callable

import ipywidgets as w
import pandas as pd

from cvtune_nb import plots
from cvtune_nb.augmentation.policies import POLICIES
from cvtune_nb.classification.features import FeatureSpec
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
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import Config
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.job import Work
from cvtune_nb.widgets.layout import button, row, small_print
from cvtune_nb.widgets.policies import Switch
from cvtune_nb.workspace import Workspace

UNKNOWN = "Which of them do no harm is not measured yet for this network"
MIXES = "Mixes labels: not measured."


class Augmentation:
    """Switches, the list as text, nine photos and what was measured; a part of the panel that trains.

    box: what to show; `follow` when a parameter has changed.
    """

    def __init__(self, workspace: Workspace, control: Control, config: Callable[[], Config]):
        self.workspace, self._config, self.control = workspace, config, control
        self.switches: dict[str, Switch] = control.widget.switches
        tries = "Classifies validation photos, varied by each policy, with the frozen network and SVM"
        self.measure = button("Measure which do no harm", tries)
        self.other = button("Vary them anew")
        self.picture, self.command, self.known = html.Picture(), w.HTML(), small_print()
        self._examples: Examples | None = None
        self._costs, self._takes = pd.DataFrame(), ""
        self._seed, self._shown = 0, ()
        self._spec: FeatureSpec | None = None
        left = w.VBox([control.box])
        right = w.VBox([self.picture, row(self.other, self.measure), self.known, self.command])
        left.add_class("cvtune-left")
        right.add_class("cvtune-right")
        columns = row(left, right)
        columns.layout.align_items = "flex-start"
        self.box = columns

    def follow(self) -> None:
        """Show the photos and the marks for the parameters as they stand."""
        config = self._config()
        spec = FeatureSpec.of(config)
        if (config.augmentation, spec) == self._shown:
            return
        self._shown = config.augmentation, spec
        self.command.value = html.copyable([f"--augmentation {config.augmentation}"])
        try:
            self._draw(config)
            if spec != self._spec:
                self._look_up(spec)
            self._mark()
        except (InputError, OSError) as error:
            self.known.value = html.alert(error)

    def draw_anew(self) -> None:
        """The same policies, drawn once more."""
        self._seed += 1
        self._draw(self._config())

    def measuring(self) -> Work:
        """The measurement of all policies, of those that are on at their strengths, as a job."""
        config = self._config()
        spec, chosen = FeatureSpec.of(config), {**MEASURED, **config.policies}
        return lambda progress: measure_costs(self.workspace, spec, chosen, progress)

    def paint(self) -> str:
        """Show what was measured; returns the status line."""
        self._look_up(FeatureSpec.of(self._config()))
        self._mark()
        return "Measured: see beside the switches."

    def _draw(self, config: Config) -> None:
        preprocessing = Preprocessing.of(config)
        if self._examples is None or self._examples.preprocessing != preprocessing:
            self._examples = Examples(self.workspace, preprocessing)
        title = f"{config.augmentation}: what training sees of nine of your photos"
        photos = self._examples.varied(config.policies, self._seed)
        self.picture.draw(plots.varied_photos(photos, title), title)

    def _look_up(self, spec: FeatureSpec) -> None:
        """Read what was measured, or how long that would take."""
        self._spec, self._costs = spec, known_costs(self.workspace, spec)
        seconds = predicted_seconds(self.workspace, spec, len(MEASURED)) if self._costs.empty else None
        self._takes = f"; to measure takes about {duration(seconds)}" if seconds else ""

    def _mark(self) -> None:
        """What was measured, beside each switch."""
        self.control.widget.mark(self._words)
        harmless = [row.policy for row in self._costs.itertuples() if row.verdict == HARMLESS]
        labels = ", ".join(POLICIES[name].label for name in dict.fromkeys(harmless))
        found = f"Found to do no harm with {self._spec}: {labels or 'none'}."
        words = f"{UNKNOWN}{self._takes}." if self._costs.empty else found
        self.known.value = html.status(html.text(words))

    def _words(self, policy: str, strength: float) -> str:
        if POLICIES[policy].mixes:
            return MIXES
        cost = cost_of(self._costs, policy, strength)
        return "" if cost is None else in_words(cost)
