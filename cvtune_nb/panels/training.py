"""Notebook 03: fine-tuning. Parameters, what they will cost, live curves, findings that can be applied."""

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import advice, classification, metrics, plots
from cvtune_nb.classification import Finder, Run
from cvtune_nb.classification.baseline import baseline_score, last_baseline
from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.last_layer_preview import LastLayer
from cvtune_nb.classification.remedies import chosen_remedy
from cvtune_nb.classification.run import HISTORY_COLUMNS
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.models import networks
from cvtune_nb.models.recipes import changes, in_words, of_network, recommended
from cvtune_nb.objectives import USUAL, Counted
from cvtune_nb.panels.augmentation import Augmentation
from cvtune_nb.panels.objective import beside_accuracy, objective_control
from cvtune_nb.panels.run_panel import RunPanel
from cvtune_nb.parameters import PARAMETERS, RECIPE_2018, Config, differing
from cvtune_nb.runs.cost import Cost
from cvtune_nb.runs.finding import Finding
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.job import Job, Work
from cvtune_nb.widgets.layout import button, folded, row, small_print
from cvtune_nb.workspace import Workspace, photos_id

KEPT = (
    *("backbone", "weights", "image_size", "framing", "aspect", "pooling"),
    *("objective", "imbalance", "precision", "seed"),
)
"""Parameters that are a choice about photos or machine: Recommended leaves them as they are."""


class TrainingPanel(RunPanel):
    """Fine-tuning of a classifier, with a learning-rate finder and a preview of its last layer."""

    button = "Train"
    first = ("learning_rate", "image_size")
    apart = ("augmentation",)
    kind = Run
    waiting = "Press Train above first, then run this cell again."

    def __init__(self, workspace: Workspace, **chosen: Any):
        """`chosen` is any of PARAMETERS.

        Network and image size, where they are "" and 0, are what to start with; others that are None are what is
        recommended for the network.
        """
        told = str(chosen.pop("objective", ""))
        remedy = {"imbalance": chosen.get("imbalance") or chosen_remedy(workspace)}
        given = recommended(**{**chosen, **remedy, **start_with(workspace, chosen).to_dict()}).to_dict()
        controls = {name: Control(name, given[name]) for name in PARAMETERS if name != "objective"}
        controls["objective"] = objective_control(workspace, lambda call: self.guard(call), self._counts_anew, told)
        super().__init__(workspace, controls)
        sets = "Sets all but the backbone, what it sees and the seed to what is recommended for this network"
        self.recommended, self.recipe = button("Recommended", sets), button("2018 recipe")
        self.advised = small_print()
        tries = "Tries rates from 0.00001 to 1 on a copy of the network, in a minute or so"
        self.find = button("Find learning rate", tries)
        for press in (self.go, self.end, self.resume):
            press.layout.width = "105px"
        self._about = ""
        self.controls.children = [
            *(self.controls_of[name].box for name in self.first),
            self.advised,
            row(self.recommended, self.recipe, self.find),
            self.cost_line,
        ]
        self.more.children = [self.folded]
        self.augmentation = Augmentation(workspace, self.controls_of["augmentation"], self.config)
        varied = folded("Augmentation: how training varies your photos", [self.augmentation.box])
        varied.selected_index = 0
        self.below.children = [self.findings, varied, self.compared]
        self.rate, self.preview, self.preview_words = html.Picture(), html.Picture(), w.HTML()
        self.right.children = [*self.right.children, self.rate, self.preview, self.preview_words]
        self.layer: LastLayer | None = None
        self._layer_photos, self._moving = "", False

        self.recommended.on_click(self.guard(lambda _: self.set(self._recommended())))
        self.recipe.on_click(self.guard(lambda _: self.set(RECIPE_2018)))
        self.find.on_click(self.guard(lambda _: self.begin(self._finding_rate())))
        self.augmentation.measure.on_click(
            self.guard(lambda _: self.begin(self.augmentation.measuring(self.in_worker)))
        )
        self.augmentation.other.on_click(self.guard(lambda _: self.augmentation.draw_anew()))
        self._network = self.controls_of["backbone"].value
        self.controls_of["image_size"].suit(self._network)
        self.controls_of["backbone"].on_change(self.guard(self._follow_network))
        for control in self.controls_of.values():
            control.on_change(self.guard(lambda _: self._show_preview()))
            control.on_change(self.guard(lambda _: self._advise()))
            control.on_change(self.guard(lambda _: self._show_variations()))
        self._advise()
        self._show_variations()
        self.ready()

    # -- parameters -------------------------------------------------------------------------------------------

    def _counts_anew(self) -> None:
        """Another objective: the runs so far are ranked by it."""
        self.compared.value = self.comparison_of(self.table())

    def config(self) -> Config:
        """The parameters as they stand. Raises InputError for a schedule that can't be read."""
        return Config.from_values(**{name: control.value for name, control in self.controls_of.items()})

    def set(self, values: dict[str, Any]) -> None:
        """Move the controls to `values`; parameters that are not named stay."""
        self._moving = True  # one preview of them all, not one for each
        try:
            super().set(values)
        finally:
            self._moving = False
        self._advise()
        self._show_preview()
        self._show_variations()

    def _recommended(self) -> dict[str, Any]:
        """What is recommended for the network, without what is a choice about the photos."""
        values = recommended(self._network).to_dict()
        return {name: value for name, value in values.items() if name not in KEPT}

    def _follow_network(self, backbone: str) -> None:
        """Another network: controls that the person has not moved take what is recommended for it."""
        before, self._network = self._network, backbone
        self.controls_of["image_size"].suit(backbone)
        if self._moving:
            return
        values = {name: control.value for name, control in self.controls_of.items()}
        values |= {"backbone": before, "weights": ""}  # a file of weights is of one network
        try:
            config = Config.from_values(**values)
        except InputError:  # a schedule that is only half typed
            config = Config.from_values(**{**values, "schedule": ""})
        self.set({**changes(config, backbone), "weights": ""})

    def _advise(self) -> None:
        """Say what is recommended for this network, and what of it the person has changed."""
        if self._moving:
            return
        advised = of_network(recommended(self._network))
        chosen = {name: self.controls_of[name].value for name in advised}
        changed = {name: value for name, value in chosen.items() if value != advised[name]}
        words = f"Recommended for {self._network}: {in_words(advised)}"
        words += f". Your settings differ: {in_words(changed)}" if changed else ", as set now"
        self.advised.value = html.status(html.text(f"{words}."))

    # -- what it will cost ------------------------------------------------------------------------------------

    def estimate_cost(self, config: Config) -> Cost:
        """What classification.predict_cost says."""
        return classification.predict_cost(self.workspace, config)

    def priced(self, config: Config) -> None:
        """The preview and the price of measuring augmentation, and how the tensors of a file of weights fit."""
        if config.weights:
            fit = networks.origin(config.backbone, FeatureSpec.of(config).size, config.weights)
            self.cost_line.value += html.status(f"Own weights: {html.text(fit)}.")
        self.read_features(config)
        self.augmentation.price(config)

    def read_features(self, config: Config) -> None:
        """Have the preview's features at hand, where they are in the cache."""
        photos = photos_id(self.workspace.photos())
        spec = FeatureSpec.of(config)
        if self.layer is not None and (self.layer.spec, self._layer_photos) == (
            spec,
            photos,
        ):
            return
        try:
            self.layer = LastLayer(self.workspace, spec)
            self._layer_photos = photos
        except InputError as why:
            self.layer, self.preview_words.value = None, html.text(str(why))
        else:
            self._show_preview()

    def _show_preview(self) -> None:
        """What the parameters would do to the last layer alone, at once; never while a job draws."""
        if self.layer is None or self._moving or self.job.running:
            return
        layer, config = self.layer, self.config()
        if layer.spec != FeatureSpec.of(config):
            return
        preview = layer.preview(config)
        self.preview.draw(plots.last_layer_curves(preview.table), preview.words)
        self.preview_words.value = f"<div class='cvtune-faint'>{html.text(preview.words)}</div>"

    def _show_variations(self) -> None:
        """Some photos as the augmentation varies them."""
        if not self._moving:
            self.augmentation.follow()

    # -- training ---------------------------------------------------------------------------------------------

    def _finding_rate(self) -> Work:
        config = self.config()
        find = classification.find_learning_rate
        return lambda progress: self.in_worker(find, self.workspace, config, progress=progress)

    def fit(self, progress: Progress, **what: Any) -> Run:
        """classification.fit, drawn after every epoch."""
        return self.in_worker(classification.fit, self.workspace, progress=progress, live=self.live(), **what)

    def live(self) -> dict[str, Callable[..., Any]]:
        """The curves after every epoch."""
        return {"on_epoch": self.draw}

    def table(self) -> pd.DataFrame:
        """classification.runs."""
        return classification.runs(self.workspace)

    def load(self, name: str) -> Run:
        """classification.load_run."""
        return classification.load_run(self.workspace, name)

    def rows_of(self, runs: pd.DataFrame, caption: str) -> str:
        """Every run with what differs between them, the best on top."""
        return _comparison(runs, caption)

    def draw(self, run: Run) -> None:
        """The curves so far; called after every epoch in the training thread."""
        gaps = metrics.gap(run.history, run.independent)
        words = f"{run.id}: best {run.validation.value:.1%} on validation, train {run.train.value:.1%}"
        self.picture.draw(
            plots.training_curves(run.history, self._reference(), gaps, Counted.of(run.objective)),
            f"accuracy and loss by epoch of run {words}",
        )
        last = run.history.iloc[-1]
        self.text.value = html.status(
            f"<b>{html.text(run.id)}</b>, epoch {last['epoch']:.0f} of {run.config.epochs}: validation "
            f"<b>{last['validation_accuracy']:.1%}</b>, train {last['train_accuracy']:.1%}; "
            f"{html.text(metrics.gap_in_words(gaps))}"
        )
        if counted := beside_accuracy(run.score(run.objective), run.config.objective):
            self.text.value = f"{counted}{self.text.value}"

    def draw_nothing(self) -> None:
        """Empty axes with the line that has to be beaten."""
        empty = pd.DataFrame(columns=HISTORY_COLUMNS)
        self.picture.draw(plots.training_curves(empty, self._reference()), "accuracy and loss by epoch: empty so far")

    def _reference(self) -> float | None:
        known = last_baseline(self.workspace)
        return known["validation_accuracy"] if known else None

    def paint(self, result: Run | Finder | pd.DataFrame) -> str:
        """Show the finished run, the findings and what it cost; or what else was found."""
        if isinstance(result, pd.DataFrame):
            return self.augmentation.paint()
        if isinstance(result, Finder):
            return self._show_rate(result)
        self.show_run(result)
        return self.ended(result, f"{html.percent(result.validation)} on validation.")

    def _show_rate(self, found: Finder) -> str:
        curve = plots.rate_curve(found.table, found.suggestion, found.words)
        self.rate.draw(curve, f"loss against learning rate: {found.words}")
        change = {"learning_rate": found.suggestion, "schedule": ""}
        title = f"A learning rate of {found.suggestion:g} suits this start"
        source = "range test (Smith 2017, Cyclical learning rates for training neural networks)"
        self._about = ""
        self.findings.show([Finding("rate", title, found.words, source, change)])
        return f"{html.text(title)}: Apply moves the slider."

    def _follow(self, job: Job) -> None:
        super()._follow(job)
        self.find.disabled = self.augmentation.measure.disabled = job.running
        if not job.running:  # a measurement that was stopped has kept what it had
            self.augmentation.look_up()

    # -- what was found ---------------------------------------------------------------------------------------

    def show_run(self, run: Run) -> None:
        """Its curves, what follows from it, and all runs beside it."""
        if len(run.history):
            self.draw(run)
        helped = advice.outcome(self.workspace, run)
        self._about = run.id
        self.findings.show([*filter(None, [helped]), *advice.advise(self.workspace, run)])
        self.compared.value = self.comparison_of(self.table())

    def _apply(self, finding: Finding) -> None:
        super()._apply(finding)
        if self._about:
            advice.write_down(self.workspace, finding, self._about)

    # -- what the cells below show ----------------------------------------------------------------------------

    def comparison(self) -> None:
        """All runs of this workspace, the best first, those of earlier data apart."""
        self.report(lambda: HTML(self.comparison_of(self.table()) or "<i>No run yet.</i>"), always=True)

    def lessons(self) -> HTML:
        """What we learned, from the run above and the baseline."""
        run = self.result()
        known = last_baseline(self.workspace)
        network = f"{run.config.backbone} fine-tuned at {run.config.image_size} pixels"
        spent = f"epoch {run.best_epoch} of {run.config.epochs}, {duration(run.seconds)}"
        lines = [f"{network} gets {html.percent(run.validation)} of the validation photos right ({spent})."]
        if known:
            gain = (run.validation.value - known["validation_accuracy"]) * 100
            lines.append(f"That is {gain:+.1f} points against the baseline's {known['validation_accuracy']:.1%}.")
        if run.config.objective != USUAL and (score := run.score(run.objective)):
            svm = baseline_score(self.workspace, run.objective)
            beside = f"; the baseline's is {svm}" if svm else ""
            lines.append(f"What counted in training, {score.label}, is {score}{beside}.")
        found = [*filter(None, [advice.outcome(self.workspace, run)]), *advice.advise(self.workspace, run)]
        return html.listed([*lines, *(f"{finding.title}: {finding.evidence}." for finding in found)])


def _comparison(runs: pd.DataFrame, caption: str) -> str:
    """Every run with what differs between them, the best on top."""
    rows = Run.best_first(runs)
    by_another = not rows["merit"].equals(rows["validation_accuracy"])
    counted = ["" if pd.isna(value) else f"{value:.3f}" for value in rows["objective_value"]]
    validation = [
        "none yet"
        if pd.isna(row.validation_accuracy)
        else f"{row.validation_accuracy:.1%} ({row.low:.1%} to {row.high:.1%})"
        for row in rows.itertuples()
    ]
    train = ["" if pd.isna(value) else f"{value:.1%}" for value in rows["train_accuracy"]]
    shown = rows.assign(
        counted=counted, validation=validation, train=train, time=[duration(seconds) for seconds in rows["seconds"]]
    )
    names = {
        "run": "run",
        "state": "state",
        **({"counted": "objective"} if by_another else {}),
        "validation": "validation (95% interval)",
        "train": "train",
        "time": "time",
    }
    return html.table(shown, names | differing(rows, always=("learning_rate", "epochs")), caption, most=12)
