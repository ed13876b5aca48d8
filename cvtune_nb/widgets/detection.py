"""Notebook 06: boxes, and a detector that learns from them."""

from typing import Any, Self

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.advice import Finding
from cvtune_nb.audit.objects import SMALL
from cvtune_nb.data import thumbnail
from cvtune_nb.detection import anchors, drawn
from cvtune_nb.detection.annotations import write_coco
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.cost import past_errors, predict_cost
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.detection.judging import Verdict, findings, verdict
from cvtune_nb.detection.loop import fit
from cvtune_nb.detection.network import default, why
from cvtune_nb.detection.run import DetectorRun, load_run, runs
from cvtune_nb.detection.statistics import sizes
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.parameters import DETECTOR_PARAMETERS as PARAMETERS
from cvtune_nb.training.cost import past_in_words
from cvtune_nb.training.run import UNFINISHED
from cvtune_nb.widgets import page
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.drawing import Drawing
from cvtune_nb.widgets.findings import Findings
from cvtune_nb.widgets.job import Job, NotReady, Work, headless
from cvtune_nb.widgets.panel import Panel
from cvtune_nb.widgets.soon import Soon

SIDE = 900
"""Longest side of the photo that is drawn on, in pixels."""
SHOWN = 6
"""Photos with boxes in a picture."""
FIRST = ("image_size", "learning_rate")
_WIDE = {"style": {"description_width": "5em"}, "layout": {"width": "330px"}}
WHICH = ("all photos", "with boxes", "nothing to find", "not looked at")
ABOUT_DRAWING = (
    "Drag on the photo to draw a box; click one to select it, drag it to move it, drag its lower right corner to "
    "change its size. Keys, once the photo has the focus: Enter a box, space the next one, arrows move it, Shift and "
    "arrows change its size, 1 to 9 give it that label, Delete removes it, N and P next and previous photo, U undo. "
    "All is saved at once; your annotation files stay as they are."
)


class BoxesPanel(Panel):
    """The boxes of one photo after the other: look, draw, correct; what their sizes say."""

    @classmethod
    def of(cls, dataset: Dataset, **values: Any) -> Self:
        """The panel for this dataset."""
        panel = super().of(dataset, **values)
        panel.reread()
        return panel

    def __init__(self, dataset: Dataset):
        super().__init__(dataset)
        self.dataset = dataset
        self.drawing = Drawing()
        self.which = w.Dropdown(options=WHICH, description="Show", **_WIDE)
        self.label = w.Combobox(description="Label", placeholder="choose or type", ensure_option=False, **_WIDE)
        self.back, self.on = w.Button(description="Previous photo"), w.Button(description="Next photo")
        self.nothing = w.Button(description="Nothing to find here", layout={"width": "auto"})
        self.undo = w.Button(description="Undo")
        self.write = w.Button(description="Write all as a COCO file", layout={"width": "auto"})
        for button, key in ((self.back, "p"), (self.on, "n"), (self.undo, "u")):
            button.tooltip = f"{button.description}: key {key.upper()}"
            button.add_class(f"cvtune-key-{key}")
        self.where = w.HTML()
        self.buttons.layout.display = self.bar.layout.display = "none"
        about = "Label of the selected box and of the next new one: choose a class, or type a new one."
        self.controls.children = [
            self.which, self.label, w.HTML(f"<div class='cvtune-words'>{about}</div>"),
            w.HBox([self.back, self.on]), w.HBox([self.nothing, self.undo]), self.where,
            w.HTML(f"<div class='cvtune-faint'>{page.text(ABOUT_DRAWING)}</div>"), self.write,
        ]  # fmt: skip
        self.right.children = [self.drawing]
        self.below.children = [self.picture, self.text]
        self._turning, self._soon = False, Soon(self._draw_sizes)
        self.back.on_click(self.guard(lambda _: self.turn(self.at - 1)))
        self.on.on_click(self.guard(lambda _: self.turn(self.at + 1)))
        self.nothing.on_click(self.guard(lambda _: self._save([])))
        self.undo.on_click(self.guard(lambda _: self._undo()))
        self.write.on_click(self.guard(lambda _: self._write()))
        self.which.observe(self.guard(lambda _: self._choose()), "value")
        self.label.observe(self.guard(lambda _: self._relabel()), "value")
        self.drawing.observe(self.guard(lambda change: self._turning or self._save(change["new"])), "boxes")
        self.drawing.observe(self.guard(lambda _: self._turning or self._select()), "chosen")
        self._choose()
        self._draw_sizes()

    def reread(self) -> None:
        """Bring what is shown up to date with the disk."""
        self.dataset = self.dataset.redrawn()

    def _boxed(self) -> pd.Series:
        photos = self.dataset.annotations.photos
        return photos["path"].isin(self.dataset.annotations.boxes["path"])

    def _choose(self) -> None:
        """The photos that are asked for; the first of them is shown."""
        photos, boxed = self.dataset.annotations.photos, self._boxed()
        asked = dict(zip(WHICH, (photos["path"] != "", boxed, photos["seen"] & ~boxed, ~photos["seen"]), strict=True))
        self.paths = photos.loc[asked[self.which.value], "path"].tolist()
        self.keys = dict(zip(photos["path"], photos["sha256"], strict=True))
        labels = self.dataset.labels or self._classes()
        self.label.options = labels
        self.drawing.labels = labels
        if not self.label.value and labels:
            self.label.value = labels[0]
        self.drawing.label = self.label.value.strip()
        self.turn(0)

    def _classes(self) -> list[str]:
        """Labels to begin with: the classes of the photos, where they have some."""
        manifest = self.dataset.workspace.folder / "manifest.csv"
        return self.dataset.workspace.classes if manifest.exists() else []

    def turn(self, to: int) -> None:
        """Show the photo number `to` with its boxes."""
        self.at = min(max(to, 0), max(0, len(self.paths) - 1))
        for control in (self.drawing, self.nothing, self.undo):
            control.layout.visibility = "visible" if self.paths else "hidden"
        self.back.disabled, self.on.disabled = self.at == 0, self.at >= len(self.paths) - 1
        if not self.paths:
            self.where.value = page.status(f"No photo is {page.text(self.which.value)}.")
            return
        path, self._turning = self.paths[self.at], True
        try:
            self.drawing.chosen = -1
            self.drawing.name = f"Photo {path}"
            self.drawing.boxes = self._boxes_of(path)
            self.drawing.image = thumbnail(self.dataset.workspace.path_of(path), SIDE)
        finally:
            self._turning = False
        self._count()

    def _boxes_of(self, path: str) -> list[list[Any]]:
        boxes = self.dataset.annotations.boxes
        rows = boxes[boxes["path"] == path]
        return [list(row) for row in rows[["label", "left", "top", "width", "height"]].itertuples(index=False)]

    def _save(self, boxes: list[list[Any]]) -> None:
        path = self.paths[self.at]
        drawn.draw(self.dataset.workspace, path, self.keys[path], [tuple(box) for box in boxes])
        self._shown_anew()

    def _undo(self) -> None:
        path = self.paths[self.at]
        drawn.undo(self.dataset.workspace, path, self.keys[path])
        self._shown_anew()

    def _shown_anew(self) -> None:
        """After a change: the boxes as they are now, the counts, and soon the picture."""
        self.alert.value = ""
        self.dataset = self.dataset.redrawn()
        path, self._turning = self.paths[self.at], True
        try:
            chosen = self.drawing.chosen
            self.drawing.boxes = self._boxes_of(path)
            self.drawing.chosen = chosen if chosen < len(self.drawing.boxes) else -1
        finally:
            self._turning = False
        self.label.options = self.drawing.labels = sorted({*self.dataset.labels, *self.label.options})
        self._count()
        if headless():
            self._draw_sizes()
        else:
            self._soon()

    def _select(self) -> None:
        """The label of the selected box is what the menu says."""
        chosen = self.drawing.chosen
        if 0 <= chosen < len(self.drawing.boxes):
            self._turning = True
            try:
                self.label.value = self.drawing.label = self.drawing.boxes[chosen][0]
            finally:
                self._turning = False

    def _relabel(self) -> None:
        """The selected box gets the label that was chosen, and so does the next new one."""
        label, chosen = self.label.value.strip(), self.drawing.chosen
        self.drawing.label = label
        if self._turning or not label or not 0 <= chosen < len(self.drawing.boxes):
            return
        boxes = [list(box) for box in self.drawing.boxes]
        if boxes[chosen][0] != label:
            boxes[chosen][0] = label
            self._save(boxes)

    def _write(self) -> None:
        file = self.dataset.folder / "boxes-coco.json"
        write_coco(self.dataset.annotations, file)
        self.say(f"Written: {page.text(file)}")

    def _count(self) -> None:
        photos, boxed = self.dataset.annotations.photos, self._boxed()
        path = self.paths[self.at]
        here = int((self.dataset.annotations.boxes["path"] == path).sum())
        seen = bool(photos.loc[photos["path"] == path, "seen"].iloc[0])
        words = f"{here} boxes" if here else "nothing to find" if seen else "not looked at yet"
        self.where.value = page.status(
            f"<b>Photo {self.at + 1} of {len(self.paths)}</b>: {page.text(path)}, {words}. In all {int(boxed.sum())} "
            f"photos with boxes, {int((photos['seen'] & ~boxed).sum())} without, {int((~photos['seen']).sum())} not "
            "looked at."
        )

    def _draw_sizes(self) -> None:
        found = sizes(self.dataset.annotations)
        self.picture.draw(plots.box_sizes(found.extents, found.classes, SMALL), f"sizes of the boxes: {found.words}")
        problems = self.dataset.annotations.problems
        kinds = problems.groupby("kind").agg(times=("kind", "size"), file=("file", "first"), words=("words", "first"))
        names = {"kind": "what", "times": "times", "file": "first in", "words": "there"}
        table = page.table(kinds.reset_index(), names, "In the annotation files")
        self.text.value = f"<div>{page.text(found.words[:1].upper() + found.words[1:])}.</div>{table}"

    def unstarted(self) -> bool:
        """Nothing here starts by itself."""
        return False

    def result(self) -> Dataset:
        """The photos and boxes as they are now."""
        return self.dataset

    def lessons(self) -> HTML:
        """What the boxes say."""
        found, there = sizes(self.dataset.annotations), self.dataset.photos["split"].value_counts()
        splits = ", ".join(f"{there.get(name, 0)} {name}" for name in ("train", "validation", "test"))
        return page.listed([f"{found.words}.", f"Photos: {splits}; {found.negatives} of them without a box."])


class DetectorPanel(Panel):
    """Choose parameters, see the predicted cost, train a detector, stop, resume, and follow the findings."""

    button = "Train the detector"
    waiting = "Press Train the detector above first, then run this cell again."

    def __init__(self, dataset: Dataset, **chosen: Any):
        """chosen: any of a detector's parameters; image_size 0 and an empty detector mean what is suggested."""
        super().__init__(dataset)
        self.dataset = dataset
        train = dataset.part("train")
        size, self.about_size = anchors.suggested_size(train.boxes, train.photos)
        name, self.about_detector = default()
        given = {**chosen, "image_size": chosen.get("image_size") or size, "detector": chosen.get("detector") or name}
        self.controls_of = {name: Control(PARAMETERS[name], given.get(name)) for name in PARAMETERS}
        self.resume = w.Button(description="Resume")
        self.go.layout.width = "150px"
        self.end.layout.width = self.resume.layout.width = "85px"
        self.cost_line, self.about, self.compared = w.HTML(), w.HTML(), w.HTML()
        self.cost_line.add_class("cvtune-words")
        self.findings = Findings(self.guard(self._apply), self.controls_of)
        others = [control.box for name, control in self.controls_of.items() if name not in FIRST]
        folded = w.Accordion([w.VBox(others)], titles=["More parameters"], layout={"width": "345px"})
        first = [self.controls_of[name].box for name in FIRST]
        self.controls.children = [*first, self.about, self.cost_line]
        self.buttons.children = [self.go, self.end, self.resume]
        self.more.children = [folded]
        self.curves, self.thresholds, self.examples = page.Picture(), page.Picture(), page.Picture()
        self.right.children = [self.picture, self.text, self.curves, self.thresholds]
        self.below.children = [self.examples, self.findings, self.compared]
        self.resume.on_click(self.guard(lambda _: self._resume()))
        self._soon = Soon(self._predict)
        for control in self.controls_of.values():
            control.on_change(lambda _: self._predict_soon())
        self._verdict: Verdict | None = None
        self._show_past()
        if not headless():
            self._predict_soon()

    def config(self) -> DetectorConfig:
        """The parameters as they stand."""
        return DetectorConfig.from_values(**{name: control.value for name, control in self.controls_of.items()})

    # -- what it will cost ------------------------------------------------------------------------------------

    def _predict_soon(self) -> None:
        self._soon.cancel()
        if self.job.running:
            return
        self.cost_line.value = page.status("Predicting time and memory …")
        self._soon()

    def _predict(self) -> None:
        try:
            config, dataset = self.config(), self.dataset.redrawn()
            cost = predict_cost(dataset, config)
        except (InputError, OSError, ValueError, RuntimeError) as error:
            self.cost_line.value = page.alert(error)
            return
        if config == self.config() and not self.job.running:
            past = past_in_words(past_errors(dataset))
            words = f"This will take <b>{page.text(cost.words)}</b>"
            self.cost_line.value = page.status(f"{words}; {past}." if past else f"{words}.")
            train = dataset.part("train")
            chosen = anchors.suggest(train.boxes, train.photos, config.image_size)
            pixels = ", ".join(f"{side:g}" for side in chosen.sizes)
            search = f"The search begins at boxes of {pixels} pixels, which cover {chosen.covered:.0%} of yours."
            lines = [f"Suggested: {self.about_size}.", f"{why(config.detector)}.", search]
            self.about.value = f"<div class='cvtune-words'>{'<br>'.join(page.text(line) for line in lines)}</div>"

    # -- training ---------------------------------------------------------------------------------------------

    def work(self) -> Work:
        """Read the parameters and the boxes as they are now."""
        config, self.dataset = self.config(), self.dataset.redrawn()
        return lambda progress: self._fit(progress, config=config)

    def _resume(self) -> None:
        unfinished = self._unfinished()
        if unfinished is not None:
            self.dataset = self.dataset.redrawn()
            self.begin(lambda progress: self._fit(progress, run=unfinished))

    def _fit(self, progress: Progress, **what: Any) -> DetectorRun:
        return fit(self.dataset, on_epoch=self._draw, progress=progress, **what)

    def _unfinished(self) -> str | None:
        known = runs(self.dataset)
        known = known[known["state"].isin(UNFINISHED)]
        return None if known.empty else str(known["run"].iloc[-1])

    def _draw(self, run: DetectorRun) -> None:
        """The curves so far; called after every epoch in the training thread."""
        words = f"{run.id}: AP {run.best('validation_ap'):.3f} on validation, best in epoch {run.best_epoch}"
        self.picture.draw(plots.detector_curves(run.history, run.config.epochs), f"by epoch, run {words}")
        last = run.history.iloc[-1]
        self.text.value = page.status(
            f"<b>{page.text(run.id)}</b>, epoch {last['epoch']:.0f} of {run.config.epochs}: AP "
            f"<b>{last['validation_ap']:.3f}</b>, AP50 {last['validation_ap50']:.3f} on validation"
        )

    def paint(self, result: DetectorRun) -> str:
        """Show the finished run, what it finds, the findings and what it cost."""
        self._show_run(result)
        took, predicted = page.duration(result.seconds), page.duration(result.predicted_seconds)
        self.cost.value = page.text(f"It took {took}; predicted were {predicted}.")
        words = {"stopped": "Stopped; Resume goes on from its last whole epoch.",
                 "diverged": "Stopped: the loss was lost."}  # fmt: skip
        best = f"Best epoch {result.best_epoch}: AP {result.best('validation_ap'):.3f} on validation."
        return f"{words.get(result.state, 'Finished.')} {best} Now run the cells below."

    def _follow(self, job: Job) -> None:
        super()._follow(job)
        self.resume.disabled = job.running or self._unfinished() is None
        if not job.running and not headless():
            self._predict_soon()

    # -- what was found ---------------------------------------------------------------------------------------

    def _show_run(self, run: DetectorRun) -> None:
        self._verdict = None
        if len(run.history):
            self._draw(run)
            found = self._verdict = verdict(self.dataset, run)
            curve = plots.precision_recall(found.scores.curve, found.scores.by_class)
            self.curves.draw(curve, f"precision against recall by class; AP50 {found.scores.ap50:.3f}")
            words = f"missed and wrong against the threshold; at {found.threshold:g}: {_counts(found)}"
            self.thresholds.draw(plots.against_threshold(found.by_threshold, found.threshold), words)
            self._draw_examples(found)
            self.text.value += _by_class(found)
            self.findings.show(findings(self.dataset, found))
        self.compared.value = _comparison(runs(self.dataset))

    def _draw_examples(self, found: Verdict) -> None:
        wrong = found.judged[found.judged["kind"] != "found"]
        paths = list(wrong["path"].value_counts().index[:SHOWN])
        paths += [path for path in found.part.photos["path"] if path not in paths][: max(0, SHOWN - len(paths))]
        self.examples.draw(plots.boxed(found.judged, paths[:SHOWN], self.dataset.workspace.path_of),
                           f"validation photos with what was found and missed: {_counts(found)}")  # fmt: skip

    def _apply(self, finding: Finding) -> None:
        change = {name: value for name, value in finding.change.items() if name in self.controls_of}
        for name, value in change.items():
            self.controls_of[name].value = value
        self.say(f"Applied {page.text(', '.join(change))}: press Train the detector.")

    def _show_past(self) -> None:
        run = self._last()
        self.resume.disabled = self._unfinished() is None
        if run is not None:
            self._show_run(run)
            self.say(f"The last detector of this workspace is shown: {page.text(run.id)}.")
        else:
            self.picture.draw(plots.detector_curves(pd.DataFrame(columns=["epoch", "validation_ap", "loss"]), 1),
                              "average precision by epoch: empty so far")  # fmt: skip
            self.say("Not trained yet.")

    def _last(self) -> DetectorRun | None:
        known = runs(self.dataset)
        known = known[known["best_epoch"] > 0]
        return None if known.empty else load_run(self.dataset, str(known["run"].iloc[-1]))

    # -- what the cells below show ----------------------------------------------------------------------------

    def result(self) -> DetectorRun:
        """The run made here, or the workspace's last one. NotReady until there is one."""
        if self.job.running or self.job.state == "failed" or isinstance(self.job.result, DetectorRun):
            return super().result()
        run = self._last()
        if run is None:
            raise NotReady(self.waiting)
        return run

    def curves_report(self) -> None:
        """Precision against recall, and what a threshold does, as they stay in the notebook."""
        self.report(lambda: self._still(self.curves), lambda: self._still(self.thresholds))

    def examples_report(self) -> None:
        """Photos with what was found and missed, as they stay in the notebook."""
        self.report(lambda: self._still(self.examples))

    def _still(self, picture: page.Picture) -> Any:
        self.result()
        return picture.output() if picture.png else HTML("<i>No picture yet.</i>")

    def lessons(self) -> HTML:
        """What we learned, from the run above."""
        run = self.result()
        found = self._verdict or verdict(self.dataset, run)
        low, high = found.scores.ap50_interval
        found_of = f"{found.counts.get('found', 0)} of {found.scores.boxes} boxes on {found.scores.photos} validation"
        first = f"{run.config.detector} at {run.config.image_size} pixels finds {found_of} photos"
        interval = f"(95% interval {low:.3f} to {high:.3f})"
        lines = [
            f"{first}, with a threshold of {found.threshold:g} ({_counts(found)}).",
            f"AP {found.scores.ap:.3f}, AP50 {found.scores.ap50:.3f} {interval}, in {page.duration(run.seconds)}.",
        ]
        return page.listed([*lines, *(f"{f.title}: {f.evidence}." for f in findings(self.dataset, found))])


def _counts(found: Verdict) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in found.counts.items())


def _by_class(found: Verdict) -> str:
    rows = found.scores.by_class
    shown = rows.assign(**{name: ["" if pd.isna(value) else f"{value:.3f}" for value in rows[name]]
                           for name in ("ap", "ap50")})  # fmt: skip
    names = {"label": "class", "boxes": "boxes", "ap": "AP", "ap50": "AP50"}
    table = page.table(shown, names, f"On {found.scores.photos} {found.on} photos")
    size = found.scores.by_size
    shown = size.assign(ap=["" if pd.isna(value) else f"{value:.3f}" for value in size["ap"]])
    return table + page.table(shown, {"size": "size (COCO: 32 and 96 pixels)", "boxes": "boxes", "ap": "AP"})


def _comparison(known: pd.DataFrame) -> str:
    """Every run, the best on top."""
    if known.empty:
        return ""
    rows = known.sort_values("validation_ap", ascending=False)
    shown = rows.assign(
        validation_ap=[f"{value:.3f}" for value in rows["validation_ap"]],
        validation_ap50=[f"{value:.3f}" for value in rows["validation_ap50"]],
        time=[page.duration(seconds) for seconds in rows["seconds"]],
    )
    names = {"run": "run", "state": "state", "validation_ap": "AP", "validation_ap50": "AP50", "time": "time",
             "learning_rate": "learning rate", "batch_size": "minibatch", "epochs": "epochs",
             "proposals": "proposals"}  # fmt: skip
    return page.table(shown, names, "All detectors of this workspace, the best on top")
