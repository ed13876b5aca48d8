"""What the panels of notebook 07 share: menus of embedders and metrics, and photos as cards of a grid."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import ipywidgets as w
import pandas as pd

from cvtune_nb import similarity
from cvtune_nb.data import thumbnail
from cvtune_nb.similarity.metric import Metric
from cvtune_nb.widgets.layout import look
from cvtune_nb.widgets.photo_grid import PhotoGrid
from cvtune_nb.workspace import Workspace

SIDE = 120
"""Longest side of a thumbnail, in pixels."""


class MetricMenus:
    """Two menus from which a metric is chosen."""

    def __init__(self, metric: Metric):
        self.distance = w.Dropdown(options=list(similarity.DISTANCES), description="Distance", **look())
        self.components = w.Dropdown(options=list(similarity.COMPONENTS), description="Components", **look())
        self.distance.value, self.components.value = metric.distance, metric.components

    @property
    def metric(self) -> Metric:
        """What is chosen."""
        return Metric(self.components.value, self.distance.value)

    @property
    def words(self) -> list[str]:
        """What the choice means, a line for each menu."""
        chosen = ((self.distance.value, similarity.DISTANCES), (self.components.value, similarity.COMPONENTS))
        return [f"{name}: {meanings[name]}" for name, meanings in chosen]


def offer_embedders(workspace: Workspace, menu: w.Dropdown, name: str) -> None:
    """Fill a menu with what can turn photos into vectors.

    Parameters
    ----------
    workspace
        Whose embedders are listed.
    menu
        The menu to fill.
    name
        The one to choose (find_embedder).
    """
    menu.options = [(embedder.words, embedder.name) for embedder in similarity.list_embedders(workspace, name)]
    menu.value = similarity.find_embedder(workspace, name).name


def small(workspace: Workspace, file: Path | BinaryIO, side: int = SIDE) -> bytes:
    """A thumbnail as JPEG; nothing for a photo that can't be read any more.

    Parameters
    ----------
    workspace
        For its levels of black and white.
    file
        The photo.
    side
        Pixels of the longest side.
    """
    try:
        return thumbnail(file, side, workspace.levels)
    except (OSError, ValueError):
        return b""


def show_photos(grid: PhotoGrid, rows: pd.DataFrame, image: Callable[[str], bytes], name: str) -> None:
    """Fill a grid.

    Parameters
    ----------
    grid
        Is filled.
    rows
        Path, caption, said (what screen readers say), mark ("same", "other" or "").
    image
        Gives the JPEG of a path.
    name
        What screen readers call the grid.
    """
    cards = [{"key": row.path, "caption": row.caption, "said": row.said, "mark": row.mark} for row in rows.itertuples()]
    grid.show(cards, [image(path) for path in rows["path"]], name)
