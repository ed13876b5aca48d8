"""Notebook 02: which remedy for classes of different size helps with these photos."""

import ipywidgets as w
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.remedies import (
    BY_HAND,
    PHOTOS,
    RECOMMENDED,
    Comparison,
    balance_of,
    choose_remedy,
    chosen_remedy,
    compare_remedies,
    expected_seconds,
    holds,
    last_remedies,
)
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.imbalance import REMEDIES, UNBALANCED
from cvtune_nb.panels.baseline import BaselinePanel
from cvtune_nb.panels.panel import Panel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.debounce import Soon, Still
from cvtune_nb.widgets.job import NotReady, Work
from cvtune_nb.widgets.layout import button, look, row, small_print
from cvtune_nb.workspace import Workspace


class ImbalancePanel(Panel):
    """Class weights, balanced sampling and logit adjustment compared, and which one to go on with."""

    button = "Compare remedies"
    waiting = "Press Compare remedies above first, then run this cell again."

    def __init__(self, workspace: Workspace, photos: int = PHOTOS):
        """photos: train and validation photos to compare on, at most."""
        super().__init__(workspace)
        self.photos = w.BoundedIntText(value=photos, min=8, max=100_000, description="Photos", **look())
        self.price, self.balance, self.chosen = small_print(), w.HTML(), w.HTML()
        self.remedy = Control("imbalance", chosen_remedy(workspace))
        self.use, self.recommended = button("Use this"), button("Use the recommended one", disabled=True)
        self.controls.children = [self.balance, self.photos, self.price]
        self.below.children = [self.remedy.box, row(self.use, self.recommended), self.chosen]
        self.use.on_click(self.guard(lambda _: self._choose(self.remedy.value)))
        self.recommended.on_click(self.guard(lambda _: self._choose(self.seen.recommended)))
        self._soon = Soon(self.predict)
        self.photos.observe(lambda _: self._predict_soon(), "value")
        found = balance_of(workspace.photos())
        words = "" if found.unbalanced else f" That is within {UNBALANCED:g} times: no remedy is needed."
        self.balance.value = html.text(f"{str(found)[:1].upper()}{str(found)[1:]}.{words}")
        self._unbalanced, self._seen = found.unbalanced, last_remedies(workspace)
        self._draw()
        self._show_choice()
        self._predict_soon()

    # -- what it will cost ----------------------------------------------------------------------------------------

    def _predict_soon(self) -> None:
        if self.attended:
            self.price.value = html.status("Estimating the time ...")
            self._soon()

    def predict(self, still: Still = lambda: True) -> None:
        """Write down how long it will take."""
        spec = start_with(self.workspace)
        try:
            seconds = expected_seconds(self.workspace, spec, self.photos.value)
        except (InputError, OSError, ValueError) as error:
            words = html.text(str(error))
        else:
            network = f"{spec.backbone} at {spec.image_size} pixels"
            words = f"With {html.text(network)}: about <b>{duration(seconds)}</b> at most."
        if still():
            self.price.value = html.status(words)

    # -- comparing ------------------------------------------------------------------------------------------------

    def unstarted(self) -> bool:
        """Where nobody is there, only classes that differ much are worth the time."""
        if self.attended or not super().unstarted():
            return super().unstarted()
        try:
            expected_seconds(self.workspace, start_with(self.workspace), self.photos.value)
        except InputError as error:  # the baseline below can be made all the same
            self.show_error(error)
            return False
        return self._unbalanced

    def work(self) -> Work:
        """Read the controls."""
        spec, photos, workspace = start_with(self.workspace), self.photos.value, self.workspace

        def run(progress: Progress) -> Comparison:
            return compare_remedies(workspace, spec, photos=photos, progress=progress)

        return run

    def paint(self, result: Comparison) -> str:
        """Show it, and offer what is recommended."""
        self._seen = result
        self._draw()
        return "Now say below which one to go on with."

    def _draw(self) -> None:
        found = self._seen
        if found is None:
            self.say("Nothing compared yet.")
            return
        self.picture.draw(plots.remedies_compared(found.table, found.label, found.recommended), found.brings)
        self.text.value = html.status("".join(f"<div>{html.text(line)}</div>" for line in found.sentences))
        self.recommended.disabled, self.recommended.button_style = False, "success"
        self.recommended.description = f"Use {found.recommended} (recommended)"
        old = not holds(self.workspace, found)
        changed = " Photos, labels, groups or what counts have changed since: compare again."
        self.say("The last comparison is shown." + changed * old)

    # -- which one to go on with ----------------------------------------------------------------------------------

    @property
    def seen(self) -> Comparison:
        """What is shown; NotReady before there is anything."""
        if self._seen is None:
            raise NotReady(self.waiting)
        return self._seen

    def _choose(self, remedy: str) -> None:
        found = self._seen
        choose_remedy(self.workspace, remedy, RECOMMENDED if found and remedy == found.recommended else BY_HAND)
        self.remedy.value = remedy
        self._show_choice()
        if baseline := BaselinePanel.opened(self.workspace):
            baseline.imbalance.value = remedy
        self.refresh_reports()

    def _show_choice(self) -> None:
        self.chosen.value = html.status(html.text(self._goes_on()))

    def _goes_on(self) -> str:
        return f"Later steps train with imbalance: {chosen_remedy(self.workspace)}."

    # -- what the cells below show --------------------------------------------------------------------------------

    def outcome(self) -> None:
        """Pictures and words as ordinary outputs; nothing before there is something to show."""
        if self.job.running or self._seen:
            self.report(self.picture, self.lessons, always=not self.job.running)

    def lessons(self) -> HTML:
        """What was found, what each remedy means, and what later steps train with."""
        meanings = [f"{name}: {meaning}." for name, meaning in REMEDIES.items()]
        return html.listed([*self.seen.sentences, *meanings, self._goes_on()])
