"""Notebook 00 in a real browser: photos are opened, by path or from the sample, at any time."""

import re

from playwright.sync_api import expect

from tests.browser.steps import LONG, button, opened, picture, whole_page
from tests.photos import ODD


def test_00_open_photos(open_notebook, planted, photo_folder, tmp_path):
    lab = open_notebook("00_start_here", DATA=str(planted), WORKSPACE=str(tmp_path / "one"))
    lab.run_all()
    assert lab.errors() == []
    expect(picture(lab)).to_have_attribute("alt", re.compile(re.escape(ODD)))
    first = picture(lab).get_attribute("src")
    expect(lab.output("panel")).to_contain_text("photos a second")
    expect(lab.output("counts").locator("img")).to_be_visible()
    expect(lab.output("learned")).to_contain_text("61 photos in 3 classes")

    boxes = lab.output("panel").get_by_role("textbox")
    boxes.nth(0).fill(str(photo_folder))
    boxes.nth(1).fill(str(tmp_path / "two"))
    button(lab, "Open these photos").focus()
    lab.page.keyboard.press("Enter")
    expect(lab.output("panel")).to_contain_text("72 photos in 3 classes", timeout=LONG)
    expect(picture(lab)).not_to_have_attribute("src", first)
    expect(lab.output("learned")).to_contain_text("72 photos in 3 classes", timeout=LONG)  # the cells below follow
    whole_page(lab, "00_start_here")


def test_00_a_wrong_path_is_said_on_the_page(open_notebook, planted, tmp_path):
    lab = open_notebook("00_start_here", DATA=str(planted), WORKSPACE=str(tmp_path / "one"))
    lab.run_all()
    lab.output("panel").get_by_role("textbox").nth(0).fill("/no <i>such</i> folder")
    button(lab, "Open these photos").click()
    expect(lab.output("panel").get_by_role("alert")).to_contain_text("/no <i>such</i> folder")
    expect(button(lab, "Open these photos")).to_be_enabled()


def test_00_own_photos_do_not_wait_for_the_sample(open_notebook, planted, tmp_path):
    """Run All without photos makes the sample; Open works meanwhile, and ends that."""
    lab = open_notebook("00_start_here")
    lab.page.evaluate(  # nothing was ever opened in this home, and there is no sample
        "home => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute("
        "{code: `import os; os.environ['CVTUNE_HOME'] = '${home}'`}).done.then(() => null)",
        str(tmp_path / "home"),
    )
    lab.run_all()
    assert lab.errors() == [], "the cells below wait for it"
    panel = lab.output("panel")
    expect(panel).to_contain_text("making sample photos", timeout=LONG)
    expect(button(lab, "Open these photos")).to_be_enabled()
    boxes = panel.get_by_role("textbox")
    boxes.nth(0).fill(str(planted))
    boxes.nth(1).fill(str(tmp_path / "own"))
    button(lab, "Open these photos").press("Enter")
    expect(panel).to_contain_text("Open: 61 photos", timeout=LONG)
    expect(lab.output("learned")).to_contain_text("61 photos in 3 classes")
    assert not list((tmp_path / "home").glob("*sample*")), "nothing half made is left"
    lab.run_all()
    assert lab.errors() == [], "Run All a second time works, too"


def test_00_quick_with_one_press(open_notebook, workspace):
    lab = opened(open_notebook, "00_start_here", workspace)
    lab.run_all()
    assert lab.errors() == []
    presets = lab.output("presets")
    expect(presets).to_contain_text("expected on test photos", timeout=LONG)
    quick = presets.get_by_role("button", name="Quick", exact=True)
    quick.focus()
    lab.page.keyboard.press("Enter")
    expect(presets.get_by_role("button", name="Best", exact=True)).to_be_disabled()
    expect(presets).to_contain_text("Done: quick", timeout=2 * LONG)
    expect(presets).to_contain_text("test accuracy")
    lab.run_cell(lab.index("done"))
    expect(lab.output("done")).to_contain_text("Preset quick: done after")
    expect(lab.output("done").get_by_role("link")).to_contain_text("02_frozen_dnn_svm_baseline")
    whole_page(lab, "00_presets")
