"""Notebook 03: the best run in cross-validation, one figure over all training and validation photos."""

import ipywidgets as w
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.classification import Run, load_run
from cvtune_nb.classification.cross_validation import FEW_PHOTOS, FOLDS, MOST_FOLDS, counts
from cvtune_nb.classification.folds import FoldRuns, expected_seconds, fit_folds
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.panels.panel import Panel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.debounce import Soon, Still
from cvtune_nb.widgets.job import Work
from cvtune_nb.widgets.layout import look, small_print
from cvtune_nb.workspace import Workspace

MEANING = (
    f"Folds (2 to {MOST_FOLDS}): into so many parts the training and validation photos are divided; for each, a run is "
    "trained on the others and measured on it."
)


class FoldsPanel(Panel):
    """How many folds, what they will cost, and the accuracy over all of them."""

    button = "Cross-validate"
    waiting = "Press Cross-validate above first, then run this cell again."

    def __init__(self, workspace: Workspace, folds: int = 0):
        """The panel. folds: how many, even where nobody can press the button; 0: as usual, once it is pressed."""
        super().__init__(workspace)
        self.unattended = folds > 0
        self.folds = w.BoundedIntText(value=folds or FOLDS, min=2, max=MOST_FOLDS, description="Folds", **look())
        self.meaning, self.price = small_print(), small_print()
        self.meaning.value = html.text(MEANING)
        self.controls.children = [self.folds, self.meaning, self.price]
        self._soon = Soon(self.predict)
        self.folds.observe(lambda _: self._predict_soon(), "value")
        self.say(self._advice())
        self._predict_soon()

    @property
    def best(self) -> Run:
        """The run whose parameters are tried. Raises InputError before there is one."""
        return load_run(self.workspace, "best")

    def _advice(self) -> str:
        used, validation, what = counts(self.workspace.photos())
        if used < FEW_PHOTOS:
            return f"Recommended: {validation} validation {what} say little, {used} in folds say more."
        return f"With {validation:,} validation {what} there is little to gain here."

    def _predict_soon(self) -> None:
        if self.attended:
            self.price.value = html.status("Estimating the time ...")
            self._soon()

    def predict(self, still: Still = lambda: True) -> None:
        """Write down which run it is, and how long its folds will take."""
        try:
            run = self.best
            seconds = expected_seconds(self.workspace, run.config, self.folds.value)
            words = f"With the parameters of {html.text(run.id)}, the best run: about <b>{duration(seconds)}</b>."
        except (InputError, OSError, ValueError) as error:
            words = html.text(str(error))
        if still():
            self.price.value = html.status(words)

    def unstarted(self) -> bool:
        """Where nobody is there, only if it is asked for."""
        return super().unstarted() and (self.attended or self.unattended)

    def work(self) -> Work:
        """Read the controls."""
        config, folds = self.best.config, self.folds.value

        def run(progress: Progress) -> FoldRuns:
            return self.in_worker(fit_folds, self.workspace, config, folds, progress=progress)

        return run

    def paint(self, result: FoldRuns) -> str:
        """Show it, as far as it has come."""
        if result.accuracy is None:
            return html.text(f"Stopped with {len(result.runs)} of {result.folds} folds begun: press again to go on.")
        self.picture.draw(plots.folds(result.by_fold, result.accuracy, self.best.validation), result.words)
        self.text.value = html.status(
            f'<span class="cvtune-number">{result.accuracy.value:.1%}</span> of {result.accuracy.n} training and '
            f"validation photos right; 95% interval {result.accuracy.low:.1%} to {result.accuracy.high:.1%}, after "
            f"epoch {result.epoch}."
        )
        self._predict_soon()  # what is there already takes no time again
        return "Every photo was judged by a run that had not seen it."

    # -- what the cells below show --------------------------------------------------------------------------------

    def outcome(self) -> None:
        """Picture and words as ordinary outputs; nothing before there is something to show."""
        if self.job.running or self.job.result:
            self.report(self.picture, self.lessons)

    def lessons(self) -> HTML:
        """What was found."""
        return html.listed([self.result().words])
