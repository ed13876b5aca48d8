"""Notebook 02: the frozen network with an SVM; C and kernel answer at once from cached features."""

import threading
from typing import Any

import ipywidgets as w
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.classification.baseline import C_VALUES, Baseline, SvmExplorer
from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.cross_validation import FEW_PHOTOS, counts, cross_validate
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.learning_curve import learning_curve
from cvtune_nb.classification.remedies import chosen_remedy
from cvtune_nb.classification.svm import KERNELS
from cvtune_nb.console import duration
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.files import Progress
from cvtune_nb.imbalance import NONE
from cvtune_nb.models import backbones
from cvtune_nb.models.downloads import expected
from cvtune_nb.objectives import USUAL, Counted
from cvtune_nb.panels.objective import beside_accuracy, objective_control, say_classes
from cvtune_nb.panels.panel import Panel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.debounce import Soon
from cvtune_nb.widgets.job import NotReady, Work
from cvtune_nb.widgets.layout import button, folded, look, small_print
from cvtune_nb.workspace import Workspace


class BaselinePanel(Panel):
    """Compute features once; then move C and the kernel and see accuracy, confusion and mistakes follow."""

    button = "Compute"
    by_itself = True
    waiting = "Press Compute above first, then run this cell again."

    def __init__(
        self,
        workspace: Workspace,
        backbone: str = "",
        image_size: int = 0,
        C: float = 0,
        kernel: str = "linear",
        weights: str = "",
        framing: str = "",
        pooling: str = "",
        objective: str = "",
        imbalance: str = "",
        aspect: str = "",
    ):
        """The panel. "", image_size 0: what to start with, and what counts, in this workspace. C 0: chosen by that."""
        super().__init__(workspace)
        told = {"backbone": backbone, "image_size": image_size, "framing": framing, "aspect": aspect}
        spec = start_with(workspace, {**told, "weights": weights, "pooling": pooling})
        self.backbone, self.image_size = Control("backbone", spec.backbone), Control("image_size", spec.image_size)
        self.framing = Control("framing", spec.preprocessing.framing)
        self.aspect = Control("aspect", spec.preprocessing.aspect)
        self.weights, self.pooling = Control("weights", spec.weights), Control("pooling", spec.pooling)
        self.imbalance = Control("imbalance", imbalance or chosen_remedy(workspace))
        self.C = w.SelectionSlider(
            options=[(f"{value:g}", value) for value in sorted({*C_VALUES, C or 1.0})],
            value=C or 1.0,
            description="C",
            disabled=True,
            continuous_update=False,
            **look(),
        )
        self.kernel = w.ToggleButtons(
            options=KERNELS,
            value=kernel,
            description="Kernel",
            disabled=True,
            style={"description_width": "7.5em", "button_width": "90px"},
        )
        self.objective = objective_control(workspace, self.guard, self._counts_anew, objective)
        self.words = small_print()
        self.best = button("Choose C on validation", disabled=True)
        self.controls.children = [
            *(each.box for each in (self.backbone, self.image_size, self.framing, self.aspect, self.pooling))
        ]
        unequal = folded("Classes of different size", [self.imbalance.box])
        own = folded("Own weights", [self.weights.box])
        self.more.children = [self.objective.box, self.C, self.kernel, self.words, self.best, unequal, own]
        self._explorer: SvmExplorer | None = None
        self._seen: Baseline | None = None
        self._measured: tuple[tuple[SvmExplorer, str] | None, Any] = None, None
        self._crossed: tuple[tuple[SvmExplorer, str, str, float | None] | None, Any] = None, None
        self._wanted_C, self._fit = C, ""
        self._drawing = threading.Lock()
        self._draw_soon = Soon(self.guard(lambda _: self._draw(self.seen)), pause=0.0)
        for control in (self.C, self.kernel):
            control.observe(self.guard(lambda _: self._moved()), "value")
        self.best.on_click(self.guard(lambda _: self._choose()))
        self.image_size.suit(self.backbone.value)
        self.backbone.on_change(self.guard(self.image_size.suit))
        self.backbone.on_change(self.guard(self._say_download))
        self._say_download(self.backbone.value)
        self._say_weight()

    def set(self, spec: FeatureSpec) -> None:
        """Move the controls to another network and image size; the person presses Compute."""
        for name, value in spec.to_dict().items():
            if isinstance(control := vars(self).get(name), Control):
                control.value = value
        if not self.job.running:
            self.say(f"Press Compute for {html.text(spec)}.")

    def _say_download(self, backbone: str) -> None:
        """What fetching the weights will take, before it is begun."""
        here = backbone.endswith(backbones.RANDOM) or self.weights.value or backbones.on_disk(backbone)
        self.cost.value = "" if here else html.text(f"{expected(backbones.megabytes(backbone)).words}.")

    def work(self) -> Work:
        """Features of every photo at the chosen backbone and size, then the SVM."""
        shown = Preprocessing(self.image_size.value, self.framing.value, self.aspect.value)
        spec = FeatureSpec(self.backbone.value, shown, self.weights.value, self.pooling.value)
        wanted, kernel, imbalance = self._wanted_C or None, self.kernel.value, self.imbalance.value

        def run(progress: Progress) -> Baseline:
            photos = self.workspace.photos()
            self.in_worker(features, self.workspace, photos, spec, progress=progress, give=False)
            self._explorer = SvmExplorer(self.workspace, spec, progress, imbalance=imbalance)
            result = self.explorer.fit(wanted, kernel, progress=progress)
            result.save(self.workspace)
            if spec.weights and not result.cached:  # what is cached needs the file no more
                from cvtune_nb.models import networks  # brings torch: not before the menus are there

                self._fit = f" Own weights: {networks.origin(spec.backbone, spec.size, spec.weights)}."
            return result

        self._fit = ""
        return run

    def paint(self, result: Baseline) -> str:
        """Show the result and open C and kernel for changes."""
        self.C.value = result.C
        self._show(result)
        self._draw(result)
        for control in (self.C, self.kernel, self.best):
            control.disabled = False
        took = duration(result.seconds)
        self.cost.value = (
            f"Features came from the cache; it took {took} in all."
            if result.cached
            else f"It took {took}: features at {result.images_per_second:.0f} photos a second; now they are cached."
        ) + html.text(self._fit)
        return "Done. Now move C or change the kernel."

    def result(self) -> Baseline:
        """What is shown now: the last C and kernel chosen. NotReady until there is one."""
        super().result()
        return self.seen

    @property
    def seen(self) -> Baseline:
        """What is shown; NotReady before there is anything."""
        if self._seen is None:
            raise NotReady(self.waiting)
        return self._seen

    @property
    def explorer(self) -> SvmExplorer:
        """What answers the sliders; NotReady before the features are there."""
        if self._explorer is None:
            raise NotReady(self.waiting)
        return self._explorer

    # -- C and kernel, answered from cached features ----------------------------------------------------------

    def _moved(self) -> None:
        """Numbers at once; the slower pictures follow in a thread."""
        self._say_weight()
        if self._explorer is None or self.job.running:
            return
        result = self.explorer.fit(self.C.value, self.kernel.value)
        self._show(result)
        self._draw_soon()

    def _counts_anew(self) -> None:
        """Another objective: C is chosen by it, from features that are there."""
        if self._explorer is not None:
            self._wanted_C = 0
            self.begin(self.work())

    def _choose(self) -> None:
        self.C.value = self.explorer.best_C(self.kernel.value)

    def _say_weight(self) -> None:
        size = (
            "small: a simple boundary"
            if self.C.value < 0.1
            else "large: follows every photo"
            if self.C.value > 10
            else "usual"
        )
        self.words.value = (
            f'<div role="status" aria-live="polite">C <b>{self.C.value:g}</b> ({size}), kernel <b>{self.kernel.value}'
            "</b>. The larger C, the more each training photo counts against a simple boundary.</div>"
        )

    def _show(self, result: Baseline) -> None:
        self._seen = result
        counted = beside_accuracy(result.score, result.objective)
        number = "<b>{:.1%}</b>" if counted else '<span class="cvtune-number">{:.1%}</span>'
        self.text.value = html.status(
            f"{counted}{number.format(result.validation.value)} of {result.validation.n} validation "
            f"photos right; 95% interval {result.validation.low:.1%} to {result.validation.high:.1%}.<br>"
            f"{_answered(result)}Train {result.train.value:.1%}. C = {result.C:g}, {result.kernel} kernel, "
            f"{html.text(str(result.spec))}{_remedy(result)}."
        ) + _classes(result)

    def _draw(self, result: Baseline) -> None:
        with self._drawing:
            if result is not self.seen:  # the slider has moved on
                return
            result.save(self.workspace)  # what the person settles on is what later steps are compared with
            say_classes(self.objective, self.workspace)
            decided = result.answered is not None
            self.picture.draw(plots.confusion(result.confusion, decided=decided), _confusion_in_words(result))
            self.refresh_reports()

    # -- what the cells below show ----------------------------------------------------------------------------

    def mistakes(self) -> None:
        """The validation photos that were taken for another class, surest first."""
        self.report(self._mistakes)

    def c_curve(self) -> None:
        """Accuracy against C, for the kernel chosen."""
        self.report(self._c_curve)

    def learning_curve(self) -> None:
        """Would more photos help? Accuracy against the number of training photos."""
        self.report(self._learning_curve)

    def _learning_curve(self) -> Any:
        asked, counted = (self.explorer, self.explorer.objective.text), Counted.of(self.explorer.objective)
        if self._measured[0] != asked:
            self._measured = asked, learning_curve(self.explorer)
        alt = f"{counted.label} against the number of photos"
        return html.still(plots.learning_curve(self._measured[1], counted), alt)

    def folds(self) -> None:
        """How sure is the figure? Every training and validation photo judged by an SVM without its fold."""
        self.report(self._folds)

    def _folds(self) -> Any:
        used, validation, what = counts(self.explorer.photos)
        if used >= FEW_PHOTOS:
            return html.status(
                f"With {used:,} {what} the {validation:,} of validation tell enough: nothing to gain "
                "here. <code>cvtune baseline --folds 5</code> cross-validates all the same."
            )
        explorer, kernel = self.explorer, self.seen.kernel
        by_hand = self.seen.C if explorer.best_C(kernel) != self.seen.C else None
        asked = explorer, kernel, explorer.objective.text, by_hand
        if self._crossed[0] != asked:
            found = cross_validate(explorer, kernel=kernel, C=by_hand)
            found.save(self.workspace)
            self._crossed = asked, found
        found = self._crossed[1]
        return html.still(plots.folds(found.by_fold, found.accuracy, self.seen.validation), found.words)

    def _mistakes(self) -> Any:
        rows = self.seen.mistakes
        alt = "; ".join(f"{row.label} taken for {row.predicted}" for row in rows.head(12).itertuples())
        return html.still(
            plots.mistakes(
                rows, self.workspace.path_of, levels=self.workspace.levels, decided=self.seen.answered is not None
            ),
            alt or "no mistakes",
        )

    def _c_curve(self) -> Any:
        table, counted = self.explorer.C_table(self.seen.kernel), Counted.of(self.explorer.objective)
        beside = "" if counted.by_accuracy else f", and {counted.label},"
        return html.still(
            plots.c_curve(table, self.seen.C, counted), f"train and validation accuracy{beside} against C"
        )

    def lessons(self) -> HTML:
        """What we learned, from the result above."""
        seen = self.result()
        worst = seen.hardest
        gap = (seen.train.value - seen.validation.value) * 100
        network = f"{seen.spec}, frozen, with a {seen.kernel} SVM (C = {seen.C:g}{_remedy(seen)})"
        lines = [
            f"{network} gets {html.percent(seen.validation)} of the validation photos right: the figure to beat.",
            f"On the training photos it is {gap:+.1f} points from that.",
            *([f"What counts, {seen.score.label}, is {seen.score}."] if seen.objective != USUAL else []),
            f"The hardest class is {worst['label']}: {worst['recall']:.0%} of {worst['photos']:.0f} photos are found.",
        ]
        return html.listed(lines)


def _answered(result: Baseline) -> str:
    """What is answered where that is not the likeliest class; "" where it is."""
    if result.answered is None:
        return ""
    words = "Below is what is answered, the class of the lowest expected cost"
    return f"{words}: {html.percent(result.answered)} of the validation photos right.<br>"


def _remedy(result: Baseline) -> str:
    """What was done about classes of different size, as the end of a list of parameters."""
    return "" if result.imbalance == NONE else f", imbalance: {html.text(result.imbalance)}"


def _classes(result: Baseline) -> str:
    rows = result.by_label
    rows = rows.assign(
        precision=[f"{value:.0%}" for value in rows["precision"]],
        recall=[f"{row.recall:.0%} ({row.low:.0%} to {row.high:.0%})" for row in rows.itertuples()],
    )
    names = {
        "label": "class",
        "photos": "photos",
        "recall": "found (95% interval)",
        "precision": "right when said",
    }
    return html.table(rows, names, "By class")


def _confusion_in_words(result: Baseline) -> str:
    wrong = len(result.mistakes)
    decided = ", answered as costs least" if result.answered else ""
    matrix = f"confusion matrix of {result.validation.n} validation photos{decided}"
    return f"{matrix}, {wrong} of them taken for another class"
