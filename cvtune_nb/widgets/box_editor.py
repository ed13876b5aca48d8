"""A photo on which a person draws, moves, labels and removes boxes, by mouse, finger or keyboard."""

from pathlib import Path

import anywidget
import traitlets

from cvtune_nb.widgets import script


class Drawing(anywidget.AnyWidget):
    """A photo on which a person draws boxes; `show` sets it, its boxes and its labels.

    A drag draws a box; a click selects one, a drag of the selected one moves it, a drag of its lower right corner
    changes its size. Keys while it has the focus: Enter puts a box into the middle, space selects the next box, arrows
    move it, Shift and arrows change its size, a digit gives it that label, Delete removes it.

    What the person does comes as a message (on_msg): photo, boxes, chosen. Not as traits: changes of those are merged
    on their way, and one may come when another photo is shown already.

    Attributes
    ----------
    photo
        Which it is.
    image
        JPEG bytes of it, upright.
    name
        What screen readers call it.
    boxes
        [label, left, top, width, height], sides as fractions (0..1) of the photo.
    labels
        The classes; the digits choose the first nine.
    label
        That of the next new box.
    chosen
        The index of the selected box, -1 for none.
    single
        Whether a new box replaces the one before it.
    """

    photo = traitlets.Unicode().tag(sync=True)
    image = traitlets.Bytes().tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    boxes = traitlets.List().tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)
    single = traitlets.Bool(False).tag(sync=True)
    shown = traitlets.Int(0).tag(sync=True)

    def show(self, photo: str, name: str, image: bytes, boxes: list, chosen: int = -1) -> None:
        """Show a photo with these boxes instead of whatever is on the page.

        Parameters
        ----------
        photo, name, image, boxes, chosen
            The traits of these names.
        """
        with self.hold_sync():
            self.photo, self.name, self.image, self.boxes, self.chosen = photo, name, image, boxes, chosen
            self.shown += 1

    _css = Path(__file__).with_suffix(".css")
    _esm = script("photos", "box_editor")
