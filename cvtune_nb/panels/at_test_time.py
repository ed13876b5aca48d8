"""Notebook 05: what the network is shown at test time, measured on validation before anything is exported."""

from typing import Any

import ipywidgets as w
import pandas as pd

from cvtune_nb.classification.at_test_time import (
    AtTestTime,
    best,
    choose,
    chosen_for,
    expected_seconds,
    in_training,
    in_words,
    measure,
    take_back,
    what_counts,
)
from cvtune_nb.classification.exportable import Candidate, candidate, trained_with
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.objectives import Counted
from cvtune_nb.panels import menu_of_models
from cvtune_nb.panels.panel import Panel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.debounce import Soon, Still
from cvtune_nb.widgets.job import Job, Work
from cvtune_nb.widgets.layout import button, look, row, small_print
from cvtune_nb.workspace import Workspace

Measured = tuple[Candidate, list[AtTestTime], pd.DataFrame]
"""The classifier, what was tried, and how each did."""


class AtTestTimePanel(Panel):
    """Measure larger photos, wider crops and mirror images for a finished model, and choose what is exported."""

    button = "Measure"
    waiting = "Press Measure above first, then run this cell again."

    def __init__(self, workspace: Workspace, run: str = ""):
        """run: the one that is chosen at first; "": the best on validation."""
        super().__init__(workspace)
        self.run, self.price = w.Dropdown(options=[], description="Run", **look("5em")), small_print()
        self.options = w.Dropdown(options=[], description="Show", disabled=True, **look("5em", "26em"))
        self.use = button("Use this", disabled=True)
        self.back = button("As in training", disabled=True)
        self.chosen = w.HTML()
        self.controls.children = [self.run, self.price]
        self.below.children = [row(self.options, self.use, self.back), self.chosen]
        self.use.on_click(self.guard(lambda _: self._choose()))
        self.back.on_click(self.guard(lambda _: self._take_back()))
        self._soon = Soon(self.predict)
        self.run.observe(lambda _: self._predict_soon(), "value")
        self.run.observe(self.guard(lambda _: self.run.value and self._show_choice(self.run.value)), "value")
        self._list_runs(run)

    def _list_runs(self, run: str = "") -> None:
        """Offer what can be exported by now; the one that is chosen stays."""
        there = menu_of_models.offer(self.run, self.workspace, run, combinations=False)
        self.go.disabled = not there
        if self.job.state == "idle":
            self.say("Nothing measured yet." if there else "There is no model in this workspace yet: train one first.")

    def _ipython_display_(self) -> None:
        self._list_runs()
        super()._ipython_display_()

    def _follow(self, job: Job) -> None:
        super()._follow(job)
        if not job.running:
            self._list_runs()

    def _predict_soon(self) -> None:
        self._soon.cancel()
        if self.attended and self.run.value is not None:
            self.price.value = html.status("Estimating the time ...")
            self._soon()

    def predict(self, still: Still = lambda: True) -> None:
        """Write down how long it will take."""
        try:
            seconds = expected_seconds(self.workspace, trained_with(self.workspace, self.run.value))
        except (InputError, OSError, ValueError) as error:
            words = html.text(str(error))
        else:
            words = f"About <b>{duration(seconds)}</b> at most."
        if still():
            self.price.value = html.status(words)

    def unstarted(self) -> bool:
        """Nothing is measured where nobody is there to choose."""
        return self.attended and super().unstarted()

    def work(self) -> Work:
        """Read which run is chosen."""
        name = self.run.value
        if name is None:
            raise InputError("there is no model in this workspace yet: open notebook 03_dnn_fine_tuning and train one")

        def run(progress: Progress) -> Measured:
            made = candidate(self.workspace, name, progress)
            return made, *self.in_worker(measure, self.workspace, made, progress=progress)

        return run

    def paint(self, result: Measured) -> str:
        """Show how each did, and offer them."""
        made, options, rows = result
        counted = Counted.of(what_counts(self.workspace, made.classes))
        self.text.value = html.status(html.text(in_words(options, rows, counted))) + _table(options, rows, counted)
        self.options.options = [(str(option), number) for number, option in enumerate(options)]
        standing = chosen_for(self.workspace, made.id, made.spec)
        self.options.value = options.index(standing if standing in options else best(options, rows))
        self.options.disabled = self.use.disabled = False
        self._show_choice(made.id)
        return "Now say below what is exported."

    def _choose(self) -> None:
        made, options, _ = self.result()
        choose(self.workspace, made, options[self.options.value])
        self._show_choice(made.id)

    def _take_back(self) -> None:
        take_back(self.workspace, self._shown)
        self._show_choice(self._shown)

    def _show_choice(self, name: str) -> None:
        """What exports of that run show, whether it was chosen now or in an earlier session."""
        self._shown, spec = name, trained_with(self.workspace, name)
        found = chosen_for(self.workspace, name, spec)
        self.chosen.value = html.status(html.text(f"Exports of {name} show photos at {found or in_training(spec)}."))
        self.back.disabled = found is None


def _table(options: list[AtTestTime], rows: pd.DataFrame, counted: Counted) -> str:
    def apart(row: Any) -> str:
        low, high = (counted.change(end, "") for end in (row.difference_low, row.difference_high))
        return f"{counted.change(row.difference, '')} ({low} to {high}){', reliable' if row.better else ''}"

    lines = list(rows.itertuples())
    shown = rows.assign(
        shown=[str(option) for option in options],
        right=[f"{row.accuracy:.1%}" for row in lines],
        value=["" if counted.by_accuracy else counted.in_words(row.objective_value) for row in lines],
        apart=["" if number == 0 else apart(row) for number, row in enumerate(lines)],
        cost=[f"{row.milliseconds:.1f} ms, {row.times:.1f} times" for row in lines],
    )
    gain = "points from training's (95%)" if counted.share else "better than training's by (95%)"
    names = {
        "shown": "shown",
        **({} if counted.by_accuracy else {"value": counted.axis}),
        "right": "validation" if counted.by_accuracy else "accuracy",
        "apart": gain,
        "cost": "a photo takes",
    }
    return html.table(shown, names, "What the network is shown at test time")
