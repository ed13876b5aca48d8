"""Notebook 04: a sweep of a few parameters around the best rung."""

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.escalation import Sweep, sweep
from cvtune_nb.escalation.parameter_sweep import SWEPT, columns_of, ranges, run_to_search_round
from cvtune_nb.objectives import Counted
from cvtune_nb.panels.objective import counted_in
from cvtune_nb.panels.panel import Panel
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import Work, headless
from cvtune_nb.widgets.layout import look, small_print
from cvtune_nb.workspace import Workspace

USUAL = 8
"""Trials that are proposed where none are asked for."""


class SweepPanel(Panel):
    """Say how many trials and how long; watch each of them; see what to believe of the best."""

    button = "Sweep"
    waiting = "Press Sweep above first, then run this cell again."

    def __init__(self, workspace: Workspace, trials: int = USUAL, budget_minutes: float = 60):
        """0 `trials` leave the sweep out where nobody can press the button."""
        super().__init__(workspace)
        self.wanted = trials
        self.trials = w.BoundedIntText(value=trials or USUAL, min=1, max=500, description="Trials", **look())
        self.budget = w.BoundedFloatText(
            value=budget_minutes, min=0.1, max=7 * 24 * 60, description="Budget (min)", **look()
        )
        self.about = small_print()
        self.controls.children = [self.trials, self.budget, self.about]
        for control in (self.trials, self.budget):
            control.observe(self.guard(lambda _: self._price()), "value")
        self._price()
        self._draw(Sweep(pd.DataFrame(columns=columns_of(SWEPT)), "", ""))
        self.say("Not swept yet.")

    def unstarted(self) -> bool:
        """Not when no trial is wanted and nobody is there."""
        return super().unstarted() and not (headless() and self.wanted == 0)

    def _price(self) -> None:
        run = run_to_search_round(self.workspace)
        if run is None:
            self.about.value = html.status("There is no run to search around yet: run a rung first.")
            return
        searched = ", ".join(
            f"{PARAMETERS[name].label_in_words} {low:g} to {high:g}" for name, (low, high) in ranges(run.config).items()
        )
        count, minutes = self.trials.value, self.budget.value
        over = ", more than the budget" if count * run.seconds > minutes * 60 else ""
        self.about.value = html.status(
            f"Around {html.text(run.id)}, the best run: {searched}. {count} trials of {duration(run.seconds)} each are "
            f"<b>about {duration(count * run.seconds)}</b>{over}."
        )

    def work(self) -> Work:
        """Read trials and budget, and find the best run."""
        run, trials, seconds = run_to_search_round(self.workspace), self.trials.value, self.budget.value * 60
        if run is None:
            raise InputError("there is no run to search around yet: run a rung of the ladder first")
        return lambda progress: self.in_worker(
            sweep, self.workspace, run.config, trials, seconds, progress=progress, live=self.live()
        )

    def live(self) -> dict[str, Callable[..., Any]]:
        """The picture after every trial."""
        return {"on_trial": self._draw}

    def _draw(self, found: Sweep) -> None:
        words = "; ".join(f"trial {row.trial} {row.validation_accuracy:.1%}" for row in found.measured.itertuples())
        counted = counted_in(self.workspace)
        told = "" if counted.by_accuracy else "accuracy: "
        self.picture.draw(
            plots.sweep(found.trials, found.names, counted),
            f"{counted.label} against each parameter: {told}{words or 'no trial yet'}",
        )
        self.text.value = _trials(found.trials, found.names, counted)

    def paint(self, result: Sweep) -> str:
        """Show what may be expected of the best trial."""
        self._draw(result)
        self.below.children = [w.HTML(html.card("What to believe", result.why))]
        return "Finished."

    def outcome(self) -> None:
        """Picture, table and sentence as ordinary outputs; nothing where no sweep was wanted."""
        if self.wanted or self.job.state != "idle":
            self.report(self.picture, self.text, self.lessons)

    def lessons(self) -> HTML:
        """What the sweep says."""
        return html.listed([self.result().why])


def _trials(trials: pd.DataFrame, searched: list[str], counted: Counted) -> str:
    if "trial" not in trials or trials.empty:
        return ""
    shown = trials.assign(
        validation=[
            ""
            if pd.isna(row.validation_accuracy)
            else f"{row.validation_accuracy:.1%} ({row.low:.1%} to {row.high:.1%})"
            for row in trials.itertuples()
        ],
        took=["" if pd.isna(value) else duration(value) for value in trials["seconds"]],
        counts=["" if pd.isna(value) else counted.in_words(value) for value in trials["objective_value"]],
    )
    names = {
        "trial": "trial",
        "run": "run",
        **{name: PARAMETERS[name].label for name in searched},
        **({} if counted.by_accuracy else {"counts": counted.label}),
        "validation": "validation (95% interval)" if counted.by_accuracy else "accuracy (95% interval)",
        "took": "took",
        "state": "state",
        "note": "note",
    }
    return html.table(shown, names, "The sweep so far")
