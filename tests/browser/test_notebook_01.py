"""Notebook 01 in a real browser: findings are decided by keyboard, boxes drawn by mouse and keyboard."""

import re
import shutil
import time

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import expect

from cvtune_nb.audit import audit, objects
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from tests.browser.steps import NETWORK, button, change_theme, gone_from_below, opened, whole_page

IN_HAND = ".cvtune-gallery-list [aria-current=true]"
"""The photo that keys decide about."""


def choose(panel, kind: str) -> None:
    """The kind of issue that the gallery lists."""
    kinds = panel.get_by_role("combobox").first
    expect(kinds).to_contain_text(f"{kind} (")
    names = [name.replace("\xa0", " ").strip() for name in kinds.locator("option").all_text_contents()]
    kinds.select_option(label=next(name for name in names if name.startswith(f"{kind} (")))


def in_hand(lab) -> str:
    """The file of the photo that keys decide about."""
    return lab.page.locator(IN_HAND).get_attribute("aria-label").split(",")[0]


def test_01_review_by_keyboard(open_notebook, workspace):
    lab = opened(open_notebook, "01_data_quality_audit", workspace)
    lab.run_all()
    nothing = "NotReady: Nothing is decided yet: decide about a few photos above, then run this cell again."
    assert lab.errors() == [nothing]
    panel, keys = lab.output("panel"), lab.page.keyboard
    choose(panel, "mislabelled")
    cells = lab.page.locator(".jp-Cell").count()
    photo = panel.locator(IN_HAND)
    photo.focus()
    expect(photo).to_have_attribute("aria-label", re.compile("wrong.jpg, labelled stripes.*not decided"))
    large = panel.locator(".cvtune-gallery-large img")
    expect(large).to_have_attribute("alt", re.compile("wrong.jpg, labelled stripes"))
    expect(panel.get_by_text("looks like this circle")).to_have_count(3)
    assert photo.evaluate("photo => getComputedStyle(photo).outlineStyle") == "solid"
    for key in "abx":  # in JupyterLab's command mode: insert above, below, cut
        keys.press(key)
    expect(lab.page.locator(".jp-Cell")).to_have_count(cells)
    keys.press("Enter")
    expect(panel).to_contain_text("✓ relabelled to circle")
    expect(panel).to_contain_text("1 decided")
    assert [act["to"] for act in workspace.standing().values()] == ["circle"]
    whole_page(lab, "01_data_quality_audit")
    change_theme(lab, "JupyterLab Dark")
    whole_page(lab, "01_data_quality_audit_dark")
    change_theme(lab, "JupyterLab Light")

    lab.run_cell(lab.index("payoff"))
    gone_from_below(lab, "payoff")
    expect(panel.locator(".cvtune-picture img")).to_be_visible()
    panel.get_by_role("button", name=re.compile("^Undo")).first.press("Enter")
    expect(panel).not_to_contain_text("✓ relabelled")
    expect(panel).not_to_contain_text("1 decided")
    assert workspace.standing() == {}


@pytest.fixture
def copies(planted, tmp_path):
    """An audited workspace of photos six of which are there twice, the last mirrored: twelve findings of one kind."""
    folder = shutil.copytree(planted, tmp_path / "twice")
    for number, photo in enumerate(sorted((folder / "circle").glob("*.jpg"))[8:14]):
        shutil.copy(photo, folder / "circle" / f"again {number}.jpg")
    ImageOps.mirror(Image.open(photo)).save(folder / "circle" / "again 5.jpg")
    space = open_workspace(folder, tmp_path / "copies")
    audit(space, FeatureSpec(NETWORK))
    return space


def test_01_ten_photos_by_keyboard_stay_decided(open_notebook, copies):
    """Ten decisions with a key each, three undone, another kind, a reload, a new kernel: nothing is lost."""
    workspace = copies
    lab = opened(open_notebook, "01_data_quality_audit", workspace)
    lab.run_all()
    panel, keys = lab.output("panel"), lab.page.keyboard
    photos, decided = panel.locator(".cvtune-gallery-list > *"), panel.locator("[data-decided=true]")

    def lies_at(place: int) -> None:
        expect(photos.nth(place)).to_have_attribute("aria-current", "true")

    choose(panel, "duplicate")
    expect(photos).to_have_count(14)
    cells = lab.page.locator(".jp-Cell").count()
    photos.first.focus()
    files = []
    for place, key in enumerate("kekekekek1"):
        files.append(in_hand(lab))
        keys.press(key)
        lies_at(place + 1)
    expect(panel).to_contain_text("10 decided")
    assert len(set(files)) == 10
    expect(lab.page.locator(".jp-Cell")).to_have_count(cells)
    standing = workspace.standing()
    assert [standing[file]["action"] for file in files] == ["keep", "exclude"] * 4 + ["keep", "relabel"]
    assert standing[files[-1]]["to"] == workspace.classes[0]
    whole_page(lab, "01_keyboard")

    for place in (9, 8):  # the last decisions first
        keys.press("u")
        lies_at(place)
    keys.press("Home")
    lies_at(0)
    keys.press("u")  # this one's
    expect(decided).to_have_count(7)
    lies_at(0)
    expect(panel).to_contain_text("7 decided")
    assert sorted(workspace.standing()) == sorted(files[1:8])
    keys.press("ArrowDown")
    keys.press("ArrowUp")
    keys.press("ArrowRight")
    lies_at(1)

    choose(panel, "mislabelled")
    expect(panel.get_by_text("looks like this circle").first).to_be_visible()
    choose(panel, "duplicate")
    expect(decided).to_have_count(7)
    lab.save()
    lab.page.reload()
    lab.ready()
    expect(decided).to_have_count(7)
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    lab.ready()
    lab.run_all()
    choose(panel, "decided by you")
    expect(decided).to_have_count(7)
    assert sorted(workspace.standing()) == sorted(files[1:8])

    photos.first.focus()
    keys.press("a")
    expect(panel).to_contain_text("7 selected")
    keys.press("Space")
    expect(panel).to_contain_text("6 selected")
    button(lab, "Undo selected").click()
    expect(panel).to_contain_text("6 taken back")
    assert len(workspace.standing()) == 1

    choose(panel, "duplicate")
    mirrored = panel.locator('[title^="circle/again 5.jpg"]')
    mirrored.click()
    keys.press("d")
    expect(mirrored).to_contain_text("not a copy")
    expect(panel).to_contain_text("3 decided")  # the pair is listed from both sides
    assert len(workspace.distinct()) == 1
    lab.save()
    lab.page.reload()
    lab.ready()
    mirrored.click()
    button(lab, "Undo U").click()  # of a decision that this page of the browser knows nothing of
    expect(panel).to_contain_text("1 decided")
    assert not workspace.distinct()


def test_01_undo_finds_the_photo_in_a_list_that_has_changed(open_notebook, copies):
    lab = opened(open_notebook, "01_data_quality_audit", copies)
    lab.run_all()
    panel, keys = lab.output("panel"), lab.page.keyboard
    choose(panel, "duplicate")
    photos, hide = panel.locator(".cvtune-gallery-list > *"), panel.get_by_label("Hide what is decided")
    expect(photos).to_have_count(14)
    photos.first.focus()
    keys.press("k")
    keys.press("k")
    expect(panel).to_contain_text("2 decided")
    hide.check()
    expect(photos).to_have_count(12)
    photos.first.focus()
    third = in_hand(lab)
    keys.press("e")
    expect(panel).to_contain_text("1 decided")
    hide.uncheck()
    expect(photos).to_have_count(14)
    photos.nth(5).click()
    keys.press("u")
    expect(photos.nth(2)).to_have_attribute("aria-current", "true")
    assert in_hand(lab) == third
    expect(panel).to_contain_text("2 decided")
    assert third not in copies.standing() and len(copies.standing()) == 2


def test_01_a_label_chosen_before_the_large_photo_arrives_stays(open_notebook, copies):
    lab = opened(open_notebook, "01_data_quality_audit", copies)
    lab.run_all()
    panel = lab.output("panel")
    choose(panel, "duplicate")
    labels, evidence = panel.get_by_label("New label"), panel.locator(".cvtune-gallery-others img")
    expect(evidence).to_have_count(1)
    lab.page.evaluate(
        """() => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
            .requestExecute({code: "import time; time.sleep(5)"})"""
    )
    panel.locator(IN_HAND).press("End")
    expect(evidence).to_have_count(0)
    suggested = labels.input_value()
    chosen = next(name for name in copies.classes if name != suggested)
    labels.select_option(chosen)
    expect(evidence).to_have_count(1)
    expect(labels).to_have_value(chosen)


def test_01_the_page_turns_by_itself(open_notebook, planted, tmp_path):
    """After the last photo of a page comes the first of the next; undo goes back to the page before."""
    folder = shutil.copytree(planted, tmp_path / "many")
    for number, photo in enumerate([*sorted((folder / "circle").glob("*.jpg"))[:15]] * 3):
        shutil.copy(photo, folder / "circle" / f"again {number}.jpg")
    workspace = open_workspace(folder, tmp_path / "workspace")
    audit(workspace, FeatureSpec(NETWORK))
    lab = opened(open_notebook, "01_data_quality_audit", workspace)
    lab.run_all()
    panel, keys = lab.output("panel"), lab.page.keyboard
    choose(panel, "duplicate")
    expect(panel).to_contain_text("1 to 40 of ")
    photos = panel.locator(".cvtune-gallery-list > *")
    photos.first.focus()
    keys.press("End")
    last = in_hand(lab)
    keys.press("k")
    expect(panel).to_contain_text("41 to ")
    expect(photos.first).to_be_focused()
    assert in_hand(lab) != last
    keys.press("u")
    expect(panel).to_contain_text("1 to 40 of ")
    expect(photos.last).to_be_focused()
    assert in_hand(lab) == last
    expect(panel).to_contain_text("; 0 decided")
    assert workspace.standing() == {}
    keys.press("ArrowRight")
    expect(panel).to_contain_text("41 to ")
    keys.press("p")
    expect(panel).to_contain_text("1 to 40 of ")


def test_01_boxes_by_mouse_and_keyboard(open_notebook, workspace):
    lab = opened(open_notebook, "01_data_quality_audit", workspace)
    lab.run_all()
    panel, mouse, keys = lab.output("objects"), lab.page.mouse, lab.page.keyboard
    photo = panel.locator(".cvtune-drawing")
    photo.scroll_into_view_if_needed()
    expect(photo).to_have_attribute("aria-label", re.compile("Photo .*Enter: a box"))
    cells = lab.page.locator(".jp-Cell").count()
    for number in range(5):
        expect(panel).to_contain_text(f"Photo {number + 1} of 12")
        expect(panel).to_contain_text("not boxed")
        area = photo.bounding_box()
        mouse.move(area["x"] + 0.5 * area["width"], area["y"] + 0.6 * area["height"])
        mouse.down()
        mouse.move(area["x"] + 0.4 * area["width"], area["y"] + 0.5 * area["height"], steps=4)
        mouse.up()
        expect(panel).to_contain_text(f"({number + 1} boxed)")
        keys.press("n")
    expect(panel).to_contain_text("Photo 6 of 12")
    photo.focus()
    keys.press("Enter")
    for _ in range(10):
        keys.press("Shift+ArrowLeft")
        keys.press("Shift+ArrowUp")
    keys.press("ArrowRight")
    expect(panel).to_contain_text("6 boxed")
    expect(panel).to_contain_text("notebook 06")
    whole_page(lab, "01_boxes")
    last = pytest.approx((0.41, 0.4, 0.1, 0.1), abs=0.001)
    end = time.monotonic() + 60
    while (found := list(objects.boxes(workspace).values()))[5] != last and time.monotonic() < end:
        lab.page.wait_for_timeout(100)  # on a busy machine a box is saved between two keys, too
    assert len(found) == 6 and found[0] == pytest.approx((0.4, 0.5, 0.1, 0.1), abs=0.02)
    assert found[5] == last
    keys.press("Delete")
    expect(panel).to_contain_text("5 boxed")
    expect(lab.page.locator(".jp-Cell")).to_have_count(cells)
