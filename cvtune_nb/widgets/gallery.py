"""One issue of the audit as a card: the photo, what seems wrong, and what to do about it by mouse or keyboard."""

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from cvtune_nb.data import thumbnail
from cvtune_nb.widgets import page
from cvtune_nb.workspace import Workspace

SIDE = 150
"""Longest side of a thumbnail, in pixels."""

DECIDED = {"relabel": "relabelled", "exclude": "excluded", "keep": "kept as it is"}

LOOKS_LIKE = ("mislabelled", "ambiguous")
"""Issues whose second photo is not a copy, but an example of the class that the photo looks like."""

Decide = Callable[[str, str, str, str], None]
"""Called with path, action, new label and the kind of issue."""


class Card:
    """A card that is filled again and again: turning a page changes a dozen cards instead of making new ones."""

    def __init__(self, workspace: Workspace, classes: list[str], decide: Decide):
        self.workspace, self.issue = workspace, {}
        self.look, self.state = w.HTML(), w.HTML()
        self.label = w.Dropdown(options=classes, layout={"width": "auto"})
        self.relabel = w.Button(description="Relabel", layout={"width": "75px"})
        self.exclude = w.Button(description="Exclude", layout={"width": "75px"})
        self.keep = w.Button(description="Keep", layout={"width": "75px"})
        self.undo = w.Button(description="Undo", layout={"width": "75px"})
        for button in (self.relabel, self.exclude, self.keep, self.undo):
            button.on_click(lambda clicked: decide(self.issue["path"], clicked.description.lower(),
                                                   self.label.value, self.issue["issue"]))  # fmt: skip
        rows = [w.HBox([self.relabel, self.exclude]), w.HBox([self.keep, self.undo])]
        self.actions = w.VBox([self.label, *rows])
        self.box = w.VBox([self.look, self.state, self.actions], layout={"width": "175px", "margin": "0 8px 14px 0"})

    def fill(self, issue: dict[str, Any], standing: dict[str, dict[str, Any]], known: set[str]) -> None:
        """Show `issue`: path,issue,score,detail,suggestion,other,label,other_label,suggested_label. known: paths that
        can be decided about (files that could not be read can't)."""
        self.issue = issue
        shown = {issue["path"]: f"labelled {issue['label']}" if issue["label"] else "no label"}
        if issue["other"]:
            what = "looks like this" if issue["issue"] in LOOKS_LIKE else "its copy, labelled"
            shown[issue["other"]] = f"{what} {issue['other_label']}"
        photos = "".join(_photo(self.workspace, path, said, len(shown) > 1) for path, said in shown.items())
        height = SIDE if len(shown) == 1 else SIDE // 2
        self.look.value = (
            f'<div style="display:flex;gap:6px;min-height:{height}px;align-items:flex-end">{photos}</div>'
            f'<div title="{page.text(issue["path"])}"><b>{page.text(issue["label"] or "no label")}</b>, '
            f"score {issue['score']:.2f}</div>"
            f"<div class='cvtune-faint'>{page.text(issue['detail'])}. {page.text(issue['suggestion'])}.</div>"
        )
        self.box.layout.width = "175px" if len(shown) == 1 else "330px"
        if issue["suggested_label"] in self.label.options:
            self.label.value = issue["suggested_label"]
        self.show(standing)
        self.actions.layout.display = None if issue["path"] in known else "none"

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
