"""Notebook 06: a detector leaves as a folder that runs elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import ipywidgets as w
import pandas as pd

from cvtune_nb import plots
from cvtune_nb.data.summary import class_sizes
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.detection.export import DetectorExport, export_detector
from cvtune_nb.detection.run import exportable
from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import Detector
from cvtune_nb.panels.detector import by_class
from cvtune_nb.panels.export_panel import BaseExportPanel, agreement, beside_validation, noted
from cvtune_nb.runs.provenance import EARLIER
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import NotReady, Work
from cvtune_nb.widgets.layout import look

NO_DETECTOR = "There is no detector yet: press Train the detector above first, then run this cell again."

ONLY_EARLIER = f"There are only detectors of {EARLIER}: train one above, or choose one of them."


class DetectorExportPanel(BaseExportPanel):
    """Choose a detector by its figures, export it, see what the test set says, and try it on a photo."""

    button = "Export the detector"
    waiting = "Press Export the detector above first, then run this cell again."
    kind = Detector

    def __init__(self, dataset: Dataset):
        super().__init__(dataset)
        self.run = w.Dropdown(description="Detector", **look("5em"))
        self.photo = w.Text(description="Photo", placeholder="path of a photo", continuous_update=False, **look("5em"))
        self.look = w.Button(description="Find objects in it")
        self.answer = w.HTML()
        self.go.layout.width = "150px"
        self.controls.children = [self.run, self.earlier, self.warning]
        self.more.children = [w.HTML("<b>Try it on a photo</b>"), self.photo, self.look, self.answer]
        self.right.children = [self.text, self.picture]
        self.look.on_click(self.guard(lambda _: self.try_photo(self.photo.value.strip())))
        self._list()

    @property
    def dataset(self) -> Dataset:
        """The photos and boxes."""
        return self.workspace

    def openings(self) -> int:
        """How often the test set has been looked at."""
        return self.dataset.workspace.test_openings()

    def _list(self) -> None:
        """All detectors, the best on validation first and chosen."""
        known = exportable(self.dataset)
        shown = [(f"{row.run}: AP {row.validation_ap:.3f}", row.run) for row in known.itertuples()]
        earlier = set(known.loc[known["data"] != "", "run"])
        self.choose_from(
            self.run, [each for each in shown if each[1] not in earlier], [each for each in shown if each[1] in earlier]
        )
        self.go.disabled = known.empty
        self.photo.disabled = self.look.disabled = self.model is None
        self.say("Ready to export." if self.run.value else ONLY_EARLIER if len(known) else NO_DETECTOR)

    def unstarted(self) -> bool:
        """Whether to start by itself where nobody watches: when there is something to export."""
        self._list()
        return super().unstarted() and self.run.value is not None

    def work(self) -> Work:
        """Read which detector is chosen."""
        run, dataset, earlier = self.run.value, self.dataset.redrawn(), self.earlier.value
        if run is None:
            raise InputError(ONLY_EARLIER if self.run.options else NO_DETECTOR)
        return lambda progress: self.in_worker(export_detector, dataset, run, progress=progress, earlier_data=earlier)

    def paint(self, result: DetectorExport) -> str:
        """Show the figures, and try the model on a first photo."""
        self.model = Detector(result.folder)
        told = result.test or result.validation
        low, high = told.scores.ap50_interval
        number = f'<span class="cvtune-number">{told.scores.ap50:.3f}</span> AP50'
        words = (
            f"95% interval {low:.3f} to {high:.3f}; AP {told.scores.ap:.3f}; at a threshold of {told.threshold:g}: "
            f"{told.kinds}. {agreement(result)}"
        )
        on = f"on {told.scores.photos} {told.on} photos"
        self.text.value = f"<div>{number} {on}; {html.text(words)}</div>{noted(result)}{by_class(told)}"
        self._list()
        photos = self.dataset.part("test" if result.test else "validation").photos
        self.photo.value = str(self.dataset.workspace.path_of(photos["path"].iloc[0]))
        self.try_photo(self.photo.value)
        return self.exported(result)

    def try_photo(self, path: str) -> None:
        """Find objects in the photo at `path` with the exported model."""
        if not path:
            raise InputError("no photo is named: type the path of one")
        model = self.exported_model()
        row = model.predict([path])[0]
        if "error" in row:
            raise InputError(f"{path} can't be looked at ({row['error']}): choose another photo")
        boxes = pd.DataFrame(row["boxes"], columns=["label", "score", "left", "top", "width", "height"])
        shown = boxes.assign(path=Path(path).name, kind="found", true=boxes["label"])
        counts = ", ".join(f"{count} {label}" for label, count in class_sizes(boxes).items())
        words = counts or "nothing found"
        picture = plots.boxed(shown, [Path(path).name], lambda _: Path(path), False, model.levels)
        self.picture.draw(picture, f"{Path(path).name}: {words}")
        self.answer.value = html.status(f"<b>{html.text(Path(path).name)}</b>: {html.text(words)}")

    def result(self) -> DetectorExport:
        """The export; NotReady until there is one."""
        if self.run.value is None:
            raise NotReady(ONLY_EARLIER if self.run.options else NO_DETECTOR)
        return super().result()

    def sentences(self, made: DetectorExport) -> Iterator[str]:
        """What the export says."""
        yield f"{made.run} is now a folder that runs without us: {made.folder}"
        if made.test:
            (low, high), validation = made.test.scores.ap50_interval, made.validation.scores.ap50
            figures = f"AP {made.test.scores.ap:.3f}, AP50 {made.test.scores.ap50:.3f} ({low:.3f} to {high:.3f})"
            on = f"On {made.test.scores.photos} photos that nothing was chosen on"
            yield f"{on}: {figures}, {beside_validation(low, validation, high)} ({validation:.3f})."
