"""Groups in notebook 00, in a real browser: a rule is typed, seen, refused, and used."""

from playwright.sync_api import expect

from tests.browser.steps import LONG, button, whole_page
from tests.photos import make_photos


def test_00_photos_of_one_scene_are_kept_together(open_notebook, tmp_path):
    photos = make_photos(tmp_path / "photos", ("cat", "dog"), per_class=60, size=48)
    lab = open_notebook("00_start_here", DATA=str(photos), WORKSPACE=str(tmp_path / "w"))
    lab.run_all()
    assert lab.errors() == []
    panel = lab.output("panel")
    expect(panel).to_contain_text("photos a second", timeout=LONG)
    panel.get_by_text("More choices", exact=True).click()
    expect(panel).to_contain_text("each photo is alone, but for its copies")

    rule = panel.get_by_label("Group by")
    rule.fill("(")
    rule.press("Enter")
    expect(panel).to_contain_text("is no regular expression", timeout=LONG)
    rule.fill("exif")
    rule.press("Enter")
    expect(panel).to_contain_text("all 120 photos do not say when they were taken", timeout=LONG)
    expect(button(lab, "Stop the preview")).to_be_hidden()
    rule.fill(r"-(\d\d)\d")
    rule.press("Enter")
    expect(panel).to_contain_text("120 photos in 6 groups, the largest with 20 photos", timeout=LONG)
    expect(panel.get_by_alt_text("cat/cat-000.jpg", exact=True)).to_be_visible()
    expect(panel).to_contain_text("Before it can be used")
    whole_page(lab, "00_groups_preview")

    button(lab, "Open these photos").click()
    expect(panel.get_by_role("alert").first).to_contain_text("its split is frozen", timeout=LONG)
    panel.get_by_label("Draw the split anew").check()
    button(lab, "Open these photos").press("Enter")
    expect(panel).to_contain_text("Grouped by path", timeout=LONG)
    expect(panel).to_contain_text("changed the split")
    expect(panel.get_by_label("Draw the split anew")).not_to_be_checked()
    expect(panel).to_contain_text("6 groups, the largest with 20 photos")
    expect(button(lab, "Stop the preview")).to_be_hidden()
    whole_page(lab, "00_groups")
