"""Keys pressed inside a panel stay inside it: in JupyterLab `a` on a focused button would insert a cell."""

from pathlib import Path

import anywidget


class OwnKeys(anywidget.AnyWidget):
    """An invisible widget that does two things for all panels of the page.

    Whatever has the focus inside a panel is marked as no business of JupyterLab's shortcuts; Lumino looks for the mark
    on the focused element itself, so it has to be set when the focus arrives. And a letter clicks what has the class
    `cvtune-key-LETTER` in the panel that has the focus.
    """

    _esm = Path(__file__).with_suffix(".js")
