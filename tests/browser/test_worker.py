"""Work in a process of its own: what a person sees when it dies, and when the kernel is started anew."""

import json
import re

import psutil
from playwright.sync_api import expect

from cvtune_nb import classification
from tests.browser.steps import LONG, NETWORK, button, opened, picture, whole_page


def training(open_notebook, workspace):
    """Notebook 03 in the middle of a long run."""
    lab = opened(
        open_notebook, "03_dnn_fine_tuning", workspace, BACKBONE=NETWORK, IMAGE_SIZE=64, EPOCHS=200, BATCH_SIZE=16
    )
    lab.run_all()
    button(lab, "Train").click()
    expect(picture(lab)).to_have_attribute("alt", re.compile("001-efficientnet_lite0-64"), timeout=LONG)
    return lab


def process_of(workspace):
    """The one that trains."""
    port = json.loads((workspace.folder / "work" / "TrainingPanel.json").read_text())["port"]
    connections = (each for each in psutil.net_connections() if each.status == psutil.CONN_LISTEN)
    return psutil.Process(next(each.pid for each in connections if each.laddr.port == port))


def test_when_it_is_killed_the_panel_says_so_and_goes_on(open_notebook, untrained):
    lab = training(open_notebook, untrained)
    process = process_of(untrained)
    process.kill()
    panel = lab.output("panel")
    expect(panel.get_by_role("alert")).to_contain_text("has ended unexpectedly (signal SIGKILL)", timeout=LONG)
    whole_page(lab, "03_worker_died")
    expect(button(lab, "Resume")).to_be_enabled()
    epochs = len(classification.load_run(untrained, "last").history)
    button(lab, "Resume").click()
    expect(panel).to_contain_text(f"epoch {epochs + 1}", timeout=LONG)  # the kernel is there
    assert process_of(untrained).pid != process.pid
    button(lab, "Stop").click()
    expect(panel).to_contain_text("Resume continues from its last whole epoch", timeout=LONG)
    assert not (untrained.folder / "work" / "TrainingPanel.json").exists()


def test_a_kernel_that_is_started_anew_finds_the_work_going_on(open_notebook, untrained):
    lab = training(open_notebook, untrained)
    process = process_of(untrained)
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    lab.ready(LONG)
    lab.run_all()
    expect(button(lab, "Stop")).to_be_enabled()
    expect(lab.output("panel")).to_contain_text(re.compile(r"epoch \d+ of 200"), timeout=LONG)
    assert process_of(untrained).pid == process.pid
    whole_page(lab, "03_worker_found")
    button(lab, "Stop").press("Enter")
    expect(lab.output("panel")).to_contain_text("Resume continues from its last whole epoch", timeout=LONG)
    assert classification.runs(untrained)["state"].tolist() == ["stopped"]
