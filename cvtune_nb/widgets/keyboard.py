"""Keys pressed inside a panel stay inside it: in JupyterLab `a` on a focused button would insert a cell."""

import anywidget


class OwnKeys(anywidget.AnyWidget):
    """An invisible widget that marks whatever has the focus inside a panel as no business of JupyterLab's shortcuts.

    Lumino looks for the mark on the focused element itself, so it has to be set when the focus arrives.
    """

    _esm = """
    const mark = (event) =>
        event.target.closest?.(".cvtune")?.contains(event.target)
        && event.target.setAttribute("data-lm-suppress-shortcuts", "true");
    function render({ el }) {
        el.style.display = "none";
        document.addEventListener("focusin", mark);  // the same function again: added only once
    }
    export default { render };
    """
