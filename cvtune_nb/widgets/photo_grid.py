"""Many small photos side by side, from which a person opens one or selects some, by mouse or keyboard."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from cvtune_nb.widgets import script


class PhotoGrid(anywidget.AnyWidget):
    """A grid of photos that can be opened and selected.

    A click opens a photo, a click on the box in its corner selects it. Keys: arrows, Home and End go from photo to
    photo, Enter opens the one that has the focus, space selects or deselects it, Ctrl+A all or none.

    What the person does comes as a message: {"open": key} or {"selected": keys}, both with the `shown` they belong to,
    so that a selection that comes when other photos are shown already is ignored. They go to `on_open` and `on_select`,
    which do nothing until they are set. A file that is dropped on the grid comes as {"dropped": its name}, with its
    content, and goes to `on_drop`; until that is set, files are not taken.

    `show` sets photos, images and name.

    Attributes
    ----------
    photos
        A dict for each: key; caption, the text under it; said, the sentence for screen readers; mark: a border, "same"
        (as the query: solid blue), "other" (dashed orange) or "" (none).
    images
        Their JPEG bytes.
    name
        What screen readers call the grid.
    choosable
        Whether photos can be selected.
    opens
        Whether a click or Enter opens a photo, rather than selecting it as space does.
    selected
        The keys of the selected photos. Only the kernel writes this trait, when a message comes; the page reads it when
        it is drawn anew, so that a reload of the page keeps the selection.
    """

    photos = traitlets.List(traitlets.Dict()).tag(sync=True)
    images = traitlets.List(traitlets.Bytes()).tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    choosable = traitlets.Bool(False).tag(sync=True)
    opens = traitlets.Bool(True).tag(sync=True)
    selected = traitlets.List(traitlets.Unicode()).tag(sync=True)
    shown = traitlets.Int(0).tag(sync=True)

    def __init__(self, **traits: Any):
        super().__init__(**traits)
        self.on_open: Callable[[str], None] = lambda _key: None
        self.on_select: Callable[[list[str]], None] = lambda _keys: None
        self.on_drop: Callable[[bytes, str], None] | None = None
        self.on_msg(self._heard)

    def show(self, photos: list[dict[str, str]], images: list[bytes], name: str) -> None:
        """Show these photos, none of them selected, instead of whatever is on the page.

        Parameters
        ----------
        photos, images, name
            The traits of these names.

        Raises
        ------
        ValueError
            When there are not as many images as photos.
        """
        if len(photos) != len(images):
            raise ValueError(f"{len(photos)} photos, but {len(images)} images")
        with self.hold_sync():
            self.photos, self.images, self.name, self.selected = photos, images, name, []
            self.shown += 1

    def _heard(self, _widget: Any, content: dict[str, Any], buffers: Any) -> None:
        if "dropped" in content:
            if self.on_drop:
                self.on_drop(bytes(buffers[0]), content["dropped"])
        elif "open" in content:  # also a late one: it is what the person clicked last
            self.on_open(content["open"])
        elif content.get("shown", self.shown) == self.shown:
            self.selected = content["selected"]
            self.on_select(list(self.selected))

    _css = Path(__file__).with_suffix(".css")
    _esm = script("photos", "photo_grid")
