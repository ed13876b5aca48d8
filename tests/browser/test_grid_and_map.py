"""The grid of photos and the map of points, each in a small notebook: what a person does arrives in the kernel."""

import json

import numpy as np
import pytest
from playwright.sync_api import expect

from cvtune_nb.widgets.photo_grid import PhotoGrid
from cvtune_nb.widgets.point_map import PointMap
from tests.browser import jlab

CELL = """
import io

import ipywidgets
import numpy as np
from PIL import Image

from cvtune_nb.widgets.photo_grid import PhotoGrid
from cvtune_nb.widgets.point_map import PointMap

def jpeg(number):
    made = io.BytesIO()
    Image.new("RGB", (64, 48), (10 * number, 120, 255 - 10 * number)).save(made, "JPEG")
    return made.getvalue()

def photo(number):
    name = f"{number}.jpg" if number else "<b>0</b>.jpg"
    return {"key": f"p{number}", "caption": name, "said": f"Photo {name}", "mark": ("same", "other", "")[number % 3]}

def show(first):
    grid.show([photo(i) for i in range(first, 24)], [jpeg(i) for i in range(first, 24)], f"From {first}")

def opened(key):
    told.value = f"opened {key}"
    grid.opens = key != "p3"
    show(int(key[1:]))

def selected(what):
    told.value = f"selected {' '.join(map(str, what))}."

told, grid, chart = ipywidgets.Label(), PhotoGrid(choosable=True), PointMap()
grid.on_open, grid.on_select, chart.on_select = opened, selected, selected
show(0)
here = np.repeat([[0.2, 0.8], [0.5, 0.5], [0.8, 0.2]], 6, axis=0)  # three groups of six, dress and skirt by turns
here += np.tile([[0, 0], [0, 0.04], [0.04, 0], [-0.04, 0], [0, -0.04], [0.04, 0.04]], (3, 1))
chart.show(here, np.arange(18) % 2, ["dress", "skirt"], [f"{i}.jpg" for i in range(18)], "Map of 18 photos")
chart.mark([2])
ipywidgets.VBox([told, grid, chart])
"""


@pytest.fixture
def lab(page, lab_server):
    """A notebook of one cell that shows both, after Run All."""
    address, token, root = lab_server
    cell = {"cell_type": "code", "id": "both", "metadata": {}, "outputs": [], "execution_count": None, "source": CELL}
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3 (ipykernel)"}}
    path = root / "grid_and_map.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    lab = jlab.Lab(page, address, token, root, path).open()
    lab.run_all()
    assert lab.errors() == []
    yield lab
    lab.close()
    assert lab.page_errors == []


def test_what_a_person_does_arrives_in_the_kernel(lab):
    open_and_select_photos(lab)
    select_points(lab)
    assert lab.page.locator(".jp-Cell").count() == 1, "no key has reached JupyterLab"


def open_and_select_photos(lab):
    panel, keys = lab.output("both"), lab.page.keyboard
    grid, told = panel.get_by_role("listbox", name="From"), panel.locator(".widget-label")
    photos = grid.get_by_role("option")
    expect(photos).to_have_count(24)
    expect(photos.first).to_have_text("<b>0</b>.jpg✓")
    photos.nth(2).locator("i").click()
    expect(told).to_have_text("selected p2.")
    expect(photos.nth(2)).to_have_attribute("aria-selected", "true")
    photos.nth(1).locator("img").click()
    expect(told).to_have_text("opened p1")
    expect(photos).to_have_count(23)
    expect(grid.locator("[aria-selected=true]")).to_have_count(0)
    expect(photos.first).to_be_focused()
    keys.press("ArrowRight")
    keys.press("Space")
    expect(told).to_have_text("selected p2.")
    expect(grid.locator("[tabindex='0']")).to_have_count(1)
    keys.press("ArrowDown")
    keys.press("ArrowUp")
    keys.press("ArrowRight")
    expect(grid.get_by_role("option", name="Photo 3.jpg")).to_be_focused()
    keys.press("Enter")
    expect(told).to_have_text("opened p3")
    keys.press("End")
    expect(photos.last).to_be_focused()
    keys.press("ControlOrMeta+a")
    expect(told).to_have_text(f"selected {' '.join(f'p{i}' for i in range(3, 24))}.")
    keys.press("ControlOrMeta+a")
    expect(told).to_have_text("selected .")
    photos.last.locator("img").click()  # this grid does not open photos any more
    expect(told).to_have_text("selected p23.")


def select_points(lab):
    panel, keys, mouse = lab.output("both"), lab.page.keyboard, lab.page.mouse
    chart, told, status = panel.get_by_role("application"), panel.locator(".widget-label"), panel.get_by_role("status")
    expect(status).to_have_text("0 of 18 photos selected")
    chart.scroll_into_view_if_needed()

    def to(right, up, **more):
        area = chart.bounding_box()
        mouse.move(area["x"] + right * area["width"], area["y"] + (1 - up) * area["height"], **more)

    def lasso(*corners):
        to(*corners[0])
        mouse.down()
        for corner in corners[1:]:
            to(*corner, steps=4)
        mouse.up()

    lasso((0.05, 0.95), (0.4, 0.95), (0.4, 0.7), (0.05, 0.6))
    expect(told).to_have_text("selected 0 1 2 3 4 5.")
    expect(status).to_have_text("6 of 18 photos selected: 3 dress, 3 skirt")
    to(0.5, 0.5)
    expect(chart).to_have_text("6.jpg\ndress")
    lasso((0.5, 0.5))
    expect(told).to_have_text("selected 6.")
    lasso((0.6, 0.9))
    expect(told).to_have_text("selected .")
    for key in ("ArrowRight", "ArrowLeft", "-"):
        keys.press(key)
    expect(status).to_have_text("0 of 18 photos selected. In the frame: 6")
    keys.press("Enter")
    expect(told).to_have_text("selected 6 7 8 9 10 11.")
    for key in ("+", "+", "+", "+", "+", "+", "+", "Enter"):
        keys.press(key)
    expect(told).to_have_text(f"selected {' '.join(str(i) for i in range(18))}.")
    skirt = panel.get_by_role("button", name="skirt (9)")
    skirt.focus()
    keys.press("Enter")
    expect(skirt).to_have_attribute("aria-pressed", "false")
    expect(told).to_have_text("selected 0 2 4 6 8 10 12 14 16.")
    lasso((0.05, 0.95), (0.4, 0.95), (0.4, 0.7), (0.05, 0.6))
    expect(status).to_have_text("3 of 18 photos selected: 3 dress")
    keys.press("Escape")
    expect(told).to_have_text("selected .")


def test_a_selection_of_what_was_shown_before_is_left_out():
    grid, chart, heard = PhotoGrid(), PointMap(), []
    grid.on_select = chart.on_select = heard.append
    for _ in range(2):
        grid.show([{"key": "a"}, {"key": "b"}], [b"", b""], "two")
        chart.show(np.zeros((2, 2)), np.array([0, 1]), ["one", "two"], [], "two")
    for shown in (1, 2):
        grid._handle_custom_msg({"selected": ["b"], "shown": shown}, [])
        chart._handle_custom_msg({"selected": [1], "shown": shown}, [])
    assert heard == [["b"], [1]]
    grid.show([], [], "none")
    chart.show(np.zeros((0, 2)), np.zeros(0), [], [], "none")
    assert grid.selected == chart.selected == []
    with pytest.raises(ValueError, match="class number 2, but 2 classes"):
        chart.show(np.zeros((1, 2)), np.array([2]), ["one", "two"], [], "one")
