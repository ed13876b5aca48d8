"""Notebook 04: the panel that shows what would help most."""

from dataclasses import replace

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import advice, classification, plots
from cvtune_nb.advice import Gain
from cvtune_nb.classification import Run
from cvtune_nb.console import duration
from cvtune_nb.panels.escalation import EscalationPanel
from cvtune_nb.panels.panel import Panel
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.runs.finding import Finding
from cvtune_nb.widgets import html
from cvtune_nb.widgets.findings import Findings
from cvtune_nb.widgets.job import Work
from cvtune_nb.widgets.layout import WIDTH
from cvtune_nb.workspace import Workspace

Found = tuple[list[Gain], list[str], Run | None]


class GainsPanel(Panel):
    """The predicted gain of each thing that could be done next, as bars; Apply puts it into the ladder's table."""

    button = "What would help most?"
    waiting = "Press What would help most? above first, then run this cell again."

    def __init__(self, workspace: Workspace, ladder: EscalationPanel, compute: bool = False):
        """Apply adds a rung to the table of `ladder`; `compute`: whether missing features are computed."""
        super().__init__(workspace)
        self.ladder = ladder
        self.compute = w.Checkbox(
            value=compute,
            indent=False,
            layout={"width": WIDTH},
            description="compute the features that are missing",
        )
        words = "of the next image size and the next deeper network: as long as notebook 02 takes with them"
        self.controls.children = [self.compute, w.HTML(f"<div class='cvtune-faint'>{words}</div>")]
        self.go.layout.width = "auto"
        self.found = Findings(self.guard(self._apply), PARAMETERS)
        self.below.children = [self.found]
        self.say("Nothing is estimated yet; with the features in the cache it takes some seconds.")

    def work(self) -> Work:
        """Look at the best run, or the baseline where there is none."""
        compute = self.compute.value
        run = classification.best_run(self.workspace)
        helps = advice.what_helps
        return lambda progress: (*self.in_worker(helps, self.workspace, run, compute, progress=progress), run)

    def paint(self, result: Found) -> str:
        """Bars, and a card for each."""
        gains, unknown, run = result
        table = pd.DataFrame([gain.to_dict() for gain in gains])
        real, counted = advice.real_gains(self.workspace), gains[0].counted
        words = "; ".join(f"{gain.title} {gain.words}" for gain in gains)
        alike = real[real["objective"] == counted.objective]
        self.picture.draw(plots.gains(table, alike, counted), f"predicted gains: {words}")
        self.found.show(self._finding(gain) for gain in gains)
        about = f"run {run.id}" if run else "the baseline's SVM"
        by = "" if counted.by_accuracy else f", by what counts: {counted.label}"
        real_words = "".join(f"<li>{html.text(line)}</li>" for line in real["words"])
        missing = "".join(f"<li>{html.text(line)}</li>" for line in unknown)
        self.text.value = (
            f"<div>About {html.text(about)}, on validation{html.text(by)}.</div>"
            + (f"<b>What earlier predictions came to</b><ul>{real_words}</ul>" if real_words else "")
            + (f"<b>Not estimated</b><ul>{missing}</ul>" if missing else "")
        )
        return "Finished."

    def _finding(self, gain: Gain) -> Finding:
        time = f"; such a run takes {duration(gain.seconds)}" if gain.seconds else ""
        return Finding(
            f"gain-{gain.action}",
            f"{gain.title}: {gain.words}{time}",
            f"based on {gain.basis}",
            "errors removed from the SVM, carried over to this model",
            gain.change,
        )

    def _apply(self, finding: Finding) -> None:
        run = self.result()[2]
        if run is None:
            rung = replace(self.ladder.table.configs()[0], **finding.change)
        else:
            rung = replace(run.config, **finding.change)
            advice.write_down(self.workspace, finding, run.id)
        number = self.ladder.add(rung)
        self.say(f"Applied as rung {number} of the table, the only one ticked: press {self.ladder.button} there.")

    def lessons(self) -> HTML:
        """Each prediction in a sentence."""
        gains, unknown, _ = self.result()
        lines = [f"{gain.title}: {gain.words}." for gain in gains]
        return html.listed([*lines, *(f"Not estimated: {line}." for line in unknown)])
