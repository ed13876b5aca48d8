"""Notebook 02 in a real browser: C and the kernel are answered at once."""

import re

from playwright.sync_api import expect

from tests.browser.steps import NETWORK, opened, picture, whole_page


def test_02_move_c(open_notebook, workspace):
    lab = opened(open_notebook, "02_frozen_dnn_svm_baseline", workspace, BACKBONE=NETWORK, IMAGE_SIZE=64)
    lab.run_all()
    assert lab.errors() == []
    expect(picture(lab)).to_have_attribute("alt", re.compile("confusion matrix"))
    for name in ("c-curve", "mistakes", "curve"):
        expect(lab.output(name).locator("img")).to_be_visible()
    slider = lab.output("panel").get_by_role("slider").nth(1)
    slider.focus()
    lab.page.keyboard.press("Home")
    expect(lab.output("panel")).to_contain_text("C = 0.01, linear kernel")
    lab.page.keyboard.press("ArrowRight")
    expect(lab.output("panel")).to_contain_text("C = 0.03, linear kernel")
    lab.output("panel").get_by_role("button", name="rbf").press("Enter")
    expect(lab.output("panel")).to_contain_text("C = 0.03, rbf kernel")
    expect(lab.output("learned")).to_contain_text("rbf SVM (C = 0.03)")  # the last of the cells that follow
    before = lab.output("c-curve").locator("img").get_attribute("src")
    slider.press("End")
    expect(lab.output("panel")).to_contain_text("C = 100, rbf kernel")
    expect(lab.output("learned")).to_contain_text("rbf SVM (C = 100)")
    expect(lab.output("c-curve").locator("img")).not_to_have_attribute("src", before)  # it follows too
    whole_page(lab, "02_frozen_dnn_svm_baseline")
