"""What a person decides about the findings of an audit: listed kind by kind, written down at once, taken back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cvtune_nb.audit.check import OTHERS
from cvtune_nb.audit.checks import ABOUT_COPIES, KINDS
from cvtune_nb.audit.report import Audit
from cvtune_nb.workspace import Workspace

DECIDED = {"relabel": "relabelled", "exclude": "excluded", "keep": "kept"}
"""The decisions about a photo, once they are made."""

MINE = "decided by you"
"""The kind under which all decisions in force are listed, so that any of them can be taken back."""


@dataclass(frozen=True)
class State:
    """What is decided about one finding. action: about the photo, or ""; apart: it and the other are no copies."""

    action: str
    to: str
    apart: bool

    @property
    def words(self) -> str:
        """For example "relabelled to lime"; "" while nothing is decided."""
        about_photo = DECIDED.get(self.action, "") + (f" to {self.to}" if self.action == "relabel" else "")
        return ", ".join(filter(None, ["not a copy" if self.apart else "", about_photo]))


class Review:
    """The findings of an audit about single photos, and the decisions in force about them.

    found: the audit; findings: its issues with the columns label, other_label and suggested_label beside them.
    """

    def __init__(self, workspace: Workspace, found: Audit):
        self.workspace = workspace
        manifest = workspace.manifest()
        self._sha256 = dict(zip(manifest["path"], manifest["sha256"], strict=True))
        self._paths = dict(zip(manifest["sha256"], manifest["path"], strict=True))
        self._labels = dict(zip(manifest["path"], manifest["label"], strict=True))
        scores = found.scores.set_index("path")
        issues = found.issues[found.issues["path"] != ""].copy()
        for column, photo, value in (
            ("label", "path", "label"),
            ("suggested_label", "path", "suggested_label"),
            ("other_label", "other", "label"),
        ):
            issues[column] = issues[photo].map(scores[value]).fillna("").astype(str)
        self.found, self.findings = found, issues
        self.refresh()

    def refresh(self) -> None:
        """Read the decisions again: another program may have made some."""
        self._photos, self._pairs = self.workspace.standing(), self.workspace.distinct()

    @property
    def photos(self) -> int:
        """How many photos have findings."""
        return self.findings["path"].nunique()

    @property
    def count(self) -> int:
        """How many decisions are in force."""
        return len(self._photos) + len(self._pairs)

    def kinds(self) -> dict[str, int]:
        """The kinds of finding, the most important first, with how many there are; at last what was decided."""
        counts = self.findings["issue"].value_counts()
        found = {kind: int(counts[kind]) for kind in KINDS if kind in counts}
        return found | ({MINE: self.count} if self.count else {})

    def listed(self, kind: str, undecided_only: bool = False) -> pd.DataFrame:
        """The findings of a kind, worst first."""
        if kind == MINE:
            return self._mine()
        rows = self.findings[self.findings["issue"] == kind].sort_values("score", ascending=False, kind="stable")
        return rows[~self.decided(rows)] if undecided_only else rows

    def _mine(self) -> pd.DataFrame:
        """The decisions in force, in the shape of findings."""
        nothing, rows = {"score": 0.0, **dict.fromkeys(OTHERS, ""), "other_label": "", "suggested_label": ""}, []
        for path, act in self._photos.items():
            label = self._labels[path]
            facts = {"path": path, "issue": act["reason"], "label": label, "suggested_label": act["to"]}
            rows.append(
                nothing | facts | {"detail": f"the label was {label}", "suggestion": "Undo takes your decision back"}
            )
        for act in self._pairs.values():
            path, other = self._paths.get(act["sha256"]), self._paths.get(act["to_sha256"])
            if path and other:
                facts = {"path": path, "issue": "duplicate", "label": self._labels[path]}
                facts |= {"other": other, "other_label": self._labels[other], "detail": f"not a copy of {other}"}
                rows.append(nothing | facts | {"suggestion": "A copy after all takes your decision back"})
        return pd.DataFrame(rows, columns=self.findings.columns)

    def decidable(self, path: str) -> bool:
        """Whether there is a photo to decide about: not for a file that could not be read."""
        return path in self._sha256

    def pair(self, finding: dict[str, Any]) -> frozenset[str]:
        """The contents of the two photos of a finding about copies.

        Empty when they are one file twice, or for other findings.
        """
        if finding["issue"] not in ABOUT_COPIES:
            return frozenset()
        both = frozenset(filter(None, [self._sha256.get(finding["path"]), self._sha256.get(finding["other"])]))
        return both if len(both) == 2 else frozenset()

    def state(self, finding: dict[str, Any]) -> State:
        """What is decided about a finding."""
        act = self._photos.get(finding["path"], {"action": "", "to": ""})
        return State(act["action"], act["to"], self.pair(finding) in self._pairs)

    def decided(self, findings: pd.DataFrame) -> pd.Series:
        """Which of these findings are decided, about the photo or about the pair."""
        states = [bool(self.state(finding).words) for finding in findings.to_dict("records")]
        return pd.Series(states, index=findings.index, dtype=bool)

    @staticmethod
    def suggested(finding: dict[str, Any]) -> str:
        """The action that the audit suggests without a second thought; "" where there is none."""
        if finding["issue"] == "mislabelled" and finding["suggested_label"]:
            return "relabel"
        return "exclude" if finding["suggestion"].startswith("exclude it:") else ""

    # -- deciding ---------------------------------------------------------------------------------------------

    def decide(self, finding: dict[str, Any], action: str, to: str = "") -> str:
        """Write one decision down, at once.

        The one in force already, as a second click on a slow machine brings it, is not written again.

        Parameters
        ----------
        finding
            What it is about.
        action
            relabel, exclude, keep, undo, or distinct: the two photos are not copies, or copies after all.
        to
            The new label, of relabel.

        Returns
        -------
        str
            The decision in words.
        """
        self.refresh()  # another notebook or program may have decided meanwhile
        path, other, kind = finding["path"], finding["other"], finding["issue"]
        if action == "distinct":
            apart = self.state(finding).apart
            self.workspace.decide(path, "same" if apart else "distinct", to=other, reason=kind)
            self.refresh()
            return f"{path}: " + (
                f"a copy of {other} after all."
                if apart
                else f"not a copy of {other}; the next audit will not list them together."
            )
        to = to if action == "relabel" else ""
        if self._changes(path, action, to):
            self.workspace.decide(path, action, to=to, reason=kind)
            self.refresh()
        return f"{path}: {'decision taken back' if action == 'undo' else State(action, to, False).words}."

    def decide_all(self, findings: Iterable[dict[str, Any]], action: str) -> str:
        """Decide about many photos at once: the same about all, or with action "" as the audit suggests for each."""
        self.refresh()
        findings, acts = list(findings), []
        for finding in findings:
            path, kind = finding["path"], finding["issue"]
            does = action or self.suggested(finding)
            to = finding["suggested_label"] if does == "relabel" else ""
            if does and self._changes(path, does, to):
                acts.append((path, does, to, kind))
            if does == "undo" and self.state(finding).apart:
                acts.append((path, "same", finding["other"], kind))
        self.workspace.decide_all(acts)
        self.refresh()
        left = len(findings) - len({path for path, *_ in acts})
        done = {"undo": "taken back", "": "decided as suggested"}.get(action) or DECIDED[action]
        unchanged = f" {left} left as they were: decided so before, or without a clear suggestion." if left else ""
        return f"{len(acts)} {done}.{unchanged}"

    def _changes(self, path: str, action: str, to: str) -> bool:
        """Whether an action is anything new for a photo."""
        act = self._photos.get(path)
        return act is not None if action == "undo" else act is None or (act["action"], act["to"]) != (action, to)

    # -- in words ---------------------------------------------------------------------------------------------

    def by_kind(self) -> pd.DataFrame:
        """issue, found, decided, meaning: a row for each kind of finding."""
        rows = [
            (kind, len(rows), int(self.decided(rows).sum()), KINDS[kind])
            for kind, rows in self.found.issues.groupby("issue", sort=False)
        ]
        return pd.DataFrame(rows, columns=["issue", "found", "decided", "meaning"])

    @property
    def words(self) -> str:
        """All decisions in force, for example "3 relabelled, 1 excluded"; "" when there are none."""
        actions = pd.Series([act["action"] for act in self._photos.values()], dtype=str).value_counts()
        said = [f"{number} {DECIDED[action]}" for action, number in actions.items()]
        said += [f"{len(self._pairs)} pair(s) not copies"] if self._pairs else []
        return ", ".join(said)
