"""Notebook 01: the audit, and a gallery in which its findings are decided. The photos themselves are never touched."""

from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.audit import ABOUT_COPIES, KINDS, OTHERS, Audit, Payoff, audit, load_audit, payoff
from cvtune_nb.panels.panel import Panel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.gallery import DECIDED, Card, Decided
from cvtune_nb.widgets.job import NotReady, Work, headless
from cvtune_nb.workspace import Workspace

A_PAGE = 12
"""Photos a page of the gallery."""

BULK = {"Accept suggestions": "", "Exclude selected": "exclude", "Keep selected": "keep", "Undo selected": "undo"}
"""What can be done with all selected photos."""

KEYS_IN_WORDS = (
    "Keys, once a photo has the focus (Tab, or a click beside its buttons): R relabel, E exclude, K keep, U undo, "
    "D not a copy, Space or X select, arrows to another photo, N and P next and previous page, A select this page"
)

MINE = "decided by you"
"""The kind under which everything decided so far is listed, so that any of it can be undone."""


class AuditPanel(Panel):
    """Run the audit, look through its findings kind by kind, worst first, and decide. Every click is saved."""

    button = "Run the audit"
    by_itself = True
    waiting = "Press Run the audit above first, then run this cell again."

    def __init__(self, workspace: Workspace):
        super().__init__(workspace)
        self.kind = w.Dropdown(description="Issue", layout={"width": "330px"})
        self.meaning = w.HTML()
        self.meaning.add_class("cvtune-words")
        self.hide = w.Checkbox(description="Hide what is decided", indent=False)
        self.back, self.on = w.Button(description="Previous page"), w.Button(description="Next page")
        for turn, key in ((self.back, "p"), (self.on, "n")):
            turn.tooltip = f"{turn.description}: key {key.upper()}"
            turn.add_class(f"cvtune-key-{key}")
            turn.add_class("cvtune-turns")
        self.where = w.HTML()
        self.all = w.Button(description="Select this page", tooltip="Select all photos of this page, or none: key A")
        self.all.add_class("cvtune-key-a")
        self.chosen: dict[str, dict[str, Any]] = {}  # path: issue, of any kind and page
        self.selected = w.HTML()
        self.bulk = [w.Button(description=words, layout={"width": "auto"}, disabled=True) for words in BULK]
        for button, action in zip(self.bulk, BULK.values(), strict=True):
            button.on_click(self.guard(lambda _, action=action: self._decide_selected(action)))
        self.measure = w.Button(description="Measure what it brings", layout={"width": "auto"})
        keys = w.HTML(f"<div class='cvtune-faint'>{KEYS_IN_WORDS}</div>")
        self.more.children = [
            self.kind,
            self.meaning,
            self.hide,
            w.HBox([self.back, self.on]),
            self.where,
            w.HBox([self.all, self.selected]),
            w.HBox(self.bulk, layout={"flex_flow": "row wrap"}),
            keys,
            self.measure,
        ]
        self.cards = [
            Card(workspace, workspace.classes, self.guard(self.decide), self.guard(self._choose)) for _ in range(A_PAGE)
        ]
        self.gallery = w.HBox(layout={"flex_flow": "row wrap", "align_items": "flex-start"})
        self.right.children = [self.gallery, self.picture]
        self.below.children = [self.text]
        self.page, self.measured, self.known = 0, None, {}
        self._listing = False  # while the list of kinds is written, the page stays
        self.kind.observe(self.guard(lambda _: self._listing or self._turn(0)), "value")
        self.hide.observe(self.guard(lambda _: self._turn(0)), "value")
        self.back.on_click(self.guard(lambda _: self._turn(self.page - 1)))
        self.on.on_click(self.guard(lambda _: self._turn(self.page + 1)))
        self.all.on_click(self.guard(lambda _: self._select_page()))
        self.measure.on_click(self.guard(lambda _: self.begin(lambda progress: self._measured(progress))))
        earlier = self.earlier()
        if earlier is not None:
            self.job.result = earlier
            self.say(self.paint(earlier))

    def earlier(self) -> Audit | None:
        """What was found before, if anything."""
        return load_audit(self.workspace)

    def work(self) -> Work:
        """The audit, with the default network."""
        return lambda progress: audit(self.workspace, progress=progress)

    def paint(self, result: Audit | Payoff) -> str:
        """Fill the gallery, or show what the decisions brought."""
        if isinstance(result, Payoff):
            return html.text(result.words)
        scores = result.scores.set_index("path")
        issues = result.issues[result.issues["path"] != ""].copy()
        labels = issues["path"].map(scores["label"])
        issues["label"] = labels.fillna("").astype(str)
        issues["suggested_label"] = issues["path"].map(scores["suggested_label"]).fillna("").astype(str)
        issues["other_label"] = issues["other"].map(scores["label"]).fillna("").astype(str)
        self.issues, self.manifest = issues, self.workspace.manifest()
        self.known = dict(zip(self.manifest["path"], self.manifest["sha256"], strict=True))
        self._list_kinds()
        self._turn(0)
        whole = result.issues[result.issues["path"] == ""]
        gain = result.summary.get("forecast")
        sentences = [
            *([gain] if gain else []),
            *result.summary["notes"],
            *(f"{row.detail}: {row.suggestion}" for row in whole.itertuples()),
        ]
        self.text.value = html.card("About the whole set", *sentences) if sentences else ""
        report = self.workspace.audit / "report.html"
        mail = f" A page to mail or print: {html.text(str(report))}" if report.exists() else ""
        self.cost.value = f"The audit took {html.duration(result.seconds)}.{mail}"
        count = issues["path"].nunique()
        return f"{len(issues)} findings in {count} of {len(result.scores)} photos. Choose an issue and decide."

    # -- the gallery ------------------------------------------------------------------------------------------

    def _list_kinds(self) -> None:
        """The kinds of issue that were found, the most important first, with how many of each."""
        counts = self.issues["issue"].value_counts()
        options = [(f"{kind} ({counts[kind]})", kind) for kind in KINDS if kind in counts]
        acts = Decided.of(self.workspace)
        decided = len(acts.photos) + len(acts.pairs)
        options += [(f"{MINE} ({decided})", MINE)] if decided else []
        options = options or [("nothing found", "")]
        if options == list(self.kind.options):
            return
        chosen, self._listing = self.kind.value, True
        self.kind.options = options
        values = [value for _, value in options]
        self.kind.value = chosen if chosen in values else values[0]
        self._listing = False

    def _listed(self) -> pd.DataFrame:
        """The issues of the chosen kind, worst first."""
        acts = Decided.of(self.workspace)
        if self.kind.value == MINE:
            return self._mine(acts)
        rows = self.issues[self.issues["issue"] == self.kind.value].sort_values("score", ascending=False, kind="stable")
        return rows[~self._decided(rows, acts)] if self.hide.value else rows

    def _mine(self, acts: Decided) -> pd.DataFrame:
        """The decisions in force, in the shape of issues."""
        labels = dict(zip(self.manifest["path"], self.manifest["label"], strict=True))
        rows = [
            {
                "path": path,
                "issue": act["reason"],
                "score": 0.0,
                "detail": f"was found as {labels[path]}",
                "suggestion": "Undo takes your decision back",
                **dict.fromkeys(OTHERS, ""),
                "label": labels[path],
                "other_label": "",
                "suggested_label": act["to"],
            }
            for path, act in acts.photos.items()
        ]
        paths = dict(zip(self.manifest["sha256"], self.manifest["path"], strict=True))
        for act in acts.pairs.values():
            path, other = paths.get(act["sha256"]), paths.get(act["to_sha256"])
            if path and other:
                rows.append(
                    {
                        "path": path,
                        "issue": "duplicate",
                        "score": 0.0,
                        "detail": f"no copy of {other}",
                        "suggestion": "A copy after all takes your decision back",
                        **dict.fromkeys(OTHERS, ""),
                        "other": other,
                        "label": labels[path],
                        "other_label": labels[other],
                        "suggested_label": "",
                    }
                )
        return pd.DataFrame(rows, columns=self.issues.columns)

    def _decided(self, issues: pd.DataFrame, acts: Decided) -> pd.Series:
        """Which of these issues are decided, about the photo or about the pair."""
        pairs = map(self._pair, issues["path"], issues["other"])
        apart = pd.Series([pair in acts.pairs for pair in pairs], index=issues.index, dtype=bool)
        return issues["path"].isin(acts.photos) | (apart & issues["issue"].isin(ABOUT_COPIES))

    def _pair(self, path: str, other: str) -> frozenset[str]:
        """The content of two photos, as decisions about pairs are keyed."""
        return frozenset([self.known.get(path, ""), self.known.get(other, "")])

    def _turn(self, to: int) -> None:
        rows, acts = self._listed(), Decided.of(self.workspace)
        pages = max(1, -(-len(rows) // A_PAGE))
        self.page = min(max(to, 0), pages - 1)
        shown = rows.iloc[self.page * A_PAGE : (self.page + 1) * A_PAGE].to_dict("records")
        for card, issue in zip(self.cards, shown, strict=False):
            card.fill(issue, self.known, acts, issue["path"] in self.chosen)
        self.gallery.children = [card.box for card in self.cards[: len(shown)]]
        self.back.disabled, self.on.disabled = self.page == 0, self.page == pages - 1
        self.meaning.value = html.text(KINDS.get(self.kind.value, "every decision of yours that is in force"))
        self._count_selected()
        self._count(rows, acts)

    def _count(self, rows: pd.DataFrame, acts: Decided) -> None:
        decided = int(self._decided(rows, acts).sum())
        first = self.page * A_PAGE
        self.where.value = html.status(
            f"{first + 1 if len(rows) else 0} to {min(first + A_PAGE, len(rows))} of {len(rows)}; {decided} decided"
        )

    def decide(self, path: str, action: str, label: str, kind: str) -> None:
        """Write one decision down, at once, and show it. The one in force already, as a second click on a slow machine
        brings it, is not written again."""
        to = label if action in ("relabel", "distinct") else ""
        if action == "distinct":
            action = "same" if self._pair(path, to) in self.workspace.distinct() else "distinct"
            self.workspace.decide(path, action, to=to, reason=kind)
        elif _changes(self.workspace.standing().get(path), action, to):
            self.workspace.decide(path, action, to=to, reason=kind)
        self._show_decisions()
        words = {
            "relabel": f"relabelled to {label}",
            "undo": "decision taken back",
            "distinct": f"no copy of {to}; the next audit won't list them together",
            "same": f"a copy of {to} after all",
        }.get(action, f"{action}: saved")
        self.say(f"{html.text(path)}: {html.text(words)}.")

    def _show_decisions(self) -> None:
        acts = Decided.of(self.workspace)
        for card in self.cards[: len(self.gallery.children)]:
            card.show(acts)
        shown = self.kind.value
        self._list_kinds()
        if self.kind.value != shown:  # the last decision was taken back
            self._turn(0)
        self._count(self._listed(), acts)
        self.refresh_reports()

    # -- many at once -----------------------------------------------------------------------------------------

    def _choose(self, issue: dict[str, Any], chosen: bool) -> None:
        """Select a photo or not; the selection stays when page or kind change."""
        self.chosen.pop(issue["path"], None)
        if chosen:
            self.chosen[issue["path"]] = issue
        self._count_selected()

    def _select_page(self) -> None:
        """All photos of the page that can be decided about, or none if they all are selected."""
        cards = [card for card in self.cards[: len(self.gallery.children)] if card.issue["path"] in self.known]
        chosen = not all(card.issue["path"] in self.chosen for card in cards)
        for card in cards:
            card.mark(chosen)
            self._choose(card.issue, chosen)

    def _count_selected(self) -> None:
        self.selected.value = html.status(f"{len(self.chosen)} selected")
        for button in self.bulk:
            button.disabled = not self.chosen

    def _decide_selected(self, action: str) -> None:
        """Decide all that is selected: as suggested (action ""), or all the same."""
        standing, apart, acts = self.workspace.standing(), self.workspace.distinct(), []
        for path, issue in self.chosen.items():
            does = action or self._suggested(issue)
            to = issue["suggested_label"] if does == "relabel" else ""
            if does and _changes(standing.get(path), does, to):
                acts.append((path, does, to, issue["issue"]))
            if does == "undo" and self._pair(path, issue["other"]) in apart:
                acts.append((path, "same", issue["other"], issue["issue"]))
        self.workspace.decide_all(acts)
        left = len(self.chosen) - len({path for path, *_ in acts})
        self.chosen = {}
        for card in self.cards:
            card.mark(False)
        self._count_selected()
        self._show_decisions()
        done = {"undo": "taken back", "": "decided as suggested"}.get(action) or DECIDED[action]
        unchanged = f"{left} left as they were (decided so before, or without a clear suggestion)." if left else ""
        self.say(f"{len(acts)} {done}. {unchanged}")

    @staticmethod
    def _suggested(issue: dict[str, Any]) -> str:
        """The action that the audit suggests without a second thought, or nothing."""
        if issue["issue"] == "mislabelled" and issue["suggested_label"]:
            return "relabel"
        return "exclude" if issue["suggestion"].startswith("exclude it:") else ""

    # -- what it brings ---------------------------------------------------------------------------------------

    def _measured(self, progress: Any) -> Payoff:
        self.measured = payoff(self.workspace, progress=progress)
        self.picture.draw(
            plots.before_and_after(self.measured.before, self.measured.after, self.measured.paired.words),
            self.measured.words,
        )
        return self.measured

    def result(self) -> Audit:
        """The audit; NotReady while there is none."""
        found = super().result()
        return found if isinstance(found, Audit) else self.earlier()

    def summary(self) -> None:
        """Findings by kind, and how many of each are decided."""
        self.report(self._summary)

    def _summary(self) -> Any:
        issues, acts = self.result().issues, Decided.of(self.workspace)
        rows = [
            (kind, len(rows), int(self._decided(rows, acts).sum()), KINDS[kind])
            for kind, rows in issues.groupby("issue", sort=False)
        ]
        table = pd.DataFrame(rows, columns=["issue", "found", "decided", "meaning"])
        return HTML(html.table(table, {name: name for name in table}) or "Nothing found.")

    def payoff(self) -> None:
        """Accuracy before and after the decisions, on the same validation photos."""
        if not self.workspace.standing() and not headless():
            raise NotReady("Nothing is decided yet: decide about a few photos above, then run this cell again.")
        self.result()
        self._measured(self.job.progress if self.job.running else lambda *_: None)
        self.report(self._still_picture, lambda: HTML(html.text(self.measured.words)))

    def lessons(self) -> HTML:
        """What we learned, from the audit and the decisions."""
        found, standing = self.result(), self.workspace.standing()
        counts = ", ".join(f"{number} {kind}" for kind, number in found.summary["issues"].items()) or "nothing"
        actions = pd.Series([act["action"] for act in standing.values()], dtype=str).value_counts()
        said = [f"{number} {DECIDED[action]}" for action, number in actions.items()]
        apart = len(self.workspace.distinct())
        said += [f"{apart} pair(s) are no copies"] if apart else []
        decided = ", ".join(said) or "nothing yet"
        lines = [f"The audit found: {counts}.", f"You decided: {decided}."]
        lines += [self.measured.words] if self.measured else []
        return html.listed(lines)


def _changes(act: dict[str, Any] | None, action: str, to: str) -> bool:
    """Whether an action is anything new for a photo whose decision in force is `act`."""
    return act is not None if action == "undo" else act is None or (act["action"], act["to"]) != (action, to)
