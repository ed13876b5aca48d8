"""Notebook 01: the audit, and a gallery in which its findings are decided. The photos themselves are never touched."""

from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.audit import KINDS, Audit, Payoff, audit, load_audit, payoff
from cvtune_nb.widgets import page
from cvtune_nb.widgets.gallery import DECIDED, Card
from cvtune_nb.widgets.job import NotReady, Work, headless
from cvtune_nb.widgets.panel import Panel
from cvtune_nb.workspace import Workspace

A_PAGE = 12
"""Photos a page of the gallery."""

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
        self.where = w.HTML()
        self.accept = w.Button(description="Accept all suggestions on this page", layout={"width": "auto"})
        self.measure = w.Button(description="Measure what it brings", layout={"width": "auto"})
        self.more.children = [self.kind, self.meaning, self.hide, w.HBox([self.back, self.on]), self.where,
                              self.accept, self.measure]  # fmt: skip
        self.cards = [Card(workspace, workspace.classes, self.guard(self.decide)) for _ in range(A_PAGE)]
        self.gallery = w.HBox(layout={"flex_flow": "row wrap", "align_items": "flex-start"})
        self.right.children = [self.gallery, self.picture]
        self.below.children = [self.text]
        self.page, self.measured = 0, None
        self.kind.observe(self.guard(lambda _: self._turn(0)), "value")
        self.hide.observe(self.guard(lambda _: self._turn(0)), "value")
        self.back.on_click(self.guard(lambda _: self._turn(self.page - 1)))
        self.on.on_click(self.guard(lambda _: self._turn(self.page + 1)))
        self.accept.on_click(self.guard(lambda _: self._accept_page()))
        self.measure.on_click(self.guard(lambda _: self.begin(lambda progress: self._measured(progress))))
        known = load_audit(workspace)
        if known is not None:
            self.job.result = known
            self.say(self.paint(known))

    def work(self) -> Work:
        """The audit, with the default network."""
        return lambda progress: audit(self.workspace, progress=progress)

    def paint(self, result: Audit | Payoff) -> str:
        """Fill the gallery, or show what the decisions brought."""
        if isinstance(result, Payoff):
            return page.text(result.words)
        scores = result.scores.set_index("path")
        issues = result.issues[result.issues["path"] != ""].copy()
        labels = issues["path"].map(scores["label"])
        issues["label"] = labels.fillna("").astype(str)
        issues["suggested_label"] = issues["path"].map(scores["suggested_label"]).fillna("").astype(str)
        issues["other_label"] = issues["other"].map(scores["label"]).fillna("").astype(str)
        self.issues, self.manifest = issues, self.workspace.manifest()
        self._list_kinds()
        self._turn(0)
        whole = result.issues[result.issues["path"] == ""]
        gain = result.summary.get("forecast")
        sentences = [
            *([gain] if gain else []),
            *result.summary["notes"],
            *(f"{row.detail}: {row.suggestion}" for row in whole.itertuples()),
        ]
        self.text.value = page.card("About the whole set", *sentences) if sentences else ""
        self.cost.value = f"The audit took {page.duration(result.seconds)}."
        count = issues["path"].nunique()
        return f"{len(issues)} findings in {count} of {len(result.scores)} photos. Choose an issue and decide."

    # -- the gallery ------------------------------------------------------------------------------------------

    def _list_kinds(self) -> None:
        """The kinds of issue that were found, the most important first, with how many of each."""
        counts = self.issues["issue"].value_counts()
        options = [(f"{kind} ({counts[kind]})", kind) for kind in KINDS if kind in counts]
        decided = len(self.workspace.standing())
        options += [(f"{MINE} ({decided})", MINE)] if decided else []
        chosen = self.kind.value
        self.kind.options = options or [("nothing found", "")]
        values = [value for _, value in self.kind.options]
        self.kind.value = chosen if chosen in values else values[0]

    def _listed(self) -> pd.DataFrame:
        """The issues of the chosen kind, worst first."""
        standing = self.workspace.standing()
        if self.kind.value == MINE:
            labels = dict(zip(self.manifest["path"], self.manifest["label"], strict=True))
            rows = [
                {"path": path, "issue": act["reason"], "score": 0.0, "detail": f"was found as {labels[path]}",
                 "suggestion": "Undo takes your decision back", "other": "", "label": labels[path],
                 "other_label": "", "suggested_label": act["to"]}
                for path, act in standing.items()
            ]  # fmt: skip
            return pd.DataFrame(rows, columns=self.issues.columns)
        rows = self.issues[self.issues["issue"] == self.kind.value].sort_values("score", ascending=False, kind="stable")
        return rows[~rows["path"].isin(standing)] if self.hide.value else rows

    def _turn(self, to: int) -> None:
        rows = self._listed()
        pages = max(1, -(-len(rows) // A_PAGE))
        self.page = min(max(to, 0), pages - 1)
        shown = rows.iloc[self.page * A_PAGE : (self.page + 1) * A_PAGE].to_dict("records")
        standing, known = self.workspace.standing(), set(self.manifest["path"])
        for card, issue in zip(self.cards, shown, strict=False):
            card.fill(issue, standing, known)
        self.gallery.children = [card.box for card in self.cards[: len(shown)]]
        self.back.disabled, self.on.disabled = self.page == 0, self.page == pages - 1
        self.meaning.value = page.text(KINDS.get(self.kind.value, "every decision of yours that is in force"))
        self.accept.disabled = not any(self._suggested(issue) for issue in shown)
        self._count(rows, standing)

    def _count(self, rows: pd.DataFrame, standing: dict[str, Any]) -> None:
        decided = int(rows["path"].isin(standing).sum())
        first = self.page * A_PAGE
        self.where.value = page.status(
            f"{first + 1 if len(rows) else 0} to {min(first + A_PAGE, len(rows))} of {len(rows)}; {decided} decided"
        )

    def decide(self, path: str, action: str, label: str, kind: str) -> None:
        """Write one decision down, at once, and show it."""
        self.workspace.decide(path, action, to=label if action == "relabel" else "", reason=kind)
        self._show_decisions()
        words = {"relabel": f"relabelled to {label}", "undo": "decision taken back"}.get(action, f"{action}: saved")
        self.say(f"{page.text(path)}: {page.text(words)}.")

    def _show_decisions(self) -> None:
        standing = self.workspace.standing()
        for card in self.cards[: len(self.gallery.children)]:
            card.show(standing)
        self._count(self._listed(), standing)
        self.refresh_reports()

    @staticmethod
    def _suggested(issue: dict[str, Any]) -> str:
        """The action that the audit suggests without a second thought, or nothing."""
        if issue["issue"] == "mislabelled" and issue["suggested_label"]:
            return "relabel"
        return "exclude" if issue["suggestion"].startswith("exclude it:") else ""

    def _accept_page(self) -> None:
        standing, done = self.workspace.standing(), 0
        for card in self.cards[: len(self.gallery.children)]:
            action = self._suggested(card.issue)
            if action and card.issue["path"] not in standing:
                to = card.issue["suggested_label"] if action == "relabel" else ""
                self.workspace.decide(card.issue["path"], action, to=to, reason=card.issue["issue"])
                done += 1
        self._show_decisions()
        self.say(f"{done} suggestions accepted. Each can be undone.")

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
        return found if isinstance(found, Audit) else load_audit(self.workspace)

    def summary(self) -> None:
        """Findings by kind, and how many of each are decided."""
        self.report(self._summary)

    def _summary(self) -> Any:
        issues, standing = self.result().issues, self.workspace.standing()
        rows = [
            (kind, len(rows), int(rows["path"].isin(standing).sum()), KINDS[kind])
            for kind, rows in issues.groupby("issue", sort=False)
        ]
        table = pd.DataFrame(rows, columns=["issue", "found", "decided", "meaning"])
        return HTML(page.table(table, {name: name for name in table}) or "Nothing found.")

    def payoff(self) -> None:
        """Accuracy before and after the decisions, on the same validation photos."""
        if not self.workspace.standing() and not headless():
            raise NotReady("Nothing is decided yet: decide about a few photos above, then run this cell again.")
        self.result()
        self._measured(self.job.progress if self.job.running else lambda *_: None)
        self.report(self._still_picture, lambda: HTML(page.text(self.measured.words)))

    def lessons(self) -> HTML:
        """What we learned, from the audit and the decisions."""
        found, standing = self.result(), self.workspace.standing()
        counts = ", ".join(f"{number} {kind}" for kind, number in found.summary["issues"].items()) or "nothing"
        actions = pd.Series([act["action"] for act in standing.values()], dtype=str).value_counts()
        decided = ", ".join(f"{number} {DECIDED[action]}" for action, number in actions.items()) or "nothing yet"
        lines = [f"The audit found: {counts}.", f"You decided: {decided}."]
        lines += [self.measured.words] if self.measured else []
        return page.listed(lines)
