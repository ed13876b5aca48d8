"""Notebook 06 in a real browser: boxes are drawn, a detector is trained."""

import re

import pytest
from playwright.sync_api import expect

from cvtune_nb.detection import open_dataset
from tests.boxes import make_scenes
from tests.browser.steps import LONG, button, gone_from_below, whole_page


def test_06_draw_correct_train_and_see(open_notebook, tmp_path):
    """Three boxes drawn, one corrected, two short epochs, boxes on photos."""
    folder = make_scenes(tmp_path / "scenes", 16)
    lab = open_notebook(
        "06_small_objects",
        DATA=str(folder),
        WORKSPACE=str(tmp_path / "workspace"),
        DETECTOR="efficientnet_lite0_fpn",
        IMAGE_SIZE=128,
        EPOCHS=2,
        PROPOSALS=40,
    )
    lab.run_all()
    assert lab.errors() == ["NotReady: Press Train the detector above first, then run this cell again."]
    panel, mouse, keys = lab.output("boxes"), lab.page.mouse, lab.page.keyboard
    photo = panel.locator(".cvtune-drawing")
    show = panel.get_by_role("combobox").first
    show.select_option("nothing to find")
    expect(panel).to_contain_text("Photo 1 of 2: 008.jpg, nothing to find")
    photo.scroll_into_view_if_needed()
    cells = lab.page.locator(".jp-Cell").count()

    def drag(left, top, right, bottom):
        area = photo.bounding_box()
        mouse.move(area["x"] + left * area["width"], area["y"] + top * area["height"])
        mouse.down()
        mouse.move(area["x"] + right * area["width"], area["y"] + bottom * area["height"], steps=5)
        mouse.up()

    for number, corners in enumerate([(0.1, 0.1, 0.2, 0.2), (0.4, 0.1, 0.55, 0.3), (0.7, 0.6, 0.9, 0.9)], 1):
        drag(*corners)
        expect(panel).to_contain_text(f"008.jpg, {number} boxes")
    expect(photo).to_have_attribute("aria-label", re.compile("3 boxes; selected: dot"))
    keys.press("2")  # the label of the selected box
    expect(photo.locator("div.chosen span")).to_have_text("tile")
    drag(0.8, 0.7, 0.75, 0.65)  # moves it
    keys.press("Shift+ArrowRight")
    keys.press("n")
    expect(panel).to_contain_text("Photo 2 of 2: 016.jpg")
    keys.press("p")
    expect(panel).to_contain_text("008.jpg, 3 boxes")
    dataset = open_dataset(folder, tmp_path / "workspace")
    boxes = dataset.annotations.boxes.query("path == '008.jpg'")
    assert boxes["label"].tolist() == ["dot", "dot", "tile"]
    moved = boxes.iloc[2][["left", "top", "width", "height"]].tolist()
    assert moved == pytest.approx([0.65, 0.55, 0.21, 0.3], abs=0.02)
    photo.focus()
    keys.press("Space")
    keys.press("Delete")
    expect(panel).to_contain_text("008.jpg, 2 boxes")
    keys.press("u")
    expect(panel).to_contain_text("008.jpg, 3 boxes")
    expect(lab.page.locator(".jp-Cell")).to_have_count(cells)
    lab.screenshot("06_drawing", panel)

    button(lab, "Train the detector").click()
    expect(lab.output("panel")).to_contain_text("Finished.", timeout=LONG)
    expect(lab.output("panel").locator(".cvtune-picture img").last).to_be_visible()
    for name in ("curves", "examples", "learned"):
        lab.run_cell(lab.index(name))
        expect(lab.output(name)).not_to_contain_text("NotReady")
    gone_from_below(lab, "examples")
    expect(lab.output("learned")).to_contain_text("at 128 pixels finds")
    whole_page(lab, "06_small_objects")
