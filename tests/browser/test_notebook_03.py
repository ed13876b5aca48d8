"""Notebook 03 in a real browser: train, stop, resume, follow the findings."""

import re

from playwright.sync_api import expect

from cvtune_nb import classification
from tests.browser.steps import LONG, NETWORK, button, change_theme, gone_from_below, opened, picture, whole_page


def test_03_train_watch_and_read(open_notebook, untrained):
    lab = opened(
        open_notebook, "03_dnn_fine_tuning", untrained, BACKBONE=NETWORK, IMAGE_SIZE=64, EPOCHS=2, BATCH_SIZE=16
    )
    lab.run_all()
    assert lab.errors() == ["NotReady: Press Train above first, then run this cell again."]
    panel = lab.output("panel")
    expect(panel).to_contain_text("This will take", timeout=LONG)
    empty = picture(lab).get_attribute("src")
    rate = panel.get_by_role("slider").first
    rate.focus()
    preview = panel.get_by_role("img", name=re.compile("last layer alone"))
    expect(preview).to_be_visible(timeout=LONG)
    before = preview.get_attribute("src")
    lab.page.keyboard.press("ArrowRight")
    expect(panel).to_contain_text(re.compile(r"Learning rate 0\.0003\d"))
    expect(preview).not_to_have_attribute("src", before)
    button(lab, "Find learning rate").click()
    curve = panel.get_by_role("img", name=re.compile("loss against learning rate"))
    expect(curve).to_be_visible(timeout=LONG)
    whole_page(lab, "03_learning_rate")
    panel.get_by_role("button", name=re.compile("^Apply: learning_rate")).press("Enter")
    expect(panel).to_contain_text("Applied learning_rate, schedule")
    button(lab, "Train").click()
    expect(button(lab, "Train")).to_be_disabled()
    lab.page.evaluate(  # the kernel is free while it trains
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        ".requestExecute({code: 'answered = 1'}).done.then(() => null)"
    )
    expect(picture(lab)).not_to_have_attribute("src", empty, timeout=LONG)
    expect(panel).to_contain_text("Finished. Best epoch", timeout=LONG)
    expect(panel).to_contain_text("the last prediction was within", timeout=LONG)  # the next one's cost, corrected
    expect(picture(lab)).to_have_attribute("alt", re.compile("001-efficientnet_lite0-64"))
    expect(lab.output("compare")).to_contain_text("001-efficientnet_lite0-64")  # brought up to date by itself
    for name in ("curves", "learned"):
        lab.run_cell(lab.index(name))
    gone_from_below(lab, "curves")
    expect(lab.output("learned")).to_contain_text("fine-tuned at 64 pixels")
    whole_page(lab, "03_dnn_fine_tuning")
    change_theme(lab, "JupyterLab Dark")
    whole_page(lab, "03_dnn_fine_tuning_dark")
    change_theme(lab, "JupyterLab Light")
    saved = lab.save()
    curves = next(cell for cell in saved["cells"] if cell["id"] == "curves")
    assert any("image/png" in output.get("data", {}) for output in curves["outputs"])  # stays without a kernel


def test_03_stop_and_run_the_cell_again(open_notebook, untrained):
    lab = opened(
        open_notebook, "03_dnn_fine_tuning", untrained, BACKBONE=NETWORK, IMAGE_SIZE=64, EPOCHS=200, BATCH_SIZE=16
    )
    lab.run_all()
    button(lab, "Train").click()
    expect(picture(lab)).to_have_attribute("alt", re.compile("001-efficientnet_lite0-64"), timeout=LONG)
    lab.run_cell(lab.index("panel"))
    expect(button(lab, "Stop")).to_be_enabled()  # the same panel, still at work
    lab.save()
    lab.page.reload()
    lab.ready(LONG)
    lab.run_cell(lab.index("panel"))
    expect(button(lab, "Stop")).to_be_enabled()  # so it is after a reload of the page
    button(lab, "Stop").press("Enter")
    expect(lab.output("panel")).to_contain_text("Resume continues from its last whole epoch", timeout=LONG)
    expect(button(lab, "Resume")).to_be_enabled()
    assert classification.runs(untrained)["state"].tolist() == ["stopped"]


def test_03_presets_and_advice_move_the_controls(open_notebook, untrained):
    lab = opened(
        open_notebook,
        "03_dnn_fine_tuning",
        untrained,
        BACKBONE=NETWORK,
        IMAGE_SIZE=64,
        EPOCHS=1,
        BATCH_SIZE=16,
        LEARNING_RATE=1.0,
        HEAD="random",
    )
    lab.run_all()
    panel = lab.output("panel")
    button(lab, "Train").click()
    advice = panel.get_by_role("button", name=re.compile("^Apply: .*learning_rate"))
    expect(advice.first).to_be_visible(timeout=LONG)
    expect(button(lab, "Train")).to_be_enabled(timeout=LONG)  # the end of the run writes the status line, too
    words = advice.first.inner_text()
    advice.first.press("Enter")
    expect(panel).to_contain_text("press Train")
    rate = re.search(r"learning_rate ([\d.e-]+)", words)[1]
    expect(panel).to_contain_text(f"Learning rate {rate}")
    button(lab, "2018 recipe").click()
    expect(panel).to_contain_text("Learning rate 0.05")
    button(lab, "Recommended").press("Enter")
    expect(panel).to_contain_text("Learning rate 0.0003")


def test_03_augmentation_is_shown_on_nine_photos_and_measured(open_notebook, untrained):
    lab = opened(open_notebook, "03_dnn_fine_tuning", untrained, BACKBONE=NETWORK, IMAGE_SIZE=64)
    lab.run_all()
    panel = lab.output("panel")
    nine = panel.get_by_role("img", name=re.compile("what training sees of 9 of your photos"))
    expect(nine).to_be_visible(timeout=LONG)
    before = nine.get_attribute("src")
    turns = panel.get_by_role("checkbox", name="Turns and mirrors")
    turns.press("Space")
    expect(nine).not_to_have_attribute("src", before)
    expect(panel).to_contain_text("--augmentation crop+flip+d4")
    button(lab, "Measure which do no harm").press("Enter")
    expect(panel).to_contain_text("Found to do no harm so, with", timeout=LONG)
    expect(panel).to_contain_text(re.compile(r"Vertical flip off: mirrored top to bottom. .*to tell"))  # 9 photos
    whole_page(lab, "03_augmentation")
    typed = panel.get_by_role("textbox", name="Augmentation")
    typed.fill("crop+zoom")
    typed.press("Enter")
    expect(panel).to_contain_text("there is no 'zoom': choose from crop")
    expect(panel).to_contain_text("--augmentation crop+flip+d4")
