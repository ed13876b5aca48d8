"""Notebook 02's framings in a real browser: see what is cut off, compare, choose, and the next panel follows."""

import re

from playwright.sync_api import expect

from tests.browser.steps import LONG, opened, whole_page


def test_02_compare_framings_and_choose(open_notebook, workspace):
    lab = opened(open_notebook, "02_frozen_dnn_svm_baseline", workspace, IMAGE_SIZE=64, FRAMING_PHOTOS=60)
    lab.run_all()
    assert lab.errors() == []
    panel = lab.output("framing")
    expect(panel.locator(".cvtune-picture img").last).to_have_attribute("alt", re.compile("cut off"))
    expect(panel).to_contain_text(re.compile("The crop leaves out .* of the photos' area"))
    expect(panel).to_contain_text("Nothing compared yet")
    panel.get_by_role("button", name="Compare framings", exact=True).click()
    expect(panel).to_contain_text("Recommended: ", timeout=LONG)
    panel.get_by_role("button", name="Use whole", exact=True).click()
    expect(panel).to_contain_text(re.compile("Later steps start with efficientnet_lite0 at [0-9]+ pixels, whole"))
    expect(lab.output("panel")).to_contain_text("Framing whole")
    whole_page(lab, "02_framing")
