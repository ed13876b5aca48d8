"""Panels used as a person would, without a browser: press, and wait for the end."""

from typing import Any

from ipywidgets import Widget

from cvtune_nb.panels.panel import Panel

SMALL = {"backbone": "efficientnet_lite0", "image_size": 64}
SAFE = "&lt;b&gt;x &amp; &quot;é&quot;"


def finished(panel: Panel) -> Panel:
    assert panel.job.wait(300)
    assert panel.job.state != "failed", panel.job.error
    return panel


def press(panel: Panel) -> Panel:
    panel.go.click()
    return finished(panel)


def arrives(widget: Widget, content: dict[str, Any]) -> None:
    """A message from the page to a widget."""
    data = {"method": "custom", "content": content}
    widget.comm.handle_msg({"content": {"data": data}, "buffers": []})
