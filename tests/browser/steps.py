"""What a person does and looks at in any of the notebooks."""

from playwright.sync_api import Locator, expect

NETWORK = "efficientnet_lite0"
LONG = 240_000
"""Milliseconds that a step with a network may take on a busy machine before a test gives up on it."""


def opened(open_notebook, name, workspace, **parameters):
    """A notebook on the photos of a workspace."""
    return open_notebook(name, DATA=workspace.source, WORKSPACE=str(workspace.folder), **parameters)


def picture(lab) -> Locator:
    """The panel's live picture."""
    return lab.output("panel").locator(".cvtune-picture img").first


def button(lab, name) -> Locator:
    """A button of the panel."""
    return lab.output("panel").get_by_role("button", name=name, exact=True)


def gone_from_below(lab, cell) -> None:
    """The copy of a picture in the output of `cell` is there, but hidden while the panel shows the picture itself."""
    expect(lab.output(cell).locator("img").first).to_be_attached()
    expect(lab.output(cell).locator("img").first).to_be_hidden()


def whole_page(lab, name):
    """A screenshot of the whole notebook, not only of the part in the window."""
    height = lab.page.evaluate("() => document.querySelector('.jp-WindowedPanel-inner').scrollHeight")
    before = lab.page.viewport_size
    lab.page.set_viewport_size({"width": 1280, "height": min(height + 120, 4000)})
    lab.page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 0)")
    lab.screenshot(name)
    lab.page.set_viewport_size(before)


def change_theme(lab, theme):
    """JupyterLab in another theme."""
    lab.page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme}).then(() => null)", theme
    )
    expect(lab.page.locator(f"body[data-jp-theme-name='{theme}']")).to_be_attached()
