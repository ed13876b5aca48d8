"""Folds in notebook 03, in a real browser: the best run is cross-validated, stopped, and gone on with."""

import re

from playwright.sync_api import expect

from tests.browser.steps import LONG, opened


def test_03_the_best_run_is_cross_validated(open_notebook, workspace):
    lab = opened(open_notebook, "03_dnn_fine_tuning", workspace, BACKBONE="efficientnet_lite0", IMAGE_SIZE=64, EPOCHS=0)
    lab.run_all()
    folds = lab.output("folds")
    expect(folds).to_contain_text("in folds say more", timeout=LONG)
    expect(folds).to_contain_text("the best run: about", timeout=LONG)
    number = folds.get_by_label("Folds", exact=True)
    number.fill("3")
    number.press("Enter")
    expect(folds).to_contain_text("the best run: about", timeout=LONG)
    folds.get_by_role("button", name="Cross-validate", exact=True).press("Enter")
    expect(folds).to_contain_text("training and validation photos right; 95% interval", timeout=LONG)
    expect(folds).to_contain_text("judged by a run that had not seen it")
    expect(folds.locator(".cvtune-picture img").first).to_have_attribute("alt", re.compile("3 folds: "))
    lab.run_cell(lab.index("folded"))
    expect(lab.output("folded")).to_contain_text("3 folds: ")
    folds.scroll_into_view_if_needed()
    lab.screenshot("03_folds")
