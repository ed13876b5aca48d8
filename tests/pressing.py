"""Panels used as a person would, without a browser: press, and wait for the end."""

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
