"""One issue of the audit as a card: the photo, what seems wrong, and what to do about it by mouse or keyboard."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets as w

from cvtune_nb.audit import ABOUT_COPIES, OTHERS
from cvtune_nb.data import thumbnail
from cvtune_nb.widgets import html
from cvtune_nb.workspace import Workspace

SIDE = 150
"""Longest side of a thumbnail, in pixels."""

DECIDED = {"relabel": "relabelled", "exclude": "excluded", "keep": "kept as it is"}

LOOKS_LIKE = ("mislabelled", "ambiguous", "outlier")
"""Issues whose other photos are not copies, but examples of the class that the photo looks like."""

KEYS = {"relabel": "r", "exclude": "e", "keep": "k", "undo": "u", "distinct": "d"}
"""The keys of the buttons, while a photo of the gallery has the focus; `keyboard` presses them."""

Decide = Callable[[str, str, str, str], None]
"""Called with path, action, new label (of two photos that are no copies: the other path) and the kind of issue."""

Choose = Callable[[dict[str, Any], bool], None]
"""Called with the issue and whether it is selected now."""


@dataclass(frozen=True)
class Decided:
    """The decisions in force: photos, by path; pairs of photos that are no copies, by {sha256, sha256}."""

    photos: dict[str, dict[str, Any]]
    pairs: dict[frozenset[str], dict[str, Any]]

    @classmethod
    def of(cls, workspace: Workspace) -> "Decided":
        """Those of the workspace, as they are now."""
        return cls(workspace.standing(), workspace.distinct())


class Card:
    """A card that is filled again and again: turning a page changes a dozen cards instead of making new ones."""

    def __init__(self, workspace: Workspace, classes: list[str], decide: Decide, choose: Choose):
        self.workspace, self.issue, self.pair = workspace, {}, frozenset()
        self.look, self.state = w.HTML(), w.HTML()
        self.label = w.Dropdown(options=classes, layout={"width": "auto"})
        buttons = {}
        for action, key in KEYS.items():
            words = "Not a copy" if action == "distinct" else action.capitalize()
            buttons[action] = w.Button(
                description=words,
                tooltip=f"{words}: key {key.upper()}",
                layout={"width": "154px" if action == "distinct" else "75px"},
            )
            buttons[action].on_click(lambda _, action=action: self._decide(decide, action))
            buttons[action].add_class(f"cvtune-key-{key}")
            if action != "undo":
                buttons[action].add_class("cvtune-onward")
        self.relabel, self.exclude, self.keep, self.undo, self.distinct = buttons.values()
        self.select = w.Checkbox(description="Select", indent=False, layout={"width": "auto"})
        self.select.add_class("cvtune-key-x")
        self._filling = False
        self.select.observe(lambda change: self._filling or choose(self.issue, change["new"]), "value")
        rows = [w.HBox([self.relabel, self.exclude]), w.HBox([self.keep, self.undo]), self.distinct]
        self.actions = w.VBox([self.label, *rows, self.select])
        place = {"width": "175px", "margin": "0 8px 14px 0", "padding": "3px"}
        self.box = w.VBox([self.look, self.state, self.actions], layout=place)
        self.box.add_class("cvtune-photo")

    def _decide(self, decide: Decide, action: str) -> None:
        to = self.issue["other"] if action == "distinct" else self.label.value
        decide(self.issue["path"], action, to, self.issue["issue"])

    def fill(self, issue: dict[str, Any], known: dict[str, str], decided: "Decided", selected: bool = False) -> None:
        """Show `issue`: path,issue,score,detail,suggestion,other,other_2,other_3,label,other_label,suggested_label.
        known: path -> sha256 of what can be decided about (files that could not be read can't)."""
        self.issue, self.pair = issue, frozenset()
        if issue["issue"] in ABOUT_COPIES:
            self.pair = frozenset(filter(None, [known.get(issue["path"]), known.get(issue["other"])]))
        self.distinct.layout.display = None if len(self.pair) == 2 else "none"
        examples = issue["issue"] in LOOKS_LIKE
        what = f"{'looks like this' if examples else 'its copy, labelled'} {issue['other_label']}"
        shown = {issue["path"]: f"labelled {issue['label']}" if issue["label"] else "no label"}
        shown |= {issue[name]: what for name in OTHERS if issue[name]}
        photos = [_photo(self.workspace, path, said, len(shown) > 1) for path, said in shown.items()]
        height = SIDE if len(shown) == 1 else SIDE // 2
        self.look.value = (
            f'<div style="display:flex;flex-wrap:wrap;gap:6px;min-height:{height}px;align-items:flex-end">'
            f"{''.join(photos)}</div>"
            f'<div title="{html.text(issue["path"])}"><b>{html.text(issue["label"] or "no label")}</b>, '
            f"score {issue['score']:.2f}</div>"
            f"<div class='cvtune-faint'>{html.text(issue['detail'])}. {html.text(issue['suggestion'])}.</div>"
        )
        self.box.layout.width = "175px" if len(shown) == 1 else "330px"
        if issue["suggested_label"] in self.label.options:
            self.label.value = issue["suggested_label"]
        self.show(decided)
        self.mark(selected)
        self.actions.layout.display = None if issue["path"] in known else "none"

    def mark(self, selected: bool) -> None:
        """Show whether it is selected, without telling anyone."""
        self._filling = True
        self.select.value = selected
        self._filling = False

    def show(self, decided: "Decided") -> None:
        """Show the decisions in force for this photo and this pair, if any."""
        act, apart = decided.photos.get(self.issue["path"]), self.pair in decided.pairs
        self.undo.disabled = act is None
        self.exclude.disabled = bool(act and act["action"] == "exclude")
        self.distinct.description = "A copy after all" if apart else "Not a copy"
        words = ["not a copy"] if apart else []
        if act is not None:
            words.append(DECIDED[act["action"]] + (f" to {act['to']}" if act["action"] == "relabel" else ""))
        self.state.value = html.status(f"<b>✓ {html.text(', '.join(words))}</b>" if words else "not decided")


def _photo(workspace: Workspace, path: str, said: str, caption: bool) -> str:
    try:
        small = thumbnail(workspace.path_of(path), SIDE, workspace.levels)
    except (OSError, ValueError):
        return f"<div class='cvtune-faint'>{html.text(path)} can't be shown</div>"
    below = f"<div class='cvtune-faint'>{html.text(said)}</div>" if caption else ""
    return f"<div>{html.image(small, f'{path}, {said}')}{below}</div>"
