"""Notebook 01: how large the objects are, from boxes that the person drags on a few sampled photos."""

from typing import Any

import ipywidgets as w

from cvtune_nb.audit import objects
from cvtune_nb.data import thumbnail
from cvtune_nb.panels.panel import Panel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.box_editor import Drawing
from cvtune_nb.widgets.layout import Pager
from cvtune_nb.workspace import Workspace

SIDE = 900
"""Longest side of the photo, in pixels."""


class ObjectsPanel(Panel):
    """One sampled photo after the other, a box on each; every box is saved at once."""

    def __init__(self, workspace: Workspace):
        super().__init__(workspace)
        self.photos = objects.sample(workspace.photos(), workspace.seed)
        self.keys = workspace.manifest().set_index("path")["sha256"]
        self.drawing = Drawing(single=True)
        self.pager = Pager("photo", self.guard(self.turn))
        self.remove = w.Button(description="Remove the box", tooltip="Remove the box: Delete")
        self.where, self.verdict = w.HTML(), w.HTML()
        self.buttons.layout.display = self.bar.layout.display = "none"
        words = w.HTML(
            "<div class='cvtune-faint'>Drag a box around the object that gives the photo its label. Keys, once the "
            "photo has the focus: Enter a box, arrows move it, Shift and arrows change its size, Delete removes it, N "
            "and P next and previous photo. Pass on where you can't say.</div>"
        )
        self.controls.children = [self.where, self.pager, self.remove, words, self.verdict]
        self.right.children = [self.drawing]
        self.remove.on_click(self.guard(lambda _: self._remove()))
        self.drawing.on_msg(self.guard(lambda _, content, __: self._save(content["photo"], content["boxes"])))
        known = objects.boxes(workspace)
        boxed = [self.keys[path] in known for path in self.photos]
        self.turn(boxed.index(False) if False in boxed else 0)

    def turn(self, to: int) -> None:
        """Show the sampled photo number `to` with its box."""
        path = self.photos[self.pager.show(to, len(self.photos))]
        box = objects.boxes(self.workspace).get(self.keys[path])
        boxes = [["", *box]] if box else []  # one without a label: it is the photo's
        image = thumbnail(self.workspace.path_of(path), SIDE, self.workspace.levels)
        self.drawing.show(path, f"Photo {path}", image, boxes, len(boxes) - 1)
        self._count()

    def _save(self, path: str, boxes: list[list[Any]]) -> None:
        """Write the box of a photo down, which may be another one than is shown by now."""
        objects.write_box(self.workspace, path, tuple(boxes[0][1:]) if boxes else None)
        self._count()

    def _remove(self) -> None:
        self._save(self.photos[self.pager.at], [])
        self.turn(self.pager.at)

    def _count(self) -> None:
        found = objects.boxes(self.workspace)
        path = self.photos[self.pager.at]
        boxed = sum(self.keys[photo] in found for photo in self.photos)
        here = "" if self.keys[path] in found else ", not boxed"
        self.remove.disabled = self.keys[path] not in found
        self.where.value = html.status(
            f"<b>Photo {self.pager.at + 1} of {len(self.photos)}</b> ({boxed} boxed): {html.text(path)}{here}"
        )
        seen = objects.extent(found)
        next_step = "Open notebook 06, small objects." if seen.small else ""
        self.verdict.value = html.status(html.card("How large the objects are", f"{seen.words}.", next_step))

    def unstarted(self) -> bool:
        """Nothing here starts by itself."""
        return False

    def result(self) -> Any:
        """The extent of the boxes so far."""
        return objects.extent(objects.boxes(self.workspace))
