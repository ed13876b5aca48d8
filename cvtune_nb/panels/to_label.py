"""Notebook 07: which photos of an unlabelled folder to label next, as a list."""

from pathlib import Path

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import similarity
from cvtune_nb.data import thumbnail
from cvtune_nb.errors import InputError
from cvtune_nb.panels.panel import Panel
from cvtune_nb.similarity.active_learning import ToLabel, unlabelled
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import Work
from cvtune_nb.widgets.photo_grid import PhotoGrid
from cvtune_nb.workspace import Workspace

SIDE = 120
"""Longest side of a thumbnail, in pixels."""
MOST = 200
"""Photos of the folder that are shown to choose from."""


class ToLabelPanel(Panel):
    """Name a folder of photos without labels, choose some that you want more of, and get a list to label."""

    button = "Choose what to label"
    waiting = "Name a folder and press Choose what to label above first, then run this cell again."

    def __init__(self, workspace: Workspace, folder: str = "", count: int = 50, embedder: str = ""):
        super().__init__(workspace)
        wide = {"style": {"description_width": "7.5em"}, "layout": {"width": "330px"}}
        self.embedder = embedder
        self.folder = w.Text(
            value=folder, description="Folder", placeholder="photos without labels", continuous_update=False, **wide
        )
        self.count = w.BoundedIntText(value=count, min=1, max=10_000, description="How many", **wide)
        words = w.HTML(
            "How many photos to label next (1 to 10,000). With few labels typical photos, one of each kind; "
            "later those that the labels leave in doubt, no two alike."
        )
        self.open = w.Button(description="Show the folder", layout={"width": "auto"})
        self.chosen, self.grid = w.HTML(), PhotoGrid(choosable=True, opens=False)
        words.add_class("cvtune-words")
        self.go.layout.width = "170px"
        self.controls.children = [self.folder, self.count, words, self.open, self.chosen]
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
        found, left_out = unlabelled(self._named(), levels=self.workspace.levels)
        self._fill(found["path"].head(MOST).tolist(), {}, "photos of the folder, to choose from")
        more = f", the first {MOST} are shown" if len(found) > MOST else ""
        unread = f"; {_left_out(left_out)}" if len(left_out) else ""
        self.say(f"{len(found)} photos{more}{unread}. Tick those you want more of, or none for any.")

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
        folder, count, like, workspace = self._named(), self.count.value, list(self.like), self.workspace
        of = self.embedder

        def run(progress) -> ToLabel:
            return similarity.to_label(
                workspace, folder, similarity.embedder(workspace, of), count, like, progress=progress
            )

        return run

    def paint(self, result: ToLabel) -> str:
        """Show what was chosen, in its order."""
        rows = result.table
        captions = {
            row.path: f"{row.looks_like}? {row.probability:.0%}" if row.looks_like else row.why
            for row in rows.itertuples()
        }
        self._fill(rows["path"].head(MOST).tolist(), captions, "photos to label next")
        self.text.value = html.status(
            f"<b>{len(rows)}</b> photos to label, listed in {html.text(str(result.file))}. Put each into the folder of "
            "its class and open your photos again, or fill in the column <i>label</i> and open the list itself."
        )
        self.cost.value = html.text(f"{_left_out(result.left_out)}.") if len(result.left_out) else ""
        return html.text(result.words)

    def _fill(self, paths: list[str], captions: dict[str, str], name: str) -> None:
        shown = [
            {
                "key": path,
                "caption": captions.get(path, ""),
                "said": f"{Path(path).name} {captions.get(path, '')}",
                "mark": "",
            }
            for path in paths
        ]
        levels = self.workspace.levels
        self.grid.show(shown, [thumbnail(Path(path), SIDE, levels) for path in paths], name)
        self._like([])

    def lessons(self) -> HTML:
        """What we learned."""
        made = self.result()
        return html.listed([made.words])


def _left_out(files: pd.DataFrame) -> str:
    first = files.iloc[0]
    return f"{len(files)} files left out, first {first['path']}: {first['reason']}"
