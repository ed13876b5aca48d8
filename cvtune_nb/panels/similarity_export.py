"""Notebook 07: a network and its index leave as a folder that runs elsewhere."""

from collections.abc import Iterator

import ipywidgets as w

from cvtune_nb import similarity
from cvtune_nb.export.predict import Similar
from cvtune_nb.panels.export_panel import BaseExportPanel, agreement, beside_validation, noted
from cvtune_nb.panels.similarity_parts import MetricMenus
from cvtune_nb.similarity.export import SimilarityExport
from cvtune_nb.similarity.metric import Metric
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import Work
from cvtune_nb.widgets.layout import look
from cvtune_nb.workspace import Workspace


class SimilarityExportPanel(BaseExportPanel):
    """Choose what turns photos into vectors, export it with the index of all photos, see what the test set says."""

    button = "Export the index"
    waiting = "Press Export the index above first, then run this cell again."
    kind = Similar

    def __init__(self, workspace: Workspace, embedder: str = "", distance: str = "", components: str = ""):
        super().__init__(workspace)
        self.embedder, self.menus = (
            w.Dropdown(description="Network", **look()),
            MetricMenus(Metric.of(components, distance)),
        )
        known = similarity.list_embedders(workspace, embedder)
        present = [(each.words, each.name) for each in known if not each.data]
        self.choose_from(self.embedder, present, [(f"run {each.run}", each.name) for each in known if each.data])
        self.embedder.value = similarity.find_embedder(workspace, embedder).name
        menus = self.menus.distance, self.menus.components
        self.controls.children = [self.embedder, self.earlier, *menus, self.warning]
        self.right.children = [self.text]

    def work(self) -> Work:
        """Read what is chosen."""
        workspace, name, metric, earlier = self.workspace, self.embedder.value, self.menus.metric, self.earlier.value
        how = {"metric": metric, "earlier_data": earlier}
        return lambda progress: self.in_worker(similarity.export_similarity, workspace, name, progress=progress, **how)

    def paint(self, result: SimilarityExport) -> str:
        """The figures."""
        scores = result.final
        self.text.value = html.status(
            f'<span class="cvtune-number">{scores.recall[1].value:.1%}</span> recall@1 on {len(scores.queries)} '
            f"{scores.split} photos.<br>{html.text(scores.words)}.<br>{agreement(result)}"
        ) + noted(result)
        return self.exported(result)

    def sentences(self, made: SimilarityExport) -> Iterator[str]:
        """What the export says."""
        yield f"{made.embedder.words} is now a folder with an index of {made.photos} photos: {made.folder}"
        if made.test:
            test, validation = made.test.recall[1], made.validation.recall[1].value
            beside = f"{beside_validation(test.low, validation, test.high)} ({validation:.1%})"
            yield f"On photos that nothing was chosen on: {made.test.words}, {beside}."
