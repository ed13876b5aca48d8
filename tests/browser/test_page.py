"""The page of `cvtune serve` in a real browser, by keyboard."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from cvtune_nb import training
from cvtune_nb.data import open_workspace
from cvtune_nb.export import export_run
from cvtune_nb.parameters import Config
from tests.photos import ODD, make_photos

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The folder of photos and the address of a server that asks for a token."""
    place = tmp_path_factory.mktemp("served")
    photos = make_photos(place / "photos", classes=("circle", ODD, "stripes"), per_class=12, size=96)
    workspace = open_workspace(photos, place / "workspace")
    run = training.fit(workspace, Config("efficientnet_lite0", image_size=64, epochs=0))
    made = export_run(workspace, run.id, variants=(), threshold=0.2)
    command = [sys.executable, "-m", "cvtune_nb", "serve", str(made.zip), "--port", "0", "--token", "secret"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    yield photos, re.search(r"http://\S+", process.stderr.readline())[0]
    process.terminate()
    assert process.wait(30) == 0


def test_photos_are_classified_by_keyboard(served, page, tmp_path):
    photos, address = served
    good = min((photos / ODD).glob("*.jpg"))
    broken = Path(shutil.copy(__file__, tmp_path / "<b>broken.jpg"))
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security" in line.text else None)
    # from the start: a listener that comes right before the key press can be too late on a busy machine
    page.on("filechooser", lambda chooser: chooser.set_files([good, broken]))
    page.goto(address)
    expect(page.get_by_text("a token is needed")).to_be_visible()
    page.get_by_label("Token").press_sequentially("secret")
    page.keyboard.press("Enter")
    expect(page.locator("#about")).to_contain_text(f"This model knows 3 classes: {ODD}, circle, stripes.")
    expect(page.locator("#about")).to_contain_text("Below 20% it says that it is not sure")
    page.locator("#files").focus()
    page.keyboard.press("Enter")
    expect(page.locator("article")).to_have_count(2)
    expect(page.get_by_role("status")).to_contain_text(f"{good.name}: {ODD}, ")
    expect(page.get_by_role("status")).to_contain_text("not a photo: a text file")
    shown = page.get_by_alt_text(good.name)
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") > 90
    expect(page.locator("article").last.get_by_role("row").first).to_contain_text(re.compile(r"\d+\.\d%"))
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "serve_page.png", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=SHOTS / "serve_page_dark.png", full_page=True)
    assert errors == []


def test_a_photo_is_dropped(served, page):
    photos, address = served
    page.goto(address)
    page.get_by_label("Token").fill("secret")
    page.get_by_role("button", name="Use it").click()
    content = sorted((photos / "stripes").glob("*.jpg"))[1].read_bytes()
    page.evaluate(
        """([bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", {type: "image/jpeg"}));
            document.getElementById("zone").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
        }""",
        [list(content)],
    )
    expect(page.get_by_role("status")).to_contain_text("dropped.jpg: stripes, ")
