"""Notebook 05: open the test set, export a run, try the exported model on a photo."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets as w
import pandas as pd

from cvtune_nb import plots
from cvtune_nb.classification import Export, export_run, load_bundle
from cvtune_nb.classification.exportable import SVM, choices
from cvtune_nb.classification.grad_cam import heat
from cvtune_nb.classification.known import KEEP, Known, below
from cvtune_nb.data.summary import one_to_try
from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import Model, doubts, photo, walk
from cvtune_nb.export.variants import VARIANTS
from cvtune_nb.objectives.objective import in_unit
from cvtune_nb.panels.export_panel import BaseExportPanel, agreement, beside_validation, noted
from cvtune_nb.panels.objective import objective_control
from cvtune_nb.runs.provenance import EARLIER
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import NotReady, Work
from cvtune_nb.widgets.layout import folded, look
from cvtune_nb.workspace import Workspace

ABOUT_THRESHOLD = (
    "Below this probability (0 to 99%) the model says that it is not sure; 0: it always answers. "
    "Move it after the export, too: the curve shows what it costs."
)

ABOUT_KEEP = (
    "This share (0 to 99%) of photos like those of validation is kept; the rest, and whatever is less like the "
    "training photos, is called unlike all classes. 0: nothing is. Move it after the export, too."
)

ABOUT_TARGETS = (
    "Thresholds of single classes, chosen on validation photos: how much of a class is to be found (recall), or how "
    "often its answers are to be right (precision), above 0 and below 1. The export says what they change."
)

MOST = 100
"""Photos of a folder that are looked at."""

NO_RUN = "There is no model in this workspace yet: open notebook 03_dnn_fine_tuning and train one."

ONLY_EARLIER = f"There are only runs of {EARLIER}: train again (notebook 03_dnn_fine_tuning), or choose one of them."


class ExportPanel(BaseExportPanel):
    """Choose a run by its figures, export it, see what the test set says, and classify a photo with the result."""

    button = "Export"
    waiting = "Press Export above first, then run this cell again."

    def __init__(self, workspace: Workspace, run: str = "", name: str = ""):
        super().__init__(workspace)
        self.run = w.Dropdown(description="Run", **look("5em"))
        self.name = w.Text(
            value=name,
            description="Name",
            placeholder="as the run",
            **look("5em"),
        )
        self.threshold = w.FloatSlider(
            0.0,
            min=0.0,
            max=0.99,
            step=0.01,
            readout_format=".0%",
            description="Threshold",
            continuous_update=False,
            **look("5em"),
        )
        self.keep = w.FloatSlider(
            KEEP,
            min=0.0,
            max=0.99,
            step=0.01,
            readout_format=".0%",
            description="Keep",
            continuous_update=False,
            **look("5em"),
        )
        self.targets = w.Text(
            description="Targets",
            placeholder="such as lemon:recall=.9, lime:precision=.95",
            continuous_update=False,
            **look("5em"),
        )
        self.variants = {
            name: w.Checkbox(
                value=True, description=f"{name}: {variant.meaning}", indent=False, layout={"width": "auto"}
            )
            for name, variant in VARIANTS.items()
        }
        self.photo = w.Text(
            description="Photo",
            placeholder="path of a photo, or of a folder",
            continuous_update=False,
            disabled=True,
            **look("5em"),
        )
        self.classify = w.Button(description="Classify it", disabled=True)
        self.upload = w.FileUpload(
            description="or choose files", accept="image/*", multiple=True, disabled=True, layout={"width": "auto"}
        )
        self.answer, self.looked, self.likeness = w.HTML(), html.Picture(), html.Picture()
        words, kept, wanted = (
            w.HTML(f'<div class="cvtune-words">{about}</div>') for about in (ABOUT_THRESHOLD, ABOUT_KEEP, ABOUT_TARGETS)
        )
        forms = w.VBox([w.HTML("<b>Smaller variants</b>"), *self.variants.values()])
        self.objective = objective_control(workspace, self.guard, lambda: self._list_runs(""))
        counts = folded("What counts: the runs are ranked by it", [self.objective.box])
        sliders = [self.threshold, words, self.keep, kept, self.targets, wanted]
        self.controls.children = [self.run, counts, self.earlier, self.name, *sliders, forms, self.warning]
        self.more.children = [
            w.HTML("<b>Try it on photos</b>"),
            self.photo,
            w.HBox([self.classify, self.upload]),
        ]
        self.right.children = [self.text, self.picture, self.answer, self.looked, self.likeness]
        self.answers: list[dict[str, Any]] = []  # of the photos that were tried last
        self.network: Any = None  # the same in PyTorch
        self.known: Known | None = None  # what the export says of it
        self.classify.on_click(self.guard(lambda _: self.try_photo(self.photo.value.strip())))
        self.upload.observe(self.guard(lambda _: self._try_upload()), "value")
        self.threshold.observe(self.guard(lambda _: self._move_threshold()), "value")
        self.keep.observe(self.guard(lambda _: self._move_keep()), "value")
        self._list_runs(run)

    def _list_runs(self, wanted: str) -> None:
        """All runs and the baseline, the best on validation first and chosen."""
        known = choices(self.workspace)
        if wanted and wanted not in known["run"].tolist():
            raise InputError(
                f"there is no run {wanted!r} in {self.workspace.folder}: choose one of those there are "
                f"({', '.join(known['run']) or 'none yet'})"
            )
        now = known["data"] == ""
        self.choose_from(self.run, *([_option(row) for row in part.itertuples()] for part in (known[now], known[~now])))
        if wanted:
            self.run.value = wanted
        self.go.disabled = known.empty
        self.say("Ready to export." if self.run.value else ONLY_EARLIER if len(known) else NO_RUN)

    def work(self) -> Work:
        """Read which run and which name are chosen."""
        run, name = self.run.value, self.name.value.strip()
        if run is None:
            raise InputError(ONLY_EARLIER if self.run.options else NO_RUN)
        if name in (".", "..") or Path(name).name != name:
            raise InputError(
                f"the name {name!r} has a slash in it: give a plain name, the folder is made in the workspace"
            )
        out = self.workspace.exports / name if name else None
        variants = tuple(name for name, box in self.variants.items() if box.value)
        threshold, keep, earlier = round(self.threshold.value, 2), round(self.keep.value, 2), self.earlier.value
        targets = tuple(filter(None, map(str.strip, self.targets.value.split(","))))

        return lambda progress: self.in_worker(
            export_run,
            self.workspace,
            run,
            out,
            progress=progress,
            variants=variants,
            threshold=threshold,
            earlier_data=earlier,
            keep_known=keep,
            targets=targets,
        )

    def paint(self, result: Export) -> str:
        """Show the figures, and try the model on a first photo."""
        self.model, self.network, self.known = Model(result.folder), load_bundle(result.folder), result.known
        sizes = [html.size((result.folder / name).stat().st_size) for name in result.files]
        files = html.table(pd.DataFrame({"file": result.files, "size": sizes}), {"file": "file", "size": "size"})
        files = f"<details><summary>{len(sizes)} files, and a zip of them</summary>{files}</details>"
        self.text.value = (
            f"<div>{_figure(result)}</div>{noted(result)}<div>{agreement(result, 'in every probability of')}</div>"
            f"{_targets(result)}{_variants(result)}{_classes(result)}{files}"
        )
        self._draw_certainty(result)
        self._keep_share()
        for control in (self.photo, self.classify, self.upload):
            control.disabled = False
        self.photo.value = str(self.workspace.path_of(one_to_try(self.workspace.photos())))
        self.try_photo(self.photo.value)
        return self.exported(result)

    # -- a photo ----------------------------------------------------------------------------------------------

    def _draw_certainty(self, made: Export) -> None:
        """How sure the model is, and what the threshold chosen now costs.

        The model that is tried below gets that threshold, too.
        """
        threshold = self.exported_model().threshold = round(self.threshold.value, 2)
        before, after = made.calibration_error
        words = f"Sure and right differ by {after:.1%}, before calibration by {before:.1%}; threshold {threshold:.0%}"
        words += " (classes with a threshold of their own follow that)" if made.targets is not None else ""
        self.picture.draw(plots.certainty(made.reliability, made.calibration_error, made.coverage, threshold), words)

    def _move_threshold(self) -> None:
        if self.model is not None and not self.job.running:
            self._draw_certainty(self.result())
            self._tell()
            self.refresh_reports()

    def _move_keep(self) -> None:
        if self.model is not None and not self.job.running and self.known is not None:
            self._keep_share()
            self._tell()
            self.refresh_reports()

    def _keep_share(self) -> None:
        """The model that is tried below keeps the share that is chosen now, which may have moved during the export."""
        if self.known is not None:
            self.exported_model().known_below = below(
                round(self.keep.value, 2), len(self.known.validation), self.known.groups
            )

    def try_photo(self, path: str) -> None:
        """Classify the photo at `path`, or those of the folder there, with the exported model."""
        if not path:
            raise InputError("no photo is named: type the path of one or of a folder, or choose files")
        paths, _ = walk.photos_in([path])
        if not paths:
            raise InputError(f"{path} holds no photos: name another folder, or a photo")
        self._classify({one: Path(one).name for one in paths[:MOST]}, len(paths))

    def _try_upload(self) -> None:
        if not self.upload.value:
            return
        kept, given = self.workspace.cache / "uploads", {}
        kept.mkdir(parents=True, exist_ok=True)
        for chosen in self.upload.value[:MOST]:
            name, number = Path(chosen["name"]), 1
            while str(file := kept / (name.name if number == 1 else f"{name.stem} ({number}){name.suffix}")) in given:
                number += 1  # another photo of that name
            file.write_bytes(chosen["content"])
            given[str(file)] = file.name
        self._classify(given, len(self.upload.value))

    def _classify(self, given: dict[str, str], count: int) -> None:
        """Classify photos, {path: name}, the first of `count`, and look closely at the first that can be read."""
        self.alert.value = ""
        model = self.exported_model()
        assert self.network is not None  # it comes with the model
        answers = model.predict(list(given))
        good = [answer for answer in answers if "error" not in answer]
        if not good:
            first = answers[0]
            raise InputError(f"{first['path']} can't be classified ({first['error']}): choose another photo")
        self.answers = [{**answer, "name": given[answer["path"]], "of": count} for answer in answers]
        answer = good[0]
        path, name = answer["path"], given[answer["path"]]
        table = pd.DataFrame(answer["top"], columns=["label", "probability"])
        square = photo.crop_centre(model.prepared(path), model.image_size)
        try:
            mattered = heat(self.network, square, model.labels.index(answer["label"]))
        except InputError:  # a network without a feature map
            square = mattered = None
        words = f"{answer['label']}, {answer['probability']:.1%}"
        alt = f"{name}: {words}" + ("" if mattered is None else "; in the middle, which parts of it spoke for that")
        self.looked.draw(plots.answer(Path(path), table, square, mattered, model.levels), alt)
        self._tell()

    def _tell(self) -> None:
        """What the model says of the photos that were tried last, with the thresholds as they are now."""
        model, known = self.exported_model(), self.known
        if not self.answers:
            return
        for answer in self.answers:
            if "error" not in answer:
                answer["sure"] = answer["probability"] >= model.least_of(answer["label"])
            if "known" in answer:
                answer["unlike"] = answer["known"] < model.known_below
        self.answer.value = _told(self.answers, model)
        if known is None or model.known_below is None:
            return
        rows = [answer for answer in self.answers if "known" in answer]
        given = pd.DataFrame({part: [row[part] for row in rows] for part in ("label", "known", "unlike")})
        words = f"{len(given[given['unlike']])} of {len(given)} photos unlike all classes"
        alt = f"How much photos are like those of training: {words}; threshold {model.known_below:.3f}"
        self.likeness.draw(plots.likeness(known.validation, given, model.known_below), alt)

    # -- what the cells below show ----------------------------------------------------------------------------

    def result(self) -> Export:
        """The export; NotReady until there is one, naming notebook 03 when there is nothing to export."""
        if self.run.value is None:
            raise NotReady(ONLY_EARLIER if self.run.options else NO_RUN)
        return super().result()

    def figures(self) -> None:
        """Test accuracy, parity, files and classes, as they stay in the notebook."""
        self.report(self.text)

    def sure(self) -> None:
        """How far its probabilities hold, and what a threshold costs, as they stay in the notebook."""
        self.report(self.picture)

    def unlike(self) -> None:
        """Which of the photos that were tried are none of the classes, and why, as it stays in the notebook."""
        self.report(self.answer, self.likeness)

    def program_lines(self, made: Export) -> list[str]:
        """Lines that use the model, with the thresholds as they are now."""
        model, moved = self.exported_model(), []
        if model.threshold != made.threshold:
            moved.append(f"model.threshold = {model.threshold}")
        if made.known and model.known_below != made.known.below:
            moved.append(f"model.known_below = {model.known_below:.6g}")
        if not moved:
            return super().program_lines(made)
        moved.insert(0, f"model = Model({str(made.folder)!r})")
        return ["from predict import Model", *moved, "model.predict(['photo.jpg'])"]

    def sentences(self, made: Export) -> Iterator[str]:
        """What the export says."""
        yield f"{made.run} is now a folder that runs without us: {made.folder}"
        if made.test:
            validation = made.validation.value
            yield f"On {made.test.n} photos that nothing was chosen on, it gets {html.percent(made.test)} right."
            yield f"That is {beside_validation(made.test.low, validation, made.test.high)} ({validation:.1%})."
        before, after = made.calibration_error
        calibrated = f", calibrated by {after:.1%}" if made.temperature != 1 else ": too few photos to calibrate"
        yield f"Its probabilities were off by {before:.1%} on average{calibrated}."
        if made.known and len(made.known.left_out):
            reached = f"tells it from the others with an AUROC of {made.known.expected:.2f}"
            yield f"Of a class that it was never shown, `known` {reached} (each class left out in turn)."
        smaller = made.variants[made.variants["variant"] != "fp32"]
        yield from (f"{row.file} has {row.megabytes:.1f} MB: {row.verdict}." for row in smaller.itertuples())


def _option(row: Any) -> tuple[str, str]:
    """What is shown of a run in the menu, and its id."""
    name = "the SVM of notebook 02" if row.run == SVM else row.run
    unmeasured = pd.isna(row.validation_accuracy)
    same = pd.isna(row.merit) or row.merit == row.validation_accuracy
    counted = "" if same else f", objective {row.objective_value:.3f}"
    return f"{name}: {'is fitted again' if unmeasured else f'{row.validation_accuracy:.1%}{counted}'}", row.run


def _told(answers: list[dict[str, Any]], model: Model) -> str:
    """What a model says of photos, and why it doesn't know where it doesn't."""
    if len(answers) == 1 and "error" not in answers[0]:
        answer = answers[0]
        words = f"<b>{html.text(answer['name'])}</b>: {html.text(answer['label'])}, {answer['probability']:.1%}"
        words += f", known {answer['known']:.3f}." if "known" in answer else "."
        why = " and ".join(doubts(answer))
        limits = [f"a probability below {model.least_of(answer['label']):.0%}"] * (not answer["sure"])
        limits += [f"known below {model.known_below:.3f}"] * answer.get("unlike", False)
        return html.status(words + (f" Its answer is: don't know, {why} ({' and '.join(limits)})." if why else ""))
    rows = pd.DataFrame(
        {
            "photo": answer["name"],
            "label": answer.get("label", ""),
            "probability": f"{answer['probability']:.1%}" if "label" in answer else "",
            "known": f"{answer['known']:.3f}" if "known" in answer else "",
            "why": answer.get("error") or " and ".join(doubts(answer)),
        }
        for answer in answers
    )
    names = {name: name for name in ("photo", "label", "probability", "known")} | {"why": "don't know, because"}
    read = [answer for answer in answers if "error" not in answer]
    unknown = len([answer for answer in read if doubts(answer)])
    unread = f"; {len(answers) - len(read)} can't be read" if len(read) < len(answers) else ""
    left = f", the first of {answers[0]['of']}" if answers[0]["of"] > len(answers) else ""
    return html.status(f"{unknown} of {len(read)} photos{left} are not known{unread}.") + html.table(
        rows, names, most=MOST
    )


def _figure(made: Export) -> str:
    """The accuracy that may be quoted, in large type."""
    if made.test is None:
        return f"No test photo was measured; on validation it is {html.percent(made.validation)}."
    return (
        f'<span class="cvtune-number">{made.test.value:.1%}</span> of {made.test.n} test photos right; 95% interval '
        f"{made.test.low:.1%} to {made.test.high:.1%}. On validation it was {made.validation.value:.1%}."
    )


def _targets(made: Export) -> str:
    """What thresholds of single classes change."""
    if made.targets is None:
        return ""
    rows = made.targets
    shown = rows.assign(
        label=[row.label or "all classes" for row in rows.itertuples()],
        target=["" if pd.isna(value) else f"{value:.0%}" for value in rows["target"]],
        threshold=["" if pd.isna(value) else f"{value:.3f}" for value in rows["threshold"]],
        before=[f"{value:.1%}" for value in rows["before"]],
        expected=[f"{row.expected:.1%} ({row.low:.1%} to {row.high:.1%})" for row in rows.itertuples()],
    )
    names = {"label": "class", "kind": "", "target": "target", "threshold": "from", "before": "without"}
    return html.table(
        shown,
        names | {"expected": "expected (95% interval)"},
        "Thresholds of single classes, which follow these and not the one of all",
    )


def _variants(made: Export) -> str:
    if len(made.variants) < 2:
        return ""
    rows = made.variants
    shown = rows.assign(
        accuracy=["" if pd.isna(value) else f"{value:.1%}" for value in rows["accuracy"]],
        megabytes=[f"{value:.1f}" for value in rows["megabytes"]],
        milliseconds=["" if pd.isna(value) else f"{value:.1f}" for value in rows["milliseconds"]],
    )
    names = {"file": "file", "megabytes": "MB", "milliseconds": "ms a photo", "accuracy": "right"}
    if "objective_value" in rows and made.score:
        score = made.score
        shown = shown.assign(
            objective_value=["" if pd.isna(one) else in_unit(one, score.share) for one in rows["objective_value"]]
        )
        names |= {"objective_value": score.label}
    return html.table(shown, names | {"verdict": "beside fp32"}, "Variants, on the same validation and test photos")


def _classes(made: Export) -> str:
    if made.per_class is None:
        return ""
    rows = made.per_class
    found = [f"{row.recall:.0%} ({row.low:.0%} to {row.high:.0%})" for row in rows.itertuples()]
    names = {"label": "class", "photos": "test photos", "recall": "found (95% interval)"}
    return html.table(rows.assign(recall=found), names, "By class")
