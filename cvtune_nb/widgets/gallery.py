"""Photos to decide about: many small ones, and the one in hand large, with its evidence and its actions."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from cvtune_nb.widgets import script


@dataclass(frozen=True)
class GalleryPhoto:
    """One photo of the gallery, and what is to be decided about it.

    Attributes
    ----------
    finding
        What is sent back with a decision.
    path, label, score, detail, suggestion
        What the page says.
    others
        A caption for each of the photos that are its evidence.
    suggested
        The action that Enter carries out, or "".
    to
        The label that it would get.
    pair
        Whether it may be decided that the first of the others is not a copy.
    decidable
        Whether anything may be decided.
    """

    finding: dict[str, str]
    path: str
    label: str
    score: float
    detail: str
    suggestion: str
    others: list[str]
    suggested: str
    to: str
    pair: bool
    decidable: bool

    def to_dict(self) -> dict[str, Any]:
        """What the page gets."""
        about = f"labelled {self.label}" if self.label else "no label"
        caption = f"{self.label}\n→ {self.to}" if self.suggested == "relabel" else self.label or "no label"
        return {**asdict(self), "about": f"{about}. {self.detail}", "caption": caption}


class Gallery(anywidget.AnyWidget):
    """A page of photos. `show` fills it; `answer` confirms a decision; `look` sends the photo in hand, large.

    What the person does comes as a message and goes to one of the callbacks, which do nothing until they are set:
    on_decide(finding, action, to), on_select(path, selected), on_turn(page, at), on_look(number). A decision is shown
    on the page before it is confirmed, so that the next photo need not wait for the kernel (docs/measurements.md,
    "Decisions in the gallery").
    """

    _css = Path(__file__).with_suffix(".css")
    _esm = script("photos", "gallery")

    photos = traitlets.List(traitlets.Dict()).tag(sync=True)
    images = traitlets.List(traitlets.Bytes()).tag(sync=True)
    states = traitlets.List(traitlets.Dict()).tag(sync=True)
    selected = traitlets.List(traitlets.Unicode()).tag(sync=True)
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    listing = traitlets.Unicode().tag(sync=True)
    page = traitlets.Int(0).tag(sync=True)
    pages = traitlets.Int(1).tag(sync=True)
    at = traitlets.Int(0).tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)
    shown = traitlets.Int(0).tag(sync=True)

    def __init__(self, classes: list[str]):
        super().__init__(classes=classes)
        self.on_decide: Callable[[dict[str, str], str, str], None] = lambda _finding, _action, _to: None
        self.on_select: Callable[[str, bool], None] = lambda _path, _selected: None
        self.on_turn: Callable[[int, int], None] = lambda _page, _at: None
        self.on_look: Callable[[int], None] = lambda _number: None
        self.on_msg(self._heard)

    def show(
        self,
        photos: Sequence[GalleryPhoto],
        images: list[bytes],
        states: list[dict[str, Any]],
        place: tuple[str, int, int] = ("", 0, 1),
        at: int = 0,
    ) -> None:
        """Show these photos instead of whatever is on the page.

        Parameters
        ----------
        photos
            Those of this page.
        images
            A JPEG of each.
        states
            What is decided about each: words, action, apart.
        place
            What is listed, the page, counted from 0, and how many pages there are.
        at
            The photo in hand.
        """
        with self.hold_sync():
            self.photos, self.images = [photo.to_dict() for photo in photos], images
            self.states, self.at = states, min(max(at, 0), max(0, len(photos) - 1))
            self.listing, self.page, self.pages = place
            self.name = f"Photos: {self.listing}, page {self.page + 1} of {self.pages}"
            self.shown += 1

    def look(self, number: int, images: list[bytes]) -> None:
        """Send a photo of the page large, and those that are its evidence."""
        self.send({"look": number, "of": self.shown}, images)

    def _heard(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        if "decide" in content:
            try:
                self.on_decide(content["finding"], content["decide"], content["to"])
            finally:  # also one that was refused: the page shows again what is in force
                self.answered = content["sent"]
        elif "select" in content:
            self.on_select(content["select"], content["on"])
        elif "turn" in content:
            self.on_turn(content["turn"], content["at"])
        elif content.get("shown") == self.shown:
            self.on_look(content["look"])
