"""One issue of the audit as a card: the photo, what seems wrong, and what to do about it by mouse or keyboard."""

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from cvtune_nb.audit import OTHERS
from cvtune_nb.data import thumbnail
from cvtune_nb.widgets import page
from cvtune_nb.workspace import Workspace

SIDE = 150
"""Longest side of a thumbnail, in pixels."""

DECIDED = {"relabel": "relabelled", "exclude": "excluded", "keep": "kept as it is"}

LOOKS_LIKE = ("mislabelled", "ambiguous")
"""Issues whose other photos are not copies, but examples of the class that the photo looks like."""

KEYS = {"relabel": "r", "exclude": "e", "keep": "k", "undo": "u"}
"""The keys of the buttons, while a photo of the gallery has the focus; `keyboard` presses them."""

Decide = Callable[[str, str, str, str], None]
"""Called with path, action, new label and the kind of issue."""

Choose = Callable[[dict[str, Any], bool], None]
"""Called with the issue and whether it is selected now."""


class Card:
    """A card that is filled again and again: turning a page changes a dozen cards instead of making new ones."""

    def __init__(self, workspace: Workspace, classes: list[str], decide: Decide, choose: Choose):
        self.workspace, self.issue = workspace, {}
        self.look, self.state = w.HTML(), w.HTML()
        self.label = w.Dropdown(options=classes, layout={"width": "auto"})
        buttons = {}
        for action, key in KEYS.items():
            buttons[action] = w.Button(description=action.capitalize(), tooltip=f"{action.capitalize()}: key "
                                       f"{key.upper()}", layout={"width": "75px"})  # fmt: skip
            buttons[action].on_click(lambda _, action=action: decide(self.issue["path"], action, self.label.value,
                                                                     self.issue["issue"]))  # fmt: skip
            buttons[action].add_class(f"cvtune-key-{key}")
            if action != "undo":
                buttons[action].add_class("cvtune-onward")
        self.relabel, self.exclude, self.keep, self.undo = buttons.values()
        self.select = w.Checkbox(description="Select", indent=False, layout={"width": "auto"})
        self.select.add_class("cvtune-key-x")
        self._filling = False
        self.select.observe(lambda change: self._filling or choose(self.issue, change["new"]), "value")
        rows = [w.HBox([self.relabel, self.exclude]), w.HBox([self.keep, self.undo])]
        self.actions = w.VBox([self.label, *rows, self.select])
        place = {"width": "175px", "margin": "0 8px 14px 0", "padding": "3px"}
        self.box = w.VBox([self.look, self.state, self.actions], layout=place)
        self.box.add_class("cvtune-photo")

    def fill(
        self, issue: dict[str, Any], standing: dict[str, dict[str, Any]], known: set[str], selected: bool = False
    ) -> None:
        """Show `issue`: path,issue,score,detail,suggestion,other,other_2,other_3,label,other_label,suggested_label.
        known: paths that can be decided about (files that could not be read can't)."""
        self.issue = issue
        examples = issue["issue"] in LOOKS_LIKE
        what = f"{'looks like this' if examples else 'its copy, labelled'} {issue['other_label']}"
        shown = {issue["path"]: f"labelled {issue['label']}" if issue["label"] else "no label"}
        shown |= {issue[name]: what for name in OTHERS if issue[name]}
        photos = [_photo(self.workspace, path, said, len(shown) > 1) for path, said in shown.items()]
        height = SIDE if len(shown) == 1 else SIDE // 2
        self.look.value = (
            f'<div style="display:flex;flex-wrap:wrap;gap:6px;min-height:{height}px;align-items:flex-end">'
            f"{''.join(photos)}</div>"
            f'<div title="{page.text(issue["path"])}"><b>{page.text(issue["label"] or "no label")}</b>, '
            f"score {issue['score']:.2f}</div>"
            f"<div class='cvtune-faint'>{page.text(issue['detail'])}. {page.text(issue['suggestion'])}.</div>"
        )
        self.box.layout.width = "175px" if len(shown) == 1 else "330px"
        if issue["suggested_label"] in self.label.options:
            self.label.value = issue["suggested_label"]
        self.show(standing)
        self.mark(selected)
        self.actions.layout.display = None if issue["path"] in known else "none"

    def mark(self, selected: bool) -> None:
        """Show whether it is selected, without telling anyone."""
        self._filling = True
        self.select.value = selected
        self._filling = False

    def show(self, standing: dict[str, dict[str, Any]]) -> None:
        """Show the decision in force for this photo, if any."""
        act = standing.get(self.issue["path"])
        self.undo.disabled = act is None
        self.exclude.disabled = bool(act and act["action"] == "exclude")
        if act is None:
            self.state.value = page.status("not decided")
            return
        to = f" to {act['to']}" if act["action"] == "relabel" else ""
        self.state.value = page.status(f"<b>✓ {page.text(DECIDED[act['action']] + to)}</b>")


def _photo(workspace: Workspace, path: str, said: str, caption: bool) -> str:
    try:
        small = thumbnail(workspace.path_of(path), SIDE)
    except (OSError, ValueError):
        return f"<div class='cvtune-faint'>{page.text(path)} can't be shown</div>"
    below = f"<div class='cvtune-faint'>{page.text(said)}</div>" if caption else ""
    return f"<div>{page.image(small, f'{path}, {said}')}{below}</div>"
