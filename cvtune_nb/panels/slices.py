"""Notebook 03: where the classifier fails, and which photos to add."""

import ipywidgets as w
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.advice.slices import Slices, find_slices, last_slices
from cvtune_nb.classification.exportable import SVM
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.panels import menu_of_models
from cvtune_nb.panels.panel import Panel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import NotReady, Work
from cvtune_nb.widgets.layout import look
from cvtune_nb.workspace import Workspace


class SlicesPanel(Panel):
    """Slices of the validation photos, those that are reliably worse with examples."""

    button = "Find where it fails"
    waiting = "Press Find where it fails above first, then run this cell again."

    def __init__(self, workspace: Workspace, run: str = ""):
        """run: the one that is chosen at first; "": the best on validation."""
        super().__init__(workspace)
        self.run, self.examples = w.Dropdown(options=[], description="Run", **look("5em")), html.Picture()
        self.controls.children, self.below.children = [self.run], [self.examples]
        self._seen = last_slices(workspace)
        self._list_runs(run)
        self._draw()

    def _list_runs(self, run: str = "") -> None:
        """Offer the models there are by now; the one that is chosen stays."""
        there = menu_of_models.offer(self.run, self.workspace, run)
        self.go.disabled = not there
        if self.job.state == "idle" and self._seen is None:
            none = "There is no model in this workspace yet: train one first."
            self.say("Nothing looked for yet." if there else none)

    def _ipython_display_(self) -> None:
        self._list_runs()
        super()._ipython_display_()

    def unstarted(self) -> bool:
        """Where nobody is there, once there is a model."""
        return super().unstarted() and (self.attended or self.run.value is not None)

    def work(self) -> Work:
        """Read which model is chosen."""
        name, workspace = self.run.value, self.workspace
        if name is None:
            raise InputError("there is no model in this workspace yet: train one above, or make the baseline")

        def run(progress: Progress) -> Slices:
            return self.in_worker(find_slices, workspace, name, progress=progress)

        return run

    def paint(self, result: Slices) -> str:
        """Show it."""
        self._seen = result
        return self._draw()

    def _draw(self) -> str:
        """Show what was found, where there is something; returns whose it is, in words."""
        found = self._seen
        if found is None:
            return ""
        words = "; ".join(f"{row.slice} {row.accuracy:.0%}" for row in found.table.head(plots.SLICES).itertuples())
        self.picture.draw(plots.slices(found.table, found.accuracy), f"accuracy by slice: {words}")
        lines = "".join(f"<div>{html.text(line)}</div>" for line in self._lines(found))
        self.text.value = html.status(lines)
        if len(found.worse):
            drawn = plots.rows_of_photos(found.examples, self.workspace.path_of, self.workspace.levels)
            self.examples.draw(drawn, "; ".join(f"photos of: {name}" for name in found.examples))
        self.examples.layout.display = "" if len(found.worse) else "none"
        shown = f"Shown for {'the baseline' if found.model == SVM else f'run {html.text(found.model)}'}."
        self.say(shown)
        return shown

    @staticmethod
    def _lines(found: Slices) -> list[str]:
        finding = found.finding()
        return [*found.sentences, *([f"{finding.title}."] if finding else [])]

    @property
    def seen(self) -> Slices:
        """What is shown; NotReady before there is anything."""
        if self._seen is None:
            raise NotReady(self.waiting)
        return self._seen

    # -- what the cells below show --------------------------------------------------------------------------------

    def outcome(self) -> None:
        """Pictures and words as ordinary outputs; nothing before there is something to show."""
        if self.job.running or self._seen:
            pictures = [self.picture, self.examples] if self._seen and len(self._seen.worse) else [self.picture]
            self.report(*pictures, self.lessons, always=not self.job.running)

    def lessons(self) -> HTML:
        """What was found."""
        return html.listed(self._lines(self.seen))
