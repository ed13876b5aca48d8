"""Notebook 07: a network and its index leave as a folder that runs elsewhere."""

import ipywidgets as w
from IPython.display import HTML

from cvtune_nb import similarity
from cvtune_nb.similarity.bundle import SimilarityExport, export_similarity
from cvtune_nb.widgets import page
from cvtune_nb.widgets.job import Work
from cvtune_nb.widgets.panel import Panel
from cvtune_nb.widgets.similarity import offer
from cvtune_nb.workspace import Workspace


class SimilarityExportPanel(Panel):
    """Choose what turns photos into vectors, export it with the index of all photos, see what the test set says."""

    button = "Export the index"
    waiting = "Press Export the index above first, then run this cell again."

    def __init__(self, workspace: Workspace, embedder: str = "", distance: str = "cosine", components: str = "pca"):
        super().__init__(workspace)
        wide = {"style": {"description_width": "7.5em"}, "layout": {"width": "330px"}}
        self.embedder = w.Dropdown(description="Network", **wide)
        offer(workspace, self.embedder, embedder)
        self.distance = w.Dropdown(options=list(similarity.DISTANCES), value=distance, description="Distance", **wide)
        self.components = w.Dropdown(options=list(similarity.COMPONENTS), description="Numbers", value=components,
                                     **wide)  # fmt: skip
        self.warning = w.HTML(page.test_warning(workspace.test_openings()))
        self.go.layout.width = "150px"
        self.controls.children = [self.embedder, self.distance, self.components, self.warning]
        self.right.children = [self.text]

    def work(self) -> Work:
        """Read what is chosen."""
        name, distance, components, workspace = (
            self.embedder.value, self.distance.value, self.components.value, self.workspace
        )  # fmt: skip
        return lambda progress: export_similarity(workspace, name, None, progress, components, distance)

    def paint(self, result: SimilarityExport) -> str:
        """The figures."""
        told = result.test or result.validation
        self.text.value = page.status(
            f'<span class="cvtune-number">{told.recall[1].value:.1%}</span> recall@1 on {len(told.queries)} '
            f"{told.split} photos.<br>{page.text(told.words)}.<br>The exported model and PyTorch agree to "
            f"{result.parity:.1g} on {result.parity_photos} photos, among them grey, turned, tiny and huge ones."
        )
        self.cost.value = f"Exporting took {page.duration(result.seconds)}."
        self.warning.value = page.test_warning(self.workspace.test_openings())
        return f"Exported to {page.text(result.folder)}, and as a zip beside it. Now run the cells below."

    def how_to_use(self) -> None:
        """Lines that use it anywhere onnxruntime, numpy and Pillow are."""
        self.report(self._how_to_use)

    def _how_to_use(self) -> HTML:
        folder = str(self.result().folder)
        return page.uses(folder, ["from predict import Similar", f"Similar({folder!r}).predict(['photo.jpg'])"])

    def lessons(self) -> HTML:
        """What we learned, from the export above."""
        made = self.result()
        lines = [f"{made.embedder.words} is now a folder with an index of {made.photos} photos: {made.folder}"]
        if made.test:
            share, promised = made.test.recall[1], made.validation.recall[1].value
            kept = "as validation promised" if share.low <= promised <= share.high else "not what validation promised"
            lines.append(f"On photos that nothing was chosen on: {made.test.words}, {kept} ({promised:.1%}).")
        lines.append(f"The test set of this workspace has been opened {page.times(made.openings)}.")
        return page.listed(lines)
