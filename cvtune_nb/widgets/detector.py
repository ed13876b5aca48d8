"""Notebook 06: a detector that learns from the boxes, and its export."""

from pathlib import Path
from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.advice import Finding
from cvtune_nb.detection import anchors, hard
from cvtune_nb.detection.bundle import DetectorExport, export_detector
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.cost import past_errors, predict_cost
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.detection.judging import Verdict, beside_classifier, findings, verdict
from cvtune_nb.detection.loop import fit
from cvtune_nb.detection.network import default, why
from cvtune_nb.detection.run import DetectorRun, load_run, runs
from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import Detector, opened
from cvtune_nb.files import Progress
from cvtune_nb.parameters import DETECTOR_PARAMETERS as PARAMETERS
from cvtune_nb.training.cost import past_in_words
from cvtune_nb.training.run import UNFINISHED
from cvtune_nb.widgets import page
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.findings import Findings
from cvtune_nb.widgets.job import Job, NotReady, Work, headless
from cvtune_nb.widgets.panel import Panel
from cvtune_nb.widgets.soon import Soon

SHOWN = 6
"""Photos with boxes in a picture."""
FIRST = ("image_size", "learning_rate")
NO_DETECTOR = "There is no detector yet: press Train the detector above first, then run this cell again."


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
        self.harder = w.Button(description="One round of hard negatives", layout={"width": "auto"})
        self.harder.tooltip = "Goes on from the run above with the photos in which it found something though nothing is"
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
        self.more.children = [self.harder, folded]
        self.curves, self.thresholds, self.examples = page.Picture(), page.Picture(), page.Picture()
        self.right.children = [self.picture, self.text, self.curves, self.thresholds]
        self.below.children = [self.examples, self.findings, self.compared]
        self.resume.on_click(self.guard(lambda _: self._resume()))
        self.harder.on_click(self.guard(lambda _: self.begin(self._round())))
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

    def _round(self) -> Work:
        """One round from the run that is shown, where it is worth its time."""
        self.dataset, run = self.dataset.redrawn(), self.result()

        def work(progress: Progress) -> DetectorRun:
            found = hard.look(self.dataset, run, progress)
            return hard.one_round(self.dataset, run, found, self._draw, progress) if found.worth else self._none(found)

        return work

    def _none(self, found: hard.Round) -> DetectorRun:
        """No round: the run stays, and why is said."""
        self._said = f"No round: {found.words}."
        return self._last()

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
        brought = hard.outcome(self.dataset, result)
        best = f"{best} {page.text(brought[:1].upper() + brought[1:])}." if brought else best
        if said := self.__dict__.pop("_said", ""):
            return page.text(said)
        return f"{words.get(result.state, 'Finished.')} {best} Now run the cells below."

    def _follow(self, job: Job) -> None:
        super()._follow(job)
        self.resume.disabled = job.running or self._unfinished() is None
        self.harder.disabled = job.running or self._last() is None
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
        self.resume.disabled, self.harder.disabled = self._unfinished() is None, run is None
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
        if beside := beside_classifier(self.dataset, found):
            lines.append(f"{beside.words[:1].upper()}{beside.words[1:]}.")
        return page.listed([*lines, *(f"{f.title}: {f.evidence}." for f in findings(self.dataset, found))])


class DetectorExportPanel(Panel):
    """Choose a detector by its figures, export it, see what the test set says, and try it on a photo."""

    button = "Export the detector"
    waiting = "Press Export the detector above first, then run this cell again."

    def __init__(self, dataset: Dataset):
        super().__init__(dataset)
        self.dataset = dataset
        wide = {"style": {"description_width": "5em"}, "layout": {"width": "330px"}}
        self.run = w.Dropdown(description="Detector", **wide)
        self.photo = w.Text(description="Photo", placeholder="path of a photo", continuous_update=False, **wide)
        self.look = w.Button(description="Find objects in it")
        self.answer, self.warning = w.HTML(), w.HTML()
        self.go.layout.width = "150px"
        self.controls.children = [self.run, self.warning]
        self.more.children = [w.HTML("<b>Try it on a photo</b>"), self.photo, self.look, self.answer]
        self.right.children = [self.text, self.picture]
        self.model: Detector | None = None
        self.look.on_click(self.guard(lambda _: self.try_photo(self.photo.value.strip())))
        self._list()

    def _list(self) -> None:
        """All detectors, the best on validation first and chosen."""
        known = runs(self.dataset)
        known = known[known["best_epoch"] > 0].sort_values("validation_ap", ascending=False)
        self.run.options = [(f"{row.run}: AP {row.validation_ap:.3f}", row.run) for row in known.itertuples()]
        if self.run.value is None and len(known):
            self.run.value = known["run"].iloc[0]
        self.go.disabled = known.empty
        self.photo.disabled = self.look.disabled = self.model is None
        self.say("Ready to export." if len(known) else NO_DETECTOR)
        times = self.dataset.workspace.test_openings()
        opened_so_far = f"It was opened {times} time(s) so far." if times else "It has not been opened yet."
        self.warning.value = page.card(
            "Exporting opens the locked test set.",
            f"{opened_so_far} Every look that leads to another choice makes its figure less honest: export when you "
            "are done choosing.",
        )

    def unstarted(self) -> bool:
        """Whether to start by itself where nobody watches: when there is something to export."""
        self._list()
        return super().unstarted() and bool(self.run.options)

    def work(self) -> Work:
        """Read which detector is chosen."""
        run, dataset = self.run.value, self.dataset.redrawn()
        if run is None:
            raise InputError(NO_DETECTOR)
        return lambda progress: export_detector(dataset, run, progress=progress)

    def paint(self, result: DetectorExport) -> str:
        """Show the figures, and try the model on a first photo."""
        self.model = opened(result.folder)
        told = result.test or result.validation
        low, high = told.scores.ap50_interval
        number = f'<span class="cvtune-number">{told.scores.ap50:.3f}</span> AP50'
        words = (
            f"95% interval {low:.3f} to {high:.3f}; AP {told.scores.ap:.3f}; at a threshold of {told.threshold:g}: "
            f"{_counts(told)}. The exported model and PyTorch agree to {result.parity:.1g} on {result.parity_photos} "
            "photos, among them grey, turned, tiny and huge ones."
        )
        on = f"on {told.scores.photos} {told.on} photos"
        self.text.value = f"<div>{number} {on}; {page.text(words)}</div>{_by_class(told)}"
        self.cost.value = f"Exporting took {page.duration(result.seconds)}."
        self._list()
        photos = self.dataset.part("test" if result.test else "validation").photos
        self.photo.value = str(self.dataset.workspace.path_of(photos["path"].iloc[0]))
        self.try_photo(self.photo.value)
        return f"Exported to {page.text(result.folder)}, and as a zip beside it. Now run the cells below."

    def try_photo(self, path: str) -> None:
        """Find objects in the photo at `path` with the exported model."""
        if not path:
            raise InputError("no photo is named: type the path of one")
        row = self.model.predict([path])[0]
        if "error" in row:
            raise InputError(f"{path} can't be looked at ({row['error']}): choose another photo")
        boxes = pd.DataFrame(row["boxes"], columns=["label", "score", "left", "top", "width", "height"])
        shown = boxes.assign(path=Path(path).name, kind="found", true=boxes["label"])
        counts = ", ".join(f"{count} {label}" for label, count in boxes["label"].value_counts().items())
        words = counts or "nothing found"
        picture = plots.boxed(shown, [Path(path).name], lambda _: Path(path), known=False)
        self.picture.draw(picture, f"{Path(path).name}: {words}")
        self.answer.value = page.status(f"<b>{page.text(Path(path).name)}</b>: {page.text(words)}")

    def result(self) -> DetectorExport:
        """The export; NotReady until there is one."""
        if not self.run.options:
            raise NotReady(NO_DETECTOR)
        return super().result()

    def how_to_use(self) -> None:
        """Three lines that use the model anywhere onnxruntime, numpy and Pillow are."""
        self.report(self._how_to_use)

    def _how_to_use(self) -> HTML:
        folder = str(self.result().folder)
        lines = [f"import sys; sys.path.insert(0, {folder!r})", "from predict import Detector",
                 f"Detector({folder!r}).predict(['photo.jpg'])"]  # fmt: skip
        commands = (f"python {folder}/predict.py photo.jpg", f"cvtune serve {folder}")
        terminal = " or, as a page and for programs, ".join(f"<code>{page.text(line)}</code>" for line in commands)
        return HTML(f"{page.copyable(lines)}<div>In a terminal: {terminal}</div>")

    def lessons(self) -> HTML:
        """What we learned, from the export above."""
        made = self.result()
        lines = [f"{made.run} is now a folder that runs without us: {made.folder}"]
        if made.test:
            (low, high), promised = made.test.scores.ap50_interval, made.validation.scores.ap50
            kept = "as validation promised" if low <= promised <= high else "not what validation promised"
            figures = f"AP {made.test.scores.ap:.3f}, AP50 {made.test.scores.ap50:.3f} ({low:.3f} to {high:.3f})"
            on = f"On {made.test.scores.photos} photos that nothing was chosen on"
            lines.append(f"{on}: {figures}, {kept}: {promised:.3f}.")
        lines.append(f"The test set of this workspace has been opened {made.openings} time(s).")
        return page.listed(lines)


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
