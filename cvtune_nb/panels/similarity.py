"""Notebook 07: a photo as a query, and what looks most like it; how good that is, and a map of all photos."""

import io
from dataclasses import dataclass
from typing import Any

import ipywidgets as w
import numpy as np
import pandas as pd
from IPython.display import HTML

from cvtune_nb import plots, similarity
from cvtune_nb.classification import Run
from cvtune_nb.classification.features import network_speed
from cvtune_nb.data import photo, thumbnail
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.panels.panel import Panel
from cvtune_nb.panels.training import TrainingPanel
from cvtune_nb.similarity.embeddings import missing
from cvtune_nb.similarity.evaluation import RANKS, Measured
from cvtune_nb.similarity.search import Lookup
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import Work, headless
from cvtune_nb.widgets.photo_grid import PhotoGrid
from cvtune_nb.widgets.point_map import PointMap
from cvtune_nb.workspace import Workspace, photos_id

SIDE = 120
"""Longest side of a thumbnail, in pixels."""
A_PAGE = 48
"""Photos a page when browsing."""
AT_ONCE = 10.0
"""Seconds up to which work begins without a press."""
FIRST_GUESS = 25.0
"""Photos a second that a machine of 2 cores turns into vectors, while nothing is known of this one."""
LOOK_ALIKES, ALL, ON_MAP = "Look-alikes", "All photos", "Selected on the map"
NONE = "any"


@dataclass(frozen=True)
class Looked:
    """What a press of the button gave. measured: on validation; frozen: the same of the frozen backbone, for a run;
    compared: in words."""

    lookup: Lookup
    measured: Measured
    frozen: Measured | None
    compared: str


class SimilarityPanel(Panel):
    """Choose what turns photos into vectors, click a photo or drop one in, and see what looks most like it."""

    button = "Compare all photos"
    by_itself = True
    waiting = "Press Compare all photos above first, then run this cell again."

    def __init__(
        self,
        workspace: Workspace,
        embedder: str = "",
        distance: str = "cosine",
        rerank: bool = False,
        components: str = "pca",
        k: int = 12,
    ):
        super().__init__(workspace)
        wide = {"style": {"description_width": "7.5em"}, "layout": {"width": "330px"}}
        self.embedder = w.Dropdown(description="Network", **wide)
        self.offer(embedder)
        self.distance = w.Dropdown(options=list(similarity.DISTANCES), value=distance, description="Distance", **wide)
        self.rerank = w.Checkbox(value=bool(rerank), description="Re-rank by common neighbours", indent=False)
        self.components = w.Dropdown(
            options=list(similarity.COMPONENTS), description="Numbers", value=components, **wide
        )
        self.k = w.IntSlider(value=k, min=1, max=100, description="Photos", continuous_update=False, **wide)
        self.words, self.price = w.HTML(), w.HTML()
        for line in (self.words, self.price):
            line.add_class("cvtune-words")
        self.label = w.Dropdown(options=[NONE, *workspace.classes], description="Only class", **wide)
        self.split = w.Dropdown(options=[NONE, "train", "validation", "test"], description="Only split", **wide)
        self.upload = w.FileUpload(accept="image/*", multiple=False, description="A photo of your own")
        self.upload.layout.width, self.upload.tooltip = "auto", "Or drop one on the photos to the right"
        self.view = w.ToggleButtons(
            options=[LOOK_ALIKES, ALL, ON_MAP],
            description="Show",
            style={"description_width": "3em", "button_width": "auto"},
        )
        self.back, self.on = w.Button(description="Previous page"), w.Button(description="Next page")
        for turn, key in ((self.back, "p"), (self.on, "n")):
            turn.tooltip = f"{turn.description}: key {key.upper()}"
            turn.add_class(f"cvtune-key-{key}")
        self.method = w.Dropdown(options=similarity.methods(), description="Map by", **wide)
        self.method_words = w.HTML()
        self.method_words.add_class("cvtune-words")
        self.asked, self.where, self.grid, self.map = w.HTML(), w.HTML(), PhotoGrid(), PointMap()
        self.go.layout.width = "160px"
        self.controls.children = [self.embedder, self.price, self.distance, self.components, self.rerank, self.words]
        self.more.children = [w.HTML("<b>What is shown</b>"), self.k, self.label, self.split, self.upload]
        self.right.children = [self.view, self.asked, self.grid, w.HBox([self.back, self.on, self.where])]
        self.below.children = [w.HTML("<b>The map</b>"), w.HBox([self.method, self.method_words]), self.map]
        self.query, self.vector, self.page, self._mapped = "", None, 0, None
        self.grid.on_open, self.grid.on_drop = self.guard(self.ask), self.guard(self.ask_file)
        self.map.on_select = self.guard(lambda _: self._see(ON_MAP))
        self.upload.observe(self.guard(lambda change: self._uploaded(change["new"])), "value")
        self.back.on_click(self.guard(lambda _: self._turn(self.page - 1)))
        self.on.on_click(self.guard(lambda _: self._turn(self.page + 1)))
        for control in (self.view, self.label, self.split, self.k):
            control.observe(self.guard(lambda _: self._turn(0)), "value")
        for control in (self.distance, self.components, self.rerank):
            control.observe(self.guard(lambda _: self._again()), "value")
        self.embedder.observe(self.guard(lambda _: self._say_price()), "value")
        self.method.observe(self.guard(lambda _: self._map_anew()), "value")
        self._say_words()
        self._say_price()

    # -- what is compared -------------------------------------------------------------------------------------

    def offer(self, name: str) -> None:
        """Offer all runs there are now, and choose the one called `name` (similarity.embedder)."""
        offer(self.workspace, self.embedder, name)

    def follow(self, training: TrainingPanel) -> None:
        """Offer the run of that panel, and choose it, when it has ended."""
        training.job.listeners.append(self.guard(lambda job: self._offer_run(job.result) if not job.running else None))

    def _offer_run(self, run: Any) -> None:
        if isinstance(run, Run) and len(run.history):
            self.offer(run.id)

    def _say_words(self) -> None:
        chosen = ((self.distance.value, similarity.DISTANCES), (self.components.value, similarity.COMPONENTS))
        lines = [f"{name}: {meanings[name]}" for name, meanings in chosen]
        if self.rerank.value:
            lines.append("each photo found is looked up, too: better when the query is among its nearest")
        self.words.value = html.status("<br>".join(html.text(line) for line in lines))
        self.method_words.value = html.text(similarity.METHODS[self.method.value])

    def _say_price(self) -> None:
        of = similarity.embedder(self.workspace, self.embedder.value)
        left = missing(self.workspace, self.workspace.photos(), of)
        self.seconds = left / (network_speed(self.workspace, of.spec) or FIRST_GUESS)
        todo = f"{left} photos to look at, about <b>{html.duration(self.seconds)}</b>: press {self.button}."
        self.price.value = html.status(todo if left else "All photos are known to it.")

    def unstarted(self) -> bool:
        """Whether to start by itself: when it takes no time to speak of, or nobody is there to press the button."""
        return super().unstarted() and (self.seconds <= AT_ONCE or headless())

    def _again(self) -> None:
        """Vectors are at hand: a new distance is a matter of moments."""
        self._say_words()
        if isinstance(self.job.result, Looked) and not self.job.running:
            self.start()

    def work(self) -> Work:
        """Vectors of all photos, and how well validation photos find those of their class."""
        boxes = self.embedder, self.distance, self.components, self.rerank
        name, distance, components, rerank = (box.value for box in boxes)
        workspace = self.workspace

        def run(progress: Progress) -> Looked:
            of = similarity.embedder(workspace, name)
            known = similarity.look_up(workspace, of, distance, rerank, components, progress)
            found = similarity.measure(workspace, of, "validation", distance, rerank, components, progress)
            plain, words = None, ""
            if of.run:
                plain = similarity.measure(
                    workspace, of.frozen, "validation", distance, rerank, components, progress, fair_to=of
                )
                words = similarity.compare(plain, found).words
            return Looked(known, found, plain, words)

        return run

    def _map_anew(self) -> None:
        """The map by the method that is chosen; what was found stays as it is."""
        self._say_words()
        method, looked = self.method.value, self.job.result

        def run(progress: Progress) -> Looked:
            progress(0.1, f"making the map by {method}")
            self._lay_out(looked, method)
            return looked

        if isinstance(looked, Looked):
            self.begin(run)

    def paint(self, result: Looked) -> str:
        """Show a first query, the map, and how good it is."""
        known, method = result.lookup, self.method.value
        if self._mapped != _map_of(result, method):
            self._lay_out(result, method)
        self.cost.value = f"It took {html.duration(self.job.seconds)}." if self.job.seconds else ""
        if self.query not in set(known.photos["path"]):
            self.query = str(known.photos.loc[known.photos["split"] == "validation", "path"].iloc[0])
        self.vector = known.of_photo(self.query)
        self._show(result)
        self._say_price()
        return html.text(f"{known.embedder.words}: {result.measured.words}.")

    def _lay_out(self, looked: Looked, method: str) -> None:
        known = looked.lookup
        places, labels = similarity.layout(known.rows, method), known.photos["label"]
        classes = sorted(labels.unique())
        numbers = labels.map({label: number for number, label in enumerate(classes)}).to_numpy()
        name = f"map of {len(places)} photos by {method}"
        self.map.show(places, numbers, classes, known.photos["path"].tolist(), name)
        self._mapped = _map_of(looked, method)

    # -- the query and what it finds --------------------------------------------------------------------------

    def ask(self, path: str) -> None:
        """Make the photo of the workspace at `path` the query."""
        self.vector, self.query = self.result().lookup.of_photo(path), path
        self._see(LOOK_ALIKES)

    def ask_file(self, content: bytes, name: str) -> None:
        """Make a photo of one's own the query; it is not kept."""
        known = self.result().lookup
        try:
            self.vector, self.query = known.of_file(io.BytesIO(content)), ""
        except photo.UnreadablePhoto as error:
            raise InputError(f"{name} can't be used ({error}): choose another photo") from None
        small = io.BytesIO()
        own = photo.read_photo(io.BytesIO(content), 2 * SIDE, self.workspace.levels)
        own.thumbnail((2 * SIDE, 2 * SIDE))
        own.save(small, "JPEG")
        self._own = small.getvalue(), name
        self._see(LOOK_ALIKES)

    def _uploaded(self, files: Any) -> None:
        if files:
            self.ask_file(bytes(files[0]["content"]), files[0]["name"])
            self.upload.value = ()

    def found(self) -> pd.DataFrame:
        """What is shown as look-alikes: path,label,split,distance, nearest first, the query left out."""
        return self._found(self.result())

    def _found(self, looked: Looked) -> pd.DataFrame:
        photos = looked.lookup.photos
        among = self._fitting(photos) & (photos["path"] != self.query).to_numpy()
        return looked.lookup.nearest(self.vector, self.k.value, among)

    def _fitting(self, photos: pd.DataFrame) -> np.ndarray:
        """Which photos the filters let through."""
        keep = np.ones(len(photos), bool)
        for column, box in (("label", self.label), ("split", self.split)):
            if box.value != NONE:
                keep &= (photos[column] == box.value).to_numpy()
        return keep

    def _see(self, view: str) -> None:
        if self.view.value == view:
            self._turn(0)
        else:
            self.view.value = view

    def _turn(self, to: int) -> None:
        self.page = to
        if isinstance(self.job.result, Looked):
            self._show(self.job.result)

    def _show(self, looked: Looked) -> None:
        """Fill the grid: what the query finds, or a page of photos to choose a query from."""
        alike = self.view.value == LOOK_ALIKES
        rows, name = self._alike(looked) if alike else self._browsed(looked.lookup.photos)
        shown = [
            {
                "key": row.path,
                "caption": row.caption,
                "said": f"{row.caption}, {row.split}, {row.path}",
                "mark": row.mark,
            }
            for row in rows.itertuples()
        ]
        self.grid.show(shown, [self._thumbnail(path) for path in rows["path"]], name)

    def _alike(self, looked: Looked) -> tuple[pd.DataFrame, str]:
        """What the query finds, with a caption and a mark for each, and what all of it is called."""
        rows, photos = self._found(looked), looked.lookup.photos
        label = "".join(photos.loc[photos["path"] == self.query, "label"])
        self._show_query(rows, label)
        self.where.value, self.page = "", 0
        self.back.disabled = self.on.disabled = True
        self.map.mark(np.flatnonzero(photos["path"].isin([*rows["path"], self.query])).tolist())
        marks = np.where(rows["label"] == label, "same", "other") if label else ""
        captions = [f"{row.distance:.3f} {row.label}" for row in rows.itertuples()]
        return rows.assign(caption=captions, mark=marks), f"look-alikes of {self.query or self._own[1]}, nearest first"

    def _browsed(self, photos: pd.DataFrame) -> tuple[pd.DataFrame, str]:
        """The same of a page of all photos, or of those selected on the map."""
        chosen = photos.iloc[self.map.selected] if self.view.value == ON_MAP else photos
        rows = chosen[self._fitting(chosen)]
        pages = max(1, -(-len(rows) // A_PAGE))
        self.page = min(max(self.page, 0), pages - 1)
        self.back.disabled, self.on.disabled = self.page == 0, self.page == pages - 1
        first, total = self.page * A_PAGE, len(rows)
        rows = rows.iloc[first : first + A_PAGE]
        self.where.value = html.status(f"{first + 1 if total else 0} to {first + len(rows)} of {total}")
        nothing = "No photo fits." if self.view.value == ALL else "Nothing is selected: drag on the map below."
        self.asked.value = html.status("Choose a photo to see what looks like it." if total else nothing)
        name = f"{self.view.value.lower()}, page {self.page + 1} of {pages}"
        return rows.assign(caption=rows["label"], mark=""), name

    def _show_query(self, rows: pd.DataFrame, label: str) -> None:
        small, name = (self._thumbnail(self.query, 2 * SIDE), self.query) if self.query else self._own
        same, common = int((rows["label"] == label).sum()), rows["label"].mode()
        what = f"labelled <b>{html.text(label)}</b>; {same} of the {len(rows)} nearest are, too"
        if not label:
            most = f"; most of the {len(rows)} nearest are <b>{html.text(common.iloc[0])}</b>" if len(common) else ""
            what = f"your own photo{most}"
        self.asked.value = html.status(
            f"<div style='display:flex;gap:10px;align-items:center'>{html.image(small, f'the query, {name}')}"
            f"<div>Query: {html.text(name)}<br>{what}</div></div>"
        )

    def _thumbnail(self, path: str, side: int = SIDE) -> bytes:
        try:
            return thumbnail(self.workspace.path_of(path), side, self.workspace.levels)
        except (OSError, ValueError):
            return b""

    # -- what the cells below show ----------------------------------------------------------------------------

    def measures(self) -> None:
        """Recall, average precision and median rank, beside the frozen network; and by class."""
        self.report(self._measures_table, self._recall, self._by_class)

    def _both(self) -> list[tuple[str, Measured]]:
        looked = self.result()
        both = [(looked.lookup.embedder.words, looked.measured)]
        return [*both, (looked.frozen.embedder.words, looked.frozen)] if looked.frozen else both

    def _measures_table(self) -> HTML:
        rows = [
            {
                "embedder": name,
                "first": html.percent(found.recall[1]),
                **{f"r{k}": f"{found.recall[k].value:.1%}" for k in RANKS[1:]},
                "map": str(found.mean_precision),
                "median": f"{found.median_rank:g}",
            }
            for name, found in self._both()
        ]
        names = {
            "embedder": "network",
            "first": "recall@1 (95% interval)",
            "r5": "@5",
            "r10": "@10",
            "map": "mAP (95% interval)",
            "median": "median rank",
        }
        looked = self.result()
        caption = f"{len(looked.measured.queries)} validation photos, looked up among the training photos"
        told = f"<div>Against the frozen network: {html.text(looked.compared)}.</div>" if looked.compared else ""
        return HTML(html.table(pd.DataFrame(rows), names, caption) + told)

    def _recall(self) -> Any:
        rows = []
        for name, found in self._both():
            rows += [(name, f"recall@{k}", part.value, part.low, part.high, part.n) for k, part in found.recall.items()]
            mean = found.mean_precision
            rows.append((name, "mAP", mean.value, mean.low, mean.high, len(found.queries)))
        table = pd.DataFrame(rows, columns=["embedder", "measure", "value", "low", "high", "queries"])
        return _output(plots.recall(table), "recall and mean average precision with their intervals")

    def _by_class(self) -> Any:
        by_class = self.result().measured.by_class
        return _output(plots.recall_by_class(by_class), "recall at 1 by class, the worst first")

    def lessons(self) -> HTML:
        """What we learned, from the figures above."""
        looked = self.result()
        worst = looked.measured.by_class.sort_values("recall_1").iloc[0]
        taken = f", most often {worst['taken_for']} is found instead" if worst["taken_for"] else ""
        lines = [
            f"With {looked.lookup.embedder.words}: {looked.measured.words}.",
            f"Hardest to find is {worst['label']}: nearest for {worst['recall_1']:.0%} of {worst['photos']}{taken}.",
        ]
        if looked.compared:
            lines.append(f"Against the frozen network: {looked.compared}.")
        return html.listed(lines)


class TuningPanel(TrainingPanel):
    """Notebook 03's panel, with the loss among what is seen at once."""

    first = ("loss", "learning_rate")

    def _recommended(self) -> dict[str, Any]:
        return {name: value for name, value in super()._recommended().items() if name != "loss"}


def _map_of(looked: Looked, method: str) -> tuple[str, ...]:
    """What a map depends on: another distance or re-ranking leaves it as it is."""
    return looked.lookup.embedder.name, looked.measured.components, photos_id(looked.lookup.photos), method


def offer(workspace: Workspace, menu: w.Dropdown, name: str) -> None:
    """Fill a menu with what can turn photos into vectors, and choose the one called `name` (similarity.embedder)."""
    wanted = similarity.embedder(workspace, name)
    options = {of.name: of.words for of in similarity.choices(workspace)}
    options.setdefault(wanted.name, wanted.words)
    menu.options = [(words, name) for name, words in options.items()]
    menu.value = wanted.name


def _output(figure: Any, alt: str) -> Any:
    picture = html.Picture()
    picture.draw(figure, alt)
    return picture.output()
