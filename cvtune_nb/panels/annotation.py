"""Notebook 06: the boxes of one photo after the other."""

from typing import Any, Self

import ipywidgets as w
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.audit.objects import SMALL
from cvtune_nb.data import thumbnail
from cvtune_nb.detection import box_journal
from cvtune_nb.detection.annotations import WHICH, write_coco
from cvtune_nb.detection.box_sizes import sizes
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.panels.panel import Panel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.box_editor import Drawing
from cvtune_nb.widgets.debounce import Soon
from cvtune_nb.widgets.job import headless
from cvtune_nb.widgets.layout import Pager, button, look

SIDE = 900
"""Longest side of the photo that is drawn on, in pixels."""
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
        panel.choose(panel.pager.at)
        return panel

    def __init__(self, dataset: Dataset):
        super().__init__(dataset)
        self.drawing = Drawing()
        self.which = w.Dropdown(options=WHICH, description="Show", **look("5em"))
        self.label = w.Combobox(description="Label", placeholder="choose or type", ensure_option=False, **look("5em"))
        self.pager = Pager("photo", self.guard(self.turn))
        self.nothing, self.undo = button("Nothing to find here"), button("Undo", key="u")
        self.write = button("Write all as a COCO file")
        self.where = w.HTML()
        self.buttons.layout.display = self.bar.layout.display = "none"
        about = "Label of the selected box and of the next new one: choose a class, or type a new one."
        self.controls.children = [
            self.which,
            self.label,
            w.HTML(f"<div class='cvtune-words'>{about}</div>"),
            self.pager,
            w.HBox([self.nothing, self.undo]),
            self.where,
            w.HTML(f"<div class='cvtune-faint'>{html.text(ABOUT_DRAWING)}</div>"),
            self.write,
        ]
        self.right.children = [self.drawing]
        self.below.children = [self.picture, self.text]
        self._turning, self._soon = False, Soon(lambda _: self._draw_sizes())
        self.nothing.on_click(self.guard(lambda _: self._nothing()))
        self.undo.on_click(self.guard(lambda _: self._undo()))
        self.write.on_click(self.guard(lambda _: self._write()))
        self.which.observe(self.guard(lambda _: self.choose()), "value")
        self.label.observe(self.guard(lambda _: self._relabel()), "value")
        self.drawing.on_msg(self.guard(lambda _, content, __: self._heard(content)))
        self.choose()
        self._draw_sizes()

    @property
    def dataset(self) -> Dataset:
        """The photos and boxes."""
        return self.workspace

    def choose(self, at: int = 0) -> None:
        """The photos that are asked for; the one at this index is shown."""
        photos, self.paths = self.dataset.annotations.photos, self.dataset.annotations.paths(self.which.value)
        self.keys = dict(zip(photos["path"], photos["sha256"], strict=True))
        self.label.options = self.drawing.labels = labels = self.dataset.usual_labels
        if not self.label.value and labels:
            self.label.value = labels[0]
        self.drawing.label = self.label.value.strip()
        self.turn(at)

    def turn(self, to: int) -> None:
        """Show the photo number `to` with its boxes."""
        self.pager.show(to, len(self.paths))
        for control in (self.drawing, self.nothing, self.undo):
            control.layout.visibility = "visible" if self.paths else "hidden"
        if not self.paths:
            self.where.value = html.status(f"No photo is {html.text(self.which.value)}.")
            return
        self._show()
        self._count()

    def _show(self, chosen: int = -1) -> None:
        path = self.paths[self.pager.at]
        space = self.dataset.workspace
        image = thumbnail(space.path_of(path), SIDE, space.levels)
        self.drawing.show(path, f"Photo {path}", image, self.dataset.annotations.boxes_of(path), chosen)

    def _heard(self, content: dict[str, Any]) -> None:
        """What the person did on a photo, which may be another one than is shown by now."""
        path, boxes, chosen = content["photo"], content["boxes"], content["chosen"]
        here = bool(self.paths) and path == self.paths[self.pager.at]
        if here:
            self.drawing.boxes, self.drawing.chosen = boxes, chosen
            self._select()
        if boxes != self.dataset.annotations.boxes_of(path):
            self._save(path, boxes)

    def _save(self, path: str, boxes: list[list[Any]]) -> None:
        box_journal.draw(self.dataset.workspace, path, self.keys[path], [tuple(box) for box in boxes])
        self._recount()

    def _undo(self) -> None:
        path = self.paths[self.pager.at]
        box_journal.undo(self.dataset.workspace, path, self.keys[path])
        self._recount()
        self._show()

    def _nothing(self) -> None:
        self._save(self.paths[self.pager.at], [])
        self._show()

    def _recount(self) -> None:
        """After a change: the dataset and the counts as they are now, and soon the picture."""
        self.alert.value = ""
        self.workspace = self.dataset.redrawn()
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
            self._save(self.paths[self.pager.at], boxes)
            self._show(chosen)

    def _write(self) -> None:
        file = self.dataset.folder / "boxes-coco.json"
        write_coco(self.dataset.annotations, file)
        self.say(f"Written: {html.text(file)}")

    def _count(self) -> None:
        known, path = self.dataset.annotations, self.paths[self.pager.at]
        with_boxes, without, unseen = (known.paths(which) for which in WHICH[1:])
        here, nothing = len(known.boxes_of(path)), "not looked at yet" if path in unseen else "nothing to find"
        words = f"{here} boxes" if here else nothing
        counts = f"{len(with_boxes)} photos with boxes, {len(without)} without"
        self.where.value = html.status(
            f"<b>Photo {self.pager.at + 1} of {len(self.paths)}</b>: {html.text(path)}, {words}. In all {counts}, "
            f"{len(unseen)} not looked at."
        )

    def _draw_sizes(self) -> None:
        found = sizes(self.dataset.annotations)
        self.picture.draw(plots.box_sizes(found.extents, found.classes, SMALL), f"sizes of the boxes: {found.words}")
        known = self.dataset.annotations
        names = {"kind": "what", "times": "times", "boxes": "boxes left out", "file": "first in", "words": "there"}
        table = html.table(known.problem_kinds(), names, f"In the annotation files: {known.lost}")
        names = {"size": "files", "first": "first", "reason": "why"}
        table += html.table(self.dataset.reasons(), names, "Files that were not used")
        self.text.value = f"<div>{html.text(found.words[:1].upper() + found.words[1:])}.</div>{table}"

    def unstarted(self) -> bool:
        """Nothing here starts by itself."""
        return False

    def result(self) -> Dataset:
        """The photos and boxes as they are now."""
        return self.dataset

    def lessons(self) -> HTML:
        """What the boxes say."""
        found = sizes(self.dataset.annotations)
        splits = ", ".join(f"{count} {name}" for name, count in self.dataset.split_counts.items())
        return html.listed([f"{found.words}.", f"Photos: {splits}; {found.negatives} of them without a box."])
