"""Notebook 07: a photo as a query, and what looks most like it; how good that is, and a map of all photos."""

import functools
import time
from dataclasses import dataclass, replace
from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import plots, similarity
from cvtune_nb.classification import Run
from cvtune_nb.console import duration
from cvtune_nb.files import Progress
from cvtune_nb.panels.panel import Panel
from cvtune_nb.panels.photo_search import PhotoSearch
from cvtune_nb.panels.similarity_parts import MetricMenus
from cvtune_nb.panels.training import TrainingPanel
from cvtune_nb.similarity.evaluation import Evaluation
from cvtune_nb.similarity.map_layout import PhotoMap
from cvtune_nb.similarity.metric import Metric
from cvtune_nb.similarity.search import PhotoIndex
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import Work, headless
from cvtune_nb.widgets.layout import look, row, small_print
from cvtune_nb.workspace import Workspace

AT_ONCE = 10.0
"""Seconds up to which work begins without a press."""


@dataclass(frozen=True)
class Compared:
    """What a press of the button gave, and how many seconds that took."""

    index: PhotoIndex
    evaluation: Evaluation
    map: PhotoMap
    seconds: float


class SimilarityPanel(Panel):
    """Choose what turns photos into vectors, click a photo or drop one in, and see what looks most like it."""

    button = "Compare all photos"
    by_itself = True
    interruptible = True  # vectors that are computed are kept, so little is lost
    waiting = "Press Compare all photos above first, then run this cell again."

    def __init__(
        self,
        workspace: Workspace,
        embedder: str = "",
        distance: str = "",
        rerank: bool = False,
        components: str = "",
        k: int = 12,
    ):
        super().__init__(workspace)
        self.embedder = w.Dropdown(description="Network", **look())
        self.menus = MetricMenus(Metric.of(components, distance))
        self.offer(embedder)
        self.rerank = w.Checkbox(value=bool(rerank), description="Re-rank by common neighbours", indent=False)
        self.method = w.Dropdown(options=list(similarity.METHODS), description="Map by", **look(width="330px"))
        self.words, self.cost_line, self.method_words = small_print(), small_print(), small_print()
        self.search = PhotoSearch(workspace, k, self.guard)
        menus = self.menus.distance, self.menus.components, self.rerank
        self.controls.children = [self.embedder, self.cost_line, *menus, self.words]
        self.more.children, self.right.children = [self.search.filters], [self.search.box]
        self.below.children = [w.HTML("<b>The map</b>"), row(self.method, self.method_words), self.search.map]
        for control in menus:
            control.observe(self.guard(lambda _: self._compare_again()), "value")
        self.embedder.observe(self.guard(lambda _: self._show_cost()), "value")
        self.method.observe(self.guard(lambda _: self._map_again()), "value")
        self._show_words()
        self._show_cost()

    def offer(self, name: str) -> None:
        """Offer all runs there are now, and choose the one called `name` (similarity.find_embedder)."""
        known = similarity.list_embedders(self.workspace, name)
        self.embedder.options = [(embedder.words, embedder.name) for embedder in known]
        self.embedder.value = similarity.find_embedder(self.workspace, name).name

    def follow(self, training: TrainingPanel) -> None:
        """Offer the run of that panel, and choose it, when it has ended."""
        training.job.listeners.append(self.guard(lambda job: self._offer_run(job.result) if not job.running else None))

    def _offer_run(self, run: Any) -> None:
        if isinstance(run, Run) and len(run.history):
            self.offer(run.id)

    def _show_words(self) -> None:
        lines = self.menus.words
        if self.rerank.value:
            lines.append("re-ranked: photos with the same neighbours as the query come first")
        self.words.value = html.status("<br>".join(html.text(line) for line in lines))
        self.method_words.value = html.text(similarity.METHODS[self.method.value])

    def _show_cost(self) -> None:
        embedder = similarity.find_embedder(self.workspace, self.embedder.value)
        self.estimate = similarity.estimate_cost(self.workspace, embedder)
        seconds = duration(self.estimate.seconds)
        todo = f"{self.estimate.photos} photos to embed, about <b>{seconds}</b>: press {self.button}."
        self.cost_line.value = html.status(todo if self.estimate.photos else "All photos are embedded.")

    # -- the work ---------------------------------------------------------------------------------------------

    def unstarted(self) -> bool:
        """Whether to start by itself: when it takes no time to speak of, or nobody is there to press the button."""
        return super().unstarted() and (self.estimate.seconds <= AT_ONCE or headless())

    def work(self) -> Work:
        """Index and map of all photos, and how well validation photos find those of their class."""
        workspace, name, metric = self.workspace, self.embedder.value, self.menus.metric
        rerank, method = self.rerank.value, self.method.value

        def run(progress: Progress) -> Compared:
            start = time.perf_counter()
            embedder = similarity.find_embedder(workspace, name)
            make = similarity.build_index
            self.in_worker(make, workspace, embedder, metric, rerank, progress=progress, give=False)
            index = make(workspace, embedder, metric, rerank, progress)  # from the cache
            evaluation = similarity.evaluate(workspace, embedder, metric, rerank, progress=progress)
            found = self._map_of(index, method)
            return Compared(index, evaluation, found, time.perf_counter() - start)

        return run

    def _map_of(self, index: PhotoIndex, method: str) -> PhotoMap:
        """The map that is shown already, where it is of the same vectors."""
        shown = self.job.result
        if shown and (shown.index.key, shown.map.method) == (index.key, method):
            return shown.map
        return similarity.map_photos(index, method)

    def _compare_again(self) -> None:
        """Vectors are at hand: another metric is a matter of moments. What is under way begins anew with it."""
        self._show_words()
        if self.job.result or self.job.running:
            self.start()

    def _map_again(self) -> None:
        """The map by the method that is chosen; what was found stays as it is."""
        self._show_words()
        if self.job.running:  # what is under way may be more than the map
            self.start()
        elif shown := self.job.result:
            self.begin(functools.partial(self._with_map, shown, self.method.value))

    def _with_map(self, shown: Compared, method: str, progress: Progress) -> Compared:
        start = time.perf_counter()
        progress(0.1, f"making the map by {method}")
        found = self._map_of(shown.index, method)
        return replace(shown, map=found, seconds=time.perf_counter() - start)

    def paint(self, result: Compared) -> str:
        """Show a first query, the map, and how good it is."""
        if not self.job.result or self.job.result.map is not result.map:
            self.search.show_map(result.map)
        self.search.show(result.index)
        self.cost.value = f"It took {duration(result.seconds)}."
        self._show_cost()
        return html.text(f"{result.index.embedder.words}: {result.evaluation.validation.words}.")

    # -- what the cells below show ----------------------------------------------------------------------------

    def measures(self) -> None:
        """Recall, average precision and median rank, beside the frozen network; and by class."""
        self.report(self._table, self._recall, self._by_class)

    def _table(self) -> HTML:
        evaluation: Evaluation = self.result().evaluation
        rows = [{"network": scores.embedder.words, **scores.in_words()} for scores in evaluation.compared]
        caption = "Validation photos, looked up among the training photos, with 95% intervals"
        table = html.table(pd.DataFrame(rows), {name: name for name in rows[0]}, caption)
        return HTML(f"{table}<div>{html.text(_gained(evaluation))}</div>")

    def _recall(self) -> Any:
        return html.still(plots.recall(self.result().evaluation.table()), "recall and mAP with their intervals")

    def _by_class(self) -> Any:
        by_class = self.result().evaluation.validation.by_class
        return html.still(plots.recall_by_class(by_class), "recall@1 by class, the worst first")

    def lessons(self) -> HTML:
        """What we learned, from the figures above."""
        evaluation: Evaluation = self.result().evaluation
        scores = evaluation.validation
        lines = f"With {scores.embedder.words}: {scores.words}.", scores.hardest, _gained(evaluation)
        return html.listed(filter(None, lines))


class TuningPanel(TrainingPanel):
    """Notebook 03's panel, with the loss among what is seen at once."""

    first = ("loss", "learning_rate")

    def _recommended(self) -> dict[str, Any]:
        return {name: value for name, value in super()._recommended().items() if name != "loss"}


def _gained(evaluation: Evaluation) -> str:
    return f"Compared with the frozen network: {evaluation.gain.words}." if evaluation.gain else ""
