"""Photos as points on a plane, from which a person selects a group with a lasso or, by keyboard, with a frame."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from cvtune_nb.widgets import script


class PointMap(anywidget.AnyWidget):
    """A map of points, of which a person selects some with a lasso.

    A drag draws a lasso, a click selects the point there or clears the selection; with Shift they add to it. Keys:
    arrows move a square frame, + and - change its size, Enter selects what is inside (Shift+Enter adds it), Escape
    clears. A button for each class hides its points and shows them again; hidden ones are not selected.

    What the person selects comes as a message, {"selected": points}, with the `shown` it belongs to, so that one that
    comes when other points are shown already is ignored. It goes to `on_select`, which does nothing until it is set.

    `show` sets places, numbers, titles and name.

    Attributes
    ----------
    places
        float32, x to the right and y upwards in 0..1, for each point.
    numbers
        uint16, the index of its class in classes.
    titles
        The text beside the mouse, one for each point or none at all.
    name
        What screen readers call the map.
    marked
        Points with a black ring, which `mark` sets.
    selected
        The selected points. Only the kernel writes this trait, when a message comes; the page reads it when it is drawn
        anew, so that a reload of the page keeps the selection.
    """

    places = traitlets.Bytes().tag(sync=True)
    numbers = traitlets.Bytes().tag(sync=True)
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    titles = traitlets.List().tag(sync=True)
    marked = traitlets.List().tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    selected = traitlets.List().tag(sync=True)
    shown = traitlets.Int(0).tag(sync=True)

    def __init__(self, **traits: Any):
        super().__init__(**traits)
        self.on_select: Callable[[list[int]], None] = lambda _points: None
        self.on_msg(self._heard)

    def show(self, places: np.ndarray, numbers: np.ndarray, classes: list[str], titles: list[str], name: str) -> None:
        """Show these points, none of them selected or marked, instead of whatever is on the page.

        Parameters
        ----------
        places
            (n, 2): x to the right and y upwards in 0..1.
        numbers
            (n,): the index of each point's class in `classes`.
        classes
            Their names.
        titles
            One for each point, or none at all.
        name
            What screen readers call the map.

        Raises
        ------
        ValueError
            When the lengths do not match, or an index is beyond the classes.
        """
        places, numbers = np.asarray(places, dtype="<f4"), np.asarray(numbers, dtype="<u2")
        if places.shape != (len(numbers), 2) or len(titles) not in (0, len(numbers)):
            raise ValueError(f"places {places.shape}, {len(numbers)} numbers and {len(titles)} titles do not match")
        if len(numbers) and numbers.max() >= len(classes):
            raise ValueError(f"class number {numbers.max()}, but {len(classes)} classes")
        with self.hold_sync():
            self.places, self.numbers, self.classes = places.tobytes(), numbers.tobytes(), classes
            self.titles, self.name, self.marked, self.selected = titles, name, [], []
            self.shown += 1

    def mark(self, points: list[int]) -> None:
        """Draw a black ring round these points, and round no others."""
        self.marked = [int(point) for point in points]

    def _heard(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        if content.get("shown", self.shown) == self.shown:
            self.selected = content["selected"]
            self.on_select(list(self.selected))

    _css = Path(__file__).with_suffix(".css")
    _esm = script("photos", "point_map")
