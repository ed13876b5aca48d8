"""A photo as a query and what looks most like it; all photos page by page; and a map on which some are selected."""

import io
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import pandas as pd

from cvtune_nb.data import photo
from cvtune_nb.errors import InputError
from cvtune_nb.panels.similarity_parts import show_photos
from cvtune_nb.panels.thumbnails import SIDE, small
from cvtune_nb.similarity.map_layout import PhotoMap
from cvtune_nb.similarity.search import PhotoIndex, Query, label_counts
from cvtune_nb.widgets import html
from cvtune_nb.widgets.layout import Pager, look, row
from cvtune_nb.widgets.photo_grid import PhotoGrid
from cvtune_nb.widgets.point_map import PointMap
from cvtune_nb.workspace import Workspace

A_PAGE = 48
"""Photos on a page when browsing."""
LOOK_ALIKES, ALL, ON_MAP = "Look-alikes", "All photos", "Selected on the map"
ANY = "any"


class PhotoSearch:
    """A query, the photos that look like it, and a map of all photos; empty until `show` gives it an index.

    Attributes
    ----------
    box
        Query and grid.
    filters
        What of it is shown.
    map
        All photos.
    matches
        The look-alikes that are shown (path, label, split, distance), nearest first.
    guard
        Makes callbacks whose errors reach the page (Panel.guard).
    """

    def __init__(self, workspace: Workspace, k: int, guard: Callable[[Callable[..., Any]], Callable[..., Any]]):
        self.workspace = workspace
        self.index: PhotoIndex | None = None
        self.query: Query | None = None
        self.matches = pd.DataFrame()
        self._image, self.pager = b"", Pager("page", guard(self._turn))
        self.k = w.IntSlider(value=k, min=1, max=100, description="Photos", continuous_update=False, **look())
        self.label = w.Dropdown(options=[ANY, *workspace.classes], description="Only class", **look())
        self.split = w.Dropdown(options=[ANY, "train", "validation", "test"], description="Only split", **look())
        self.upload = w.FileUpload(accept="image/*", multiple=False, description="A photo of your own")
        self.upload.layout.width, self.upload.tooltip = "max-content", "Or drop one on the photos to the right"
        self.view = w.ToggleButtons(
            options=[LOOK_ALIKES, ALL, ON_MAP],
            description="Show",
            style={"description_width": "3em", "button_width": "auto"},
        )
        self.asked, self.range, self.grid, self.map = w.HTML(), w.HTML(), PhotoGrid(), PointMap()
        self.filters = w.VBox([w.HTML("<b>What is shown</b>"), self.k, self.label, self.split, self.upload])
        self.box = w.VBox([self.view, self.asked, self.grid, row(self.pager, self.range)])
        self.grid.on_open, self.grid.on_drop = guard(self.ask), guard(self.ask_file)
        self.map.on_select = guard(lambda _: self._see(ON_MAP))
        self.upload.observe(guard(lambda change: self._uploaded(change["new"])), "value")
        for control in (self.view, self.label, self.split, self.k):
            control.observe(guard(lambda _: self._turn(0)), "value")

    def show(self, index: PhotoIndex) -> None:
        """Search this index from now on.

        With the photo that was asked for before, if it is in there, else with the first validation photo.
        """
        self.index, paths = index, index.photos["path"]
        first = str(paths[index.matching(split="validation")].iloc[0])
        asked = self.query.name if self.query and self.query.number is not None else ""
        query = self._set_query(index.query(asked if (paths == asked).any() else first))
        self._fill(index, query, self.pager.at)

    def show_map(self, photos: PhotoMap) -> None:
        """Show the photos of the index on a map."""
        name = f"map of {len(photos.paths)} photos by {photos.method}"
        self.map.show(photos.positions, photos.class_ids, photos.classes, photos.paths, name)

    # -- the query --------------------------------------------------------------------------------------------

    def ask(self, path: str) -> None:
        """Make the photo of the workspace at `path` the query."""
        if self.index:
            self._set_query(self.index.query(path))
            self._see(LOOK_ALIKES)

    def ask_file(self, content: bytes, name: str) -> None:
        """Make a photo of one's own the query; it is not kept."""
        if self.index:
            try:
                self.query = self.index.query_file(io.BytesIO(content), name)
            except photo.UnreadablePhoto as error:
                raise InputError(f"{name} can't be used ({error}): choose another photo") from None
            self._image = small(self.workspace, io.BytesIO(content), 2 * SIDE)
            self._see(LOOK_ALIKES)

    def _set_query(self, query: Query) -> Query:
        self.query, self._image = query, small(self.workspace, self.workspace.path_of(query.name), 2 * SIDE)
        return query

    def _uploaded(self, files: Any) -> None:
        if files:
            self.ask_file(bytes(files[0]["content"]), files[0]["name"])
            self.upload.value = ()

    # -- the grid ---------------------------------------------------------------------------------------------

    def _filters(self) -> list[str]:
        """The label and the split that are asked for."""
        return ["" if menu.value == ANY else menu.value for menu in (self.label, self.split)]

    def _see(self, view: str) -> None:
        if self.view.value == view:
            self._turn(0)
        else:
            self.view.value = view

    def _turn(self, page: int) -> None:
        if self.index and self.query:
            self._fill(self.index, self.query, page)

    def _fill(self, index: PhotoIndex, query: Query, page: int = 0) -> None:
        """Fill the grid: what the query finds, or a page of photos to choose a query from."""
        rows, name = self._look_alikes(index, query) if self.view.value == LOOK_ALIKES else self._browsed(index, page)
        rows = rows.assign(said=[f"{row.caption}, {row.split}, {row.path}" for row in rows.itertuples()])
        show_photos(self.grid, rows, lambda path: small(self.workspace, self.workspace.path_of(path)), name)

    def _look_alikes(self, index: PhotoIndex, query: Query) -> tuple[pd.DataFrame, str]:
        """What the query finds, as cards, and what all of it is called."""
        self.matches = index.nearest(query, self.k.value, index.matching(*self._filters()))
        rows = self.matches
        label = "" if query.number is None else index.photos["label"].iloc[query.number]
        self.asked.value = _about(query, label, label_counts(rows), self._image)
        self.range.value = ""
        self.pager.show(0, 1)
        self.map.mark(index.places([*rows["path"], query.name]))
        marks = [("same" if each == label else "other") if label else "" for each in rows["label"]]
        captions = [f"{row.distance:.3f} {row.label}" for row in rows.itertuples()]
        return rows.assign(caption=captions, mark=marks), f"look-alikes of {query.name}, nearest first"

    def _browsed(self, index: PhotoIndex, page: int) -> tuple[pd.DataFrame, str]:
        """The same of a page of all photos, or of those selected on the map."""
        on_map, rows = self.view.value == ON_MAP, index.photos[index.matching(*self._filters())]
        if on_map:
            rows = rows.loc[[number for number in self.map.selected if number in rows.index]]
        pages = max(1, -(-len(rows) // A_PAGE))
        page, total = self.pager.show(page, pages), len(rows)
        first = page * A_PAGE
        rows = rows.iloc[first : first + A_PAGE]
        self.range.value = html.status(f"{first + 1 if total else 0} to {first + len(rows)} of {total}")
        nothing = "Nothing is selected: drag on the map below." if on_map else "No photo has that class and split."
        self.asked.value = html.status("Choose a photo to see what looks like it." if total else nothing)
        name = f"{self.view.value.lower()}, page {page + 1} of {pages}"
        return rows.assign(caption=rows["label"], mark=""), name


def _about(query: Query, label: str, found: dict[str, int], image: bytes) -> str:
    """The query, and how many of the photos that were found are of its class.

    label: the query's, "" for a photo of one's own; found: label_counts of theirs.
    """
    nearest = sum(found.values())
    if label:
        words = f"labelled <b>{html.text(label)}</b>; so are {found.get(label, 0)} of the {nearest} nearest"
    elif found:
        words = f"your own photo; most of the {nearest} nearest are <b>{html.text(next(iter(found)))}</b>"
    else:
        words = "your own photo"
    return html.status(
        f"<div style='display:flex;gap:10px;align-items:center'>{html.image(image, f'the query, {query.name}')}"
        f"<div>Query: {html.text(query.name)}<br>{words}</div></div>"
    )
