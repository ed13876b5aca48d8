"""Notebook 04: which rung of the ladder is worth its time?"""

import threading
from dataclasses import replace
from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import backbones, plots, training
from cvtune_nb.baseline import last_baseline
from cvtune_nb.errors import InputError
from cvtune_nb.escalation import LADDERS, Escalation, escalate, ladder
from cvtune_nb.parameters import Config
from cvtune_nb.widgets import page
from cvtune_nb.widgets.job import Job, Work, headless
from cvtune_nb.widgets.panel import Panel
from cvtune_nb.workspace import Workspace


class EscalationPanel(Panel):
    """Pick rungs and a time budget; watch accuracy against time; see where to stop and why."""

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
    ):
        """epochs: 0 for the ladder's own. image_sizes: "" for the ladder's own, else one a rung, such as "64,96"."""
        super().__init__(workspace)
        family = family or backbones.KNOWN[backbones.default()[0]].family
        if family not in LADDERS:
            raise InputError(f"there is no ladder called {family!r}: choose {' or '.join(LADDERS)}")
        self.epochs, self.sizes = epochs, _numbers(image_sizes, "IMAGE_SIZES")
        self._wanted = _numbers(rungs, "RUNGS")
        look = {"style": {"description_width": "7.5em"}, "layout": {"width": "330px"}}
        self.family = w.Dropdown(options=list(LADDERS), value=family, description="Family", **look)
        self.budget = w.BoundedFloatText(
            value=budget_minutes, min=0.1, max=7 * 24 * 60, description="Budget (min)", **look
        )
        self.table, self.sum = w.VBox(), w.HTML()
        self.controls.children = [self.family, self.table, self.budget, self.sum]
        self.family.observe(self.guard(lambda _: self._list_rungs()), "value")
        self.budget.observe(self.guard(lambda _: self._add_up()), "value")
        self._predicted: dict[Config, training.Cost] = {}
        self._list_rungs()
        self._draw(
            pd.DataFrame(columns=["rung", "backbone", "image_size", "seconds", "validation_accuracy", "low", "high"])
        )
        self.say("Nothing has run yet.")

    # -- choosing rungs ---------------------------------------------------------------------------------------

    def configs(self) -> list[Config]:
        """The ladder as it would be run, every rung of it."""
        steps = ladder(self.family.value)
        sizes = self.sizes or [step.image_size for step in steps]
        changed = [replace(step, image_size=sizes[min(place, len(sizes) - 1)]) for place, step in enumerate(steps)]
        return [replace(step, epochs=self.epochs, schedule="") for step in changed] if self.epochs else changed

    def chosen(self) -> dict[int, Config]:
        """The rungs that are ticked, by their number on the ladder."""
        rungs = enumerate(zip(self.configs(), self.boxes, strict=True), 1)
        return {number: config for number, (config, box) in rungs if box.value}

    def _list_rungs(self) -> None:
        """One line a rung: a box to tick, its parameters, and its predicted time once it is known."""
        self.boxes, self.times, rows = [], [], []
        for number, config in enumerate(self.configs(), 1):
            name = f"{number}: {config.backbone}, {config.image_size} px"
            box = w.Checkbox(value=number in self._wanted, description=name, indent=False, layout={"width": "330px"})
            words = w.HTML()
            words.add_class("cvtune-words")
            box.observe(self.guard(lambda _: self._add_up()), "value")
            self.boxes.append(box)
            self.times.append(words)
            rows.append(w.VBox([box, words]))
        self.table.children = rows
        self._predict_beside()

    def _predict_beside(self) -> None:
        """Predict in a thread, where there is a person to read it."""
        if not headless():
            threading.Thread(target=self._predict, daemon=True).start()

    def _predict(self) -> None:
        """Fill in the predicted times, one after the other, beside the kernel."""
        boxes = self.boxes
        for config, words in zip(self.configs(), self.times, strict=True):
            epochs = f"{config.epochs} epoch{'s' if config.epochs != 1 else ''}"
            facts = f"minibatch {config.batch_size}, learning rate {config.learning_rate:g}, {epochs}"
            words.value = page.text(facts)
            if config not in self._predicted and not self.job.running:
                try:
                    self._predicted[config] = training.predict_cost(self.workspace, config)
                except (InputError, OSError, ValueError, RuntimeError) as error:
                    words.value = f"{page.text(facts)}<br>{page.text(error)}"
            if config in self._predicted:
                words.value = f"{page.text(facts)}: <b>{page.text(self._predicted[config].words)}</b>"
            if boxes is not self.boxes:  # another family was chosen meanwhile
                return
            self._add_up()

    def _add_up(self) -> None:
        known = [self._predicted[config].seconds for config in self.chosen().values() if config in self._predicted]
        count = len(self.chosen())
        if not count:
            self.sum.value = page.status("No rung is chosen: tick at least one.")
            return
        over = sum(known) > self.budget.value * 60
        fits = "more than the budget: the last ones may be left out" if over else "within the budget"
        total = f"{page.duration(sum(known))}, {fits}" if len(known) == count else "time not predicted yet"
        self.sum.value = page.status(f"{count} rung{'s' if count != 1 else ''}: <b>{total}</b>.")

    # -- running ----------------------------------------------------------------------------------------------

    def work(self) -> Work:
        """Read which rungs are ticked, and the budget."""
        rungs, seconds = self.chosen(), self.budget.value * 60
        if not rungs:
            raise InputError("no rung is chosen: tick at least one")
        return lambda progress: escalate(
            self.workspace,
            list(rungs.values()),
            budget_seconds=seconds,
            on_rung=lambda so_far: self._draw(so_far.rungs),
            progress=progress,
            numbers=list(rungs),
        )

    def _draw(self, rungs: pd.DataFrame) -> None:
        """Table and picture so far; called after every rung in the working thread."""
        known = last_baseline(self.workspace)
        figure = plots.accuracy_against_time(rungs, known and known["validation_accuracy"])
        done = rungs.dropna(subset=["validation_accuracy"])
        words = "; ".join(
            f"rung {row.rung} {row.validation_accuracy:.1%} in {page.duration(row.seconds)}"
            for row in done.itertuples()
        )
        self.picture.draw(figure, f"accuracy against training time: {words or 'no rung has finished'}")
        self.text.value = _rungs(rungs)

    def paint(self, result: Escalation) -> str:
        """Show where to stop, and what it cost."""
        self._draw(result.rungs)
        self.below.children = [w.HTML(page.card("Where to stop, and why", result.why))]
        took, predicted = result.rungs["seconds"].sum(), result.rungs["predicted_seconds"].sum()
        self.cost.value = f"It took {page.duration(took)}; predicted were {page.duration(predicted)}."
        return "Finished. Now run the cells below."

    def _follow(self, job: Job) -> None:
        super()._follow(job)
        if not job.running:
            self._predict_beside()

    # -- what the cells below show ----------------------------------------------------------------------------

    def lessons(self) -> HTML:
        """What we learned, from the rungs above."""
        found = self.result()
        lines = [found.why]
        lines += [
            f"Rung {row.rung}, {row.backbone} at {row.image_size} pixels: {row.validation_accuracy:.1%} "
            f"({row.low * 100:.1f} to {row.high * 100:.1f}%) in {page.duration(row.seconds)}."
            for row in found.rungs.dropna(subset=["validation_accuracy"]).itertuples()
        ]
        return page.listed(lines)


def _numbers(text: str, what: str) -> list[int]:
    """The whole numbers in a list typed like "1,2". Raises InputError."""
    try:
        return [int(part) for part in text.replace(" ", "").split(",") if part]
    except ValueError:
        raise InputError(f"{what} is {text!r}: give whole numbers, for example 1,2") from None


def _rungs(rungs: pd.DataFrame) -> str:
    if rungs.empty:
        return ""

    def written(column: str, how: Any) -> list[str]:
        return ["" if pd.isna(value) else how(value) for value in rungs[column]]

    shown = rungs.assign(
        validation=[
            ""
            if pd.isna(row.validation_accuracy)
            else f"{row.validation_accuracy:.1%} ({row.low:.1%} to {row.high:.1%})"
            for row in rungs.itertuples()
        ],
        train=written("train_accuracy", "{:.1%}".format),
        predicted=written("predicted_seconds", page.duration),
        took=written("seconds", page.duration),
    )
    headings = {"image_size": "size", "batch_size": "minibatch", "validation": "validation (95% interval)"}
    columns = [
        "rung",
        "backbone",
        "image_size",
        "batch_size",
        "epochs",
        "validation",
        "train",
        "predicted",
        "took",
        "state",
        "note",
    ]
    names = {column: headings.get(column, column) for column in columns}
    return page.table(shown, names, "The ladder so far")
