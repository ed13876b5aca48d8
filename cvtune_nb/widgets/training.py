"""Notebook 03: fine-tuning. Parameters, what they will cost, live curves, findings that can be applied."""

from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import advice, metrics, plots, training
from cvtune_nb.baseline import last_baseline
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.parameters import PARAMETERS, RECIPE_2018, Config
from cvtune_nb.training import Finder, Run
from cvtune_nb.training.cost import past_errors, past_in_words
from cvtune_nb.training.preview import LastLayer
from cvtune_nb.training.run import HISTORY_COLUMNS, UNFINISHED
from cvtune_nb.widgets import page
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.findings import Findings
from cvtune_nb.widgets.job import Job, NotReady, Work, headless
from cvtune_nb.widgets.panel import Panel
from cvtune_nb.widgets.soon import Soon
from cvtune_nb.workspace import Workspace, photos_id

FIRST = ("learning_rate", "image_size")
"""The two parameters that matter most; the others fold out."""


class TrainingPanel(Panel):
    """Choose parameters, see the predicted cost, train, stop, resume, and follow the findings."""

    button = "Train"
    waiting = "Press Train above first, then run this cell again."

    def __init__(self, workspace: Workspace, **chosen: Any):
        """chosen: any of PARAMETERS; the rest start at their defaults."""
        super().__init__(workspace)
        self.given = Config.from_values(**{"backbone": "", **chosen}).to_dict()
        self.controls_of = {name: Control(name, self.given[name]) for name in PARAMETERS}
        self.recommended = w.Button(description="Recommended")
        self.recipe = w.Button(description="2018 recipe")
        self.resume = w.Button(description="Resume")
        self.find = w.Button(description="Find learning rate", layout={"width": "auto"})
        self.find.tooltip = "Tries rates from 0.00001 to 1 on a copy of the network, in a minute or so"
        for button in (self.go, self.end, self.resume):
            button.layout.width = "105px"
        self.cost_line, self.compared = w.HTML(), w.HTML()
        self.findings, self._about = Findings(self.guard(self._apply), self.controls_of), ""
        self.cost_line.add_class("cvtune-words")
        others = [control.box for name, control in self.controls_of.items() if name not in FIRST]
        folded = w.Accordion([w.VBox(others)], titles=["More parameters"], layout={"width": "345px"})
        self.controls.children = [
            *(self.controls_of[name].box for name in FIRST),
            w.HBox([self.recommended, self.recipe, self.find], layout={"flex_flow": "row wrap"}),
            self.cost_line,
        ]
        self.buttons.children = [self.go, self.end, self.resume]
        self.buttons.layout.flex_flow = "row wrap"
        self.more.children = [folded]
        self.below.children = [self.findings, self.compared]
        self.rate, self.preview, self.preview_words = page.Picture(), page.Picture(), w.HTML()
        self.right.children = [*self.right.children, self.rate, self.preview, self.preview_words]
        self._layer: LastLayer | None = None
        self._layer_photos, self._moving = "", False

        self.recommended.on_click(self.guard(lambda _: self.set(self._recommended())))
        self.recipe.on_click(self.guard(lambda _: self.set(RECIPE_2018)))
        self.resume.on_click(self.guard(lambda _: self._resume()))
        self.find.on_click(self.guard(lambda _: self.begin(self._finding_rate())))
        self._soon = Soon(self._predict)
        for control in self.controls_of.values():
            control.on_change(lambda _: self._predict_soon())
            control.on_change(self.guard(lambda _: self._show_preview()))
        self._show_past()
        if not headless():
            self._predict_soon()

    # -- parameters -------------------------------------------------------------------------------------------

    def config(self) -> Config:
        """The parameters as they stand. Raises InputError for a schedule that can't be read."""
        return Config.from_values(**{name: control.value for name, control in self.controls_of.items()})

    def set(self, values: dict[str, Any]) -> None:
        """Move the controls to `values`; parameters that are not named stay."""
        self._moving = True  # one preview of them all, not one for each
        try:
            for name, value in values.items():
                self.controls_of[name].value = value
        finally:
            self._moving = False
        self._show_preview()

    def _recommended(self) -> dict[str, Any]:
        """The defaults, with the backbone and size that are set now: those are a choice about the photos."""
        keep = {"backbone", "image_size", "seed"}
        return {name: parameter.default for name, parameter in PARAMETERS.items() if name not in keep}

    # -- what it will cost ------------------------------------------------------------------------------------

    def _predict_soon(self) -> None:
        """Predict time and memory once the controls have come to rest, beside the kernel: it runs a few steps."""
        self._soon.cancel()
        if self.job.running:
            return
        self.cost_line.value = page.status("Predicting time and memory …")
        self._soon()

    def _predict(self) -> None:
        try:
            config = self.config()
            cost = training.predict_cost(self.workspace, config)
        except (InputError, OSError, ValueError, RuntimeError) as error:
            self.cost_line.value = page.alert(error)
            return
        if config == self.config() and not self.job.running:
            past = past_in_words(past_errors(self.workspace))
            words = f"This will take <b>{page.text(cost.words)}</b>"
            self.cost_line.value = page.status(f"{words}; {past}." if past else f"{words}.")
            self._read_features(config)

    def _read_features(self, config: Config) -> None:
        """Have the preview's features at hand, where they are in the cache."""
        photos = photos_id(self.workspace.photos())
        if self._layer is not None and (self._layer.of, self._layer_photos) == (
            (config.backbone, config.image_size), photos
        ):  # fmt: skip
            return
        try:
            self._layer = LastLayer(self.workspace, config.backbone, config.image_size)
            self._layer_photos = photos
        except InputError as why:
            self._layer, self.preview_words.value = None, page.text(str(why))
        else:
            self._show_preview()

    def _show_preview(self) -> None:
        """What the parameters would do to the last layer alone, at once; never while a job draws."""
        if self._layer is None or self._moving or self.job.running:
            return
        layer, config = self._layer, self.config()
        if layer.of != (config.backbone, config.image_size):
            return
        preview = layer.preview(config)
        self.preview.draw(plots.last_layer_curves(preview.table), preview.words)
        self.preview_words.value = f"<div class='cvtune-faint'>{page.text(preview.words)}</div>"

    # -- training ---------------------------------------------------------------------------------------------

    def work(self) -> Work:
        """Read the parameters."""
        config = self.config()
        return lambda progress: self._fit(progress, config=config)

    def _finding_rate(self) -> Work:
        config = self.config()
        return lambda progress: training.find_learning_rate(self.workspace, config, progress)

    def _resume(self) -> None:
        unfinished = self._unfinished()
        if unfinished is not None:
            self.begin(lambda progress: self._fit(progress, run=unfinished))

    def _fit(self, progress: Progress, **what: Any) -> Run:
        return training.fit(self.workspace, on_epoch=self._draw, progress=progress, **what)

    def _unfinished(self) -> str | None:
        known = training.runs(self.workspace)
        known = known[known["state"].isin(UNFINISHED)]
        return None if known.empty else str(known["run"].iloc[-1])

    def _draw(self, run: Run) -> None:
        """The curves so far; called after every epoch in the training thread."""
        gaps = metrics.gap(run.history, run.counts)
        words = f"{run.id}: best {run.validation.value:.1%} on validation, train {run.train.value:.1%}"
        self.picture.draw(
            plots.training_curves(run.history, self._reference(), gaps), f"accuracy and loss by epoch of run {words}"
        )
        last = run.history.iloc[-1]
        self.text.value = page.status(
            f"<b>{page.text(run.id)}</b>, epoch {last['epoch']:.0f} of {run.config.epochs}: validation "
            f"<b>{last['validation_accuracy']:.1%}</b>, train {last['train_accuracy']:.1%}; "
            f"{page.text(metrics.gap_in_words(gaps))}"
        )

    def _draw_nothing(self) -> None:
        """Empty axes with the line that has to be beaten."""
        empty = pd.DataFrame(columns=HISTORY_COLUMNS)
        self.picture.draw(plots.training_curves(empty, self._reference()), "accuracy and loss by epoch: empty so far")

    def _reference(self) -> float | None:
        known = last_baseline(self.workspace)
        return known and known["validation_accuracy"]

    def paint(self, result: Run | Finder) -> str:
        """Show the finished run, the findings and what it cost; or the learning rate that was found."""
        if isinstance(result, Finder):
            return self._show_rate(result)
        self._show_run(result)
        self.cost.value = page.text(
            f"It took {page.duration(result.seconds)}"
            + (f"; predicted were {page.duration(result.predicted_seconds)}." if result.predicted_seconds else ".")
        )
        best = f"Best epoch {result.best_epoch}: {page.percent(result.validation)} on validation."
        words = {
            "stopped": "Stopped; Resume goes on from its last whole epoch.",
            "diverged": "Stopped: the loss was lost.",
        }
        return f"{words.get(result.state, 'Finished.')} {best} Now run the cells below."

    def _show_rate(self, found: Finder) -> str:
        curve = plots.rate_curve(found.table, found.suggestion, found.words)
        self.rate.draw(curve, f"loss against learning rate: {found.words}")
        change = {"learning_rate": found.suggestion, "schedule": ""}
        title = f"A learning rate of {found.suggestion:g} suits this start"
        source = "range test (Smith 2017, Cyclical learning rates for training neural networks)"
        self._about = ""
        self.findings.show([advice.Finding("rate", title, found.words, source, change)])
        return f"{page.text(title)}: Apply moves the slider."

    def _follow(self, job: Job) -> None:
        super()._follow(job)
        self.find.disabled = job.running
        self.resume.disabled = job.running or self._unfinished() is None
        if not job.running and not headless():
            self._predict_soon()

    # -- what was found ---------------------------------------------------------------------------------------

    def _show_run(self, run: Run) -> None:
        if len(run.history):
            self._draw(run)
        known = training.runs(self.workspace)
        helped = advice.outcome(self.workspace, run)
        self._about = run.id
        self.findings.show([*filter(None, [helped]), *advice.advise(self.workspace, run)])
        self.compared.value = _comparison(known)

    def _apply(self, finding: advice.Finding) -> None:
        change = {name: value for name, value in finding.change.items() if name in self.controls_of}
        self.set(change)
        if self._about:
            advice.write_down(self.workspace, finding, self._about)
        self.say(f"Applied {page.text(', '.join(change))}: press Train.")

    def _show_past(self) -> None:
        """What a person who comes back finds: the last run's curves and the comparison of all runs."""
        run = self._last()
        self.resume.disabled = self._unfinished() is None
        if run is not None:
            self._show_run(run)
            self.say(f"The last run of this workspace is shown: {page.text(run.id)}.")
        else:
            self._draw_nothing()
            self.say("Not trained yet.")

    def _last(self) -> Run | None:
        known = training.runs(self.workspace).dropna(subset=["validation_accuracy"])
        return None if known.empty else training.load_run(self.workspace, str(known["run"].iloc[-1]))

    # -- what the cells below show ----------------------------------------------------------------------------

    def result(self) -> Run:
        """The run made here, or the workspace's last one. NotReady until there is one."""
        if self.job.running or self.job.state == "failed" or isinstance(self.job.result, Run):
            return super().result()
        run = self._last()
        if run is None:
            raise NotReady(self.waiting)
        return run

    def comparison(self) -> None:
        """All runs of this workspace, the best first."""
        self.report(lambda: HTML(_comparison(training.runs(self.workspace)) or "<i>No run yet.</i>"), always=True)

    def lessons(self) -> HTML:
        """What we learned, from the run above and the baseline."""
        run = self.result()
        known = last_baseline(self.workspace)
        network = f"{run.config.backbone} fine-tuned at {run.config.image_size} pixels"
        spent = f"epoch {run.best_epoch} of {run.config.epochs}, {page.duration(run.seconds)}"
        lines = [f"{network} gets {page.percent(run.validation)} of the validation photos right ({spent})."]
        if known:
            gain = (run.validation.value - known["validation_accuracy"]) * 100
            lines.append(f"That is {gain:+.1f} points against the baseline's {known['validation_accuracy']:.1%}.")
        found = [*filter(None, [advice.outcome(self.workspace, run)]), *advice.advise(self.workspace, run)]
        return page.listed([*lines, *(f"{finding.title}: {finding.evidence}." for finding in found)])


def _comparison(runs: pd.DataFrame) -> str:
    """Every run with what differs between them, the best on top."""
    if runs.empty:
        return ""
    rows = runs.sort_values("validation_accuracy", ascending=False)
    validation = [
        "none yet"
        if pd.isna(row.validation_accuracy)
        else f"{row.validation_accuracy:.1%} ({row.low:.1%} to {row.high:.1%})"
        for row in rows.itertuples()
    ]
    train = ["" if pd.isna(value) else f"{value:.1%}" for value in rows["train_accuracy"]]
    shown = rows.assign(
        validation=validation, train=train, time=[page.duration(seconds) for seconds in rows["seconds"]]
    )
    parameters = [
        "learning_rate",
        "batch_size",
        "optimizer",
        "dropout",
        "weight_decay",
        "epochs",
        "schedule",
        "head",
        "seed",
    ]
    differing = [name for name in parameters if rows[name].nunique() > 1 or name in ("learning_rate", "epochs")]
    names = {
        "run": "run",
        "state": "state",
        "validation": "validation (95% interval)",
        "train": "train",
        "time": "time",
    }
    return page.table(shown, names | {name: PARAMETERS[name].label for name in differing}, "Runs, best first", most=12)
