"""Notebook 00 in a real browser: folders that are recognised or asked about, photos of more than 8 bits."""

from playwright.sync_api import expect

from tests.deep import make_deep
from tests.photos import make_photos


def panel(lab):
    return lab.output("panel")


def press(lab, name):
    panel(lab).get_by_role("button", name=name, exact=True).click()


def test_layouts_are_recognised_or_asked_about(open_notebook, tmp_path):
    for part, seed, count in (("training_set", 1, 12), ("test_set", 2, 4)):
        make_photos(tmp_path / "parts" / part, ("cats", "dogs"), count, 64, seed)
    make_photos(tmp_path / "vehicles", ("bus", "car", "train", "test"), 8, 64)
    lab = open_notebook("00_start_here", DATA=str(tmp_path / "parts"), WORKSPACE=str(tmp_path / "one"))
    lab.run_all()
    assert lab.errors() == []
    expect(panel(lab)).to_contain_text("Recognised: folders training_set, test_set: splits; 2 classes below them")
    lab.screenshot("00_layout_recognised")

    boxes = panel(lab).get_by_role("textbox")
    boxes.nth(0).fill(str(tmp_path / "vehicles"))
    boxes.nth(1).fill(str(tmp_path / "two"))
    press(lab, "Open these photos")
    expect(panel(lab).get_by_role("alert")).to_contain_text("'test' and 'train' beside 'bus' and 'car'")
    lab.screenshot("00_layout_refused")

    panel(lab).get_by_role("combobox").first.select_option(label="each folder is a class")
    press(lab, "Open these photos")
    expect(panel(lab)).to_contain_text("32 photos in 4 classes")
    expect(panel(lab)).to_contain_text("As you chose: layout classes")
    lab.screenshot("00_layout_chosen")


def test_levels_of_12_bit_photos_are_shown_and_changed(open_notebook, tmp_path):
    lab = open_notebook("00_start_here", DATA=str(make_deep(tmp_path / "deep", 4095, 6)), WORKSPACE=str(tmp_path / "w"))
    lab.run_all()
    assert lab.errors() == []
    expect(panel(lab)).to_contain_text("hold 12 bits: 0 is shown black, 4095 white")
    white = panel(lab).get_by_label("Shown white")
    expect(white).to_have_value("4095")
    before = panel(lab).locator(".cvtune-picture img").first.get_attribute("src")
    white.fill("2000")
    press(lab, "Show the photos so")
    expect(panel(lab)).to_contain_text("2000 white, as you chose")
    expect(panel(lab).locator(".cvtune-picture img").first).not_to_have_attribute("src", before)
    lab.screenshot("00_levels")
