"""What counts in a real browser: costs are typed into a table, and what is answered follows them."""

import re

from playwright.sync_api import expect

from cvtune_nb.classification import objective
from cvtune_nb.objectives import costs_in_words
from tests.browser.steps import LONG, NETWORK, opened, picture


def test_02_costs_are_edited_by_keyboard(open_notebook, workspace):
    parameters = {"BACKBONE": NETWORK, "IMAGE_SIZE": 64}
    lab = opened(open_notebook, "02_frozen_dnn_svm_baseline", workspace, **parameters)
    lab.run_all()
    assert lab.errors() == []
    panel = lab.output("panel")
    expect(picture(lab)).to_have_attribute("alt", re.compile("confusion matrix"))
    menu = panel.locator("select").filter(has_text="what each mistake costs")
    menu.focus()
    lab.page.keyboard.type("what")  # as a person chooses in a menu without a mouse
    lab.page.keyboard.press("Enter")
    expect(panel).to_contain_text("photo of \\ taken for")
    expect(panel).to_contain_text("Below is what is answered, the class of the lowest expected cost", timeout=LONG)
    first, *others = workspace.classes
    assert objective.chosen(workspace).startswith("costs:")
    panel.get_by_label(f"{first} taken for {others[0]}", exact=True).focus()
    lab.page.keyboard.press("Control+a")
    lab.page.keyboard.type("1000")
    lab.page.keyboard.press("Tab")
    expect(picture(lab)).to_have_attribute("alt", re.compile("answered as costs least"), timeout=LONG)
    expect(panel).to_contain_text("mean cost")
    expect(lab.output("learned")).to_contain_text("What counts, mean cost, is", timeout=LONG)
    asked = costs_in_words([[0, 1000, 1], [1, 0, 1], [1, 1, 0]], workspace.classes)
    for _ in range(100):  # the digits come one by one
        if objective.chosen(workspace) == asked:
            break
        lab.page.wait_for_timeout(100)
    assert objective.chosen(workspace) == asked
    lab.screenshot("02_costs", panel)
    curve = lab.output("curve").locator("img")
    by_cost = curve.get_attribute("src")
    menu.focus()
    lab.page.keyboard.type("bal")
    lab.page.keyboard.press("Enter")
    expect(panel).to_contain_text("balanced accuracy; 95% interval", timeout=LONG)
    expect(panel).not_to_contain_text("Below is what is answered")
    expect(curve).not_to_have_attribute("src", by_cost, timeout=LONG)  # it follows too
    assert objective.chosen(workspace) == "balanced-accuracy"
    lab.screenshot("02_balanced_accuracy", panel)
    lab.screenshot("02_learning_curve", lab.output("curve"))
