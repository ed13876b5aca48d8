"""Notebook 04: several classifiers as one, and one network that answers as they do."""

import ipywidgets as w
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.classification.combining import (
    Combination,
    combine,
    delete_combination,
    distil,
    distillation_seconds,
    expected_seconds,
    load_combination,
    stored_combinations,
)
from cvtune_nb.classification.combining.combination import KINDS, SINGLE
from cvtune_nb.classification.combining.search import MOST_RUNS, offered
from cvtune_nb.classification.run import Run
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.panels.panel import Panel
from cvtune_nb.self_training.pool import new_photos
from cvtune_nb.widgets import html
from cvtune_nb.widgets.debounce import Soon, Still
from cvtune_nb.widgets.job import Job, Work
from cvtune_nb.widgets.layout import button, folded, look, row, small_print
from cvtune_nb.workspace import Workspace

BEST = "the best"
ABOUT = (
    f"Which classifiers (the best {MOST_RUNS} at first; Ctrl or Shift chooses several). Each way to combine them is "
    "chosen on validation photos, and judged by photos that it was not chosen on."
)
ABOUT_DISTIL = (
    "One network, with the parameters of the best run, learns to answer as the combination does, from your training "
    "photos and, if you name a folder, from photos without labels. It becomes a run like any other."
)
REFUSED = (InputError, OSError, ValueError, RuntimeError)


class CombinePanel(Panel):
    """Choose classifiers, see what combining them takes and brings; distil the result into one network."""

    button = "Combine"
    waiting = "Press Combine above first, then run this cell again."

    def __init__(self, workspace: Workspace, combine: bool = False):
        """The panel. combine: whether to combine where nobody can press the button."""
        super().__init__(workspace)
        self.wanted = combine
        self.classifiers = w.SelectMultiple(options=[], rows=6, description="Classifiers", **look())
        ways = [(BEST, ""), *((f"{kind}: {what}", kind) for kind, what in KINDS.items() if kind != SINGLE)]
        self.kind = w.Dropdown(options=ways, value="", description="Keep", **look())
        self.price = small_print()
        self.teacher = w.Dropdown(options=[], description="Combination", **look())
        self.unlabelled = w.Text(placeholder="a folder without labels, or nothing", description="More photos", **look())
        self.distil_price = small_print()
        self.distil, self.delete = button("Distil"), button("Delete")
        self.controls.children = [self.classifiers, small_print(ABOUT), self.kind, self.price]
        parts = [self.teacher, small_print(ABOUT_DISTIL), self.unlabelled, self.distil_price]
        self.more.children = [folded("Distil or delete a combination", [*parts, row(self.distil, self.delete)])]
        self._soon, self._distil_soon = Soon(self.predict), Soon(self.predict_distillation)
        self.classifiers.observe(lambda _: self._predict_soon(), "value")
        self.teacher.observe(lambda _: self._predict_distillation_soon(), "value")
        self.distil.on_click(self.guard(lambda _: self.begin(self.distillation())))
        self.delete.on_click(self.guard(lambda _: self._delete()))
        self.refresh()

    def refresh(self) -> None:
        """Offer the classifiers and combinations there are by now; what is chosen stays."""
        try:
            names = offered(self.workspace, ())
            every = [name for name in offered(self.workspace, _all(self.workspace)) if name]
        except InputError:
            names, every = [], []
        chosen = [name for name in self.classifiers.value if name in every]
        if list(self.classifiers.options) != every:
            self.classifiers.options = every
            self.classifiers.value = tuple(chosen or names)
        known = [stored.id for stored in stored_combinations(self.workspace)]
        if list(self.teacher.options) != known:
            self.teacher.options, self.teacher.value = known, known[-1] if known else None
        self.go.disabled = not every
        self.distil.disabled = self.delete.disabled = not known
        if self.job.state == "idle":
            self._show_last(known)

    def _show_last(self, known: list[str]) -> None:
        """What a person who comes back finds: the last combination."""
        if known:
            self._draw(load_combination(self.workspace).combination)
            self.say(f"{known[-1]}, made before, is shown.")
        else:
            self.say("Nothing is combined yet." if self.classifiers.options else "There is no classifier yet.")

    def _ipython_display_(self) -> None:
        self.refresh()
        super()._ipython_display_()

    def unstarted(self) -> bool:
        """Where nobody is there, only if it is asked for, and there is something to combine."""
        return super().unstarted() and (self.attended or (self.wanted and bool(self.classifiers.options)))

    # -- what it will cost ------------------------------------------------------------------------------------------

    def _predict_soon(self) -> None:
        self._soon.cancel()
        if self.attended and self.classifiers.value:
            self.price.value = html.status("Estimating the time ...")
            self._soon()

    def _predict_distillation_soon(self) -> None:
        self._distil_soon.cancel()
        if self.attended and self.teacher.value:
            self.distil_price.value = html.status("Estimating the time ...")
            self._distil_soon()

    def predict(self, still: Still = lambda: True) -> None:
        """Write down how long combining will take."""
        try:
            words = f"About <b>{duration(expected_seconds(self.workspace, self.classifiers.value))}</b> at most."
        except REFUSED as error:
            words = html.text(error)
        if still():
            self.price.value = html.status(words)

    def predict_distillation(self, still: Still = lambda: True) -> None:
        """Write down how long distilling will take."""
        try:
            seconds = distillation_seconds(self.workspace, self.teacher.value)
            words = f"About <b>{duration(seconds)}</b>, and as much again for as many photos without labels."
        except REFUSED as error:
            words = html.text(error)
        if still():
            self.distil_price.value = html.status(words)

    # -- working ----------------------------------------------------------------------------------------------------

    def work(self) -> Work:
        """Read which classifiers are chosen, and which way to combine is kept."""
        names, kind, workspace = list(self.classifiers.value), self.kind.value, self.workspace
        if not names:
            raise InputError("no classifier is chosen: choose two or more, or one that was trained from the SVM")
        return lambda progress: self.in_worker(combine, workspace, names, progress=progress, use=kind)

    def distillation(self) -> Work:
        """Read which combination is the teacher, and where more photos are."""
        name, folder, workspace = self.teacher.value, self.unlabelled.value.strip(), self.workspace

        def run(progress: Progress) -> Run:
            more = new_photos(workspace, folder, progress).photos if folder else None
            return self.in_worker(distil, workspace, name, more, progress=progress)

        return run

    def _delete(self) -> None:
        name = delete_combination(self.workspace, self.teacher.value)
        self.refresh()
        self.say(f"{name} is deleted; the runs that it was made of are still there.")

    def paint(self, result: Combination | Run) -> str:
        """Show what combining brings, or what the one network has learned."""
        if isinstance(result, Run):
            learned = f"Run {result.id}, {result.state}: validation {result.validation}."
            self.below.children = [w.HTML(html.card("One network, taught by the combination", learned))]
            return f"Distilled: {html.text(result.id)} is a run like any other now."
        self._draw(result)
        return "Finished. It can be exported in notebook 05." if result.kept else "Finished. Nothing was kept."

    def _draw(self, found: Combination) -> None:
        words = "; ".join(f"{row.kind} {row.value:.3f}" for row in found.kinds.itertuples())
        figure = plots.combined(found.kinds, found.score.label, found.score.share)
        self.picture.draw(figure, f"{found.score.label} of each way to combine: {words}")
        lines = "".join(f"<div>{html.text(line)}</div>" for line in found.words)
        self.text.value = html.status(lines) + _kinds(found) + _members(found)

    def _follow(self, job: Job) -> None:
        super()._follow(job)
        if not job.running:
            self.refresh()
            self._predict_distillation_soon()

    # -- what the cells below show ----------------------------------------------------------------------------------

    def outcome(self) -> None:
        """Picture and words as ordinary outputs; nothing before there is something to show."""
        if self.job.running or stored_combinations(self.workspace) or self.job.result:
            self.report(self.picture, self.text, always=not self.job.running)

    def lessons(self) -> HTML:
        """What was found."""
        found = self.result()
        return html.listed(found.words if isinstance(found, Combination) else [f"Distilled into {found.id}."])


def _all(workspace: Workspace) -> list[str]:
    """All classifiers of today's photos."""
    from cvtune_nb.classification.combining.combination import is_combination
    from cvtune_nb.classification.exportable import choices

    known = choices(workspace)
    return [name for name in known.loc[known["data"] == "", "run"] if not is_combination(name)]


def _kinds(found: Combination) -> str:
    return html.table(found.ways, {name: name for name in found.ways}, "Ways to combine, corrected for the choice")


def _members(found: Combination) -> str:
    if not found.kept:
        return ""
    return html.table(found.parts, {name: name for name in found.parts}, f"What {found.id} is made of")
