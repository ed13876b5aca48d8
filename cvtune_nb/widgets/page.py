"""What panels do to the page that they are on: its style, and keys that stay inside them."""

from pathlib import Path

import anywidget


class Page(anywidget.AnyWidget):
    """An invisible widget that does three things for all panels of the page.

    It keeps keys inside: in JupyterLab `a` on a focused button would insert a cell. Whatever has the focus inside a
    panel is marked as no business of JupyterLab's shortcuts; Lumino looks for the mark on the focused element itself,
    so it has to be set when the focus arrives. A letter clicks what has the class `cvtune-key-LETTER` in the panel
    that has the focus. And while a panel is on the page, the body has the class `cvtune-live`, which hides the copies
    of its pictures in the cells below (`cvtune-still`).
    """

    _css = Path(__file__).with_suffix(".css")
    _esm = Path(__file__).with_suffix(".js")
