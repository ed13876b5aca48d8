"""Notebook 06: a detector trained on the boxes, and its export."""

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.console import duration
from cvtune_nb.detection import anchors, hard_negatives
from cvtune_nb.detection.advice import advise
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.cost import predict_cost
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.detection.evaluation import Verdict, beside_classifier, verdict
from cvtune_nb.detection.model import default, why
from cvtune_nb.detection.run import DetectorRun, load_run, runs
from cvtune_nb.detection.train import fit
from cvtune_nb.files import Progress
from cvtune_nb.panels.run_panel import RunPanel
from cvtune_nb.parameters import DETECTOR_PARAMETERS as PARAMETERS
from cvtune_nb.parameters import differing
from cvtune_nb.runs.cost import Cost
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.job import Job, Work
from cvtune_nb.widgets.layout import button

SHOWN = 6
"""Photos with boxes in a picture."""


class DetectorPanel(RunPanel):
    """A detector: trained, judged on validation, and taught by its false alarms."""

    button = "Train the detector"
    first = ("image_size", "learning_rate")
    kind = DetectorRun
    noun = "detector"
    waiting = "Press Train the detector above first, then run this cell again."

    def __init__(self, dataset: Dataset, **chosen: Any):
        """`chosen` is any of a detector's parameters; image_size 0 and an empty detector mean what is suggested."""
        train = dataset.part("train")
        size, self.about_size = anchors.suggested_size(train.boxes, train.photos)
        suggested = {"image_size": chosen.get("image_size") or size, "detector": chosen.get("detector") or default()[0]}
        given = {**chosen, **suggested}
        super().__init__(dataset, {name: Control(PARAMETERS[name], given.get(name)) for name in PARAMETERS})
        goes_on = "Goes on from the run above with the photos in which it found something where nothing is"
        self.harder = button("One round of hard negatives", goes_on)
        self.go.layout.width = "150px"
        self.end.layout.width = self.resume.layout.width = "85px"
        self.about, self._verdict, self._no_round = w.HTML(), None, ""
        self.controls.children = [*(self.controls_of[name].box for name in self.first), self.about, self.cost_line]
        self.more.children = [self.harder, self.folded]
        self.curves, self.thresholds, self.examples = html.Picture(), html.Picture(), html.Picture()
        self.right.children = [self.picture, self.text, self.curves, self.thresholds]
        self.below.children = [self.examples, self.findings, self.compared]
        self.harder.on_click(self.guard(lambda _: self.begin(self._round())))
        self.ready()
        self.harder.disabled = self.last() is None

    @property
    def dataset(self) -> Dataset:
        """The photos and boxes."""
        return self.workspace

    def config(self) -> DetectorConfig:
        """The parameters as they stand."""
        return DetectorConfig.from_values(**{name: control.value for name, control in self.controls_of.items()})

    # -- what it will cost ------------------------------------------------------------------------------------

    def estimate_cost(self, config: DetectorConfig) -> Cost:
        """What detection.predict_cost says, for the boxes as they are now."""
        return predict_cost(self.dataset.redrawn(), config)

    def priced(self, config: DetectorConfig) -> None:
        """What was suggested, and why, comes with the estimated cost."""
        train = self.dataset.redrawn().part("train")
        chosen = anchors.suggest(train.boxes, train.photos, config.image_size)
        pixels = ", ".join(f"{side:g}" for side in chosen.sizes)
        search = f"The search begins at boxes of {pixels} pixels, which cover {chosen.covered:.0%} of yours."
        lines = [f"Suggested: {self.about_size}.", f"{why(config.detector)}.", search]
        self.about.value = f"<div class='cvtune-words'>{'<br>'.join(html.text(line) for line in lines)}</div>"

    # -- training ---------------------------------------------------------------------------------------------

    def fit(self, progress: Progress, **what: Any) -> DetectorRun:
        """detection.fit on the boxes as they are now, drawn after every epoch."""
        self.workspace = self.dataset.redrawn()
        return self.in_worker(fit, self.dataset, progress=progress, live=self.live(), **what)

    def live(self) -> dict[str, Callable[..., Any]]:
        """The curves after every epoch."""
        return {"on_epoch": self._draw}

    def _round(self) -> Work:
        """One round of hard negatives from the run that is shown, where it is worth its time."""
        run = self.result()

        def work(progress: Progress) -> DetectorRun:
            self.workspace = self.dataset.redrawn()
            found = self.in_worker(hard_negatives.look, self.dataset, run, progress=progress)
            if found.worth:
                each = {"progress": progress, "live": self.live()}
                return self.in_worker(hard_negatives.one_round, self.dataset, run, found, **each)
            self._no_round = f"No round: {found.words}."
            return run

        return work

    def table(self) -> pd.DataFrame:
        """detection.runs."""
        return runs(self.dataset)

    def load(self, name: str) -> DetectorRun:
        """detection.load_run."""
        return load_run(self.dataset, name)

    def rows_of(self, runs: pd.DataFrame, caption: str) -> str:
        """Every run, the best on top."""
        return _comparison(runs, caption)

    def _draw(self, run: DetectorRun) -> None:
        """The curves so far; called after every epoch in the training thread."""
        words = f"{run.id}: AP {run.best('validation_ap'):.3f} on validation, best in epoch {run.best_epoch}"
        self.picture.draw(plots.detector_curves(run.history, run.config.epochs), f"by epoch, run {words}")
        last = run.history.iloc[-1]
        self.text.value = html.status(
            f"<b>{html.text(run.id)}</b>, epoch {last['epoch']:.0f} of {run.config.epochs}: AP "
            f"<b>{last['validation_ap']:.3f}</b>, AP50 {last['validation_ap50']:.3f} on validation"
        )

    def paint(self, result: DetectorRun) -> str:
        """Show the finished run, what it finds, the findings and what it cost."""
        self.show_run(result)
        best = f"AP {result.best('validation_ap'):.3f} on validation."
        brought = hard_negatives.outcome(self.dataset, result)
        words = self.ended(result, f"{best} {html.text(brought[:1].upper() + brought[1:])}." if brought else best)
        words, self._no_round = html.text(self._no_round) or words, ""
        return words

    def _follow(self, job: Job) -> None:
        super()._follow(job)
        self.harder.disabled = job.running or self.last() is None

    # -- what was found ---------------------------------------------------------------------------------------

    def show_run(self, run: DetectorRun) -> None:
        """Its curves, what it finds and misses, what follows from it, and all detectors beside it."""
        found = self._verdict = verdict(self.dataset, run)
        if len(run.history):
            self._draw(run)
            curve = plots.precision_recall(found.scores.curve, found.scores.by_class)
            self.curves.draw(curve, f"precision against recall by class; AP50 {found.scores.ap50:.3f}")
            words = f"missed and wrong against the threshold; at {found.threshold:g}: {found.kinds}"
            self.thresholds.draw(plots.against_threshold(found.by_threshold, found.threshold), words)
            self._draw_examples(found)
            self.text.value += by_class(found)
        self.findings.show(advise(self.dataset, found))
        self.compared.value = self.comparison_of(self.table())

    def draw_nothing(self) -> None:
        """Empty axes."""
        empty = plots.detector_curves(pd.DataFrame(columns=["epoch", "validation_ap", "loss"]), 1)
        self.picture.draw(empty, "average precision by epoch: empty so far")

    def _draw_examples(self, found: Verdict) -> None:
        space = self.dataset.workspace
        self.examples.draw(
            plots.boxed(found.judged, found.examples(SHOWN), space.path_of, levels=space.levels),
            f"validation photos with what was found and missed: {found.kinds}",
        )

    # -- what the cells below show ----------------------------------------------------------------------------

    def curves_report(self) -> None:
        """Precision against recall, and what a threshold does, as they stay in the notebook."""
        self.report(self.curves, self.thresholds)

    def examples_report(self) -> None:
        """Photos with what was found and missed, as they stay in the notebook."""
        self.report(self.examples)

    def lessons(self) -> HTML:
        """What we learned, from the run above."""
        run = self.result()
        found = self._verdict or verdict(self.dataset, run)
        low, high = found.scores.ap50_interval
        found_of = f"{found.counts.get('found', 0)} of {found.scores.boxes} boxes on {found.scores.photos} validation"
        first = f"{run.config.detector} at {run.config.image_size} pixels finds {found_of} photos"
        interval = f"(95% interval {low:.3f} to {high:.3f})"
        lines = [
            f"{first}, with a threshold of {found.threshold:g} ({found.kinds}).",
            f"AP {found.scores.ap:.3f}, AP50 {found.scores.ap50:.3f} {interval}, in {duration(run.seconds)}.",
        ]
        if beside := beside_classifier(self.dataset, found):
            lines.append(f"{beside.words[:1].upper()}{beside.words[1:]}.")
        return html.listed([*lines, *(f"{f.title}: {f.evidence}." for f in advise(self.dataset, found))])


def by_class(found: Verdict) -> str:
    """Average precision by class and by size, as tables."""
    rows = found.scores.by_class
    shown = rows.assign(
        **{name: ["" if pd.isna(value) else f"{value:.3f}" for value in rows[name]] for name in ("ap", "ap50")}
    )
    names = {"label": "class", "boxes": "boxes", "ap": "AP", "ap50": "AP50"}
    table = html.table(shown, names, f"On {found.scores.photos} {found.on} photos")
    size = found.scores.by_size
    shown = size.assign(ap=["" if pd.isna(value) else f"{value:.3f}" for value in size["ap"]])
    return table + html.table(shown, {"size": "size (COCO: 32 and 96 pixels)", "boxes": "boxes", "ap": "AP"})


def _comparison(known: pd.DataFrame, caption: str) -> str:
    rows = DetectorRun.best_first(known)
    none = rows["best_epoch"] < 0
    shown = rows.assign(
        validation_ap=rows["validation_ap"].map("{:.3f}".format).mask(none, "none yet"),
        validation_ap50=rows["validation_ap50"].map("{:.3f}".format).mask(none, ""),
        time=[duration(seconds) for seconds in rows["seconds"]],
    )
    names = {
        "run": "run",
        "state": "state",
        "validation_ap": "AP",
        "validation_ap50": "AP50",
        "time": "time",
    }
    return html.table(shown, names | differing(rows, PARAMETERS, ("learning_rate", "epochs")), caption)
