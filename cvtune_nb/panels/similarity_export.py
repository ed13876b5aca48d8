"""Notebook 07: a network and its index leave as a folder that runs elsewhere."""

from collections.abc import Iterator

import ipywidgets as w

from cvtune_nb import similarity
from cvtune_nb.export.predict import Similar
from cvtune_nb.panels.export_panel import BaseExportPanel, agreement, beside_validation, noted
from cvtune_nb.similarity.export import SimilarityExport, export_similarity
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import Work
from cvtune_nb.workspace import Workspace


class SimilarityExportPanel(BaseExportPanel):
    """Choose what turns photos into vectors, export it with the index of all photos, see what the test set says."""

    button = "Export the index"
    waiting = "Press Export the index above first, then run this cell again."
    kind = Similar

    def __init__(self, workspace: Workspace, embedder: str = "", distance: str = "cosine", components: str = "pca"):
        super().__init__(workspace)
        wide = {"style": {"description_width": "7.5em"}, "layout": {"width": "330px"}}
        self.embedder = w.Dropdown(description="Network", **wide)
        wanted = similarity.embedder(workspace, embedder)
        known = {of.name: of for of in [*similarity.choices(workspace), wanted]}.values()
        now = [(of.words, of.name) for of in known if not of.data]
        self.choose_from(self.embedder, now, [(f"run {of.run}", of.name) for of in known if of.data])
        self.embedder.value = wanted.name
        self.distance = w.Dropdown(options=list(similarity.DISTANCES), value=distance, description="Distance", **wide)
        self.components = w.Dropdown(
            options=list(similarity.COMPONENTS), description="Numbers", value=components, **wide
        )
        self.go.layout.width = "150px"
        self.controls.children = [self.embedder, self.earlier, self.distance, self.components, self.warning]
        self.right.children = [self.text]

    def work(self) -> Work:
        """Read what is chosen."""
        name, distance, components, workspace = (
            self.embedder.value,
            self.distance.value,
            self.components.value,
            self.workspace,
        )
        earlier = self.earlier.value
        return lambda progress: export_similarity(workspace, name, None, progress, components, distance, earlier)

    def paint(self, result: SimilarityExport) -> str:
        """The figures."""
        told = result.test or result.validation
        self.text.value = html.status(
            f'<span class="cvtune-number">{told.recall[1].value:.1%}</span> recall@1 on {len(told.queries)} '
            f"{told.split} photos.<br>{html.text(told.words)}.<br>{agreement(result)}"
        ) + noted(result)
        return self.exported(result)

    def sentences(self, made: SimilarityExport) -> Iterator[str]:
        """What the export says."""
        yield f"{made.embedder.words} is now a folder with an index of {made.photos} photos: {made.folder}"
        if made.test:
            test, validation = made.test.recall[1], made.validation.recall[1].value
            beside = f"{beside_validation(test.low, validation, test.high)} ({validation:.1%})"
            yield f"On photos that nothing was chosen on: {made.test.words}, {beside}."
