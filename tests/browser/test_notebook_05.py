"""Notebook 05 in a real browser: export, and classify a photo."""

import re

from playwright.sync_api import expect

from tests.browser.steps import LONG, button, opened, whole_page


def test_05_export_and_classify(open_notebook, workspace, planted):
    photo = sorted((planted / "circle").glob("circle*.jpg"))[1]
    lab = opened(open_notebook, "05_export_and_use", workspace, NAME="mine")
    # from the start: a listener that comes right before the key press can be too late on a busy machine
    lab.page.on("filechooser", lambda chooser: chooser.set_files(photo))
    lab.run_all()
    assert lab.errors() == ["NotReady: Press Export above first, then run this cell again."]
    panel = lab.output("panel")
    expect(panel).to_contain_text("It has not been opened yet")
    button(lab, "Export").focus()
    lab.page.keyboard.press("Enter")
    expect(panel).to_contain_text("Exported to", timeout=LONG)
    expect(panel).to_contain_text("test photos right")
    answer, likeness = (panel.locator(".cvtune-picture img").nth(place) for place in (1, 2))
    before = answer.get_attribute("src")
    panel.get_by_role("textbox").last.fill(str(sorted((planted / "stripes").glob("stripes*.jpg"))[2]))
    button(lab, "Classify it").press("Enter")
    expect(answer).to_have_attribute("alt", re.compile(r"stripes-\d+.jpg: "))
    panel.get_by_role("button", name="or choose files").press("Enter")
    expect(answer).to_have_attribute("alt", re.compile(f"{photo.name}: "))
    expect(answer).not_to_have_attribute("src", before)
    panel.get_by_role("textbox").last.fill(str(planted / "stripes"))
    button(lab, "Classify it").press("Enter")
    expect(panel).to_contain_text("photos are not known.")
    before = likeness.get_attribute("src")
    keep = panel.get_by_role("slider").nth(1)
    keep.focus()
    for _ in range(30):
        keep.press("ArrowLeft")
    expect(likeness).to_have_attribute(
        "alt", re.compile(r"How much photos are like those of training: .*threshold 0\.[1-9]")
    )
    expect(likeness).not_to_have_attribute("src", before)
    slider = panel.get_by_role("slider").first
    slider.focus()
    certainty = panel.locator(".cvtune-picture img").first
    for _ in range(5):
        slider.press("ArrowRight")
    expect(certainty).to_have_attribute("alt", re.compile("threshold 5%$"))
    for name in ("figures", "sure", "unlike", "use", "learned"):
        lab.run_cell(lab.index(name))
    expect(lab.output("use")).to_contain_text("model.threshold = 0.05")
    expect(lab.output("use")).to_contain_text("from predict import Model")
    expect(lab.output("unlike")).to_contain_text("photos are not known.")
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab.output("use").get_by_role("button", name="Copy").press("Enter")
    expect(lab.output("use")).to_contain_text("Copied.")
    assert "from predict import Model" in lab.page.evaluate("navigator.clipboard.readText()")
    expect(lab.output("learned")).to_contain_text("opened once")
    expect(lab.output("figures")).to_contain_text("model-int8.onnx")
    whole_page(lab, "05_export_and_use")
    assert workspace.test_openings() == 1


def test_05_without_a_run_names_the_notebook_to_open(open_notebook, untrained):
    (untrained.folder / "baseline.json").unlink()
    lab = opened(open_notebook, "05_export_and_use", untrained)
    lab.run_all()
    assert len(lab.errors()) == 1
    assert "open notebook 03_dnn_fine_tuning" in lab.errors()[0]
    expect(button(lab, "Export")).to_be_disabled()
    assert "Traceback" not in lab.cell_text("figures")
