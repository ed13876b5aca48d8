"""Notebook 07: which photos of an unlabelled folder to label next, as a list."""

from pathlib import Path

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import similarity
from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import words_of
from cvtune_nb.files import Progress
from cvtune_nb.panels.panel import Panel
from cvtune_nb.panels.similarity_parts import show_photos
from cvtune_nb.panels.thumbnails import small
from cvtune_nb.similarity.active_learning import LabelList, read_unlabelled
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import Work
from cvtune_nb.widgets.layout import button, look, row, small_print
from cvtune_nb.widgets.photo_grid import PhotoGrid
from cvtune_nb.workspace import Workspace

MOST = 200
"""Photos of the folder that are shown to choose from."""


class ToLabelPanel(Panel):
    """Name a folder of photos without labels, choose some that you want more of, and get a list to label."""

    button = "Choose what to label"
    waiting = "Name a folder and press Choose what to label above first, then run this cell again."

    def __init__(self, workspace: Workspace, folder: str = "", count: int = 50, embedder: str = ""):
        super().__init__(workspace)
        self.embedder = embedder
        self.folder = w.Text(
            value=folder, description="Folder", placeholder="photos without labels", continuous_update=False, **look()
        )
        self.count = w.BoundedIntText(value=count, min=1, max=10_000, description="How many", **look())
        words = small_print(
            "How many photos to label next (1 to 10,000): with few labels typical photos, one of each kind; "
            "later photos that the network is unsure about, no two alike."
        )
        self.open = button("Show the folder")
        self.chosen, self.grid = w.HTML(), PhotoGrid(choosable=True, opens=False)
        self.go.layout.width = "auto"
        self.controls.children = [self.folder, self.count, words, row(self.open), self.chosen]
        self.right.children = [self.text, self.grid]
        self.like: list[str] = []
        self.open.on_click(self.guard(lambda _: self.show_folder()))
        self.folder.observe(self.guard(lambda _: self._like([])), "value")
        self.grid.on_select = self.guard(self._like)
        self._like([])
        self.say("Name a folder of photos that nobody has labelled yet.")

    def unstarted(self) -> bool:
        """Whether to start by itself where nobody watches: when a folder is named."""
        return super().unstarted() and bool(self.folder.value.strip())

    def show_folder(self) -> None:
        """Show photos of the folder, to choose those of which more are wanted."""
        photos, left_out = read_unlabelled(self._named(), levels=self.workspace.levels)
        self._show(photos.assign(caption=""), "photos of the folder, to choose from")
        more = f", the first {MOST} are shown" if len(photos) > MOST else ""
        unread = "".join(f"; {words}" for words in words_of(left_out))
        self.say(f"{len(photos)} photos{more}{html.text(unread)}. Tick those you want more of, or none for any.")

    def _named(self) -> str:
        folder = self.folder.value.strip()
        if not folder:
            raise InputError("no folder is named: type the folder of the photos without labels")
        return folder

    def _like(self, chosen: list[str]) -> None:
        self.like = list(chosen)
        count = len(self.like)
        more = f"Only photos like the {count} that you ticked." if count else "Photos of any kind."
        self.chosen.value = html.status(more)

    def work(self) -> Work:
        """Read folder, number and what was ticked."""
        workspace, name, folder = self.workspace, self.embedder, self._named()
        count, like = self.count.value, list(self.like)

        def run(progress: Progress) -> LabelList:
            embedder = similarity.find_embedder(workspace, name)
            choose = similarity.label_next
            return self.in_worker(choose, workspace, folder, embedder, count, like, progress=progress)

        return run

    def paint(self, result: LabelList) -> str:
        """Show what was chosen, in its order."""
        table = result.table
        captions = [
            f"{row.looks_like}? {row.probability:.0%}" if row.looks_like else row.why for row in table.itertuples()
        ]
        self._show(table.assign(caption=captions), "photos to label next")
        self.text.value = html.status(
            f"<b>{len(table)}</b> photos to label, listed in {html.text(str(result.file))}. Put each into the folder "
            "of its class and open your photos again, or fill in the column <i>label</i> and open the list itself."
        )
        self.cost.value = "".join(f"{html.text(words)}." for words in words_of(result.left_out))
        return html.text(result.words)

    def _show(self, photos: pd.DataFrame, name: str) -> None:
        rows = photos.head(MOST)
        rows = rows.assign(said=[f"{Path(row.path).name} {row.caption}" for row in rows.itertuples()], mark="")
        show_photos(self.grid, rows, lambda path: small(self.workspace, Path(path)), name)
        self._like([])

    def lessons(self) -> HTML:
        """What we learned."""
        made = self.result()
        return html.listed([made.words])
