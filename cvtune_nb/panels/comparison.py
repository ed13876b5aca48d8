"""Notebook 02: which pretrained network suits these photos, and which one later steps start with."""

from collections.abc import Callable
from typing import Any

import ipywidgets as w
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.classification import candidates
from cvtune_nb.classification.candidates import Candidate
from cvtune_nb.classification.choice import BY_HAND, Choice, choice, choose, start_with
from cvtune_nb.classification.compare import PHOTOS, compare, sample
from cvtune_nb.classification.comparison import (
    USES,
    Comparison,
    last_comparison,
    nothing_yet,
    training_photos_id,
)
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.objective import chosen
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.models.pooling import LAST, STAGES
from cvtune_nb.objectives import Counted
from cvtune_nb.panels.baseline import BaselinePanel
from cvtune_nb.panels.panel import Panel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.debounce import Soon, Still
from cvtune_nb.widgets.job import NotReady, Work
from cvtune_nb.widgets.layout import button, folded, look, row, small_print
from cvtune_nb.workspace import Workspace


class ComparisonPanel(Panel):
    """Tick networks, set image sizes and a budget, compare, and say which one to go on with."""

    button = "Compare"
    waiting = "Press Compare above first, then run this cell again."

    def __init__(
        self,
        workspace: Workspace,
        networks: str = "",
        image_sizes: str = "",
        photos: int = PHOTOS,
        budget_minutes: float = 5.0,
        use: str = "accuracy",
        download: bool = False,
        backbone: str = "",
        weights: str = "",
        pooling: str = "",
    ):
        """The panel.

        Parameters
        ----------
        networks
            Names that are ticked, with commas between them; "": all that can be used here.
        image_sizes
            For each of them, such as "128,224"; "": its usual one and a small one.
        photos
            Training photos to compare on, at most.
        budget_minutes
            0 leaves the comparison out where nobody can press the button.
        use
            What to go on with where nobody can press a button: "accuracy", "speed" or "" (as before). What was chosen
            by hand stays.
        download
            Whether weights that are not on disk may be fetched: those of all networks where none is named.
        backbone, weights
            A network and a person's own file of weights of it, compared beside the others; "": no file.
        pooling
            Which of their features: "last", "stages" or "" for both.

        Raises
        ------
        InputError
            For another `use`.
        """
        if use not in ("", *USES):
            raise InputError(f"use is {use!r}: choose {' or '.join(USES)}, or leave it empty")
        super().__init__(workspace)
        self.wanted, self.use, self._download = budget_minutes, use, bool(download)
        self._ticked = [name.strip() for name in networks.split(",") if name.strip()]
        self.list = w.VBox(layout={"max_height": "260px", "overflow": "hidden auto", "width": "100%"})
        self.boxes: dict[str, w.Checkbox] = {}
        self.fetch = w.Checkbox(
            value=self._download, description="Also networks that have to be downloaded", indent=False
        )
        self.sizes = w.Text(
            value=image_sizes,
            placeholder="each one's usual, and 128",
            description="Image sizes",
            continuous_update=False,
            **look(),
        )
        self.photos = w.BoundedIntText(value=photos, min=8, max=100_000, description="Photos", **look())
        self.budget = w.BoundedFloatText(
            value=budget_minutes or 5, min=0.1, max=7 * 24 * 60, description="Budget (min)", **look()
        )
        self.pooling = w.Dropdown(
            options=[("their own and of several stages", ""), ("their own", LAST), ("of several stages", STAGES)],
            value=pooling,
            description="Features",
            **look(),
        )
        self.backbone = Control("backbone", backbone or start_with(workspace).backbone)
        self.weights = Control("weights", weights)
        self.price = small_print()
        self.for_use = {one: button(f"Use for {one}", disabled=True) for one in USES}
        self.any = w.Dropdown(options=[], description="Or another", disabled=True, **look("6em", "26em"))
        self.use_any = button("Use this", disabled=True)
        self.start_with = w.HTML()
        others = folded("Own weights, compared beside them", [self.weights.box, self.backbone.box])
        others.selected_index = 0 if weights else None
        chosen = [self.sizes, self.pooling, self.photos, self.budget]
        self.controls.children = [self.list, self.fetch, others, *chosen, self.price]
        self.below.children = [
            row(*self.for_use.values(), self.any, self.use_any),
            self.start_with,
        ]
        self._seen: Comparison | None = None
        self._soon = Soon(self.predict)
        self.fetch.observe(self.guard(lambda _: self._list_networks()), "value")
        for control in (self.sizes, self.pooling, self.photos, self.budget, self.weights.widget, self.backbone.widget):
            control.observe(lambda _: self._predict_soon(), "value")
        for one, press in self.for_use.items():
            press.on_click(self.guard(lambda _, one=one: self._use(one)))
        self.use_any.on_click(self.guard(lambda _: self._chosen(self.any.value, BY_HAND)))
        self._list_networks()
        self._show_last()
        self._show_choice()

    # -- what is compared -----------------------------------------------------------------------------------------

    def _list_networks(self) -> None:
        """All networks by group, to be ticked; those that can't be used here are grey, and say why."""
        known = candidates.networks(self.fetch.value)
        lines: list[w.Widget] = []
        group = ""
        for one in known.itertuples():
            if one.group != group:
                group = one.group
                lines.append(w.HTML(f"<b>{html.text(group.capitalize())}</b>"))
            lines.append(self._line(one.name, _about(one), one.why_not))
        others = [name for name in self._ticked if name not in set(known["name"])]
        self.list.children = [*(self._line(name, "", "") for name in others), *lines]
        self._predict_soon()

    def _line(self, name: str, about: str, why_not: str) -> w.Widget:
        # what a person has ticked stays so; what would have to be downloaded is not ticked unless the cell asks for it
        known = self.boxes.get(name)
        asked = name in self._ticked or (not self._ticked and (self._download or not self.fetch.value))
        ticked = not why_not and (known.value if known and not known.disabled else asked)
        box = w.Checkbox(value=ticked, description=name, indent=False, disabled=bool(why_not), layout={"width": "auto"})
        box.tooltip = f"{about}: {why_not}" if why_not else about
        box.observe(lambda _: self._predict_soon(), "value")
        self.boxes[name] = box
        words = small_print("; ".join(filter(None, [about, why_not])))
        words.layout.margin = "0 0 4px 21px"
        return w.VBox([box, words], layout={"overflow": "hidden", "flex": "0 0 auto"})

    def candidates(self) -> list[Candidate]:
        """What is ticked, and own weights, at all sizes; nothing ticked is nothing to compare. Raises InputError."""
        names = [name for name, box in self.boxes.items() if box.value]
        if not names:
            raise InputError("no network is ticked: tick at least one that can be used here")
        sizes = candidates.image_sizes_in(self.sizes.value)
        own = [(self.backbone.value, self.weights.value)] if self.weights.value else []
        return candidates.listed(self.workspace, names, sizes, self.fetch.value, own, self.pooling.value)

    # -- what it will cost ----------------------------------------------------------------------------------------

    def _predict_soon(self) -> None:
        if self.attended:
            self.price.value = html.status("Estimating the time ...")
            self._soon()

    def predict(self, still: Still = lambda: True) -> None:
        """Write down how long it will take."""
        try:
            there = self.candidates()
            photos = sample(self.workspace.photos(), self.photos.value)
            seconds = candidates.predicted_seconds(self.workspace, there, photos)
        except (InputError, OSError, ValueError) as error:
            words = html.text(str(error))
        else:
            words = self._cost_in_words(there, len(photos), seconds)
        if still():
            self.price.value = html.status(words)

    def _cost_in_words(self, there: list[Candidate], photos: int, seconds: float) -> str:
        usable = [one for one in there if one.usable]
        ends = self.budget.value * 60
        words = f"{len(usable)} candidates on {photos:,} training photos: <b>at most about {duration(seconds)}</b>"
        words += f", ended by the budget after {duration(ends)}" if seconds > ends else ""
        refused = "; ".join(html.text(f"{one.spec}: {one.why_not}") for one in there if not one.usable)
        return f"{words}. Those that can't win any more are dropped on the way." + (f"<br>{refused}" if refused else "")

    # -- comparing ------------------------------------------------------------------------------------------------

    def unstarted(self) -> bool:
        """Not where nobody is there, and no budget is given or there are too few photos to compare networks on."""
        if self.attended or not super().unstarted():
            return super().unstarted()
        try:
            sample(self.workspace.photos(), self.photos.value)
        except InputError as error:  # the baseline below can be made all the same
            self.show_error(error)
            return False
        return self.wanted > 0

    def work(self) -> Work:
        """Read the controls."""
        there, photos, seconds = self.candidates(), self.photos.value, self.budget.value * 60

        def run(progress: Progress) -> Comparison:
            each = {"progress": progress, "live": self.live()}
            return self.in_worker(compare, self.workspace, there, photos, seconds, **each)

        return run

    def paint(self, result: Comparison) -> str:
        """Show how they did; with nobody there, go on with what is recommended."""
        self._show(result)
        self._offer(result)
        self.cost.value = f"{duration(result.seconds)} of work in all; features are kept for the next steps."
        made = choice(self.workspace)
        if not self.attended and self.use in result.recommended and not (made and made.why == BY_HAND):
            self._use(self.use)
        return "Now say below which one to go on with."

    def live(self) -> dict[str, Callable[..., Any]]:
        """The picture after every candidate."""
        return {"on_change": self._show}

    def _show(self, found: Comparison) -> None:
        """How they stand; called after every candidate, in the working thread."""
        self._seen, points = found, found.points
        recommended = {use: str(one.spec) for use, one in found.recommended.items()}
        words = "; ".join(f"{one.name} {found.value_in_words(one)}" for one in points.itertuples())
        alt = f"{found.counted.label} against photos a second: {words or 'nothing yet'}"
        self.picture.draw(plots.networks_compared(points, recommended, found.counted), alt)
        sentences = "".join(f"<div>{html.text(line)}</div>" for line in found.sentences)
        self.text.value = html.status(sentences) + _table(found)

    def _offer(self, found: Comparison) -> None:
        """Let the person choose among what was compared."""
        for use, press in self.for_use.items():
            press.disabled = use not in found.recommended
            press.description = f"Use for {found.use_in_words(use)}"
        self.any.options = [(str(spec), spec) for spec in found.specs]
        self.any.index = 0 if found.specs else None
        self.any.disabled = self.use_any.disabled = not found.specs

    def _show_last(self) -> None:
        """What a person who comes back finds."""
        known = last_comparison(self.workspace)
        self._show(known or nothing_yet())
        self._offer(known or nothing_yet())
        if known is None:
            self.say("Nothing compared yet.")
        else:
            self.say(f"The last comparison is shown.{changed_since(self.workspace, known.measured_on, known.counted)}")

    # -- which one to go on with ----------------------------------------------------------------------------------

    @property
    def seen(self) -> Comparison:
        """What is shown; NotReady before there is anything."""
        if self._seen is None or not self._seen.recommended:
            raise NotReady(self.waiting)
        return self._seen

    def _use(self, use: str) -> None:
        self._chosen(self.seen.recommended[use].spec, f"recommended for {self.seen.use_in_words(use)}")

    def _chosen(self, spec: FeatureSpec, why: str) -> None:
        made = choose(self.workspace, spec, why)
        self._show_choice()
        if baseline := BaselinePanel.opened(self.workspace):
            baseline.set(made.spec)
        self.refresh_reports()

    def _show_choice(self) -> None:
        self.start_with.value = html.status(html.text(_choice_in_words(choice(self.workspace), self.workspace)))

    # -- what the cells below show --------------------------------------------------------------------------------

    def outcome(self) -> None:
        """Picture and table as ordinary outputs; nothing before there is something to show."""
        if self.job.running or (self._seen and self._seen.recommended):
            self.report(self.picture, self.text, self.lessons, always=not self.job.running)

    def lessons(self) -> HTML:
        """What was found, and what later steps start with."""
        return html.listed([*self.seen.sentences, _choice_in_words(choice(self.workspace), self.workspace)])


def _about(one: Any) -> str:
    """What is known of a network, in a line."""
    published = "" if one.imagenet != one.imagenet else f"{one.imagenet:.1%} on ImageNet"
    licence = one.licence if one.commercial == "yes" else f"{one.licence} (commercial use: {one.commercial})"
    there = "on disk" if one.weights == "on disk" else f"{one.download_mb} MB"
    return ", ".join(filter(None, [f"{one.gmacs:g} GMACs", published, there, licence]))


def _choice_in_words(chosen: Choice | None, workspace: Workspace) -> str:
    if chosen:
        return f"Later steps start with {chosen}."
    return f"Nothing is chosen yet: later steps start with {start_with(workspace)}, the default."


def _table(found: Comparison) -> str:
    rows = found.table
    shown = rows.assign(
        found=[
            "" if row.photos == 0 else f"{row.accuracy:.1%} ({row.low * 100:.1f} to {row.high * 100:.1f}%)"
            for row in rows.itertuples()
        ],
        speed=["" if value != value else f"{value:.0f}" for value in rows["images_per_second"]],
        spent=[duration(value) if value else "" for value in rows["seconds"]],
        note=found.notes,
        own=found.files,
        counts=["" if row.photos == 0 else counted_in_words(row, found.counted) for row in rows.itertuples()],
    )
    names = {
        "backbone": "network",
        **({"own": "own weights"} if any(found.files) else {}),
        "image_size": "image size",
        "pooling": "features",
        "photos": "photos",
        **({} if found.counted.by_accuracy else {"counts": f"{found.counted.label} (95% interval)"}),
        "found": "right (95% interval)",
        "speed": "photos a second",
        "spent": "took",
        "note": "state",
    }
    return html.table(shown, names, "Compared on training photos, cross-validated")


def counted_in_words(row: Any, counted: Counted) -> str:
    """What counts of a row (as itertuples has it) with its interval; "" where that is accuracy, shown beside it."""
    if counted.by_accuracy:
        return ""
    value, low, high = map(counted.in_words, (row.objective_value, row.objective_low, row.objective_high))
    return f"{value} ({low} to {high})"


def changed_since(workspace: Workspace, measured_on: str, counted: Counted) -> str:
    """What has changed since a comparison, as the end of what is said of it; "" where nothing has.

    Parameters
    ----------
    workspace
        As it is today.
    measured_on, counted
        The training photos (training_photos_id) and what counted then.
    """
    if measured_on != training_photos_id(workspace):
        return " Photos or labels have changed since: compare again."
    return "" if counted.objective == chosen(workspace) else " It went by another objective: compare again."
