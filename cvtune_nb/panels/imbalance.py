"""Notebook 02: which remedy for classes of different size helps with these photos."""

import ipywidgets as w
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.features import FeatureSpec
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
from cvtune_nb.files import Progress
from cvtune_nb.imbalance import REMEDIES, UNBALANCED
from cvtune_nb.panels.baseline import BaselinePanel
from cvtune_nb.panels.tried_on_photos import TriedOnPhotosPanel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.job import NotReady, Work
from cvtune_nb.widgets.layout import button, row
from cvtune_nb.workspace import Workspace


class ImbalancePanel(TriedOnPhotosPanel):
    """Class weights, balanced sampling and logit adjustment compared, and which one to go on with."""

    button = "Compare remedies"
    waiting = "Press Compare remedies above first, then run this cell again."

    def __init__(self, workspace: Workspace, photos: int = PHOTOS):
        """photos: train and validation photos to compare on, at most."""
        found = balance_of(workspace.photos())
        super().__init__(workspace, photos, unattended=found.unbalanced)  # others are not worth the time
        self.balance = w.HTML()
        self.remedy = Control("imbalance", chosen_remedy(workspace))
        self.use, self.recommended = button("Use this"), button("Use the recommended one", disabled=True)
        self.controls.children = [self.balance, self.photos, self.price]
        self.below.children = [self.remedy.box, row(self.use, self.recommended), self.chosen]
        self.use.on_click(self.guard(lambda _: self._choose(self.remedy.value)))
        self.recommended.on_click(self.guard(lambda _: self._choose(self.seen.recommended)))
        words = "" if found.unbalanced else f" That is within {UNBALANCED:g} times: no remedy is needed."
        self.balance.value = html.text(f"{str(found)[:1].upper()}{str(found)[1:]}.{words}")
        self._seen = last_remedies(workspace)
        self._draw()
        self._show_choice()
        self.predict_soon()

    # -- what it will cost ----------------------------------------------------------------------------------------

    def seconds(self, spec: FeatureSpec, photos: int) -> float:
        """What a comparison takes."""
        return expected_seconds(self.workspace, spec, photos)

    # -- comparing ------------------------------------------------------------------------------------------------

    def work(self) -> Work:
        """Read the controls."""
        spec, photos, workspace = start_with(self.workspace), self.photos.value, self.workspace

        def run(progress: Progress) -> Comparison:
            return self.in_worker(compare_remedies, workspace, spec, photos=photos, progress=progress)

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
