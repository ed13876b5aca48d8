"""Notebook 01: the audit, and a gallery in which its findings are decided. The photos themselves are never touched."""

import functools
from typing import Any

import ipywidgets as w
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.audit import ABOUT_COPIES, KINDS, OTHERS, Audit, Payoff, audit, load_audit, payoff
from cvtune_nb.audit.html import about_whole_set
from cvtune_nb.audit.review import MINE, Review
from cvtune_nb.console import duration
from cvtune_nb.data import open_workspace
from cvtune_nb.data.grouped_split import redraw_costs
from cvtune_nb.files import Progress, silent
from cvtune_nb.panels.panel import Panel
from cvtune_nb.panels.thumbnails import small
from cvtune_nb.widgets import html
from cvtune_nb.widgets.gallery import Gallery, GalleryPhoto
from cvtune_nb.widgets.job import NotReady, Work, headless
from cvtune_nb.widgets.layout import Pager, button, look, row, small_print
from cvtune_nb.workspace import Workspace

A_PAGE = 40
"""Photos a page of the gallery."""
SMALL, LARGE = 150, 480
"""Longest side of a photo among many, and of the one in hand, in pixels."""

MEANINGS = KINDS | {MINE: "every decision of yours that is in force"}
"""What the kinds that can be listed mean."""

BULK = {"Accept suggestions": "", "Exclude selected": "exclude", "Keep selected": "keep", "Undo selected": "undo"}
"""What can be done with all selected photos."""


class AuditPanel(Panel):
    """Run the audit, look through its findings kind by kind, worst first, and decide. Every decision is saved."""

    button = "Run the audit"
    by_itself = True
    waiting = "Press Run the audit above first, then run this cell again."

    def __init__(self, workspace: Workspace):
        super().__init__(workspace)
        self.kind = w.Dropdown(description="Issue", **look("3em", "330px"))
        self.hide = w.Checkbox(description="Hide what is decided", indent=False, layout={"width": "auto"})
        self.pager = Pager("page", self.guard(self.turn))
        self.where, self.meaning, self.selected = w.HTML(), small_print(), w.HTML()
        self.gallery = Gallery(workspace.classes)
        self.gallery.on_decide = self.guard(self.decide)
        self.gallery.on_select = self.guard(self._select)
        self.gallery.on_turn = self.guard(self.turn)
        self.gallery.on_look = self.guard(self._look)
        self.all = button("Select this page", "Select all photos of this page, or none", "a")
        self.bulk = [button(words) for words in BULK]
        self.measure = button("Measure the gain")
        self.apply = button("Apply: keep scenes together", "Group the photos by this rule and draw the split anew")
        self.scenes = w.HTML()
        self._review: Review | None = None
        self.chosen: dict[str, dict[str, Any]] = {}  # path: finding, of any kind and page
        self.rows, self.measured, self._listing = [], None, False  # while the kinds are listed, the page stays
        self._thumbnail = functools.lru_cache(2000)(self._thumbnail_of)
        self._show_selected()

        self.bar.layout.width = "160px"
        self.box.children = [
            self.box.children[0],
            row(self.go, self.end, self.bar, self.status),
            self.alert,
            row(self.kind, self.pager, self.where, self.hide),
            self.meaning,
            self.gallery,
            row(self.all, *self.bulk, self.selected),
            self.text,
            row(self.apply, self.scenes),
            row(self.measure, self.cost),
            self.picture,
        ]
        self.kind.observe(self.guard(lambda _: self._listing or self._list()), "value")
        self.hide.observe(self.guard(lambda _: self._list()), "value")
        self.all.on_click(self.guard(lambda _: self._select_page()))
        for each, action in zip(self.bulk, BULK.values(), strict=True):
            each.on_click(self.guard(lambda _, action=action: self._decide_selected(action)))
        self.measure.on_click(self.guard(lambda _: self.begin(self._measured)))
        self.apply.on_click(self.guard(lambda _: self.begin(self._keep_scenes_together)))
        self.offer_groups("")
        earlier = self.earlier()
        if earlier is not None:
            self.job.result = earlier
            self.say(self.paint(earlier))

    def earlier(self) -> Audit | None:
        """What was found before, if anything."""
        return load_audit(self.workspace)

    def work(self) -> Work:
        """The audit, with the default network."""
        return lambda progress: self.in_worker(audit, self.workspace, progress=progress)

    def paint(self, result: Audit | Payoff) -> str:
        """Fill the gallery, or show what the decisions brought."""
        if isinstance(result, Payoff):
            return html.text(result.words)
        self._review = Review(self.workspace, result)
        self._list_kinds()
        self._list()
        sentences = about_whole_set(result.issues, result.summary)
        self.text.value = html.card("About the whole set", *sentences) if sentences else ""
        self.offer_groups(result.summary.get("scenes", {}).get("rule", ""))
        report = self.workspace.audit / "report.html"
        mail = f" A page to mail or print: {html.text(str(report))}" if report.exists() else ""
        self.cost.value = f"The audit took {duration(result.seconds)}.{mail}"
        in_photos = f"{self.review.photos} of {len(result.scores)} photos"
        return f"{len(self.review.findings)} findings in {in_photos}. Choose an issue and decide."

    @property
    def review(self) -> Review:
        """The findings, and what was decided about them; NotReady while there are none."""
        if self._review is None:
            raise NotReady(self.waiting)
        return self._review

    # -- scenes -----------------------------------------------------------------------------------------------

    def offer_groups(self, rule: str) -> None:
        """Offer to group the photos by the rule that the audit has found; "" for none."""
        rule = "" if self.workspace.group_by else rule  # a rule that the person has set is never replaced
        self.apply.layout.display = None if rule else "none"
        costs = "".join(f"; {cost}" for cost in redraw_costs(self.workspace))
        words = f"Groups by {rule}, draws the split anew and audits again{costs}."
        self.scenes.value = html.text(words) if rule else ""

    def _keep_scenes_together(self, progress: Progress) -> Audit:
        """Group the photos, draw the split anew, and audit what there is then."""
        rule = self.review.found.summary["scenes"]["rule"]
        space = self.workspace
        self.workspace = open_workspace(space.source, space.folder, progress=progress, group_by=rule, redraw_split=True)
        progress(0.1, self.workspace.regrouped)
        return self.in_worker(audit, self.workspace, progress=progress)

    # -- the gallery ------------------------------------------------------------------------------------------

    def _list_kinds(self) -> None:
        """The kinds of issue that were found, with how many of each."""
        options = [(f"{kind} ({count})", kind) for kind, count in self.review.kinds().items()]
        options = options or [("nothing found", "")]
        if options == list(self.kind.options):
            return
        chosen, self._listing = self.kind.value, True
        self.kind.options = options
        values = [value for _, value in options]
        self.kind.value = chosen if chosen in values else values[0]
        self._listing = False

    def _list(self) -> None:
        """List the findings of the chosen kind; what is decided from now on stays in its place."""
        self.rows = self.review.listed(self.kind.value, self.hide.value).to_dict("records")
        self.meaning.value = html.text(MEANINGS.get(self.kind.value, ""))
        self.turn(0)

    def turn(self, page: int, at: int = 0) -> None:
        """Show a page of the findings, with the photo number `at` in hand."""
        pages = max(1, -(-len(self.rows) // A_PAGE))
        page = self.pager.show(page, pages)
        shown = self._shown()
        photos = [self._photo(finding) for finding in shown]
        place = (self.kind.value, page, pages)
        self.gallery.show(photos, [self._thumbnail(one["path"], SMALL) for one in shown], self._states(), place, at)
        self._count()

    def _shown(self) -> list[dict[str, Any]]:
        """The findings on this page."""
        return self.rows[self.pager.at * A_PAGE : (self.pager.at + 1) * A_PAGE]

    def _photo(self, finding: dict[str, Any]) -> GalleryPhoto:
        is_copy = finding["issue"] in ABOUT_COPIES
        said = f"{'its copy, labelled' if is_copy else 'looks like this'} {finding['other_label']}"
        return GalleryPhoto(
            finding={name: finding[name] for name in ("path", "other", "issue")},
            **{name: finding[name] for name in ("path", "label", "score", "detail", "suggestion")},
            others=[said for name in OTHERS if finding[name]],
            suggested=self.review.suggested(finding),
            to=finding["suggested_label"],
            pair=bool(self.review.pair(finding)),
            decidable=self.review.decidable(finding["path"]),
        )

    def _states(self) -> list[dict[str, Any]]:
        states = map(self.review.state, self._shown())
        return [{"words": state.words, "action": state.action, "apart": state.apart} for state in states]

    def _thumbnail_of(self, path: str, side: int) -> bytes:
        return small(self.workspace, self.workspace.path_of(path), side)

    def _look(self, number: int) -> None:
        """Send the page a photo large, and what it is compared with."""
        finding = self._shown()[number]
        others = [finding[name] for name in OTHERS if finding[name]]
        self.gallery.look(number, [self._thumbnail(path, LARGE) for path in (finding["path"], *others)])

    def _count(self) -> None:
        decided = sum(bool(state.words) for state in map(self.review.state, self.rows))
        first, last = self.pager.at * A_PAGE + bool(self.rows), min((self.pager.at + 1) * A_PAGE, len(self.rows))
        self.where.value = html.status(f"{first} to {last} of {len(self.rows)}; {decided} decided")

    def decide(self, finding: dict[str, str], action: str, label: str) -> None:
        """Write one decision down, at once, and show it.

        Parameters
        ----------
        finding
            A row of the issues.
        action
            relabel, exclude, keep and so on, as `Review.decide` takes it.
        label
            The new label, for relabel.
        """
        try:
            self.say(html.text(self.review.decide(finding, action, label)))
        finally:
            self._show_decisions()

    def _show_decisions(self) -> None:
        self.gallery.states = self._states()
        shown = self.kind.value
        self._list_kinds()
        if self.kind.value != shown:  # the last decision was taken back
            self._list()
        self._count()
        self.refresh_reports()

    # -- many at once -----------------------------------------------------------------------------------------

    def _select(self, path: str, selected: bool) -> None:
        """Select a photo or not; the selection stays when page or kind change."""
        finding = next((finding for finding in self.rows if finding["path"] == path), None)
        if finding is None:  # another kind is listed meanwhile
            return
        self.chosen.pop(path, None)
        if selected:
            self.chosen[path] = finding
        self._show_selected()

    def _select_page(self) -> None:
        """All photos of the page that can be decided about, or none if they all are selected."""
        here = {one["path"]: one for one in self._shown() if self.review.decidable(one["path"])}
        if here.keys() <= self.chosen.keys():
            self.chosen = {path: one for path, one in self.chosen.items() if path not in here}
        else:
            self.chosen |= here
        self._show_selected()

    def _show_selected(self) -> None:
        self.gallery.selected = list(self.chosen)
        self.selected.value = html.status(f"{len(self.chosen)} selected")
        for each in self.bulk:
            each.disabled = not self.chosen

    def _decide_selected(self, action: str) -> None:
        """Decide all that is selected: as suggested (action ""), or all the same."""
        words = self.review.decide_all(self.chosen.values(), action)
        self.chosen = {}
        self._show_selected()
        self._show_decisions()
        self.say(words)

    # -- what it brings ---------------------------------------------------------------------------------------

    def _measured(self, progress: Progress) -> Payoff:
        self.measured = self.in_worker(payoff, self.workspace, progress=progress)
        figure = plots.before_and_after(self.measured.before, self.measured.after, self.measured.paired.words)
        self.picture.draw(figure, self.measured.words)
        return self.measured

    def result(self) -> Audit:
        """The audit; NotReady while there is none."""
        super().result()  # the last work may have measured the gain
        return self.review.found

    def summary(self) -> None:
        """Findings by kind, and how many of each are decided."""
        self.report(self._summary)

    def _summary(self) -> Any:
        self.result()
        table = self.review.by_kind()
        return HTML(html.table(table, {name: name for name in table}) or "Nothing found.")

    def payoff(self) -> None:
        """Accuracy before and after the decisions, on the same validation photos."""
        if not self.workspace.standing() and not headless():
            raise NotReady("Nothing is decided yet: decide about a few photos above, then run this cell again.")
        self.result()
        self._measured(silent)
        self.report(self.picture, lambda: HTML(html.text(self.picture.alt)))

    def lessons(self) -> HTML:
        """What we learned, from the audit and the decisions."""
        found = self.result()
        counts = ", ".join(f"{number} {kind}" for kind, number in found.summary["issues"].items()) or "nothing"
        decided = self.review.words or "nothing yet"
        lines = [f"The audit found: {counts}.", f"You decided: {decided}."]
        lines += [self.measured.words] if self.measured else []
        return html.listed(lines)
