"""Notebook 04 in a real browser: the ladder, what would help most, a sweep."""

import re

from playwright.sync_api import expect

from tests.browser.steps import LONG, button, opened, picture, whole_page


def test_04_climb_apply_an_advice_and_climb_on(open_notebook, untrained):
    lab = opened(
        open_notebook,
        "04_parameter_escalation",
        untrained,
        FAMILY="efficientnet_lite",
        RUNGS="1",
        EPOCHS=1,
        IMAGE_SIZES="64,96",
    )
    lab.run_all()
    assert lab.errors() == ["NotReady: Press Run these rungs above first, then run this cell again."]
    panel = lab.output("panel")
    expect(panel).to_contain_text("1 rung:", timeout=LONG)
    expect(panel).to_contain_text("; expected accuracy ", timeout=LONG)
    second = panel.get_by_role("checkbox").nth(1)
    second.focus()
    lab.page.keyboard.press("Space")
    expect(panel).to_contain_text("2 rungs:")
    expect(panel.get_by_text("; expected accuracy ")).to_have_count(5, timeout=LONG)  # told anew after a change
    empty = picture(lab).get_attribute("src")
    button(lab, "Run these rungs").click()
    expect(picture(lab)).not_to_have_attribute("src", empty, timeout=LONG)
    expect(panel).to_contain_text("Finished. Now run the cells below.", timeout=LONG)
    expect(picture(lab)).to_have_attribute("alt", re.compile("rung 1 .*; rung 2 "))
    expect(panel).to_contain_text("Where to stop, and why")
    for name in ("result", "learned"):
        lab.run_cell(lab.index(name))
    expect(lab.output("learned")).to_contain_text("is best on validation")

    why = panel.get_by_text("Why", exact=True).first
    why.press("Enter")
    expect(panel).to_contain_text("Source: ")
    rungs = panel.get_by_role("button", name="Take out")
    expect(rungs).to_have_count(5)
    advice = panel.get_by_role("button", name=re.compile("^Apply: "))
    advice.first.press("Enter")
    expect(rungs).to_have_count(6)
    expect(panel).to_contain_text("Applied as rung 6, the only one ticked")
    expect(panel.get_by_role("checkbox").nth(5)).to_be_checked()
    expect(panel.get_by_role("checkbox").nth(0)).not_to_be_checked()
    whole_page(lab, "04_parameter_escalation_applied")
    before = len(list(untrained.runs.iterdir()))
    button(lab, "Run these rungs").click()
    expect(panel).to_contain_text("before it: ", timeout=LONG)
    expect(panel).to_contain_text("predictions were within")
    assert len(list(untrained.runs.iterdir())) == before + 1

    gains = lab.output("helps")
    gains.get_by_role("button", name="What would help most?", exact=True).click()
    expect(gains).to_contain_text("Twice the training photos", timeout=LONG)
    expect(gains).to_contain_text("Finished.", timeout=LONG)
    lab.run_cell(lab.index("sweep"))
    expect(lab.output("sweep")).to_contain_text("the best run: dropout 0 to 0.6, learning rate ")
    lab.output("sweep").get_by_role("spinbutton").first.fill("2")
    lab.output("sweep").get_by_role("button", name="Sweep", exact=True).click()
    expect(lab.output("sweep")).to_contain_text("What to believe", timeout=LONG)
    whole_page(lab, "04_parameter_escalation")
