"""Notebook 07 in a real browser: look-alikes by click, by upload and by the map."""

import base64
import re

from playwright.sync_api import Locator, expect

from tests.browser.steps import LONG, NETWORK, opened, whole_page
from tests.photos import make_photos


def test_07_ask_by_click_by_upload_and_by_the_map(open_notebook, workspace, tmp_path):
    own = make_photos(tmp_path / "own", ("a", "b", "stripes"), per_class=1, seed=77) / "stripes"
    lab = opened(open_notebook, "07_image_similarity", workspace, EMBEDDER=f"{NETWORK}@64", IMAGE_SIZE=64, EPOCHS=1)
    lab.run_all()
    assert lab.errors() == ["NotReady: Press Export the index above first, then run this cell again."]
    panel, photos = lab.output("panel"), lab.output("panel").locator(".cvtune-grid [role=option]")
    expect(panel).to_contain_text("recall@1")
    expect(photos).to_have_count(12)
    expect(lab.output("measures").locator("img")).to_have_count(2)

    chosen = photos.nth(2).get_attribute("data-key")
    photos.nth(2).click()
    expect(panel).to_contain_text(f"Query: {chosen}")
    expect(panel.locator(f"[data-key='{chosen}']")).to_have_count(0)
    cells = lab.page.locator(".jp-Cell").count()
    photos.first.focus()
    lab.page.keyboard.press("ArrowRight")
    second = photos.nth(1).get_attribute("data-key")
    lab.page.keyboard.press("Enter")
    expect(panel).to_contain_text(f"Query: {second}")
    expect(lab.page.locator(".jp-Cell")).to_have_count(cells)

    with lab.page.expect_file_chooser() as chooser:
        panel.get_by_role("button", name="A photo of your own").click()
    chooser.value.set_files(next(own.iterdir()))
    expect(panel).to_contain_text("your own photo; most of the 12 nearest are stripes")
    lab.screenshot("07_query", panel)
    photos.first.click()
    expect(panel).not_to_contain_text("your own photo")
    drop = """async (grid, content) => {
        const files = new DataTransfer();
        files.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], "dropped.jpg"));
        grid.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
    }"""
    panel.locator(".cvtune-grid").evaluate(drop, base64.b64encode(next(own.iterdir()).read_bytes()).decode())
    expect(panel).to_contain_text("Query: dropped.jpg")

    plot = panel.locator(".cvtune-map-plot")
    plot.scroll_into_view_if_needed()
    area, mouse = plot.bounding_box(), lab.page.mouse
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)]
    places = [(area["x"] + x * area["width"], area["y"] + y * area["height"]) for x, y in corners]
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place, steps=4)
    mouse.up()
    expect(panel).to_contain_text(re.compile(r"1 to 48 of 6\d"))
    expect(photos).to_have_count(48)
    photos.first.click()
    expect(photos).to_have_count(12)

    button_of(lab, "outliers", "Look for them").click()
    expect(lab.output("outliers")).to_contain_text("findings in", timeout=LONG)
    lab.output("label").get_by_role("textbox").first.fill(str(own.parent))
    button_of(lab, "label", "Choose what to label").click()
    expect(lab.output("label")).to_contain_text("3 photos to label", timeout=LONG)
    button_of(lab, "export", "Export the index").click()
    expect(lab.output("export")).to_contain_text("Exported to", timeout=LONG)
    lab.run_cell(lab.index("use"))
    expect(lab.output("use")).to_contain_text("Similar(")
    whole_page(lab, "07_image_similarity")


def button_of(lab, cell, name) -> Locator:
    """A button in the output of another cell than the panel."""
    return lab.output(cell).get_by_role("button", name=name, exact=True)
