"""Notebook 04's combinations in a real browser: climb two rungs, combine what there is, export it as one file."""

import re

from playwright.sync_api import expect

from cvtune_nb.classification.combining.combination import KINDS, MEAN
from tests.browser.steps import LONG, button, opened, whole_page


def test_04_climb_combine_and_export(open_notebook, untrained):
    lab = opened(
        open_notebook,
        "04_parameter_escalation",
        untrained,
        FAMILY="efficientnet_lite",
        RUNGS="1,2",
        EPOCHS=1,
        IMAGE_SIZES="64,96",
    )
    for name in ("parameters", "panel"):
        lab.run_cell(lab.index(name))
    button(lab, "Run these rungs").click()
    expect(lab.output("panel")).to_contain_text("Finished. Now run the cells below.", timeout=LONG)
    lab.run_cell(lab.index("combine"))
    panel = lab.output("combine")
    expect(panel).to_contain_text("Nothing is combined yet")
    expect(panel).to_contain_text(re.compile("About .* at most"), timeout=LONG)
    panel.get_by_role("combobox").first.select_option(label=f"mean: {KINDS[MEAN]}")
    combine = panel.get_by_role("button", name="Combine", exact=True)
    combine.focus()
    lab.page.keyboard.press("Enter")
    expect(panel).to_contain_text("It can be exported in notebook 05", timeout=LONG)
    expect(panel).to_contain_text("Ways to combine, corrected for the choice")
    expect(panel.locator(".cvtune-picture img").first).to_have_attribute("alt", re.compile("single .*; mean "))
    panel.get_by_text("Distil or delete a combination").click()
    expect(panel.get_by_role("button", name="Distil", exact=True)).to_be_enabled(timeout=LONG)
    whole_page(lab, "04_combining")
    expect(panel).to_contain_text("and as much again for as many photos without labels", timeout=LONG)

    lab = opened(open_notebook, "05_export_and_use", untrained, RUN="combination-1")
    lab.run_all()
    button(lab, "Export").click()
    expect(lab.output("panel")).to_contain_text("Exported to", timeout=LONG)
    whole_page(lab, "05_combination_exported")
