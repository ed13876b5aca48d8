"""What the panels of notebook 07 share: menus of metrics, and photos as cards of a grid."""

from collections.abc import Callable

import ipywidgets as w
import pandas as pd

from cvtune_nb import similarity
from cvtune_nb.similarity.metric import Metric
from cvtune_nb.widgets.layout import look
from cvtune_nb.widgets.photo_grid import PhotoGrid


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
