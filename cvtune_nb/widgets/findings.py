"""Findings as cards: what, a fold that says why, and a button that carries it out."""

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as w

from cvtune_nb.runs.finding import Finding
from cvtune_nb.widgets import html


class Findings(w.VBox):
    """The cards of some findings. apply(finding): what an Apply button does; names: the parameters that it can set."""

    def __init__(self, apply: Callable[[Finding], None], names: Iterable[str]):
        super().__init__()
        self._apply, self._names = apply, set(names)

    def show(self, findings: Iterable[Finding]) -> None:
        """Show these instead of those before."""
        self.children = [self._card(finding) for finding in findings]

    def _card(self, finding: Finding) -> w.Widget:
        box = w.HTML(html.card(finding.title, why=(finding.evidence, f"Source: {finding.source}")))
        change = {name: value for name, value in finding.change.items() if name in self._names}
        if not change:
            return box
        words = ", ".join(f"{name} {short(value)}" for name, value in change.items() if value != "")
        button = w.Button(description=f"Apply: {words}", layout={"width": "auto", "align_self": "flex-start"})
        button.on_click(lambda _: self._apply(finding))
        return w.VBox([box, button])


def short(value: Any) -> str:
    """A parameter's value in a button."""
    return f"{value:.3g}" if isinstance(value, float) else str(value) or "empty"
