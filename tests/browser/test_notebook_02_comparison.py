"""Notebook 02's comparison in a real browser: look at the cost, compare, choose, and the next panel follows."""

import re

from playwright.sync_api import expect

from tests.browser.steps import opened, whole_page


def test_02_compare_and_choose(open_notebook, workspace):
    lab = opened(
        open_notebook, "02_frozen_dnn_svm_baseline", workspace, NETWORKS="efficientnet_lite0", IMAGE_SIZES="64,96"
    )
    lab.run_all()
    assert lab.errors() == []
    panel = lab.output("compare")
    expect(panel).to_contain_text("Nothing compared yet")
    expect(panel).to_contain_text(re.compile("4 candidates on [0-9]+ training photos: at most about"))
    panel.get_by_role("button", name="Compare", exact=True).click()
    expect(panel).to_contain_text("Recommended for accuracy: efficientnet_lite0 at ")
    expect(panel.locator(".cvtune-picture img")).to_have_attribute(
        "alt", re.compile("accuracy against photos a second")
    )
    panel.get_by_label("Or another").select_option(label="efficientnet_lite0 at 96 pixels")
    panel.get_by_role("button", name="Use this").click()
    expect(panel).to_contain_text("Later steps start with efficientnet_lite0 at 96 pixels, chosen by hand")
    expect(lab.output("panel")).to_contain_text("Image size 96 pixels")
    whole_page(lab, "02_comparison")
