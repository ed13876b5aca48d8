"""Notebook 04: the panel that shows which rung of the ladder is worth its time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import advice, classification, plots
from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.remedies import chosen_remedy
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.escalation import (
    Escalation,
    ExpectedAccuracy,
    climbs_alone,
    escalate,
    expected_accuracies,
    ladder,
    ladder_of,
    ladders,
    own_rungs,
    reference_2018,
    resized,
    save_rungs,
    shown_as,
    so_far,
)
from cvtune_nb.models import backbones
from cvtune_nb.objectives import ACCURACY, Counted
from cvtune_nb.panels.objective import counted_in, counts_in_words, objective_control, standing_of_svm
from cvtune_nb.panels.panel import Panel
from cvtune_nb.parameters import LADDER_PARAMETERS, PARAMETERS, Config, differing
from cvtune_nb.runs.cost import Cost, past_errors, past_in_words, timed, total
from cvtune_nb.runs.finding import Finding
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.debounce import Soon, Still
from cvtune_nb.widgets.findings import Findings
from cvtune_nb.widgets.job import Job, Work
from cvtune_nb.widgets.layout import folded, look
from cvtune_nb.widgets.rung_table import RungTable, in_words
from cvtune_nb.workspace import Workspace

OWN = "my own"
"""What the menu of families calls rungs that the person has edited."""
OF_2018 = ": the table of 2018, and beyond"
"""What the menu adds to the name of ResNet's ladder."""
REFUSED = (InputError, OSError, ValueError, RuntimeError)
"""What estimating a rung that can't be raises."""
EMPTY = ["rung", "backbone", "image_size", "seconds", "validation_accuracy", "low", "high"]


class EscalationPanel(Panel):
    """Edit and tick rungs, set a budget, and watch accuracy against time.

    It shows the estimated time and expected accuracy of each rung; then where to stop, why, and what to try next.
    """

    button = "Run these rungs"
    waiting = "Press Run these rungs above first, then run this cell again."

    def __init__(
        self,
        workspace: Workspace,
        family: str = "",
        rungs: str = "1,2",
        epochs: int = 0,
        image_sizes: str = "",
        budget_minutes: float = 30,
        least_gain: float = 0,
        on: str = "local",
    ):
        """The panel; a ladder given here is shown instead of the person's own rungs.

        Parameters
        ----------
        epochs
            0 for the ladder's own.
        image_sizes
            "" for the ladder's own, else one for each rung, such as "64,96".
        least_gain
            Points an hour below which no rung is worth its time (LADDER_PARAMETERS).
        on
            "local" or "ray".
        """
        super().__init__(workspace)
        given = bool(family or epochs or image_sizes)
        spec = start_with(workspace)
        alone, self._start = climbs_alone(spec.backbone, spec.weights), spec
        self.ladders = [*ladders(), spec.backbone] if alone else ladders()
        family = family or (spec.backbone if alone else backbones.family_of(spec.backbone).name)
        if family not in self.ladders:
            raise InputError(f"there is no ladder called {family!r}: choose {' or '.join(self.ladders)}")
        self.epochs, self.sizes = epochs, _numbers(image_sizes, "IMAGE_SIZES")
        own = own_rungs(workspace)
        self.family = w.Dropdown(options=self._menu(bool(own)), description="Ladder", **look())
        self.family.value = OWN if own and not given else family
        self.budget = w.BoundedFloatText(
            value=budget_minutes, min=0.1, max=7 * 24 * 60, description="Budget (min)", **look()
        )
        self.least_gain = Control(LADDER_PARAMETERS["least_gain"], least_gain)
        places = [("this machine", "local"), ("a Ray cluster", "ray")]
        self.on = w.Dropdown(options=places, value=on, description="Run on", **look())
        self.sum = w.HTML()
        self.table = RungTable(self.guard(self._edited))
        self.found = Findings(self.guard(self._apply), PARAMETERS)
        self.why, self.gap, self.time = w.HTML(), html.Picture(), html.Picture()
        self.objective = objective_control(workspace, self.guard, self._show_past)
        counts = folded("What counts", [self.objective.box])
        early = folded("When to stop early", [self.least_gain.box])
        self.controls.children = [self.family, self.budget, self.on, early, counts, self.sum]
        self.below.children = [self.why, self.found, self.gap, self.time]
        page, *rest = self.box.children
        self.box.children = [page, self.table, *rest]
        self._costs: dict[Config, Cost] = {}
        self._impossible: set[Config] = set()
        self._expected: dict[Config, ExpectedAccuracy] = {}
        self._soon = Soon(self.predict)
        self._editing, self._about = False, ""
        self._list_rungs(set(_numbers(rungs, "RUNGS")))
        self.family.observe(self.guard(lambda _: self._editing or self._list_rungs({1, 2})), "value")
        self.budget.observe(self.guard(lambda _: self.add_up()), "value")
        self._show_past()

    def _show_past(self) -> None:
        """What a person who comes back finds: the rungs that were run before."""
        known = so_far(self.workspace, self._all())
        if known.best:
            self.paint(known)
            self.cost.value = ""
            self.say("The rungs that were run before are shown.")
        else:
            self._draw(Escalation(pd.DataFrame(columns=EMPTY), "", ""))
            self.say("Nothing has run yet.")

    def _menu(self, own: bool) -> list[tuple[str, str]]:
        """The ladders to choose from, as they are shown and by name; own: the person's among them."""
        names = [*self.ladders, *([OWN] if own else [])]
        return [(f"{name}{OF_2018 if name == 'resnet' else ''}", name) for name in names]

    # -- choosing rungs ---------------------------------------------------------------------------------------

    def chosen(self) -> dict[int, Config]:
        """The rungs that are ticked, by their number in the table. Raises InputError for a value that can't be."""
        configs = self.table.configs()
        return {number: configs[number - 1] for number in self.table.ticked}

    def _all(self) -> dict[int, Config]:
        return dict(enumerate(self.table.configs(), 1))

    def add(self, config: Config) -> int:
        """Put a rung at the end of the table, the only one ticked; returns its number."""
        return self.table.add(config, alone=True)

    def _list_rungs(self, ticked: set[int]) -> None:
        self.table.show(own_rungs(self.workspace) if self.family.value == OWN else self._ladder(), ticked)
        self._predict_soon()

    def _ladder(self) -> list[Config]:
        name = self.family.value
        rungs = ladder(name) if name in ladders() else ladder_of(replace(self._start, backbone=name))
        imbalance = chosen_remedy(self.workspace)
        rungs = [replace(shown_as(rung, self._start), imbalance=imbalance) for rung in rungs]
        return resized(rungs, self.sizes, self.epochs)

    def _edited(self) -> None:
        """Keep what the person made of the table, and predict anew."""
        rungs = self.table.configs()
        self.alert.value = ""
        if self.family.value == OWN or rungs != self._ladder():
            save_rungs(self.workspace, rungs)
            self._editing = True  # the table is what it is already
            self.family.options = self._menu(True)
            self.family.value = OWN
            self._editing = False
        self.add_up()
        self._predict_soon()

    # -- estimated time and expected accuracy -----------------------------------------------------------------------

    def _predict_soon(self) -> None:
        """Predict in a thread once the table has come to rest, where there is a person to read it."""
        self._soon.cancel()
        if self.attended and not self.job.running:
            self._soon()

    def predict(self, still: Still = lambda: True) -> None:
        """Fill in time and expected accuracy of every rung, one after the other, beside the kernel, while wanted."""
        try:
            configs = self.table.configs()
        except InputError as error:
            self.show_error(error)
            return
        self._impossible.clear()
        expected = self._expected  # work that ends meanwhile begins another
        for number, config in enumerate(configs, 1):
            facts, cost = in_words(config), ""
            if config not in self._costs and not self.job.running:
                try:
                    self._costs[config] = classification.predict_cost(self.workspace, config)
                except REFUSED as error:
                    cost = html.text(error)
                    self._impossible.add(config)
            if config in self._costs:
                cost = f"<b>{html.text(self._costs[config].words)}</b>"
                if config not in expected and not self.job.running:
                    try:
                        expected[config] = expected_accuracies(self.workspace, [config])[0]
                    except REFUSED as error:
                        cost += f"; {html.text(error)}"
                if config in expected:
                    told = expected[config]
                    cost += f"; expected {html.text(told.counted.label)} {html.text(told)}"
            if not still():  # edited meanwhile: another call has come
                return
            self.table.say(number, f"{facts}. {cost}")
        self.add_up()

    def add_up(self) -> None:
        """Say what the ticked rungs take together, beside the budget."""
        rungs = self.chosen()
        if not rungs:
            self.sum.value = html.status("No rung is chosen: tick at least one.")
            return
        took = total(rungs.values(), self._costs, self._impossible)
        over, lacking = took.seconds > self.budget.value * 60, len(rungs) - took.possible
        fits = "more than the budget: epochs are cut, or rungs left out" if over else "within the budget"
        words = "time not estimated yet" if took.unknown else f"{duration(took.seconds)}, {fits}"
        if not took.possible:
            words = "can't be run here"
        elif lacking:
            words += f"; {lacking} can't be run here"
        past = past_in_words(past_errors(classification.runs(self.workspace)))
        self.sum.value = html.status(
            f"{len(rungs)} rung{'s' if len(rungs) != 1 else ''}: <b>{words}</b>{f'; {past}' if past else ''}."
        )

    # -- running ----------------------------------------------------------------------------------------------

    def work(self) -> Work:
        """Read which rungs are ticked, and the budget."""
        rungs, seconds, on = self.chosen(), self.budget.value * 60, self.on.value
        least_gain = self.least_gain.value
        others = {number: config for number, config in self._all().items() if number not in rungs}
        if not rungs:
            raise InputError("no rung is chosen: tick at least one")
        return lambda progress: self.in_worker(
            escalate,
            self.workspace,
            list(rungs.values()),
            budget_seconds=seconds,
            progress=progress,
            live=self.live(),
            numbers=list(rungs),
            on=on,
            others=others,
            least_gain=least_gain,
        )

    def live(self) -> dict[str, Callable[..., Any]]:
        """The picture after every epoch and rung."""
        return {"on_rung": self._draw}

    def _draw(self, found: Escalation) -> None:
        """Table and picture so far; called after every epoch in the working thread."""
        counted, line = counted_in(self.workspace), standing_of_svm(self.workspace)
        figure = plots.accuracy_against_time(found.rungs, line, reference_2018(), counted)
        words = "; ".join(
            f"rung {row.rung} {row.validation_accuracy:.1%} in {duration(row.seconds)}"
            for row in found.measured.itertuples()
        )
        told = "" if counted.by_accuracy else "accuracy: "
        self.picture.draw(figure, f"{counted.label} against training time: {told}{words or 'no rung has finished'}")
        self.text.value = _rungs(found.rungs, counted)

    def paint(self, result: Escalation) -> str:
        """Show where to stop, what to try next, and what it cost."""
        self._draw(result)
        self.why.value = html.card("Where to stop, and why", result.why)
        self._show_findings(result)
        done = result.measured
        if len(done):
            words = "; ".join(
                f"rung {row.rung} {row.train_accuracy:.1%} and {row.validation_accuracy:.1%}"
                for row in done.itertuples()
            )
            self.gap.draw(plots.gaps_by_rung(done), f"train and validation accuracy by rung: {words}")
        runs = classification.runs(self.workspace)
        ended = timed(runs)
        if len(ended):
            words = past_in_words(past_errors(runs))
            self.time.draw(plots.predicted_against_real(ended), f"real against predicted time: {words}")
        took, predicted = result.times
        self.cost.value = f"It took {duration(took)}; predicted were {duration(predicted)}."
        return "Finished. Now run the cells below."

    def _show_findings(self, result: Escalation) -> None:
        """What the rules say about the best rung; and whether the advice that was applied has helped."""
        ran = [name for name in result.rungs["run"] if name]
        helped = [advice.outcome(self.workspace, classification.load_run(self.workspace, name)) for name in ran]
        best = [classification.load_run(self.workspace, result.best)] if result.best else []
        found = [finding for run in best for finding in advice.advise(self.workspace, run)]
        self._about = result.best
        self.found.show([*filter(None, helped), *found])

    def _apply(self, finding: Finding) -> None:
        """Put the best rung, changed as the finding says, into the table, ready to run."""
        config = replace(classification.load_run(self.workspace, self._about).config, **finding.change)
        if counts := finding.change.get("objective"):
            self.objective.value = counts
        number = self.add(config)
        advice.write_down(self.workspace, finding, self._about)
        self.say(f"Applied as rung {number}, the only one ticked: press {self.button}.")

    def _follow(self, job: Job) -> None:
        super()._follow(job)
        if not job.running:
            self._expected = {}  # they follow what was learned
            self._predict_soon()

    # -- what the cells below show ----------------------------------------------------------------------------

    def pictures(self) -> None:
        """The pictures and the table as ordinary outputs."""
        self.report(self.picture, self.text, *(picture for picture in (self.gap, self.time) if picture.png))

    def lessons(self) -> HTML:
        """What we learned, from the rungs above."""
        found = self.result()
        lines = [found.why]
        lines += [
            f"Rung {row.rung}, {row.backbone} at {row.image_size} pixels: {row.validation_accuracy:.1%} "
            f"({row.low * 100:.1f} to {row.high * 100:.1f}%) in {duration(row.seconds)}."
            for row in found.measured.itertuples()
        ]
        return html.listed([*lines, counts_in_words(self.workspace)])


def _numbers(text: str, what: str) -> list[int]:
    """The whole numbers in a list typed like "1,2". Raises InputError."""
    try:
        return [int(part) for part in text.replace(" ", "").split(",") if part]
    except ValueError:
        raise InputError(f"{what} is {text!r}: give whole numbers, for example 1,2") from None


def _rungs(rungs: pd.DataFrame, counted: Counted) -> str:
    if rungs.empty:
        return ""

    def written(column: str, how: Any) -> list[str]:
        return ["" if pd.isna(value) else how(value) for value in rungs[column]]

    def interval(value: str, low: str, high: str, of: Counted = ACCURACY) -> list[str]:
        words = ([of.in_words(row[name]) for name in (value, low, high)] for _, row in rungs.iterrows())
        return [
            "" if pd.isna(one) else "{} ({} to {})".format(*each) for one, each in zip(rungs[value], words, strict=True)
        ]

    shown = rungs.assign(
        expected_accuracy=interval("expected", "expected_low", "expected_high", counted),
        counts=interval("objective_value", "objective_low", "objective_high", counted),
        validation=interval("validation_accuracy", "low", "high"),
        train=written("train_accuracy", "{:.1%}".format),
        predicted=written("predicted_seconds", duration),
        took=written("seconds", duration),
    )
    parameters = differing(rungs, always=("backbone", "image_size", "batch_size", "epochs"))
    by = () if counted.by_accuracy else ("counts",)
    figures = ("expected_accuracy", *by, "validation", "train", "predicted", "took", "state", "note")
    names = {"rung": "rung", **parameters, **{name: name for name in figures}}
    intervals = {"expected_accuracy": "expected (95% interval)", "validation": "validation (95% interval)"}
    if by:
        intervals = {
            "expected_accuracy": f"expected {counted.label} (95%)",
            "counts": f"{counted.label} (95%)",
            "validation": "accuracy (95%)",
        }
    return html.table(shown, names | intervals, "The ladder so far")
